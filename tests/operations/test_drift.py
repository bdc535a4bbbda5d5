"""What the engine's comparison with AWS becomes: names, or an error that people can read."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from operations.drift import moved, short
from operations.engine import Engine, EngineError
from operations.errors import OperationError
from operations.gate import look
from operations.preview import preview
from operations.recover import take_over
from operations.stack import Stack

pytestmark = pytest.mark.rows("K1", "K7")

Tool = Callable[[str, str], Path]
POLICY = (
    "urn:pulumi:sandbox::parker-flight::parkerflight:iam:FunctionAccess$aws:iam/rolePolicy:RolePolicy::functions-role"
)
ALARM = (
    "urn:pulumi:sandbox::parker-flight::parkerflight:cloudwatch:Alarm$aws:cloudwatch/metricAlarm:MetricAlarm::silent"
)
KEY = "urn:pulumi:sandbox::parker-flight::aws:kms/key:Key::pii-1"


def says(tool: Tool, answer: object, code: int = 0) -> None:
    tool("pulumi", f"cat <<'END'\n{json.dumps(answer)}\nEND\nexit {code}")


def test_what_aws_has_in_another_form_or_no_more_is_named(stack: Stack, tool: Tool) -> None:
    steps = [{"op": "refresh", "urn": KEY}, {"op": "update", "urn": POLICY}, {"op": "delete", "urn": ALARM}]
    says(tool, {"steps": steps, "changeSummary": {"same": 1}})
    found = moved(Engine(stack))
    assert [short(urn) for urn in found] == ["MetricAlarm silent", "RolePolicy functions-role"]


def test_an_aws_that_refuses_to_be_read_is_said_without_the_state(stack: Stack, tool: Tool) -> None:
    said = [
        {"urn": KEY, "severity": "error", "message": "error: Preview failed: AccessDenied\n"},
        {"severity": "error", "message": "error: preview failed\n"},
    ]
    says(tool, {"steps": [{"op": "same", "urn": KEY, "oldState": {"id": "x"}}], "diagnostics": said}, 1)
    with pytest.raises(EngineError) as caught:
        moved(Engine(stack))
    assert str(caught.value) == (
        "the state can't be compared with AWS:\n  Key pii-1: Preview failed: AccessDenied\n"
        "  These credentials may not do that: use the deploying role."
    )


def test_an_engine_that_says_something_else_is_quoted(stack: Stack, tool: Tool) -> None:
    tool("pulumi", "echo 'error: could not read the stack' >&2; exit 255")
    with pytest.raises(EngineError, match="compared with AWS: could not read the stack"):
        moved(Engine(stack))


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("incorrect passphrase", "PULUMI_CONFIG_PASSPHRASE is not that of sandbox: "),
        ("operation error KMS: Decrypt, api error", "The key that encrypts sandbox is named in Pulumi.sandbox.yaml"),
        ("operation error KMS: Encrypt, connect: connection refused", "./pf sandbox up"),
    ],
)
def test_what_does_not_open_a_stack_is_named_with_what_mends_it(said: str, cure: str, stack: Stack, tool: Tool) -> None:
    tool("pulumi", f"echo 'error: get stack secrets manager: {said}' >&2; exit 255")
    for asking in (
        lambda: moved(Engine(stack)),
        lambda: Engine(stack).read("stack", "export"),
        Engine(stack).ensure_stack,
    ):
        with pytest.raises(OperationError, match=said) as caught:
            asking()
        assert caught.value.cure.startswith(cure)
    tool(
        "pulumi",
        "[ $1 = stack ] && echo '{\"deployment\": {}}' && exit 0\n"
        f"echo 'error: get stack secrets manager: {said}' >&2; exit 255",
    )
    with pytest.raises(OperationError, match=said) as caught:
        look(stack, Engine(stack))
    assert caught.value.cure.startswith(cure)
    with pytest.raises(OperationError, match=said) as caught:
        take_over(stack)
    assert caught.value.cure.startswith(cure)
    assert caught.value.cure.endswith("Mend that, then: ./pf recover")
    assert preview(stack, quiet=True).gate_problem.startswith(cure)
