"""`command:local:Command`, held to what pulumi-command does."""

import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import provider_pb2

from sandbox.processes import wait_for
from sandbox.providers.command.files import assets
from sandbox.providers.wire import SECRETS_SIGNATURE, SIGNATURE, encode, secret
from tests.sandbox_providers.plugin import Plugin, started, urn

pytestmark = pytest.mark.rows("K4", "K7")

COMMAND = "command:local:Command"


def details_of(error: Any) -> str:
    return str(error.details())


@pytest.fixture
def command(aws_environment: dict[str, str], tmp_path: Path) -> Generator[Plugin]:
    with started("command", tmp_path / "home", aws_environment, cwd=tmp_path) as plugin:
        plugin.configure()
        yield plugin


def test_create_runs_once_and_keeps_what_was_printed(command: Plugin, tmp_path: Path) -> None:
    id_, outputs = command.create(COMMAND, {"create": "echo made; echo told >&2; pwd"})
    assert id_
    assert outputs["stdout"] == f"made\n{tmp_path}"
    assert outputs["stderr"] == "told"


def test_environment_stdin_folder_and_interpreter_are_honoured(command: Plugin, tmp_path: Path) -> None:
    inputs = {
        "create": "import os, sys; print(os.environ['GREETING'], sys.stdin.read(), os.getcwd())",
        "interpreter": ["python3", "-c"],
        "environment": {"GREETING": "hello"},
        "stdin": "given",
        "dir": str(tmp_path.resolve()),
    }
    assert command.create(COMMAND, inputs)[1]["stdout"] == f"hello given {tmp_path.resolve()}"


def test_update_and_delete_see_what_was_printed_before(command: Plugin, tmp_path: Path) -> None:
    inputs = {
        "create": "echo one",
        "update": 'echo "after $PULUMI_COMMAND_STDOUT"',
        "delete": 'echo "$PULUMI_COMMAND_STDOUT" > deleted',
    }
    id_, outputs = command.create(COMMAND, inputs)
    outputs = command.update(COMMAND, id_, outputs, inputs | {"triggers": ["two"]})
    assert outputs["stdout"] == "after one"
    command.delete(COMMAND, id_, outputs)
    assert (tmp_path / "deleted").read_text() == "after one\n"


def test_previous_output_can_be_kept_out_of_the_environment(command: Plugin) -> None:
    inputs = {"create": 'echo "[$PULUMI_COMMAND_STDOUT]"', "addPreviousOutputInEnv": False}
    id_, outputs = command.create(COMMAND, inputs)
    assert command.update(COMMAND, id_, outputs, inputs)["stdout"] == "[]"


def test_without_an_update_command_create_runs_again(command: Plugin) -> None:
    id_, outputs = command.create(COMMAND, {"create": "echo one"})
    assert command.update(COMMAND, id_, outputs, {"create": "echo two"})["stdout"] == "two"


def test_a_changed_trigger_is_told_by_its_place(command: Plugin) -> None:
    """So that the engine replaces, as the SDK asks it to for any `triggers[*]`."""
    old = {"create": "true", "update": "true", "triggers": ["a", "b"]}
    assert {*command.diff(COMMAND, {}, old, old | {"triggers": ["a", "c", "d"]}).detailedDiff} == {
        "triggers[1]",
        "triggers[2]",
    }
    (gone,) = command.diff(COMMAND, {}, old, {"create": "true", "update": "true"}).detailedDiff.values()
    assert gone.kind == provider_pb2.PropertyDiff.UPDATE_REPLACE


def test_a_failure_shows_the_command_and_what_it_printed(command: Plugin) -> None:
    with pytest.raises(grpc.RpcError) as failure:
        command.create(COMMAND, {"create": "echo reason >&2; exit 3"})
    message = details_of(failure.value)
    assert message == 'exit status 3: running "echo reason >&2; exit 3":\nreason'


@pytest.mark.parametrize(
    ("globs", "found"),
    [
        (["*.txt"], ["a.txt"]),
        (["**.txt"], ["a.txt", "deep/b.txt", "deep/secret.txt"]),
        (["deep/**", "!**secret*"], ["deep/b.txt"]),
        (["!**secret*", "deep/**"], ["deep/b.txt", "deep/secret.txt"]),
        (["{a,deep/b}.t?t"], ["a.txt", "deep/b.txt"]),
        (["[!b].txt", "a,b"], ["a.txt"]),
        (["?"], []),
    ],
)
def test_globs_match_as_those_of_the_official_provider(tmp_path: Path, globs: list[str], found: list[str]) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("a.txt", "deep/b.txt", "deep/secret.txt"):
        (tmp_path / name).touch()
    assert sorted(assets(str(tmp_path), globs)) == found


def test_what_is_printed_from_a_secret_is_secret(command: Plugin) -> None:
    inputs = encode({"create": "echo $VALUE", "environment": {"VALUE": secret("hidden")}})
    request = provider_pb2.CreateRequest(urn=urn(COMMAND), properties=inputs)
    properties = MessageToDict(command.stub.Create(request).properties)
    assert properties["stdout"] == {SIGNATURE: SECRETS_SIGNATURE, "value": "hidden"}
    assert properties["environment"]["VALUE"] == {SIGNATURE: SECRETS_SIGNATURE, "value": "hidden"}


@pytest.mark.parametrize(
    ("inputs", "refused"),
    [
        ({"creat": "true"}, "creat"),
        ({"create": ["true"]}, "create"),
        ({"create": "true", "logging": "loud"}, "logging"),
        ({"create": "true", "assetPaths": "*"}, "assetPaths"),
    ],
)
def test_bad_input_is_refused_by_name(command: Plugin, inputs: dict[str, object], refused: str) -> None:
    _, failures = command.check(COMMAND, inputs)
    assert list(failures) == [refused]


def test_a_preview_runs_nothing(command: Plugin, tmp_path: Path) -> None:
    command.create(COMMAND, {"create": "touch ran"}, preview=True)
    assert not (tmp_path / "ran").exists()


def test_cancelling_ends_the_whole_process_group(command: Plugin, tmp_path: Path) -> None:
    failures: list[str] = []

    def create() -> None:
        try:
            command.create(COMMAND, {"create": "sh -c 'echo $$ > child; exec sleep 300' & wait"})
        except grpc.RpcError as error:
            failures.append(str(error))

    running = threading.Thread(target=create)
    running.start()
    pid_file = tmp_path / "child"
    assert wait_for(lambda: pid_file.exists() and pid_file.read_text().strip() != "", 30)
    child = psutil.Process(int(pid_file.read_text()))
    command.stub.Cancel(Empty())
    running.join(timeout=10)
    assert not running.is_alive()
    assert failures
    assert "interrupted" in failures[0]
    psutil.wait_procs([child], timeout=5)
    assert not child.is_running()
