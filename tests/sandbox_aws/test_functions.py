"""A deployed function runs from its own zip, with its own environment and role, and reports as Lambda does."""

import base64
import json
import signal
import threading
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import psutil
import pytest
from botocore.exceptions import ClientError
from moto.cloudwatch.models import CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse

from sandbox.aws.alarms import Watch, evaluate_alarms
from sandbox.processes import wait_for
from tests.sandbox_aws.conftest import Deploy, zip_of
from tests.sandbox_aws.server import Aws, running

pytestmark = pytest.mark.rows("K2", "K7")

ABOUT_ITSELF = """
import os, sys
import boto3

def installed(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True

def run(event, context):
    print("working")
    identity = boto3.client("sts").get_caller_identity()["Arn"]
    return {
        "event": event,
        "identity": identity,
        "files": sorted(name for name in os.listdir() if name != "__pycache__"),
        "environment": dict(os.environ),
        "remaining": context.get_remaining_time_in_millis(),
        "context": [context.function_name, context.memory_limit_in_mb, context.invoked_function_arn],
        "request": context.aws_request_id,
        "others": [name for name in ("pydantic", "httpx", "pulumi", "sandbox", "moto") if installed(name)],
    }
"""
WAITS = """
import pathlib, time

def run(event, context):
    pathlib.Path(event["started"]).touch()
    while not pathlib.Path(event["go"]).exists():
        time.sleep(0.01)
"""
LEAVES_A_CHILD = """
import pathlib, subprocess, time

def run(event, context):
    print("started a child")
    child = subprocess.Popen(["sleep", "300"])
    pathlib.Path(event["pid"]).write_text(str(child.pid))
    if event["hang"]:
        time.sleep(300)
"""


def invoke(aws: Aws, name: str, event: object = None, **options: Any) -> tuple[Any, dict[str, Any]]:
    answer = aws.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event or {}), **options)
    return json.loads(answer["Payload"].read()), answer


def total(aws: Aws, name: str, metric: str) -> float:
    return aws.total("AWS/Lambda", ("FunctionName", name), metric)


def test_a_function_sees_what_was_deployed_and_nothing_of_this_project(aws: Aws, deploy: Deploy) -> None:
    name = deploy(
        ABOUT_ITSELF, Environment={"Variables": {"COLOUR": "blue"}}, Timeout=30, MemorySize=256, Runtime="python3.13"
    )
    said, answer = invoke(aws, name, {"a": 1})
    assert answer["StatusCode"] == 200
    assert said["event"] == {"a": 1}
    assert said["identity"] == f"arn:aws:sts::123456789012:assumed-role/probe-role/{name}"
    assert said["files"] == ["main.py"]
    assert 0 < said["remaining"] <= 30_000
    assert said["context"] == [name, "256", f"arn:aws:lambda:us-east-1:123456789012:function:{name}"]
    assert said["others"] == []
    expected = {
        "COLOUR": "blue",
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "TZ": ":UTC",
    }
    assert expected.items() <= said["environment"].items()
    assert "PYTHONPATH" not in said["environment"]


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("def run(event, context): raise ValueError('no luck')", "ValueError", "no luck"),
        ("import pydantic", "Runtime.ImportModuleError", "No module named 'pydantic'"),
        ("def other(event, context): pass", "Runtime.HandlerNotFound", "has no attribute 'run'"),
        ("this is no Python", "SyntaxError", "invalid syntax"),
        ("def run(event, context): return object()", "Runtime.MarshalError", "not JSON serializable"),
        ("import os\ndef run(event, context): os._exit(3)", "Runtime.ExitError", "exit status 3"),
        ("def run(event, context): return", "", ""),
    ],
)
def test_what_goes_wrong_is_told_as_lambda_tells_it_and_counted(
    aws: Aws, deploy: Deploy, source: str, kind: str, message: str
) -> None:
    name = deploy(source)
    said, answer = invoke(aws, name)
    failed = bool(kind)
    assert answer.get("FunctionError") == ("Unhandled" if failed else None)
    if failed:
        assert said["errorType"] == kind
        assert message in said["errorMessage"]
    assert [total(aws, name, metric) for metric in ("Invocations", "Errors", "Throttles")] == [1, int(failed), 0]
    assert total(aws, name, "Duration") > 0


@pytest.mark.parametrize("hang", [True, False])
def test_nothing_that_a_run_started_outlives_it(aws: Aws, deploy: Deploy, tmp_path: Path, *, hang: bool) -> None:
    name = deploy(LEAVES_A_CHILD, Timeout=3)
    said, answer = invoke(aws, name, {"pid": str(tmp_path / "pid"), "hang": hang}, LogType="Tail")
    if hang:
        assert said["errorMessage"].endswith("Error: Task timed out after 3.00 seconds")
        assert total(aws, name, "Errors") == 1
    log = base64.b64decode(answer["LogResult"]).decode()
    assert "started a child" in log
    assert ("Task timed out" in log) == hang
    pid = int((tmp_path / "pid").read_text())
    assert wait_for(lambda: not psutil.pid_exists(pid), 30)


def test_a_function_ends_with_the_sandbox_however_that_ends(tmp_path: Path, role: str, deploy: Deploy) -> None:
    del deploy
    with running(tmp_path) as other:
        other.client("iam").create_role(RoleName="probe-role", AssumeRolePolicyDocument="{}")
        other.client("lambda").create_function(
            FunctionName="waits",
            Runtime="python3.12",
            Handler="main.run",
            Role=role,
            Timeout=300,
            Code={"ZipFile": zip_of(LEAVES_A_CHILD)},
        )
        event = json.dumps({"pid": str(tmp_path / "pid"), "hang": True})
        other.client("lambda").invoke(FunctionName="waits", InvocationType="Event", Payload=event)
        assert wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "", 20)
        family = psutil.Process(other.process.pid).children(recursive=True)
        assert len(family) == 2
        other.process.send_signal(signal.SIGKILL)
        _, left = psutil.wait_procs(family, timeout=10)
        assert left == []


def test_a_second_run_at_the_same_time_is_throttled(aws: Aws, deploy: Deploy, tmp_path: Path) -> None:
    name = deploy(WAITS, Timeout=60)
    event = {"started": str(tmp_path / "started"), "go": str(tmp_path / "go")}
    first = threading.Thread(target=invoke, args=(aws, name, event))
    first.start()
    try:
        assert wait_for((tmp_path / "started").exists, 20)
        with pytest.raises(ClientError, match="TooManyRequestsException"):
            aws.client("lambda", attempts=1).invoke(FunctionName=name, Payload="{}")
    finally:
        (tmp_path / "go").touch()
        first.join()
    assert [total(aws, name, metric) for metric in ("Invocations", "Throttles")] == [1, 1]


def test_no_reserved_concurrency_means_that_nothing_runs(aws: Aws, deploy: Deploy) -> None:
    name = deploy("def run(event, context): pass")
    aws.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        aws.client("lambda", attempts=1).invoke(FunctionName=name, Payload="{}")


def test_changed_code_and_settings_are_what_runs_next(aws: Aws, deploy: Deploy) -> None:
    name = deploy("import os\ndef run(event, context): return ['old', os.environ.get('COLOUR')]")
    assert invoke(aws, name)[0] == ["old", None]
    aws.client("lambda").update_function_configuration(FunctionName=name, Environment={"Variables": {"COLOUR": "red"}})
    aws.client("lambda").update_function_code(
        FunctionName=name, ZipFile=zip_of("import os\ndef run(event, context): return ['new', os.environ['COLOUR']]")
    )
    assert invoke(aws, name)[0] == ["new", "red"]


def test_what_is_printed_reaches_the_log_group_and_a_file(aws: Aws, deploy: Deploy) -> None:
    name = deploy("import logging\ndef run(event, context):\n    print('out')\n    logging.warning('warned')")
    invoke(aws, name)  # there is no log group yet
    logs = aws.client("logs")
    logs.create_log_group(logGroupName=f"/aws/lambda/{name}")
    invoke(aws, name)
    (stream,) = logs.describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
    events = logs.get_log_events(logGroupName=f"/aws/lambda/{name}", logStreamName=stream["logStreamName"])["events"]
    lines = [event["message"] for event in events]
    assert lines[0].startswith("START RequestId: ")
    assert lines[1] == "out"
    assert lines[2].startswith("[WARNING]")
    assert (aws.folder / f"lambda-{name}.log").read_text().count("out\n") == 2


def test_a_dry_run_and_bad_input_run_nothing(aws: Aws, deploy: Deploy) -> None:
    name = deploy("def run(event, context): pass")
    client = aws.client("lambda")
    assert client.invoke(FunctionName=name, InvocationType="DryRun")["StatusCode"] == 204
    with pytest.raises(ClientError, match="InvalidRequestContentException"):
        client.invoke(FunctionName=name, Payload="{")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.invoke(FunctionName="nowhere", Payload="{}")
    assert total(aws, name, "Invocations") == 0


def test_what_the_sandbox_itself_publishes_reaches_the_alarms(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function's metrics come by no request."""
    heard: list[tuple[str, list[dict[str, Any]]]] = []

    class Response(CloudWatchResponse):
        """The test's own, because to evaluate alarms changes the class."""

        put_composite_alarm = CloudWatchResponse.put_metric_alarm

    class Backend(CloudWatchBackend):
        """Likewise."""

    def put(_: Watch, namespace: str, data: list[dict[str, Any]]) -> None:
        heard.append((namespace, data))

    monkeypatch.setattr(Watch, "start", Mock())
    monkeypatch.setattr(Watch, "put", put)
    evaluate_alarms(Response, Backend)
    data = [{"MetricName": "Errors", "Value": 1}]
    Backend("us-east-1", "123456789012").put_metric_data("AWS/Lambda", data)
    assert heard == [("AWS/Lambda", data)]
