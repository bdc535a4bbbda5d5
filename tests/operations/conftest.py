"""A stack whose AWS is moto and whose Supabase is an HTTP server that the test directs."""

import hashlib
import json
import shutil
import signal
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from moto.cloudwatch.responses import CloudWatchResponse
from moto.kms.responses import KmsResponse
from moto.server import ThreadedMotoServer
from pytest_httpserver import HTTPServer

from components.naming import DATA_CLASSES
from gate.stack_file import release_part
from operations import aws
from operations.environment import load
from operations.stack import Stack
from sandbox.aws.cloudwatch import serve_composite_alarms
from sandbox.aws.kms import remember_rotation_period
from settings import Settings
from tests.ci.github import GitHub

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "sbp_" + "a1" * 20
RELEASE = "0123456789abcdef"
FUNCTIONS = ("create-payment-method", "encrypt-data")
PROJECT = "/v1/projects/sandboxsandboxsandbo"
SETTINGS = {"PF_ENVIRONMENT": "sandbox", "PF_ROLE_ARN": "arn:aws:iam::123456789012:role/parker-flight-sandbox-role"}


@pytest.fixture
def signals_of_a_terminal() -> Generator[None]:
    """Also where the tests run under nohup; what a test leaves of them is put back."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGHUP, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def unmarked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests also run in a shell that `pf env` filled."""
    monkeypatch.delenv("PF_LOADED", raising=False)


@pytest.fixture(autouse=True)
def unread() -> None:
    """Each test may have AWS's configuration for itself."""
    aws._session.cache_clear()  # pyright: ignore[reportPrivateUsage]


@pytest.fixture(scope="session")
def aws_server() -> Generator[str]:
    remember_rotation_period(KmsResponse)
    serve_composite_alarms(CloudWatchResponse)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws_url(aws_server: str) -> str:
    """An AWS account with nothing in it."""
    httpx.post(f"{aws_server}/moto-api/reset").raise_for_status()
    return aws_server


@pytest.fixture
def client(aws_url: str) -> Callable[[str], Any]:
    def make(service: str) -> Any:
        return boto3.client(  # pyright: ignore[reportCallIssue]
            service,  # pyright: ignore[reportArgumentType]
            endpoint_url=aws_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    return make


@pytest.fixture
def keys(client: Callable[[str], Any]) -> dict[str, str]:
    """The three keys as the program makes them."""
    kms = client("kms")
    made: dict[str, str] = {}
    for one in DATA_CLASSES:
        made[one.name] = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=f"alias/parker-flight-{one.name}-sandbox", TargetKeyId=made[one.name])
        kms.enable_key_rotation(KeyId=made[one.name], RotationPeriodInDays=365)
    return made


def exported(keys: dict[str, str]) -> dict[str, Any]:
    """The state that a deployment of all this leaves, as `pulumi stack export` prints it."""

    def resource(kind: str, name: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> dict[str, Any]:
        urn = f"urn:pulumi:sandbox::parker-flight::{kind}::{name}"
        return {"urn": urn, "type": kind.rpartition("$")[2], "custom": True, "inputs": inputs, "outputs": outputs}

    command = "parkerflight:supabase:EdgeFunctions$command:local:Command"
    left = {"functions": {name: {"source": "s", "content": f"{name} 1"} for name in FUNCTIONS}, "release": RELEASE}
    lines = "\n".join(f"{name} {'0' * 64} verify_jwt=true" for name in FUNCTIONS)
    resources = [
        resource(
            command, "functions-release", {"environment": {"PF_RELEASE_FUNCTIONS": lines}}, {"stdout": json.dumps(left)}
        ),
        resource(
            *(command, "functions-settings", {"environment": {**SETTINGS, "PF_PROJECT_REF": "ref"}}),
            {"stdout": json.dumps({"names": sorted(SETTINGS)})},
        ),
    ]
    for name, key in keys.items():
        outputs = {"name": f"alias/parker-flight-{name}-sandbox", "targetKeyId": key}
        resources.append(resource("aws:kms/alias:Alias", name, {}, outputs))
    return {"deployment": {"resources": resources}}


@pytest.fixture
def deployed(keys: dict[str, str], tool: Callable[[str, str], Path]) -> dict[str, str]:
    """The keys, and an engine whose state has them, the functions and their settings."""
    tool("pulumi", f"cat <<'END'\n{json.dumps(exported(keys))}\nEND")
    return keys


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder with a stack and two functions."""
    root = tmp_path / "project"
    for name in FUNCTIONS:
        (root / "supabase/functions" / name).mkdir(parents=True)
        (root / "supabase/functions" / name / "index.ts").write_text("Deno.serve(() => new Response());\n")
    shutil.copy(ROOT / "Pulumi.sandbox.yaml", root)
    return root


@pytest.fixture
def variables(aws_url: str, httpserver: HTTPServer, tmp_path: Path) -> dict[str, str]:
    """The environment of the stack."""
    return {
        "PATH": f"{tmp_path / 'tools'}:/usr/bin:/bin",
        "AWS_ENDPOINT_URL": aws_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "SUPABASE_ACCESS_TOKEN": TOKEN,
        "SUPABASE_API_URL": httpserver.url_for("").rstrip("/"),
        "SUPABASE_URL": httpserver.url_for("").rstrip("/"),
        "SUPABASE_ANON_KEY": "anon-key",
        "SUPABASE_SERVICE_ROLE_KEY": "service-role-key",
        "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "PULUMI_CONFIG_PASSPHRASE": "sandbox",
    }


PASSPHRASES = "encryptionsalt: v1:9F762PGQUBk=:v1:nwMNjg2IZIX0TLJo:5SGLVq/IbOClq2II1C8/lw0RoclJNQ==\n"


@pytest.fixture
def by_passphrase(project: Path) -> Path:
    """The stack's file, encrypted by the passphrase `sandbox` instead of a key."""
    file = project / "Pulumi.sandbox.yaml"
    file.write_bytes(release_part(file.read_bytes()) + PASSPHRASES.encode())
    return file


@pytest.fixture
def make_stack(project: Path, variables: dict[str, str], tmp_path: Path) -> Callable[..., Stack]:
    """A stack with some variables changed."""

    def make(**changed: str) -> Stack:
        loaded = load("sandbox", tmp_path / "state", variables | changed, ())
        return Stack(
            name="sandbox",
            root=project,
            state=tmp_path / "state",
            settings=Settings.from_file("sandbox", project),
            environment=loaded.settings,
            variables=loaded.variables,
        )

    return make


@pytest.fixture
def github() -> Generator[GitHub]:
    """With a server of its own, since it answers whatever it is asked."""
    with HTTPServer() as server:
        yield GitHub(server=server)


@pytest.fixture
def stack(make_stack: Callable[..., Stack]) -> Stack:
    return make_stack()


@pytest.fixture
def tool(tmp_path: Path) -> Callable[[str, str], Path]:
    """Put a shell script on the stack's PATH under a tool's name."""
    folder = tmp_path / "tools"
    folder.mkdir(exist_ok=True)

    def put(name: str, script: str) -> Path:
        file = folder / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return file

    return put


def self_check(name: str, release: str = RELEASE, **failed: str) -> dict[str, Any]:
    """A function's answer about itself; `failed` names purposes (with _ for -) and the codes of their errors."""
    checks: dict[str, Any] = {"general-data": {"ok": True, "latencyMs": 12}}
    checks |= {purpose.replace("_", "-"): {"ok": False, "code": code} for purpose, code in failed.items()}
    return {"function": name, "release": release, "healthy": not failed, "checks": checks}


def all_well(server: HTTPServer) -> None:
    """Whatever the test doesn't direct answers as it should."""
    for name in FUNCTIONS:
        server.expect_request(f"/functions/v1/{name}", method="GET").respond_with_json(self_check(name))
    server.expect_request("/rest/v1/payment_methods", method="GET").respond_with_json([])
    services = [{"name": name, "healthy": True, "status": "ACTIVE_HEALTHY"} for name in ("db", "rest")]
    server.expect_request(f"{PROJECT}/health", method="GET").respond_with_json(services)
    server.expect_request(f"{PROJECT}/functions", method="GET").respond_with_json([live(name) for name in FUNCTIONS])
    server.expect_request(f"{PROJECT}/secrets", method="GET").respond_with_json(secrets())


def live(name: str, **changed: Any) -> dict[str, Any]:
    """A function as the Management API lists it."""
    return {"slug": name, "version": 1, "ezbr_sha256": f"{name} 1", "verify_jwt": True} | changed


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def secrets(**changed: str | None) -> list[dict[str, str]]:
    """The functions' settings and access key as the Management API lists them; None for one that is unset."""
    values: dict[str, str | None] = {
        **SETTINGS,
        "PF_RELEASE": RELEASE,
        "PF_AWS_ACCESS_KEY_ID": "AKIA",
        "PF_AWS_SECRET_ACCESS_KEY": "secret",
        "PF_AWS_ACCESS_KEY_CHECKSUM": f"{sha256('AKIA')} {sha256('secret')}",
    } | changed
    return [{"name": name, "value": sha256(value)} for name, value in values.items() if value is not None]


@pytest.fixture
def living(tmp_path: Path) -> Generator[int]:
    """An engine that runs; its process id."""
    program = tmp_path / "pulumi"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "60"]) as engine:
        yield engine.pid
        engine.kill()


def unresolved(cloudwatch: Any, *, wait_seconds: int) -> None:
    """What level 2 was told of stands, and level 3 is told of it after a while."""
    name = "parker-flight-sandbox-level-2-unresolved"
    cloudwatch.put_composite_alarm(
        AlarmName=name,
        AlarmRule="TRUE",
        AlarmActions=["arn:aws:sns:us-east-1:123456789012:parker-flight-sandbox-level-3"],
        ActionsSuppressor="parker-flight-sandbox-never",
        ActionsSuppressorWaitPeriod=wait_seconds,
        ActionsSuppressorExtensionPeriod=0,
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a drill")
