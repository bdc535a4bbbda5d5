"""One AWS and one configured plugin for the tests of the stand-in providers."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox_aws.server import Aws, running
from tests.sandbox_providers.plugin import Plugin, started


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Aws]:
    with running(tmp_path_factory.mktemp("aws")) as aws:
        yield aws


@pytest.fixture(scope="session")
def aws_inbox(server: Aws) -> Path:
    return server.inbox


@pytest.fixture(scope="session")
def aws_environment(server: Aws) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


@pytest.fixture(scope="session")
def aws(aws_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Generator[Plugin]:
    with started("aws", tmp_path_factory.mktemp("home"), aws_environment) as plugin:
        plugin.configure(region="us-east-1", allowedAccountIds='["123456789012"]')
        yield plugin


@pytest.fixture
def client(server: Aws) -> Any:
    """Makes boto3 clients of the same AWS."""
    return server.client
