"""One moto and one configured plugin for the tests of the stand-in providers."""

import os
import random
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from sandbox.processes import wait_for
from sandbox.state import PORTS, port_is_free
from tests.sandbox_providers.plugin import Plugin, started

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def aws_inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("aws") / "inbox.jsonl"


@pytest.fixture(scope="session")
def aws_environment(aws_inbox: Path) -> Generator[dict[str, str]]:
    port = next(port for port in random.sample(PORTS, len(PORTS)) if port_is_free(port))  # tests run side by side
    url = f"http://127.0.0.1:{port}"
    log = aws_inbox.with_name("requests.jsonl")

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/moto-api/", timeout=2).is_success
        except httpx.HTTPError:
            return False

    with subprocess.Popen(
        [
            *(sys.executable, "-m", "sandbox.aws", "--port", str(port)),
            *("--log", str(log), "--inbox", str(aws_inbox)),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    ) as server:
        assert wait_for(answers, 30, alive=lambda: server.poll() is None)
        yield {
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        server.kill()


@pytest.fixture(scope="session")
def aws(aws_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Generator[Plugin]:
    with started("aws", tmp_path_factory.mktemp("home"), aws_environment) as plugin:
        plugin.configure(region="us-east-1", allowedAccountIds='["123456789012"]')
        yield plugin


@pytest.fixture
def client(aws_environment: dict[str, str]) -> Any:
    """Makes boto3 clients of the same AWS."""

    def make(service: str) -> Any:
        return boto3.client(  # pyright: ignore[reportCallIssue]
            service,  # pyright: ignore[reportArgumentType]
            endpoint_url=aws_environment["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    return make
