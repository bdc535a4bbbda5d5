"""A whole run as the schedule starts it: AWS is moto, the project an HTTP server."""

import subprocess
import sys
from collections.abc import Callable, Generator
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from probe import handler
from probe.settings import Keys, KeysMissingError, Settings
from tests.checks.fakes import self_check
from tests.components.recording import ROOT
from tests.probe.fakes import METRICS, SETTINGS, Time, cpu

pytestmark = pytest.mark.rows("K2", "L4", "M5", "M6", "M7")

PARAMETERS = {"anon-key": "anon", "service-role-key": "role"}


@pytest.fixture(scope="module")
def aws_server() -> Generator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def client(aws_server: str, monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer) -> Callable[[str], Any]:
    """An account with nothing in it, and the environment of a function that is deployed there."""
    httpx.post(f"{aws_server}/moto-api/reset").raise_for_status()
    given = Settings(
        environment=SETTINGS.environment,
        gateway_url=httpserver.url_for("").rstrip("/"),
        functions=SETTINGS.functions,
        functions_user=SETTINGS.functions_user,
        purposes=SETTINGS.purposes,
        parameters=SETTINGS.parameters,
    )
    variables = {
        **given.as_variables(),
        "AWS_ENDPOINT_URL": aws_server,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    handler.client.cache_clear()

    def make(service: str) -> Any:
        return boto3.client(service)  # pyright: ignore[reportCallIssue, reportArgumentType]

    return make


class Context:
    def __init__(self, time: Time) -> None:
        self._time = time

    def get_remaining_time_in_millis(self) -> int:
        return round(58_000 - self._time.seconds * 1000)


def handle(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time()
    monkeypatch.setattr(handler, "Clock", lambda: time.clock)
    handler.handle({}, Context(time))


def put(client: Callable[[str], Any], **values: str) -> None:
    for name, value in values.items():
        client("ssm").put_parameter(
            Name=f"{SETTINGS.parameters}/{name.replace('_', '-')}", Value=value, Type="SecureString"
        )


def all_well(server: HTTPServer) -> None:
    metrics = [METRICS + cpu(100, 10, 10), METRICS + cpu(120, 15, 25)]

    def turned(request: Request) -> Response:
        fields: dict[str, str] = request.json or {}
        key = "ciphertext" if "plaintext" in fields else "plaintext"
        return Response(f'{{"{key}": "{fields.get("plaintext", fields.get("ciphertext", ""))[::-1]}"}}')

    server.expect_request("/rest/v1/payment_methods", headers={"apikey": "anon"}).respond_with_json([])
    for name in SETTINGS.functions:
        path = f"/functions/v1/{name}"
        server.expect_request(path, "GET", headers={"apikey": "role"}).respond_with_json(self_check(function=name))
        server.expect_request(path, "POST", headers={"apikey": "role"}).respond_with_handler(turned)
    server.expect_request("/customer/v1/privileged/metrics").respond_with_handler(lambda _: Response(metrics.pop(0)))


def published(client: Callable[[str], Any]) -> set[tuple[str, str, str]]:
    """Namespace, name and endpoint of what CloudWatch has."""
    found: set[tuple[str, str, str]] = set()
    for metric in client("cloudwatch").list_metrics()["Metrics"]:
        dimensions = {one["Name"]: one["Value"] for one in metric["Dimensions"]}
        assert dimensions.pop("Environment") == "sandbox"
        found.add((metric["Namespace"], metric["MetricName"], dimensions.pop("Endpoint", "")))
        assert dimensions == {}
    return found


def test_a_run_publishes_everything(
    client: Callable[[str], Any], httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(client, anon_key="anon", service_role_key="role")
    client("iam").create_user(UserName=SETTINGS.functions_user)
    client("iam").create_access_key(UserName=SETTINGS.functions_user)
    all_well(httpserver)
    handle(monkeypatch)
    httpserver.check()
    endpoints = ("create-payment-method", "encrypt-data", "metrics", "rest")
    load = ("Connections", "ConnectionsPercent", "CpuPercent", "DiskPercent", "MemoryPercent")
    assert published(client) == {
        *(("ParkerFlight/Probe", name, endpoint) for name in ("Available", "Latency") for endpoint in endpoints),
        *(("ParkerFlight/Database", name, "") for name in load),
        ("ParkerFlight/Access", "AccessKeyAgeDays", ""),
    }


def test_without_keys_the_run_fails_and_nothing_is_published(
    client: Callable[[str], Any], httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence is alarmed; a guess would wake somebody for a fault that is ours."""
    put(client, anon_key="anon")
    with pytest.raises(KeysMissingError, match="/parker-flight/sandbox/probe/service-role-key"):
        handle(monkeypatch)
    assert published(client) == set()
    assert httpserver.log == []


def test_a_key_that_was_changed_counts_in_the_next_run(client: Callable[[str], Any]) -> None:
    put(client, anon_key="anon", service_role_key="role")
    assert Keys.fetch(client("ssm"), SETTINGS.parameters) == Keys(anon="anon", service_role="role")
    client("ssm").put_parameter(
        Name=f"{SETTINGS.parameters}/anon-key", Value="new", Type="SecureString", Overwrite=True
    )
    assert Keys.fetch(client("ssm"), SETTINGS.parameters) == Keys(anon="new", service_role="role")


def test_settings_travel_as_variables() -> None:
    assert Settings.of(SETTINGS.as_variables()) == Settings(
        environment=SETTINGS.environment,
        gateway_url=SETTINGS.gateway_url,
        functions=list(SETTINGS.functions),
        functions_user=SETTINGS.functions_user,
        purposes=list(SETTINGS.purposes),
        parameters=SETTINGS.parameters,
    )


def test_keys_show_in_no_text() -> None:
    assert "secret" not in repr(Keys(anon="secret", service_role="secret"))


def test_the_package_needs_nothing_that_the_platform_lacks() -> None:
    """The runtime brings boto3 and urllib3; nothing else of ours is in the package."""
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import probe.handler;"
        "print(*sorted({one.partition('.')[0] for one in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    ours = {path.name.removesuffix(".py") for path in ROOT.iterdir() if path.suffix == ".py" or path.is_dir()}
    loaded = set(done.stdout.split()) - {"__main__"}
    assert loaded & ours == {"checks", "probe"}
    assert loaded & {"httpx", "pydantic", "pulumi", "pulumi_aws", "requests"} == set()
