"""Processes that other commands left: do they still run, and what are they. Works without a package for it."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from operations.errors import OperationError

PS_CURE = "Install it: on Linux it is in the package procps."


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process of this machine that runs; one that has ended and waits for its parent to notice does not."""

    pid: int
    parent: int
    command: str


def running() -> dict[int, Process]:
    """All of them.

    Raises: OperationError where `ps` isn't there to say it, as in small container images.
    """
    command = ["ps", "-A", "-ww", "-o", "pid=,ppid=,stat=,args="]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError as error:
        raise OperationError("`ps` is not on PATH", PS_CURE) from error
    rows = [line.split(None, 3) for line in listed.stdout.splitlines()]
    found = (Process(pid=int(row[0]), parent=int(row[1]), command=row[3]) for row in rows if _runs(row))
    return {process.pid: process for process in found}


def _runs(row: list[str]) -> bool:
    return len(row) == 4 and not row[2].startswith("Z")


def is_program(pid: int, name: str) -> bool:
    """Whether the process runs and is that program: a number goes to another one in time."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's: nothing more can be said, so it counts as living
    stat = Path(f"/proc/{pid}/stat")
    try:
        program, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        return name in program and not rest.lstrip().startswith("Z")
    except OSError:
        process = running().get(pid)
        return process is not None and name in process.command


def signal_to(pid: int, number: int) -> None:
    """To one that may have ended meanwhile."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
