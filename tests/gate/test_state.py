"""The state as the engine prints it: read whole, or not at all."""

import json
import os
import sys
from pathlib import Path

import pytest

from gate import state
from gate.state import State, StateError, read
from tests.gate.stacks import export, exported

pytestmark = pytest.mark.rows("K5")


def pulumi(folder: Path, code: str) -> dict[str, str]:
    """An environment in which the engine does this."""
    script = folder / "pulumi"
    script.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{code}\n")
    script.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "PULUMI_BACKEND_URL": "file:///x"}


def test_what_the_engine_exports_is_the_state(tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text(json.dumps(export()))
    environment = pulumi(tmp_path, "print(open('export.json').read())")
    assert read("s", str(tmp_path), environment) == exported()


def test_it_is_asked_for_this_stack_in_this_folder_and_environment(tmp_path: Path) -> None:
    environment = pulumi(
        tmp_path,
        "asked = [sys.argv[1:], os.getcwd(), os.environ['PULUMI_BACKEND_URL'], sys.stdin.read()]\n"
        "json.dump(asked, open('asked', 'w'))\n"
        "print('{}')",
    )
    assert read("production", str(tmp_path), environment) == State()
    arguments, folder, backend, typed = json.loads((tmp_path / "asked").read_text())
    assert arguments[:4] == ["stack", "export", "--stack", "production"]
    assert "--show-secrets" not in arguments
    assert (folder, backend, typed) == (str(tmp_path), "file:///x", "")


def test_a_stack_that_is_not_there_yet_has_an_empty_state(tmp_path: Path) -> None:
    assert read("s", "/", pulumi(tmp_path, "sys.exit(\"error: no stack named 's' found\")")) == State()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("sys.exit('error: passphrase must be set')", "`pulumi stack export` failed: error: passphrase must be set"),
        ("print('not JSON')", "printed no state"),
        ("print('[]')", "printed no state"),
        ("print('null')", "printed no state"),
        ('print(\'{"deployment": {"resources": [{"type": "x"}]}}\')', "printed no state .KeyError"),
        ('print(\'{"deployment": {"resources": [1]}}\')', "printed no state"),
        ('print(\'{"deployment": {"pending_operations": [{}]}}\')', "printed no state"),
        ('print(\'{"deployment": {"resources": {\')', "printed no state"),
        ("pass", "printed no state"),
    ],
)
def test_what_is_no_state_is_not_taken_for_an_empty_one(code: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(StateError, match=said):
        read("s", "/", pulumi(tmp_path, code))


def test_a_state_that_stays_damaged_is_named_with_what_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "PAUSE_SECONDS", 0)
    damaged = "sys.exit('error: failed to load checkpoint: unexpected end of JSON input')"
    with pytest.raises(
        StateError, match=r"the state of s can't be read: it is damaged.*\.json\.bak: copy that over it"
    ):
        read("s", "/", pulumi(tmp_path, damaged))


def test_an_engine_that_does_not_answer_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "SECONDS", 0.2)
    with pytest.raises(StateError, match=r"did not end within 0\.2 s"):
        read("s", "/", pulumi(tmp_path, "time.sleep(60)"))


def test_without_an_engine_there_is_no_state(tmp_path: Path) -> None:
    with pytest.raises(
        StateError, match="`pulumi` is not on PATH: `make setup` installs it, `make shell` sets the PATH"
    ):
        read("s", "/", {"PATH": str(tmp_path)})
