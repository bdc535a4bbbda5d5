"""Whatever can refuse a destroy does so before anything is gone; what fails after that says so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from operations import access_key, preflight
from operations.destroy import destroy
from operations.errors import ExitCode, OperationError
from operations.stack import Stack
from tests.operations.conftest import PROJECT
from tests.operations.test_access_key import USER, Store, ids

pytestmark = pytest.mark.rows("K7")

Tool = Callable[[str, str], Path]


@pytest.fixture
def iam(stack: Stack, client: Callable[[str], Any], httpserver: HTTPServer, tool: Tool) -> Any:
    """A deployed stack whose functions have their access key."""
    for name in preflight.TOOLS:
        tool(name, "exit 0")
    Store(httpserver)
    httpserver.expect_request(PROJECT).respond_with_json({"id": "sandboxsandboxsandbo", "status": "ACTIVE_HEALTHY"})
    made = client("iam")
    made.create_user(UserName=USER)
    access_key.ensure(stack)
    return made


def engine(tool: Tool, destroy: str) -> None:
    """Whose state is empty, and which answers a destroy like that."""
    tool("pulumi", f"case $1 in stack) echo '{{}}' ;; destroy) {destroy} ;; esac")


@pytest.mark.parametrize(
    ("said", "refusal", "cure"),
    [
        ("error: incorrect passphrase", "incorrect passphrase", "./pf destroy"),
        ("error: no resource plugin found", "no resource plugin", "./pf destroy"),
        ("error: no stack named 'sandbox' found", "nothing to take away", "PULUMI_BACKEND_URL"),
    ],
)
def test_what_the_engine_refuses_leaves_the_access_key(
    stack: Stack, iam: Any, tool: Tool, said: str, refusal: str, cure: str
) -> None:
    engine(tool, f'echo "{said}" >&2; exit 255')
    with pytest.raises(OperationError, match=refusal) as caught:
        destroy(stack)
    assert (caught.value.code, len(ids(iam))) == (ExitCode.REFUSED, 1)
    assert cure in caught.value.cure


@pytest.mark.usefixtures("by_passphrase")
def test_a_passphrase_that_is_not_set_leaves_the_access_key(
    make_stack: Callable[..., Stack], variables: dict[str, str], iam: Any
) -> None:
    del variables["PULUMI_CONFIG_PASSPHRASE"]
    with pytest.raises(OperationError, match="PULUMI_CONFIG_PASSPHRASE"):
        destroy(make_stack())
    assert len(ids(iam)) == 1


def test_what_fails_on_the_way_says_what_is_gone_and_what_finishes_it(stack: Stack, iam: Any, tool: Tool) -> None:
    engine(tool, 'case "$*" in *--preview-only*) ;; *) exit 255 ;; esac')
    with pytest.raises(OperationError, match="access key is gone") as caught:
        destroy(stack)
    assert (caught.value.code, ids(iam)) == (ExitCode.FAILED, [])
    assert "./pf destroy" in caught.value.cure
    assert "./pf deploy" not in caught.value.cure
    engine(tool, "exit 0")
    destroy(stack)
