"""Who still runs: the dead, the ended but unnoticed, and the same number gone to another program."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gate.receipt import ReceiptError, this_run
from operations.errors import OperationError
from operations.processes import is_program, running, signal_to
from operations.recover import end_orphans
from operations.stack import Stack
from tests.operations.test_engine import dead_process

pytestmark = pytest.mark.rows("K7", "D2")


def test_only_the_running_program_of_that_name_counts() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            assert is_program(process.pid, "sleep")
            assert not is_program(process.pid, "pulumi")
            assert running()[process.pid].parent == os.getpid()
        finally:
            process.kill()
    assert not is_program(process.pid, "sleep")


def test_one_that_ended_unnoticed_does_not_run() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, and still in the table
        assert not is_program(process.pid, "sleep")
        assert process.pid not in running()


def test_a_missing_ps_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(OperationError, match="`ps` is not on PATH") as caught:
        running()
    assert "procps" in caught.value.cure
    with pytest.raises(ReceiptError, match=r"`ps` is not on PATH.*procps"):
        this_run()


def test_a_signal_to_the_dead_is_no_error() -> None:
    signal_to(dead_process(), signal.SIGTERM)


def test_a_plugin_without_its_engine_is_ended(stack: Stack, tmp_path: Path) -> None:
    plugin = tmp_path / "home/plugins/resource-aws-v1/pulumi-resource-aws"
    plugin.parent.mkdir(parents=True)
    plugin.write_text("import time\ntime.sleep(60)\n")
    changed = stack.environment.model_copy(update={"pulumi_home": str(tmp_path / "home")})
    home = Stack(
        name=stack.name,
        root=stack.root,
        state=stack.state,
        settings=stack.settings,
        environment=changed,
        variables=stack.variables,
    )
    with subprocess.Popen([sys.executable, str(plugin)]) as process:
        end_orphans(home)
        assert process.wait(timeout=5) == -signal.SIGTERM
