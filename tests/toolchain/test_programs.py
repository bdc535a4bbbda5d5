"""The language host under the real engine: a person's program behaves as under the vendor's host."""

import json
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.toolchain.conftest import Project, until
from toolchain.imports import note_of

pytestmark = pytest.mark.rows("K3")

ENDLESS = """
import pathlib, subprocess, time
subprocess.Popen(["sleep", "300"])
try:
    pathlib.Path("started").touch()
    time.sleep(300)
finally:
    pathlib.Path("cleaned-up").touch()
"""


def test_a_programs_outputs_config_and_secrets_reach_the_engine(project: Project) -> None:
    project.program(
        "import sys, pulumi\n"
        "config = pulumi.Config()\n"
        'pulumi.export("greeting", config.require("greeting"))\n'
        'pulumi.export("hidden", config.get_secret("hidden"))\n'
        'pulumi.export("preview", pulumi.runtime.is_dry_run())\n'
        'pulumi.export("where", [pulumi.get_organization(), pulumi.get_project(), pulumi.get_stack()])\n'
        'pulumi.log.warn("said by the program")\n'
        'print("printed by the program")\n'
        'print("stdin is", repr(sys.stdin.read()))\n'
    )
    project.pulumi("config", "set", "greeting", "good day")
    project.pulumi("config", "set", "--secret", "hidden", "s3cret")

    update = project.pulumi("up", "--yes", "--skip-preview")

    assert update.returncode == 0, update.stdout + update.stderr
    assert "warning: said by the program" in update.stdout
    assert "printed by the program" in update.stdout
    assert "stdin is ''" in update.stdout
    assert "s3cret" not in update.stdout
    plain = json.loads(project.pulumi("stack", "output", "--json").stdout)
    shown = json.loads(project.pulumi("stack", "output", "--json", "--show-secrets").stdout)
    assert plain == {
        "greeting": "good day",
        "hidden": "[secret]",
        "preview": False,
        "where": ["organization", "tiny", "test"],
    }
    assert shown["hidden"] == "s3cret"
    assert "preview : false => true" in project.pulumi("preview").stdout
    assert project.left_over() == []


@pytest.mark.parametrize("asked", [["--debug"], ["-d"], ["-jd"], ["-v=1"], []])
def test_debug_messages_reach_an_engine_that_shows_them_and_no_other(asked: list[str], project: Project) -> None:
    """The SDK waits for the engine after each."""
    project.program('import pulumi\npulumi.log.debug("for whoever debugs")\npulumi.log.info("for everybody")\n')
    log = project.folder / "events.jsonl"
    project.environment["PULUMI_DEBUG_COMMANDS"] = "true"

    preview = project.pulumi("preview", *asked, "--event-log", str(log))

    assert preview.returncode == 0, preview.stderr
    events = [json.loads(line) for line in log.read_text().splitlines()]
    said = [event["diagnosticEvent"] for event in events if "diagnosticEvent" in event]
    assert any("for everybody" in one["message"] for one in said)
    assert any(one["severity"] == "debug" for one in said) is bool(asked)
    assert any("for whoever debugs" in one["message"] for one in said) is bool(asked)


IMPORTS = """
import sys, pulumi
watched = {"pulumi_aws.sns.topic", "httpx", "beside", "toolchain"}
pulumi.export("ahead", sorted(watched & sys.modules.keys()))
import beside, httpx, pulumi_aws, toolchain
pulumi_aws.sns.Topic
pulumi.export("own", [beside.NAME, toolchain.NAME])
"""


def note_of_its_own(project: Project, description: str) -> Path:
    """Every project of these tests has the same Pulumi.yaml, and so one note."""
    with (project.folder / "Pulumi.yaml").open("a") as file:
        file.write(f"description: {description}\n")
    note = note_of(Path(sys.executable), project.folder)
    note.unlink(missing_ok=True)
    return note


def test_what_a_program_imported_of_its_providers_is_there_when_it_runs_again(project: Project) -> None:
    """No others: the program may prepare what they find. And nothing of the host's stands in their place."""
    note_of_its_own(project, "imports")
    project.program(IMPORTS)
    for name in ("beside", "toolchain"):
        (project.folder / f"{name}.py").write_text(f"NAME = {name!r}\n")

    for ahead in ([], ["pulumi_aws.sns.topic"]):
        update = project.pulumi("up", "--yes", "--skip-preview")
        assert update.returncode == 0, update.stdout
        outputs = json.loads(project.pulumi("stack", "output", "--json").stdout)
        assert outputs == {"ahead": ahead, "own": ["beside", "toolchain"]}


@pytest.mark.parametrize("noted", ["", "{", "5", '["pulumi_aws.no_such_module", 5]', '["pulumi_aws.x", "httpx"]'])
def test_a_note_of_imports_that_cannot_be_used_is_no_failure(noted: str, project: Project) -> None:
    note = note_of_its_own(project, "damaged note")
    project.program("import sys, pulumi\npulumi.export('ahead', 'httpx' in sys.modules)\n")
    note.parent.mkdir(exist_ok=True)
    note.write_text(noted)

    update = project.pulumi("up", "--yes", "--skip-preview")

    assert update.returncode == 0, update.stdout
    assert json.loads(project.pulumi("stack", "output", "--json").stdout) == {"ahead": False}


def test_an_update_whose_message_is_no_text_runs_all_the_same(project: Project) -> None:
    """The host reads how the engine was started."""
    project.program("import pulumi\n")
    done = project.pulumi("up", "--yes", "--skip-preview", "--message", b"caf\xe9".decode(errors="surrogateescape"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_exception_shows_the_persons_own_lines_and_fails_the_update(project: Project) -> None:
    project.program("import helper\nhelper.work()\n")
    (project.folder / "helper.py").write_text("def work() -> None:\n    raise ValueError('what went wrong')\n")

    update = project.pulumi("up", "--yes", "--skip-preview")

    assert update.returncode != 0
    assert "Program failed with an unhandled exception" in update.stdout
    assert "ValueError: what went wrong" in update.stdout
    assert 'helper.py", line 2, in work' in update.stdout
    assert "toolchain" not in update.stdout.split("Traceback")[-1]
    assert "an unhandled error occurred" not in update.stdout + update.stderr  # bail: said once is enough


def test_a_failure_in_an_apply_fails_the_update(project: Project) -> None:
    project.program(
        "import pulumi\n"
        "def fail(value: int) -> int:\n    raise LookupError('deep inside')\n"
        'pulumi.export("value", pulumi.Output.from_input(1).apply(fail))\n'
    )

    update = project.pulumi("up", "--yes", "--skip-preview")

    assert update.returncode != 0
    assert "LookupError: deep inside" in update.stdout


def test_a_run_error_is_shown_without_a_traceback(project: Project) -> None:
    project.program("import pulumi\nraise pulumi.RunError('set the region first')\n")

    update = project.pulumi("up", "--yes", "--skip-preview")

    assert update.returncode != 0
    assert "set the region first" in update.stdout
    assert "Traceback" not in update.stdout


def test_a_programs_exit_code_fails_the_update(project: Project) -> None:
    project.program("import sys\nsys.exit(3)\n")

    update = project.pulumi("up", "--yes", "--skip-preview")

    assert update.returncode != 0
    assert "Program exited with non-zero exit code: 3" in update.stdout + update.stderr


def test_ctrl_c_ends_the_program_and_what_it_started(project: Project) -> None:
    project.program(ENDLESS)
    update = project.start("up", "--yes", "--skip-preview")
    try:
        assert until((project.folder / "started").exists, 30)

        pressed = time.monotonic()
        update.send_signal(signal.SIGINT)
        update.communicate(timeout=20)

        assert update.returncode != 0
        assert time.monotonic() - pressed < 3
        assert (project.folder / "cleaned-up").exists()
        assert until(lambda: project.left_over() == [], 2), project.left_over()
    finally:
        update.kill()


def test_a_killed_engine_leaves_no_program_behind(project: Project) -> None:
    project.program(ENDLESS)
    update = project.start("up", "--yes", "--skip-preview")
    assert until((project.folder / "started").exists, 30)

    update.kill()
    update.wait()

    assert until(lambda: project.left_over() == [], 3), project.left_over()
