"""One AWS for all tests of what the sandbox adds to moto, and functions deployed on it."""

import io
import json
import zipfile
from collections.abc import Callable, Generator
from typing import Any
from uuid import uuid4

import pytest

from tests.sandbox_aws.server import Aws, running

Deploy = Callable[..., str]


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Generator[Aws]:
    with running(tmp_path_factory.mktemp("aws")) as aws:
        yield aws


@pytest.fixture(scope="session")
def role(aws: Aws) -> str:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    made = aws.client("iam").create_role(RoleName="probe-role", AssumeRolePolicyDocument=json.dumps(trust))
    return made["Role"]["Arn"]


@pytest.fixture
def deploy(aws: Aws, role: str) -> Deploy:
    """Makes a function of this source, whose handler is `run`, and returns its name."""

    def make(source: str, **settings: Any) -> str:
        name = f"function-{uuid4().hex[:8]}"
        aws.client("lambda").create_function(
            **{
                "FunctionName": name,
                "Runtime": "python3.12",
                "Handler": "main.run",
                "Role": role,
                "Code": {"ZipFile": zip_of(source)},
            }
            | settings
        )
        return name

    return make


def zip_of(source: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("main.py", source)
    return made.getvalue()
