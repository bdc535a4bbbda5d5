"""A Pulumi project in a temporary folder, run by the real engine with a file backend and no providers."""

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from toolchain import paths


def until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def processes_with(text: str) -> list[psutil.Process]:
    """Those whose command line or environment names a test's own folder."""

    def names(process: psutil.Process) -> bool:
        try:
            return text in " ".join(process.cmdline()) or text in process.environ().get("PF_TEST_FOLDER", "")
        except psutil.Error:
            return False

    return [process for process in psutil.process_iter() if process.pid != os.getpid() and names(process)]


@dataclass(frozen=True, kw_only=True)
class Project:
    folder: Path
    environment: dict[str, str]

    def program(self, text: str) -> None:
        (self.folder / "__main__.py").write_text(text)

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["pulumi", "--non-interactive", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def left_over(self) -> list[psutil.Process]:
        return processes_with(str(self.folder))


def make_project(folder: Path) -> Project:
    if not (paths.tools() / "pulumi").exists():
        pytest.fail("the toolchain is not installed; run: make setup")
    project, backend = folder / "project", folder / "backend"
    project.mkdir()
    backend.mkdir()
    (project / "Pulumi.yaml").write_text("name: tiny\nruntime:\n  name: python\n  options:\n    toolchain: uv\n")
    environment = os.environ | {
        "PATH": f"{paths.tools()}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_BACKEND_URL": f"file://{backend}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
        "PF_TEST_FOLDER": str(project),
    }
    made = Project(folder=project, environment=environment)
    created = made.pulumi("stack", "init", "test")
    assert created.returncode == 0, created.stderr
    return made


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path)
