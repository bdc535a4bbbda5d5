"""What would fail in the middle of a deployment is said before anything is changed."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_httpserver import HTTPServer

from components import boundaries
from operations import preflight
from operations.engine import Engine
from operations.environment import marker
from operations.errors import ExitCode, OperationError
from operations.stack import Stack
from operations.state import read_once
from tests.operations.conftest import PROJECT, ROOT

pytestmark = pytest.mark.rows("D2", "K4", "K7")

Tool = Callable[[str, str], Path]


@pytest.fixture
def tools(tool: Tool) -> None:
    for name in ("pulumi-language-python", "supabase"):
        tool(name, "exit 0")
    tool("pulumi", "echo '{}'")
    tool("deno", f'exec {ROOT / ".venv/bin/deno"} "$@"')


def known(server: HTTPServer) -> None:
    server.expect_request(PROJECT).respond_with_json({"id": "sandboxsandboxsandbo", "status": "ACTIVE_HEALTHY"})


@pytest.mark.usefixtures("tools")
def test_a_stack_that_is_ready_passes(stack: Stack, httpserver: HTTPServer) -> None:
    known(httpserver)
    found = preflight.preflight(stack, Engine(stack), read_once(Engine(stack)))
    assert found.release == stack.release.digest
    assert {request.method for request, _ in httpserver.log} == {"GET"}


@pytest.mark.rows("K3")
def test_a_boundary_that_the_roles_must_carry_is_looked_for(stack: Stack, client: Callable[[str], Any]) -> None:
    preflight.limits(stack)
    limited = replace(stack, settings=stack.settings.model_copy(update={"permissions_boundary": True}))
    with pytest.raises(OperationError, match=r"which isn't there\n.*\./pf bootstrap --stack sandbox"):
        preflight.limits(limited)
    client("iam").create_policy(
        PolicyName="parker-flight-sandbox-workload-boundary",
        Path="/boundaries/",
        PolicyDocument=boundaries.of_workloads(limited.settings.site),
    )
    preflight.limits(limited)


@pytest.mark.parametrize("missing", ["pulumi", "pulumi-language-python", "supabase", "deno"])
def test_a_missing_tool_is_named_with_its_cure(make_stack: Callable[..., Stack], tool: Tool, missing: str) -> None:
    folder = tool("sh", "exit 0").parent
    for name in preflight.TOOLS:
        if name != missing:
            tool(name, "exit 0")
    with pytest.raises(OperationError, match=missing) as caught:
        preflight.tools(make_stack(PATH=str(folder)))
    assert "make setup" in caught.value.cure


def test_a_missing_ps_is_named_with_its_package(make_stack: Callable[..., Stack], tool: Tool) -> None:
    folders = [tool(name, "exit 0").parent for name in preflight.TOOLS]
    with pytest.raises(OperationError, match="`ps` is not on PATH") as caught:
        preflight.tools(make_stack(PATH=str(folders[0])))
    assert "procps" in caught.value.cure


def test_credentials_of_another_account_are_refused(stack: Stack, project: Path, httpserver: HTTPServer) -> None:
    known(httpserver)
    file = project / "Pulumi.sandbox.yaml"
    file.write_text(file.read_text().replace("123456789012", "210987654321"))
    other = Stack.load("sandbox", needs=(), root=project, state=stack.state)
    changed = Stack(
        name=stack.name,
        root=project,
        state=stack.state,
        settings=other.settings,
        environment=stack.environment,
        variables=stack.variables,
    )
    with pytest.raises(OperationError, match="123456789012") as caught:
        preflight.account(changed)
    assert "210987654321" in caught.value.message


def test_an_aws_that_is_not_there_names_the_sandbox(make_stack: Callable[..., Stack]) -> None:
    with pytest.raises(OperationError, match="does not answer") as caught:
        preflight.account(make_stack(AWS_ENDPOINT_URL="http://127.0.0.1:9"))
    assert caught.value.cure == "./pf sandbox up"


@pytest.mark.parametrize(
    ("status", "cure"),
    [(401, "SUPABASE_ACCESS_TOKEN"), (403, "SUPABASE_ACCESS_TOKEN"), (404, "supabaseProjectRef"), (429, "minute")],
)
def test_a_refusal_of_supabase_says_what_mends_it(stack: Stack, httpserver: HTTPServer, status: int, cure: str) -> None:
    httpserver.expect_request(PROJECT).respond_with_json({"message": "no"}, status=status)
    with pytest.raises(OperationError, match=str(status)) as caught:
        preflight.project(stack)
    assert cure in caught.value.cure


@pytest.mark.parametrize(("marked", "cure"), [(True, 'eval "$(./pf env)"'), (False, "unset SUPABASE_ACCESS_TOKEN")])
def test_an_old_token_of_the_sandbox_is_replaced_by_its_own(
    make_stack: Callable[..., Stack], httpserver: HTTPServer, tmp_path: Path, marked: bool, cure: str
) -> None:
    httpserver.expect_request(PROJECT).respond_with_json({"message": "no"}, status=401)
    with pytest.raises(OperationError) as caught:
        preflight.project(make_stack(PF_LOADED=marker("sandbox", tmp_path / "state") if marked else ""))
    assert cure in caught.value.cure
    assert "dashboard" not in caught.value.cure


@pytest.mark.usefixtures("tools")
def test_a_function_that_does_not_parse_is_named_with_file_and_line(stack: Stack, project: Path) -> None:
    (project / "supabase/functions/encrypt-data/index.ts").write_text("// fine\nexport const broken = (;\n")
    with pytest.raises(OperationError, match=r"encrypt-data/index\.ts:2"):
        preflight.functions(stack)


def test_a_missing_lock_is_named_and_not_written(stack: Stack, tool: Tool) -> None:
    tool(
        "deno",
        """case "$*" in
*--frozen*) printf 'error: The lockfile is out of date. Run `deno install`\\nchanges:\\n 1 | + {\\n'; exit 1 ;;
*) touch deno.lock ;;
esac""",
    )
    with pytest.raises(OperationError, match="The lockfile is out of date") as caught:
        preflight.functions(stack)
    assert caught.value.message.endswith("Run `deno install`")
    assert "in supabase/functions" in caught.value.cure
    assert not list(stack.root.rglob("deno.lock"))


def test_a_function_without_an_entry_point_is_named(stack: Stack, project: Path) -> None:
    (project / "supabase/functions/encrypt-data/index.ts").unlink()
    with pytest.raises(OperationError, match="encrypt-data"):
        preflight.functions(stack)


def test_an_encrypted_stack_needs_its_passphrase(
    by_passphrase: Path, make_stack: Callable[..., Stack], stack: Stack
) -> None:
    preflight.passphrase(make_stack(PULUMI_CONFIG_PASSPHRASE=""))  # an empty one is one, too
    bare = {name: value for name, value in stack.variables.items() if name != "PULUMI_CONFIG_PASSPHRASE"}
    without = Stack(
        name=stack.name,
        root=stack.root,
        state=stack.state,
        settings=stack.settings,
        environment=stack.environment,
        variables=bare,
    )
    with pytest.raises(OperationError, match="PULUMI_CONFIG_PASSPHRASE"):
        preflight.passphrase(without)
    text = by_passphrase.read_text()
    by_passphrase.write_text(text.replace("encryptionsalt:", "# "))
    with pytest.raises(OperationError, match="the first deployment of sandbox") as caught:
        preflight.passphrase(without)
    assert "pulumi stack init sandbox --secrets-provider" in caught.value.cure
    by_passphrase.write_text(text.replace("encryptionsalt:", "secretsprovider: awskms://alias/pf  # "))
    preflight.passphrase(without)


@pytest.mark.parametrize(
    ("changed", "shared"),
    [
        ({"parker-flight:environment": "staging"}, "Supabase project"),
        ({"parker-flight:supabaseProjectRef": "a" * 20}, "environment"),
        ({"parker-flight:supabaseProjectRef": "a" * 20, "parker-flight:environment": "staging"}, ""),
        ({"parker-flight:supabaseProjectRef": "a" * 20, "parker-flight:awsAccountId": "210987654321"}, ""),
    ],
)
def test_two_stacks_never_share_what_either_would_overwrite(
    stack: Stack, project: Path, changed: dict[str, str], shared: str
) -> None:
    content = yaml.safe_load((project / "Pulumi.sandbox.yaml").read_text())
    content["config"] |= changed
    (project / "Pulumi.staging.yaml").write_text(yaml.safe_dump(content))
    (project / "Pulumi.broken.yaml").write_text("config: [")
    if not shared:
        preflight.alone(stack)
        return
    with pytest.raises(OperationError, match=rf"sandbox\.yaml and Pulumi\.staging\.yaml both name the {shared}"):
        preflight.alone(stack)


def test_a_profile_that_is_not_there_is_named_with_its_cure(make_stack: Callable[..., Stack]) -> None:
    with pytest.raises(OperationError, match="nobody") as caught:
        preflight.account(make_stack(AWS_PROFILE="nobody"))
    assert "unset AWS_PROFILE" in caught.value.cure


@pytest.mark.usefixtures("tools")
def test_all_that_is_wrong_is_said_at_once(
    make_stack: Callable[..., Stack], project: Path, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(PROJECT).respond_with_json({}, status=401)
    (project / "supabase/functions/encrypt-data/index.ts").write_text("export const broken = (;\n")
    stack = make_stack(AWS_ENDPOINT_URL="http://127.0.0.1:9")
    with pytest.raises(OperationError) as caught:
        preflight.preflight(stack, Engine(stack), read_once(Engine(stack)))
    assert caught.value.code is ExitCode.REFUSED
    for named in ("SUPABASE_ACCESS_TOKEN", "index.ts", "./pf sandbox up"):
        assert named in str(caught.value)


def test_a_stack_without_settings_names_those_that_there_are(project: Path, tmp_path: Path) -> None:
    shutil.copy(project / "Pulumi.sandbox.yaml", project / "Pulumi.staging.yaml")
    with pytest.raises(OperationError, match="staging"):
        Stack.load("nowhere", needs=(), root=project, state=tmp_path)
