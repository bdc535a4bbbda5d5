"""Why a rollback fails: each question gets an answer, whatever the others get, and one command comes out."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from operations.diagnose import Finding, State, advice
from operations.errors import ExitCode
from tests.operations.conftest import PROJECT, all_well
from tests.operations.test_cli import pf, write_environment

pytestmark = pytest.mark.rows("T4")

QUESTIONS = (
    "environment",
    "this checkout",
    "tools",
    "AWS",
    "Supabase",
    "lock",
    "operation",
    "left open",
    "live version",
    "archive",
    "state",
    "functions",
    "quarantine",
    "rollback",
)


def findings(**wrong: str | State) -> list[Finding]:
    """All good but these: a state, or a command that mends it (`_` for a blank)."""
    found: list[Finding] = []
    for about in QUESTIONS:
        given = wrong.get(about.replace(" ", "_"), State.GOOD)
        state = given if isinstance(given, State) else State.BAD
        found.append(Finding(about=about, state=state, said="", command="" if isinstance(given, State) else given))
    return found


@pytest.mark.parametrize(
    ("found", "command", "code"),
    [
        (findings(), "./pf health", ExitCode.HEALTHY),
        (findings(this_checkout=State.NOTE, quarantine=State.NOTE), "./pf health", ExitCode.HEALTHY),
        (findings(rollback=State.NOTE), "./pf health", ExitCode.HEALTHY),  # nothing to go back from
        (findings(rollback=State.BAD), "./pf history", ExitCode.DEGRADED),
        (findings(live_version=State.BAD), "./pf rollback --reason WHY", ExitCode.DEGRADED),
        (findings(state=State.BAD, functions=State.BAD), "./pf rollback --reason WHY", ExitCode.DEGRADED),
        (findings(functions=State.BAD), "./pf deploy", ExitCode.DEGRADED),
        (findings(lock="./pf unlock", left_open="./pf recover"), "./pf unlock", ExitCode.DEGRADED),
        (findings(left_open="./pf recover", state=State.BAD), "./pf recover", ExitCode.DEGRADED),
        (findings(environment="./pf sandbox up", lock="./pf unlock"), "./pf sandbox up", ExitCode.DEGRADED),
        (findings(AWS=State.UNKNOWN, state=State.BAD), "./pf diagnose rollback", ExitCode.DEGRADED),
        (
            findings(state=State.BAD, rollback="./pf unblock 7 --reason WHY"),
            "./pf unblock 7 --reason WHY",
            ExitCode.DOWN,
        ),
        (findings(state=State.BAD, rollback=State.BAD), "./pf deploy", ExitCode.DOWN),
        (findings(state=State.BAD, rollback=State.NOTE), "./pf deploy", ExitCode.DOWN),
    ],
)
def test_the_command_follows_from_what_was_found(found: Sequence[Finding], command: str, code: ExitCode) -> None:
    assert advice(found, "") == (command, code)


def test_the_command_names_the_stack_where_it_must() -> None:
    assert (
        advice(findings(state=State.BAD), " --stack production")[0] == "./pf rollback --stack production --reason WHY"
    )


@pytest.fixture
def state(tmp_path: Path, variables: dict[str, str]) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    write_environment(folder / "sandbox.env", variables)
    return folder


def diagnosed(state: Path) -> tuple[dict[str, dict[str, str]], str]:
    path = f"{state.parent / 'tools'}:{os.environ['PATH']}"
    done = pf("diagnose", "rollback", "--json", state=state, PATH=path)
    assert done.returncode in (0, 1, 2), done.stderr
    said = json.loads(done.stdout)
    assert [one["about"] for one in said["findings"]] == list(QUESTIONS)
    return {one["about"]: one for one in said["findings"]}, said["next"]


@pytest.mark.usefixtures("deployed")
def test_every_question_is_asked_though_others_fail(
    state: Path, httpserver: HTTPServer, tool: Callable[[str, str], Path]
) -> None:
    for name in ("pulumi-language-python", "supabase", "deno"):
        tool(name, "exit 0")
    httpserver.expect_request(PROJECT, method="GET").respond_with_data("no", status=500)
    all_well(httpserver)
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    held = {"pid": process.pid, "username": "ada", "hostname": os.uname().nodename, "timestamp": "2026-11-24T12:00:00Z"}
    folder = state.parent / ".pulumi/locks/organization/parker-flight/sandbox"
    folder.mkdir(parents=True)
    (folder / "1.json").write_text(json.dumps(held))
    found, following = diagnosed(state)
    assert found["AWS"]["state"] == "good"
    assert found["Supabase"]["state"] == "unknown"
    assert found["lock"]["state"] == "bad"
    assert "that process is dead" in found["lock"]["said"]
    assert found["functions"]["state"] == "good"
    assert found["live version"]["said"] == "there is none yet"
    assert found["rollback"]["state"] == "bad"
    assert following == "./pf unlock"


def test_without_an_environment_nobody_is_asked_and_the_cure_is_named(state: Path) -> None:
    (state / "sandbox.env").unlink()
    found, following = diagnosed(state)
    assert "PULUMI_BACKEND_URL is not set" in found["environment"]["said"]
    assert {one["state"] for about, one in found.items() if about != "this checkout"} == {"unknown"}
    assert following == "./pf sandbox up"


def test_a_diagnosis_is_a_table_whose_last_line_is_the_command(state: Path) -> None:
    (state / "sandbox.env").unlink()
    done = pf("diagnose", "rollback", state=state)
    assert done.returncode == 2
    assert done.stdout.splitlines()[-1] == "Type next: ./pf sandbox up"
