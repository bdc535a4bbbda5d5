"""The deployed functions, each a Deno process that starts with the first call and is replaced when it changes."""

import asyncio
import contextlib
import hashlib
import socket
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.supabase.deno import DENO, running_environment, source_options
from sandbox.supabase.store import Function, Store

BOOT_SECONDS = 20
DRAIN_SECONDS = 10


class BootError(Exception):
    """A function's process doesn't come up."""


@dataclass(kw_only=True)
class Running:
    """One process of one generation of a function."""

    process: asyncio.subprocess.Process
    port: int
    generation: str
    calls: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def alive(self) -> bool:
        return self.process.returncode is None


class Functions:
    """Starts, replaces and ends the functions' processes."""

    def __init__(self, store: Store, injected: dict[str, str], log: Path) -> None:
        self._store = store
        self._injected = injected
        self._log = log
        self._running: dict[str, Running] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._retiring: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def serving(self, function: Function) -> AsyncGenerator[int]:
        """The port on which this version listens, held for one call.

        Raises:
            BootError: its process ends, or doesn't listen in time.
        """
        async with self._locks.setdefault(function.slug, asyncio.Lock()):
            running = await self._current(function)
            running.calls += 1
            running.idle.clear()
        try:
            yield running.port
        finally:
            running.calls -= 1
            if running.calls == 0:
                running.idle.set()

    async def stop(self) -> None:
        for running in self._running.values():
            await _end(running)
        for task in tuple(self._retiring):
            task.cancel()

    async def _current(self, function: Function) -> Running:
        generation = self._generation(function)
        before = self._running.get(function.slug)
        if before and before.alive and before.generation == generation:
            return before
        started = await self._start(function, generation)
        self._running[function.slug] = started
        if before:
            task = asyncio.create_task(_retire(before))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
        return started

    def _generation(self, function: Function) -> str:
        """Changes with the version and with every secret, which the real service hands to running functions too."""
        secrets = sorted((one.name, one.value) for one in self._store.secrets.values())
        return hashlib.sha256(repr((function.version, function.ezbr_sha256, secrets)).encode()).hexdigest()

    async def _start(self, function: Function, generation: str) -> Running:
        folder, port = self._store.source(function), _free_port()
        secrets = {one.name: one.value for one in self._store.secrets.values()}
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(str(DENO), "run", "--quiet", "--no-prompt", "--no-check", "--cached-only"),
                *source_options(folder, function.import_map_path),
                *("--allow-net", "--allow-env", "--allow-sys", f"--allow-read={folder}"),
                str(folder / function.entrypoint_path),
                cwd=folder,
                env=running_environment() | secrets | self._injected | {"DENO_SERVE_ADDRESS": f"tcp:127.0.0.1:{port}"},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        running = Running(process=process, port=port, generation=generation)
        running.idle.set()
        await self._wait_until_it_listens(function, running)
        return running

    async def _wait_until_it_listens(self, function: Function, running: Running) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        while running.alive and time.monotonic() < deadline:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", running.port)
            except OSError:
                await asyncio.sleep(0.01)
                continue
            writer.close()
            return
        await _end(running)
        raise BootError(f"{function.slug} failed to start; see functions.log")


async def _retire(running: Running) -> None:
    """Let the calls that it has finish."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(running.idle.wait(), DRAIN_SECONDS)
    await _end(running)


async def _end(running: Running) -> None:
    if running.alive:
        with contextlib.suppress(ProcessLookupError):
            running.process.kill()
        await running.process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
