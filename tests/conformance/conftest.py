"""Where the cases find their engine: `make conformance` takes the sandbox's host and plugins, and with OFFICIAL=1 those
that are installed. AWS is the sandbox's in both.

A case says what the official host and plugins do. Where the stand-ins are known to differ, it is marked with
`differs(how)`: it must fail here, and pass there.
"""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.project import Project
from tests.sandbox_aws.server import Aws, running

OFFICIAL = bool(os.environ.get("PF_CONFORMANCE_OFFICIAL"))
HERE = Path(__file__).parent
STACK = "test"


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    for item in items:
        if (known := item.get_closest_marker("differs")) and not OFFICIAL:
            item.add_marker(pytest.mark.xfail(reason=known.args[0], strict=True))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Per suite: cases, passed, known differences."""
    counted: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed", "error", "xfailed"):
        for report in terminalreporter.getreports(outcome):
            file, when = Path(report.nodeid.partition("::")[0]), getattr(report, "when", "")
            if file.parent.name == HERE.name and (when == "call" or outcome == "error"):
                counted.setdefault(file.stem.removeprefix("test_"), Counter())[outcome] += 1
    if not counted:
        return
    terminalreporter.section(f"conformance of {'what is installed' if OFFICIAL else 'the stand-ins'}")
    for suite, outcomes in sorted(counted.items()):
        cases, known = sum(outcomes.values()), outcomes["xfailed"]
        terminalreporter.line(
            f"{suite:<15} {cases:3} cases  {outcomes['passed']:3} passed  {known:2} known differences"
        )


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables that lead to engine, host and plugins."""
    if OFFICIAL:
        kept = {name: os.environ[name] for name in ("PULUMI_HOME",) if name in os.environ}
        return kept | {"PATH": os.environ["PATH"]}
    from sandbox.providers.installation import forgo_log, install
    from toolchain import paths

    home = tmp_path_factory.mktemp("home")
    install(home)
    forgo_log(home)
    return {
        "PATH": f"{paths.tools()}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_HOME": str(home),
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
    }


@pytest.fixture(scope="session")
def template(engine: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project and a backend that knows its stack: each case begins with a copy."""
    folder = tmp_path_factory.mktemp("template")
    (folder / "project").mkdir()
    (folder / "backend").mkdir()
    (folder / "project/Pulumi.yaml").write_text(
        f"name: tiny\nruntime:\n  name: python\n  options:\n    virtualenv: {sys.prefix}\n"
    )
    made = _project(folder, engine).pulumi("stack", "init", STACK)
    assert made.returncode == 0, made.stdout
    return folder


@pytest.fixture
def project(template: Path, engine: dict[str, str], tmp_path: Path) -> Project:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return _project(tmp_path, engine)


def _project(folder: Path, engine: dict[str, str]) -> Project:
    return Project(
        folder=folder / "project",
        environment={
            "HOME": os.environ["HOME"],
            "PULUMI_BACKEND_URL": f"file://{folder / 'backend'}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_STACK": STACK,
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            **engine,
        },
    )


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Generator[Aws]:
    with running(tmp_path_factory.mktemp("aws")) as aws:
        yield aws


@pytest.fixture
def aws_project(project: Project, aws: Aws) -> Project:
    """A project whose AWS is the sandbox's."""
    leads = {"AWS_ENDPOINT_URL": aws.url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    made = Project(folder=project.folder, environment={**project.environment, **leads})
    made.config("aws:region", "us-east-1")
    return made
