"""The processes that the language host starts, and how all of them end.

Each child leads a process group of its own, so that what it starts goes with it.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

CHILD = Path(__file__).with_name("child.py")
# Time for a program's `finally` before it is killed; the host itself has to be gone 200 ms after it was told to.
GRACE = 0.1


class Children:
    """A set without a lock: the signal handler walks it while any thread may be adding to it."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()

    def start(
        self,
        interpreter: Path,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        cwd: str | None = None,
        captured: bool = False,
    ) -> subprocess.Popen[bytes]:
        """A child that ends with this process, even if this process is killed."""
        output = subprocess.PIPE if captured else None
        # The child inherits this: until it says what an interrupt means to it, one that comes waits (child.py).
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process = subprocess.Popen(
                [str(interpreter), "-u", "-P", str(CHILD), *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=dict(environment),
                cwd=cwd,
                process_group=0,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        self._running.add(process)
        return process

    def wait(self, process: subprocess.Popen[bytes]) -> int:
        code = process.wait()
        self._running.discard(process)
        return code

    def stop(self, *processes: subprocess.Popen[bytes]) -> None:
        alive = [process for process in processes if process.poll() is None]
        for process in alive:
            _signal(process, signal.SIGINT)
        deadline = time.monotonic() + GRACE
        for process in alive:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(deadline - time.monotonic(), 0))
        for process in processes:
            _signal(process, signal.SIGKILL)  # also what a finished child left in its group
            self._running.discard(process)

    def stop_all(self) -> None:
        self.stop(*tuple(self._running))


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the group is gone
        os.killpg(process.pid, number)
