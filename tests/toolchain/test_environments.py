"""Which Python runs a program: the rules of `toolchain: uv`."""

import os
import sys
from pathlib import Path

import pytest

from toolchain import environments

pytestmark = pytest.mark.rows("K3")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("UV_PROJECT_ENVIRONMENT", raising=False)
    (tmp_path / "uv.lock").touch()
    folder = tmp_path / "policies"
    folder.mkdir()
    return folder


def make_environment(folder: Path, record: str = "version_info = 3.12.4") -> Path:
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    (folder / "pyvenv.cfg").write_text(f"home = somewhere\n{record}\n")
    return python


def test_a_folder_below_the_lock_shares_the_projects_environment(project: Path) -> None:
    python = make_environment(project.parent / ".venv")

    assert environments.interpreter(project, {}) == python
    assert environments.interpreter(project.parent, {}) == python


def test_a_named_environment_wins(project: Path) -> None:
    make_environment(project.parent / ".venv")
    named = make_environment(project / "own")

    assert environments.interpreter(project, {"virtualenv": "own"}) == named


def test_uvs_own_variable_names_the_environment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_PROJECT_ENVIRONMENT", "elsewhere")

    assert environments.environment_folder(project, {}) == project.parent / "elsewhere"


def test_without_an_environment_the_hosts_own_runs_it(project: Path) -> None:
    assert environments.interpreter(project, {}) == Path(sys.executable)


@pytest.mark.parametrize("record", ["version_info = 3.12.4", "version = 3.12.4", "version_info = 3.12.4.final.0"])
def test_the_version_is_read_from_the_environments_record(project: Path, record: str) -> None:
    assert environments.version(make_environment(project / ".venv", record)).startswith("3.12.4")


def test_an_activated_environment_comes_first_on_path(project: Path) -> None:
    python = make_environment(project / ".venv")

    given = environments.activated(python, {"PATH": "/usr/bin", "PYTHONHOME": "/elsewhere", "KEPT": "1"})

    assert given == {
        "PATH": f"{python.parent}{os.pathsep}/usr/bin",
        "VIRTUAL_ENV": str(project / ".venv"),
        "KEPT": "1",
    }


def test_only_packages_with_a_provider_are_required(project: Path) -> None:
    python = make_environment(project / ".venv")
    packages = project / ".venv" / "lib" / "python3.12" / "site-packages"
    for name, content in (
        ("pulumi_random", '{"resource": true, "name": "random", "version": "4.1.0", "server": "elsewhere"}'),
        ("pulumi_helpers", '{"resource": false}'),
    ):
        (packages / name).mkdir(parents=True)
        (packages / name / "pulumi-plugin.json").write_text(content)

    assert list(environments.plugins(python)) == [
        environments.Plugin(name="random", version="4.1.0", server="elsewhere")
    ]
