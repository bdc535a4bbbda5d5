"""What the workflows may do, and what they are pinned to."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.ci.scenario import WORKFLOWS
from tests.ci.tools import built
from toolchain import paths, pins

pytestmark = pytest.mark.rows("K9", "D1", "O1")

FILES = sorted(WORKFLOWS.glob("*.yml"))


def jobs(file: Path) -> Iterator[tuple[str, dict[str, object]]]:
    yield from yaml.safe_load(file.read_text())["jobs"].items()


def test_actionlint_has_nothing_to_say() -> None:
    command = [built("actionlint"), "-shellcheck=", "-pyflakes="]
    done = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_zizmor_has_nothing_to_say() -> None:
    command = [paths.VENV_BIN / "zizmor", "--offline", "--no-progress", "--quiet", ".github"]
    done = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_workflow_may_nothing_and_each_job_what_it_needs_for_a_limited_time(file: Path) -> None:
    assert yaml.safe_load(file.read_text())["permissions"] == {}
    for name, job in jobs(file):
        assert job["timeout-minutes"], name
        assert isinstance(job["permissions"], dict), name


def test_only_production_becomes_the_deploying_role_and_nothing_ends_it_in_the_middle() -> None:
    for file in FILES:
        for name, job in jobs(file):
            if "AWS_DEPLOY_ROLE_ARN" in str(job):
                assert job["environment"] == "production", name
                concurrency = job.get("concurrency", {"cancel-in-progress": False})
                assert isinstance(concurrency, dict)
                assert concurrency["cancel-in-progress"] is False


def test_what_runs_a_pull_requests_code_can_write_nothing_and_holds_no_secret() -> None:
    text = (WORKFLOWS / "preview.yml").read_text()
    assert "secrets." not in text
    assert not re.search(r": write\b(?! # for the read-only role)", text)
    assert "pull_request_target" not in "".join(file.read_text() for file in FILES)


def test_the_pinned_engine_is_the_one_that_is_built_elsewhere() -> None:
    assert f"pulumi-version: {pins.PULUMI}\n" in (WORKFLOWS.parent / "actions/ready/action.yml").read_text()
