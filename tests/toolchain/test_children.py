"""A child ends without a word, whenever it is told to."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from toolchain.children import Children

pytestmark = pytest.mark.rows("K7")

INTERRUPTED_TWICE = """
import os, signal
from toolchain.child import interrupt_once, interruptible

interruptible(interrupt_once)
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    os.kill(os.getpid(), signal.SIGINT)
    print("cleaned up")
"""


@pytest.mark.parametrize("milliseconds", [0, 5, 10, 20, 30, 40, 60, 80, 120, 200])
def test_a_child_that_is_stopped_while_it_starts_shows_no_traceback(milliseconds: int, tmp_path: Path) -> None:
    children = Children()
    child = children.start(
        Path(sys.executable), ["program", str(tmp_path / "note")], environment={}, cwd=str(tmp_path), captured=True
    )
    time.sleep(milliseconds / 1000)

    stopped = time.monotonic()
    children.stop(child)

    said, complained = child.communicate(timeout=5)
    assert time.monotonic() - stopped < 0.2
    assert said == complained == b""


def test_a_program_that_is_interrupted_twice_cleans_up_after_the_first(tmp_path: Path) -> None:
    """The host does so at the end of a denied preview: for the call's end, and for its own."""
    program = tmp_path / "program.py"
    program.write_text(INTERRUPTED_TWICE)
    ended = subprocess.run(
        [sys.executable, str(program)],
        env={"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("cleaned up\n", "", 0)
