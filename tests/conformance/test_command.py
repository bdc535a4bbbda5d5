"""The command provider: when a command runs, what it gets, what becomes of what it prints."""

import json
from textwrap import indent

import pytest

from sandbox.processes import wait_for
from tests.conformance.project import Project

pytestmark = [pytest.mark.drill, pytest.mark.rows("K4", "K7")]


def command(project: Project, arguments: str, options: str = "") -> None:
    """A program of one command, whose outputs are the stack's."""
    project.program(
        "import pulumi\nfrom pulumi_command import local\n"
        f"made = local.Command('made', opts=pulumi.ResourceOptions({options}),\n{indent(arguments, '    ')})\n"
        "pulumi.export('stdout', made.stdout)\npulumi.export('stderr', made.stderr)\n"
    )


def log(project: Project) -> list[str]:
    """What the commands of a case have written down."""
    file = project.folder / "log"
    return file.read_text().splitlines() if file.exists() else []


def test_create_runs_once_and_what_it_prints_are_its_outputs(project: Project) -> None:
    command(project, "create='echo ran >> log; echo told; echo warned >&2'")
    project.preview()
    assert log(project) == []
    assert "1 created" in project.up().replace("+ 2 created", "1 created")
    project.up()
    assert log(project) == ["ran"]
    assert project.outputs() == {"stdout": "told", "stderr": "warned"}


def test_only_the_last_newline_of_what_is_printed_is_dropped(project: Project) -> None:
    command(project, 'create=r\'printf "a\\n\\n"; printf " b " >&2\'')
    project.up()
    assert project.outputs() == {"stdout": "a\n", "stderr": " b "}


def test_what_is_printed_is_kept_to_the_byte(project: Project) -> None:
    command(project, r"create='printf \'a\\r\\nb\\rc\\n\\303\\274\''")
    project.up()
    assert project.outputs()["stdout"] == "a\r\nb\rc\nü"


def test_what_is_no_text_is_refused(project: Project) -> None:
    command(project, r"create='printf \'\\377\''")
    assert "invalid UTF-8" in project.failing_up()


def test_a_process_that_a_command_leaves_in_the_background_goes_on(project: Project) -> None:
    command(project, "create='(while ! test -e end; do sleep 0.1; done; touch ended) >/dev/null 2>&1 & true'")
    project.up()
    (project.folder / "end").touch()
    assert wait_for((project.folder / "ended").exists, 30)


def test_an_empty_command_and_folder_are_taken_as_they_are(project: Project) -> None:
    command(project, "create='echo one', dir=''")
    project.up()
    command(project, "create='', dir=''")
    project.up()
    assert project.outputs()["stdout"] == ""


def test_a_change_runs_update_and_where_there_is_none_create(project: Project) -> None:
    command(project, "create='echo created'")
    project.up()
    command(project, "create='echo created again'")
    assert "~  command:local:Command made updat" in project.up()
    assert project.outputs()["stdout"] == "created again"
    command(project, "create='echo created again', update='echo updated after $PULUMI_COMMAND_STDOUT'")
    project.up()
    assert project.outputs()["stdout"] == "updated after created again"


def test_a_changed_delete_command_updates_too(project: Project) -> None:
    command(project, "create='echo run >> log', delete='true'")
    project.up()
    command(project, "create='echo run >> log', delete='echo gone >> log'")
    project.up()
    project.destroy()
    assert log(project) == ["run", "run", "gone"]


def test_changed_triggers_replace_and_the_new_one_comes_first(project: Project) -> None:
    arguments = "create='echo create >> log', delete='echo delete >> log', triggers=[{}]"
    command(project, arguments.format("1, {'deep': ['a']}"))
    project.up()
    command(project, arguments.format("1, {'deep': ['b']}"))
    assert "replaced" in project.up()
    assert log(project) == ["create", "create", "delete"]


@pytest.mark.parametrize("changed", ["triggers=['b']", "triggers=['a', 'b']", "triggers=[]", ""])
def test_changed_triggers_replace_even_where_there_is_an_update_command(project: Project, changed: str) -> None:
    """Its documentation says otherwise, and the SDK asks the engine for a replacement (pulumi/pulumi-command#855)."""
    arguments = "create='echo create >> log', update='echo update >> log', delete='echo delete >> log',"
    command(project, f"{arguments} triggers=['a']")
    project.up()
    command(project, f"{arguments} {changed}")
    assert "replaced" in project.up()
    assert log(project) == ["create", "create", "delete"]


def test_a_changed_environment_updates(project: Project) -> None:
    arguments = "create='echo create >> log', update='echo update >> log', triggers=['a'], environment={{'A': '{}'}}"
    command(project, arguments.format("a"))
    project.up()
    command(project, arguments.format("b"))
    assert "replaced" not in project.up()
    assert log(project) == ["create", "update"]


def test_update_and_delete_get_what_was_printed_before(project: Project) -> None:
    arguments = """
create='echo one; echo first >&2',
update='echo "$PULUMI_COMMAND_STDOUT/$PULUMI_COMMAND_STDERR"',
delete='echo "$PULUMI_COMMAND_STDOUT" >> log',
environment={'A': '%s'},
"""
    command(project, arguments % "1")
    project.up()
    command(project, arguments % "2")
    project.up()
    assert project.outputs() == {"stdout": "one/first", "stderr": ""}
    project.destroy()
    assert log(project) == ["one/first"]


def test_what_was_printed_before_can_be_kept_away(project: Project) -> None:
    for number in (1, 2):
        command(
            project,
            f"create='echo ${{PULUMI_COMMAND_STDOUT-unset}}', environment={{'A': '{number}'}}, "
            "add_previous_output_in_env=False",
        )
        project.up()
    assert project.outputs()["stdout"] == "unset"


def test_nothing_printed_before_sets_no_variable(project: Project) -> None:
    for number in (1, 2):
        command(project, f"create='env | grep -c PULUMI_COMMAND_STD >&2 || true', environment={{'A': '{number}'}}")
        project.up()
    # The second run finds what the first has written to stderr, and nothing for its empty stdout.
    assert project.outputs()["stderr"] == "1"


def test_a_refresh_runs_nothing_and_finds_no_change(project: Project) -> None:
    command(project, "create='echo run >> log; cat log', update='echo update >> log', delete='echo delete >> log'")
    project.up()
    (project.folder / "log").write_text("changed by hand\n")
    project.well("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    assert log(project) == ["changed by hand"]
    assert project.outputs()["stdout"] == "run"


def test_environment_stdin_folder_and_interpreter_are_honoured(project: Project) -> None:
    (project.folder / "inner").mkdir()
    command(
        project,
        "create='import os, sys; print(os.environ[\"A\"], sys.stdin.read(), os.path.basename(os.getcwd()))',\n"
        "interpreter=['python3', '-c'], environment={'A': 'b'}, stdin='given', dir='inner'",
    )
    project.up()
    assert project.outputs()["stdout"] == "b given inner"


def test_without_stdin_there_is_nothing_to_read(project: Project) -> None:
    command(project, "create='cat; echo end'")
    project.up()
    assert project.outputs()["stdout"] == "end"


def test_a_failure_names_status_and_command_and_shows_what_was_printed(project: Project) -> None:
    command(project, "create='echo \"the reason\" >&2\\nexit 3'")
    said = project.failing_up()
    assert r'exit status 3: running "echo \"the reason\" >&2\nexit 3":' in said
    assert "the reason" in said
    assert project.resources() == {}


def test_a_command_that_is_killed_is_said_to_be(project: Project) -> None:
    command(project, "create='kill -TERM $$'")
    assert 'signal: terminated: running "kill -TERM $$"' in project.failing_up()


def test_a_folder_that_is_not_there_is_named(project: Project) -> None:
    command(project, "create='true', dir='nowhere'")
    assert "chdir nowhere: no such file or directory" in project.failing_up()


def test_an_interpreter_that_is_not_there_is_named(project: Project) -> None:
    command(project, "create='true', interpreter=['no-such-program']")
    assert 'exec: "no-such-program": executable file not found in $PATH' in project.failing_up()


def test_a_failed_update_keeps_the_state_and_is_tried_again(project: Project) -> None:
    command(project, "create='echo one'")
    project.up()
    command(project, "create='exit 1'")
    project.failing_up()
    assert project.resources()["made"]["outputs"]["stdout"] == "one"
    command(project, "create='echo two'")
    project.up()
    assert project.outputs()["stdout"] == "two"


def test_a_failed_delete_keeps_the_resource(project: Project) -> None:
    command(project, "create='true', delete='test -e allowed'")
    project.up()
    assert "exit status 1" in project.pulumi("destroy", "--yes", "--skip-preview").stdout
    assert "made" in project.resources()
    (project.folder / "allowed").touch()
    project.destroy()
    assert project.resources() == {}


@pytest.mark.parametrize(
    ("level", "shown"),
    [("none", ()), ("stdout", ("out",)), ("stderr", ("err",)), ("stdoutAndStderr", ("out", "err"))],
)
def test_what_is_logged_depends_on_the_level_and_what_is_kept_does_not(
    project: Project, level: str, shown: tuple[str, ...]
) -> None:
    # Put together by the shell: the words stand nowhere in the program.
    command(project, f"create='echo said-$((1+1))-out; echo said-$((1+1))-err >&2', logging='{level}'")
    said, _, diagnostics = project.up().partition("Outputs:")[0].partition("Diagnostics:")
    assert "said-2" not in diagnostics, "it is shown while the command runs, and not again"
    assert [one for one in ("out", "err") if f"said-2-{one}" in said] == list(shown)
    assert project.outputs() == {"stdout": "said-2-out", "stderr": "said-2-err"}


def test_what_is_printed_from_a_secret_is_secret(project: Project) -> None:
    command(project, "create='echo $A', environment={'A': pulumi.Output.secret('hidden')}, logging='none'")
    assert "hidden" not in project.up()
    assert project.outputs() == {"stdout": "[secret]", "stderr": "[secret]"}
    assert "hidden" not in json.dumps(project.resources())


def test_files_that_match_are_assets_and_an_archive(project: Project) -> None:
    project.program(
        """
        import pulumi
        from pulumi_command import local
        made = local.Command("made", create="mkdir -p out/deep; echo a > out/a.txt; echo b > out/deep/b.txt; "
            "echo c > out/secret.txt", asset_paths=["out/**", "!**secret*"], archive_paths=["out/*.txt"])
        pulumi.export("assets", made.assets.apply(lambda found: sorted(found)))
        pulumi.export("archive", made.archive.apply(lambda found: sorted(found.assets)))
        """
    )
    project.up()
    assert project.outputs() == {
        "assets": ["out/a.txt", "out/deep/b.txt"],
        "archive": ["out/a.txt", "out/secret.txt"],
    }
    project.up()


def test_a_property_that_is_none_is_refused_by_name(project: Project) -> None:
    project.program(
        """
        import pulumi
        pulumi.CustomResource("command:local:Command", "made", {"creat": "true"},
            pulumi.ResourceOptions(version=__import__("importlib.metadata").metadata.version("pulumi-command")))
        """
    )
    assert "creat" in project.failing_preview()


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [
        ("create=['true']", "create"),
        ("create='true', interpreter='bash'", "interpreter"),
        ("create='true', interpreter=[1]", "interpreter"),
        ("create='true', environment={'A': 3}", "environment"),
        ("create='true', asset_paths=[1]", "assetPaths"),
        ("create='true', logging='loud'", "logging"),
    ],
)
def test_a_wrong_type_is_refused_by_name(project: Project, arguments: str, refused: str) -> None:
    command(project, arguments)
    said = project.failing_preview()
    assert refused in said
    assert "Exception calling" not in said


@pytest.mark.differs("a command may be run by the program, as `local.run`; here the resource alone is served")
def test_a_program_may_run_a_command_itself(project: Project) -> None:
    project.program(
        "import pulumi\nfrom pulumi_command import local\npulumi.export('it', local.run(command='echo hi').stdout)\n"
    )
    project.up()
    assert project.outputs() == {"it": "hi"}


def test_a_plugin_that_dies_in_mid_update_leaves_a_state_that_can_be_read(project: Project) -> None:
    command(project, "create='test -e alive || kill -9 $PPID'")
    project.failing_up()
    assert set(project.resources()) <= {"made"}
    (project.folder / "alive").touch()
    assert project.pulumi("up", "--yes", "--skip-preview", "--refresh").returncode == 0
    assert set(project.resources()) == {"made"}


def test_another_version_of_the_plugin_is_asked_for_by_number(project: Project) -> None:
    command(project, "create='true'", "version='0.0.1'")
    said = project.failing_preview()
    assert "command" in said
    assert "0.0.1" in said


def test_a_type_that_the_plugin_does_not_know_is_named(project: Project) -> None:
    project.program(
        """
        import pulumi
        pulumi.CustomResource("command:local:Nothing", "made", {},
            pulumi.ResourceOptions(version=__import__("importlib.metadata").metadata.version("pulumi-command")))
        """
    )
    assert "command:local:Nothing" in project.failing_preview()
