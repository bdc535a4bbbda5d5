"""Bringing the whole sandbox up and down: PostgreSQL, AWS and Supabase, and the environment that leads to them."""

import fcntl
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox import database, environment, people
from sandbox.inbox import INBOX
from sandbox.processes import Server
from sandbox.providers.installation import forgo_log, install
from sandbox.state import SandboxError, State
from sandbox.supabase.credentials import CREDENTIALS, Credentials

# What is worthless without the keys that AWS kept in memory.
BOUND_TO_AWS = ("aws", "supabase", "database", "pulumi", "reports")

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of the sandbox as `status` shows it."""

    name: str
    running: bool
    address: str


def servers(state: State) -> dict[str, Server]:
    """The two servers of ours, by name."""
    aws, supabase = state.folder("aws"), state.folder("supabase")
    return {
        "aws": Server(
            name="aws",
            module="sandbox.aws",
            arguments=("--log", str(aws / "requests.jsonl"), "--inbox", str(aws / INBOX)),
            port=state.ports["aws"],
            ready_path="/moto-api/",
            log=aws / "server.log",
        ),
        "supabase": Server(
            name="supabase",
            module="sandbox.supabase",
            arguments=(
                *("--state", str(supabase)),
                *("--database", database.dsn(state.folder("database"))),
                *("--aws-endpoint", state.url("aws")),
            ),
            port=state.ports["supabase"],
            ready_path="/healthz",
            log=supabase / "server.log",
        ),
    }


def parts(state: State) -> list[Part]:
    """What stands now. Looks, and changes nothing."""
    if not state.exists():
        return [Part(name=name, running=False, address="") for name in ("database", "aws", "supabase")]
    folder = state.folder("database")
    return [
        Part(name="database", running=database.is_running(folder), address=database.dsn(folder)),
        *(
            Part(name=server.name, running=server.answers(), address=f"http://127.0.0.1:{server.port}")
            for server in servers(state).values()
        ),
    ]


def up(state: State, say: Say, *, new_ports: bool = False) -> None:
    """Start what does not run; what runs is left as it is.

    Raises:
        SandboxError: a port is taken, a part does not start, or another `up` or `down` is at work.
    """
    with _lock(state):
        before = {part.name: part.running for part in parts(state)}
        if not before["aws"] and state.has_stacks() and servers(state)["aws"].process() is not None:
            raise SandboxError(
                "aws runs and does not answer; ending it would lose the keys that it keeps in memory.\n"
                "  Try again, or see ./pf sandbox logs. To start anew all the same: ./pf sandbox down, then up"
            )
        if new_ports:
            _forget_ports(state, before)
        if any(before.values()):
            for name in (name for name, running in before.items() if not running):
                say(f"{name} had crashed; starting it again")
        if not before["aws"] and state.has_stacks():
            say("AWS keeps its keys in memory and they are gone: the sandbox starts empty")
            _stop(state)
            _clear(state)
        credentials = Credentials.load_or_create(state.folder("supabase"))
        _start(state)
        install(state.folder("pulumi-home"))
        forgo_log(state.folder("pulumi-home"))
        people.ensure(state)
        environment.write(state, credentials)


def down(state: State) -> bool:
    """End every process of the sandbox. Whether there was any part to end."""
    if not state.exists():
        return False
    with _lock(state):
        try:
            _ = state.ports
        except SandboxError:
            state.forget_ports()  # what runs is found without them
        return _stop(state)


def reset(state: State) -> None:
    """End every process and forget everything: the next `up` starts as on the first day."""
    down(state)
    shutil.rmtree(state.sandbox, ignore_errors=True)
    state.environment_file.unlink(missing_ok=True)


def _start(state: State) -> None:
    missing = [server for server in servers(state).values() if not server.answers()]
    for server in missing:
        server.stop()  # one that hangs, or listens on a port of before; and what a killed one left
        server.claim_port()
    for server in missing:
        server.start()
    database.start(state.folder("database"))
    for server in missing:
        server.wait_until_ready()


def _stop(state: State) -> bool:
    """Also what hangs. Whether there was any process to end."""
    ended = [server.stop() for server in reversed(servers(state).values())]
    return any([*ended, database.stop(state.folder("database"))])


def _clear(state: State) -> None:
    """The project's tokens stay: a shell that has them in its environment goes on working."""
    for part in BOUND_TO_AWS:
        for entry in state.folder(part).iterdir():
            if entry.name == CREDENTIALS:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink()


def _forget_ports(state: State, running: dict[str, bool]) -> None:
    if taken := [name for name in ("aws", "supabase") if running[name]]:
        raise SandboxError(
            f"{' and '.join(taken)} still running: new ports are chosen for a sandbox that is down.\n"
            "  First: ./pf sandbox down"
        )
    state.forget_ports()


@contextmanager
def _lock(state: State) -> Generator[None]:
    """One command at a time; the system frees the lock when its holder dies."""
    state.sandbox.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(state.sandbox / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SandboxError(
                "another `./pf sandbox` command is at work on this sandbox.\n  Wait for it, then type yours again."
            ) from None
        yield
    finally:
        os.close(descriptor)
