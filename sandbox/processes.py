"""Starting, finding and ending the sandbox's servers.

A server is found by its command line, which names the sandbox's own folder: so there is no pid file that could
be stale, and one that was started by a killed `up` is found as well. What a killed server left running is found by
its environment, which names the folder too: a person's editor or `tail -f` on a log there is left alone.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from sandbox.state import ROOT, SandboxError, port_is_free

START_SECONDS = 30
STOP_SECONDS = 5
MARK = "PF_SANDBOX_PART"


@dataclass(frozen=True, kw_only=True)
class Server:
    """A process of ours that answers on a port of 127.0.0.1."""

    name: str
    module: str
    arguments: tuple[str, ...]
    port: int
    ready_path: str
    log: Path

    @property
    def folder(self) -> Path:
        return self.log.parent

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", self.module, "--port", str(self.port), *self.arguments]

    def process(self) -> psutil.Process | None:
        """The running process, also when it was started with another port."""
        marker = ["-m", self.module, "--port"]
        for process in psutil.process_iter(["cmdline", "status"]):
            command: list[str] = process.info["cmdline"] or []
            if command[1:4] == marker and tuple(command[5:]) == self.arguments:
                return process
        return None

    def answers(self) -> bool:
        """Whether this server does: on the port of one that was down, another sandbox's may have been started."""
        try:
            if not httpx.get(f"http://127.0.0.1:{self.port}{self.ready_path}", timeout=2, trust_env=False).is_success:
                return False
            process = self.process()
            return process is not None and process.cmdline()[4:5] == [str(self.port)]
        except (httpx.HTTPError, psutil.NoSuchProcess):
            return False

    def claim_port(self) -> None:
        """Raises: SandboxError if another program has our port."""
        if not port_is_free(self.port):
            raise SandboxError(
                f"{self.name}: port {self.port} is taken by {_holder(self.port)}.\n"
                "  End that program, or choose other ports: ./pf sandbox up --new-ports"
            )

    def start(self) -> None:
        """Start in a session of its own, so that it outlives this command and ends as one group."""
        with self.log.open("ab") as log:
            subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=marked(self.folder) | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Return once it answers.

        Raises:
            SandboxError: it ended, or did not answer in time; with the last lines of its log.
        """
        ended = wait_for(self.answers, START_SECONDS, alive=lambda: self.process() is not None)
        if not ended:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
            raise SandboxError(f"{self.name} did not start. The end of its log:\n{tail}\n  See: ./pf sandbox logs")

    def stop(self) -> bool:
        """End the process and all that it or one before it started; by force what has not gone after a few seconds."""
        if process := self.process():
            family = [process, *process.children(recursive=True)]
            process.terminate()
            if not _gone(family):
                _kill(family)
        return kill_left(self.folder) or process is not None


def marked(folder: Path) -> dict[str, str]:
    """The environment of a process that belongs to the part in this folder, and of all that it starts."""
    return {**os.environ, MARK: str(folder)}


def kill_left(folder: Path) -> bool:
    """Kill every process that was started as one of this part's. Whether there was any."""
    processes = psutil.process_iter(["environ"])
    left = [process for process in processes if (process.info["environ"] or {}).get(MARK) == str(folder)]
    _kill(left)
    return bool(left)


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _gone(processes)


def _gone(processes: Sequence[psutil.Process]) -> bool:
    """Whether all end within a few seconds. A zombie has ended: whose child it is may take its time to notice."""

    def ended(process: psutil.Process) -> bool:
        try:
            return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return wait_for(lambda: all(map(ended, processes)), STOP_SECONDS)


def wait_for(condition: Callable[[], bool], seconds: float, alive: Callable[[], bool] = lambda: True) -> bool:
    """Whether the condition came true in time; gives up at once when `alive` turns false."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        if not alive():
            return False
        time.sleep(0.02)
    return False


def _holder(port: int) -> str:
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr[1] == port:
            if connection.pid is None:
                break
            return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "another program"
