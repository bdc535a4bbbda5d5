"""Running a command in a process group of its own, so that all it started ends with it when it is interrupted."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

# Walked by a signal handler while threads add to it: a set's own operations need no lock of ours.
_running: set[subprocess.Popen[bytes]] = set()

Line = Callable[[str, str], None]
"""Takes (stream, line) as soon as the command prints it."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a command printed, without the last newline, and how it ended."""

    code: int
    stdout: str
    stderr: str
    both: str


def run(
    command: Sequence[str], *, environment: Mapping[str, str], cwd: str | None, stdin: str | None, on_line: Line
) -> Finished:
    """Run to its end.

    Raises:
        OSError: there is no such interpreter or folder.
        UnicodeDecodeError: what it printed is no text, though it ended well.
    """
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=dict(os.environ) | dict(environment),
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    )
    _running.add(process)
    try:
        return _follow(process, stdin, on_line)
    finally:
        _running.discard(process)


def interrupt_all() -> None:
    """Ask every command and its children to end."""
    for process in tuple(_running):
        _signal(process, signal.SIGINT)
        _signal(process, signal.SIGTERM)


def end_all() -> None:
    """End every command and its children, now."""
    for process in tuple(_running):
        _signal(process, signal.SIGKILL)


def _follow(process: subprocess.Popen[bytes], stdin: str | None, on_line: Line) -> Finished:
    printed: dict[str, list[bytes]] = {"stdout": [], "stderr": [], "both": []}

    def read(name: str, stream: IO[bytes] | None) -> None:
        for line in stream or ():
            printed[name].append(line)
            printed["both"].append(line)
            on_line(name, line.decode(errors="replace").rstrip("\r\n"))

    readers = [
        threading.Thread(target=read, args=("stdout", process.stdout)),
        threading.Thread(target=read, args=("stderr", process.stderr)),
    ]
    for reader in readers:
        reader.start()
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:  # a command may end without reading it
            pipe.write((stdin or "").encode())
    code = process.wait()
    for reader in readers:
        reader.join()
    errors = "replace" if code else "strict"
    stdout, stderr, both = (
        b"".join(printed[name]).removesuffix(b"\n").decode(errors=errors) for name in ("stdout", "stderr", "both")
    )
    return Finished(code=code, stdout=stdout, stderr=stderr, both=both)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the group is gone
        os.killpg(process.pid, number)
