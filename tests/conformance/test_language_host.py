"""The Python language host: what a program gets, what it says, and how it ends."""

import signal
import time

import pytest

from tests.conformance.project import Project

pytestmark = [pytest.mark.drill, pytest.mark.rows("K3", "K7")]


def test_config_reaches_the_program_by_its_types(project: Project) -> None:
    project.config("name", "value")
    project.config("count", "3")
    project.config("on", "true")
    project.config("nested.key[0]", "deep", "--path")
    project.config("other:name", "elsewhere")
    project.program(
        """
        import pulumi
        config = pulumi.Config()
        pulumi.export("seen", [config.require("name"), config.require_int("count"), config.require_bool("on"),
            config.require_object("nested"), pulumi.Config("other").get("name"), config.get("missing")])
        """
    )
    project.up()
    assert project.outputs()["seen"] == ["value", 3, True, {"key": ["deep"]}, "elsewhere", None]


def test_secret_config_stays_secret(project: Project) -> None:
    project.config("hidden", "s3cret", "--secret")
    project.program(
        """
        import pulumi
        config = pulumi.Config()
        pulumi.export("hidden", config.require_secret("hidden"))
        pulumi.export("longer", config.require_secret("hidden").apply(lambda one: f"[{one}]"))
        """
    )
    assert "s3cret" not in project.up()
    assert project.outputs() == {"hidden": "[secret]", "longer": "[secret]"}
    assert project.outputs("--show-secrets") == {"hidden": "s3cret", "longer": "[s3cret]"}


def test_missing_config_is_named_with_the_command_that_sets_it(project: Project) -> None:
    project.program("import pulumi\npulumi.Config().require('greeting')\n")
    said = project.failing_preview()
    assert "Missing required configuration variable 'tiny:greeting'" in said
    assert "pulumi config set tiny:greeting" in said


def test_a_program_knows_its_stack_and_whether_it_is_previewed(project: Project) -> None:
    project.program(
        """
        import pulumi
        pulumi.export("where", [pulumi.get_project(), pulumi.get_stack()])
        pulumi.export("preview", pulumi.runtime.is_dry_run())
        """
    )
    project.up()
    assert project.outputs() == {"where": ["tiny", "test"], "preview": False}
    assert "preview: false => true" in project.preview()


def test_a_project_with_main_runs_the_program_in_that_folder(project: Project) -> None:
    folder = project.folder / "source"
    folder.mkdir()
    (folder / "beside.py").write_text("word = 'found'\n")
    (folder / "__main__.py").write_text(
        "import os, pulumi\nfrom beside import word\npulumi.export('seen', [word, os.path.basename(os.getcwd())])\n"
    )
    with (project.folder / "Pulumi.yaml").open("a") as file:
        file.write("main: source\n")
    project.up()
    assert project.outputs()["seen"] == ["found", "source"]


def test_what_a_program_logs_is_shown_by_its_level(project: Project) -> None:
    project.program(
        """
        import pulumi
        for say in (pulumi.log.debug, pulumi.log.info, pulumi.log.warn):
            say(f"by {say.__name__}")
        print("printed")
        """
    )
    said = project.up()
    assert "warning: by warn" in said
    assert "by info" in said
    assert "printed" in said
    assert "by debug" not in said
    assert "by debug" in project.up("--debug")


def test_a_logged_error_is_shown_as_one_and_ends_nothing(project: Project) -> None:
    project.program("import pulumi\npulumi.log.error('this is wrong')\nprint('and goes on')\n")
    said = project.pulumi("preview").stdout
    assert "error: this is wrong" in said
    assert "and goes on" in said


def test_an_exception_shows_the_users_own_lines(project: Project) -> None:
    project.program("import helper\nhelper.work()\n", helper="def work():\n    raise ValueError('what went wrong')\n")
    said = project.failing_up()
    assert "error: Program failed with an unhandled exception" in said
    assert "ValueError: what went wrong" in said
    assert 'helper.py", line 2, in work' in said
    assert '__main__.py", line 2, in <module>' in said


def test_an_exception_in_an_apply_fails_the_update(project: Project) -> None:
    project.program(
        """
        import pulumi
        def fail(value):
            raise LookupError("deep inside")
        pulumi.export("value", pulumi.Output.from_input(1).apply(fail))
        """
    )
    assert "LookupError: deep inside" in project.failing_up()


def test_a_run_error_is_its_message_alone(project: Project) -> None:
    project.program("import pulumi\nraise pulumi.RunError('set the region first')\n")
    said = project.failing_up()
    assert "set the region first" in said
    assert "Traceback" not in said


def test_a_program_that_cannot_be_read_is_shown_with_its_line(project: Project) -> None:
    project.program("value = (\n")
    said = project.failing_preview()
    assert "SyntaxError" in said
    assert '__main__.py", line 1' in said


def test_a_missing_module_is_named(project: Project) -> None:
    project.program("import no_such_module\n")
    assert "No module named 'no_such_module'" in project.failing_preview()


def test_a_programs_exit_code_fails_the_update(project: Project) -> None:
    project.program("import sys\nsys.exit(3)\n")
    assert "exited with non-zero exit code: 3" in project.failing_up()


def test_a_programs_last_words_are_shown(project: Project) -> None:
    project.program("import sys\nsys.exit('the region ' + 'is missing')\n")
    said = project.failing_up()
    assert "the region is missing" in said
    assert "exited with non-zero exit code: 1" in said


def test_what_a_program_leaves_for_its_end_is_done(project: Project) -> None:
    project.program(
        """
        import atexit, pathlib, threading, time
        atexit.register(pathlib.Path("left").touch)
        def work():
            time.sleep(0.5)
            pathlib.Path("worked").touch()
        threading.Thread(target=work).start()
        """
    )
    project.up()
    assert (project.folder / "left").exists()
    assert (project.folder / "worked").exists()


def test_an_exit_with_zero_is_success(project: Project) -> None:
    project.program("import pulumi, sys\npulumi.export('value', 1)\nsys.exit(0)\n")
    project.up()


def test_an_interrupt_ends_the_program(project: Project) -> None:
    project.program(
        """
        import pathlib, time
        pathlib.Path("started").touch()
        time.sleep(300)
        """
    )
    update = project.start("up", "--yes", "--skip-preview")
    try:
        deadline = time.monotonic() + 60
        while not (project.folder / "started").exists():
            assert update.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        update.send_signal(signal.SIGINT)
        said, _ = update.communicate(timeout=30)
    finally:
        update.kill()
    assert update.returncode != 0
    assert "ancel" in said or "interrupt" in said
    project.program("")
    project.up()  # the interrupted one left no lock


@pytest.mark.differs("a program may bring a provider of its own (`pulumi.dynamic`); here the engine misses its plugin")
def test_a_program_may_bring_a_provider_of_its_own(project: Project) -> None:
    project.program(
        """
        from pulumi import dynamic
        class Provider(dynamic.ResourceProvider):
            def create(self, props):
                return dynamic.CreateResult("an-id", {})
        class Own(dynamic.Resource):
            def __init__(self):
                super().__init__(Provider(), "own", {})
        Own()
        """
    )
    project.up()


def test_an_unknown_output_is_unknown_in_a_preview_only(project: Project) -> None:
    project.program(
        """
        import pulumi
        from pulumi_command import local
        made = local.Command("made", create="echo text")
        pulumi.export("length", made.stdout.apply(len))
        """
    )
    assert "[unknown]" in project.preview() or "output<string>" in project.preview()
    project.up()
    assert project.outputs() == {"length": 4}
