"""The state as the engine prints it: read whole, or not at all."""

import json
import os
import sys
from pathlib import Path

import pytest

from gate import state
from gate.state import State, StateError, read, written
from tests.gate.stacks import export, exported
from tests.toolchain.conftest import Project, make_project

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
    assert read("p", "s", str(tmp_path), environment) == exported()


def test_it_is_asked_for_this_stack_in_this_folder_and_environment(tmp_path: Path) -> None:
    environment = pulumi(
        tmp_path,
        "asked = [sys.argv[1:], os.getcwd(), os.environ['PULUMI_BACKEND_URL'], sys.stdin.read()]\n"
        "json.dump(asked, open('asked', 'w'))\n"
        "print('{}')",
    )
    assert read("p", "production", str(tmp_path), environment) == State()
    arguments, folder, backend, typed = json.loads((tmp_path / "asked").read_text())
    assert arguments[:4] == ["stack", "export", "--stack", "production"]
    assert "--show-secrets" not in arguments
    assert (folder, backend, typed) == (str(tmp_path), "file:///x", "")


def test_a_stack_that_is_not_there_yet_has_an_empty_state(tmp_path: Path) -> None:
    assert read("p", "s", "/", pulumi(tmp_path, "sys.exit(\"error: no stack named 's' found\")")) == State()


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
        read("p", "s", "/", pulumi(tmp_path, code))


def test_a_state_that_stays_damaged_is_named_with_what_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "PAUSE_SECONDS", 0)
    damaged = "sys.exit('error: failed to load checkpoint: unexpected end of JSON input')"
    with pytest.raises(
        StateError, match=r"the state of s can't be read: it is damaged.*\.json\.bak: copy that over it"
    ):
        read("p", "s", "/", pulumi(tmp_path, damaged))


def test_an_engine_that_does_not_answer_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "SECONDS", 0.2)
    with pytest.raises(StateError, match=r"did not end within 0\.2 s"):
        read("p", "s", "/", pulumi(tmp_path, "time.sleep(60)"))


def test_without_an_engine_there_is_no_state(tmp_path: Path) -> None:
    with pytest.raises(
        StateError, match="`pulumi` is not on PATH: `make setup` installs it, `make shell` sets the PATH"
    ):
        read("p", "s", "/", {"PATH": str(tmp_path)})


# What stands in the backend, against what the engine says of it.

PROGRAM = """
import pulumi

pulumi.ComponentResource("tiny:some:Thing", "thing", {"password": pulumi.Output.secret("hidden")})
pulumi.export("secret", pulumi.Output.secret("hidden"))
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = make_project(tmp_path)
    made.program(PROGRAM)
    return made


def printed(project: Project) -> dict[str, object]:
    return json.loads(project.pulumi("stack", "export").stdout)["deployment"]


def updated(project: Project) -> None:
    done = project.pulumi("up", "--yes", "--skip-preview")
    assert done.returncode == 0, done.stdout


def file_of(project: Project) -> Path:
    return project.folder.parent / "backend/.pulumi/stacks/tiny/test.json"


def test_what_the_engine_wrote_is_what_it_exports(project: Project) -> None:
    updated(project)
    found = written("tiny", "test", project.environment)
    assert found is not None
    assert found == printed(project)
    assert [one["type"] for one in found["resources"]] == ["pulumi:pulumi:Stack", "tiny:some:Thing"]
    assert "hidden" not in json.dumps(found)


def test_a_stack_that_was_just_made_has_no_resources(project: Project) -> None:
    found = written("tiny", "test", project.environment)
    assert found is not None
    assert "resources" not in found
    assert read("tiny", "test", str(project.folder), project.environment) == State()


def test_the_engine_is_asked_where_no_such_stack_was_written(project: Project) -> None:
    assert written("tiny", "other", project.environment) is None
    assert read("tiny", "other", str(project.folder), project.environment) == State()


@pytest.mark.parametrize(
    "compression", [{"PULUMI_DIY_BACKEND_GZIP": "true"}, {"PULUMI_DIY_BACKEND_ZSTD": "true"}], ids=["gzip", "zstd"]
)
def test_the_engine_is_asked_where_it_compresses(compression: dict[str, str], project: Project) -> None:
    project = Project(folder=project.folder, environment=project.environment | compression)
    updated(project)
    assert written("tiny", "test", project.environment) is None
    found = read("tiny", "test", str(project.folder), project.environment)
    assert [one.type for one in found.resources] == ["pulumi:pulumi:Stack", "tiny:some:Thing"]


def test_of_two_forms_the_engine_says_which_is_its_own(project: Project) -> None:
    updated(project)
    file_of(project).with_name("test.json.gz").write_bytes(b"")
    assert written("tiny", "test", project.environment) is None


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", "null", '{"version": 3}'),
        '{"version": 3, "checkpoint": {"latest": [1]}}',
        '{"version": 4, "checkpoint": {"latest": {}}}',
    ],
)
def test_the_engine_is_asked_where_what_it_wrote_is_not_as_we_know_it(content: str, project: Project) -> None:
    file_of(project).write_text(content)
    assert written("tiny", "test", project.environment) is None


def test_a_file_that_is_cut_off_is_damage_and_no_empty_state(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "PAUSE_SECONDS", 0)
    file_of(project).write_text(file_of(project).read_text()[:-10])
    with pytest.raises(StateError, match="it is damaged, or was being written all the time"):
        read("tiny", "test", str(project.folder), project.environment)
