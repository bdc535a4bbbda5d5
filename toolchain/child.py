"""What a child of the language host runs: one Pulumi program, or one plugin.

It runs in the program's own interpreter, so it needs nothing but the standard library and the Pulumi SDK there. Its
stdin is held open by the host: when that ends, however it ends, the whole process group goes too.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from types import FrameType, TracebackType
from typing import Any, NoReturn

# The language host answers this code with `bail`: the person has seen the message already.
SHOWN = 32
INTERRUPTED = 130


def follow_host() -> SimpleQueue[bytes]:
    """The first line that the host writes; the program gets an empty fd 0 in its place."""
    pipe = os.dup(0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    request: SimpleQueue[bytes] = SimpleQueue()

    def follow() -> None:
        with os.fdopen(pipe, "rb") as lines:
            for line in lines:
                request.put(line)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=follow, name="follow-host", daemon=True).start()
    return request


def users_traceback(error: BaseException, program: str) -> str:
    """The traceback from the program's first line on: what lies before it is machinery."""
    main = Path(program).resolve()
    entry = main / "__main__.py" if main.is_dir() else main
    step: TracebackType | None = error.__traceback__
    while step is not None and Path(step.tb_frame.f_code.co_filename).resolve() != entry:
        step = step.tb_next
    return "".join(traceback.format_exception(type(error), error, step or error.__traceback__))


def finish(*, await_threads: bool) -> None:
    """What Python does at a program's end, but for taking its modules down.

    A program that failed may have left a thread with a request that the engine doesn't answer any more.
    """
    if await_threads:
        threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]


def leave(code: int) -> NoReturn:
    """Without joining threads: a request to an engine that is gone would never come back."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def interruptible(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    """The host starts a child with interrupts held back: one in the middle of its imports would show a traceback."""
    signal.signal(signal.SIGINT, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def nothing_more(_number: int, _frame: FrameType | None) -> None:
    """Not SIG_IGN: Python complains of a signal that came just before it was ignored, with a traceback."""


def interrupt_once(_number: int, _frame: FrameType | None) -> NoReturn:
    """The host may interrupt twice, for the end of the call and for its own; the program cleans up after the first."""
    signal.signal(signal.SIGINT, nothing_more)
    raise KeyboardInterrupt


def hosts_own(name: str) -> Any:
    """A module from beside this one. Afterwards program or pack finds nothing of the host's by its name."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    try:
        return importlib.import_module(f"toolchain.{name}")
    finally:
        del sys.path[0]
        for loaded in [one for one in sys.modules if one.partition(".")[0] == "toolchain"]:
            del sys.modules[loaded]


def say_nothing(*_message: object, **_options: object) -> None:
    """For what nobody would see."""


def run_program(request: SimpleQueue[bytes], note: Path) -> NoReturn:
    interruptible(signal.SIG_DFL)  # there is no program yet that could want to clean up
    gc.disable()  # nothing of what is imported is garbage
    try:
        importlib.import_module("pulumi")  # its cost is why the child starts before there is a program to run
    except ImportError:
        missing = traceback.format_exc()
        request.get()
        print(f"{missing}\nThe Pulumi SDK is not in {sys.prefix}; run: pulumi install", file=sys.stderr)
        leave(1)
    imports = hosts_own("imports")
    imports.import_ahead(note)
    parsed: dict[str, Any] = json.loads(request.get())
    gc.freeze()
    gc.set_threshold(100_000)  # a program makes resources, which stay, and ends within seconds
    gc.enable()
    try:
        interruptible(interrupt_once)
        code = _run(parsed)
        if code == 0:
            imports.keep(note)
        finish(await_threads=code == 0)
        leave(code)
    except KeyboardInterrupt:
        leave(INTERRUPTED)


def _run(request: dict[str, Any]) -> int:
    import asyncio
    import logging
    from concurrent.futures import ThreadPoolExecutor

    import pulumi
    from pulumi.runtime import Settings, configure, run_in_stack, set_all_config

    set_all_config(request["config"], request["config_secret_keys"])
    configure(Settings(**request["settings"]))
    if not request["debug"]:  # the SDK waits for the engine's answer to four such messages a resource
        pulumi.log.debug = say_nothing
    sys.argv = [request["program"], *request["args"]]
    os.chdir(request["pwd"])
    # Outputs that nobody awaits are normal in a Pulumi program that fails; asyncio would report each.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_default_executor(ThreadPoolExecutor(max_workers=max(request["settings"]["parallel"], 1) * 4))

    def program() -> None:
        runpy.run_path(request["program"], run_name="__main__")

    task = loop.create_task(run_in_stack(program))
    try:
        loop.run_until_complete(asyncio.wait([task]))
    except SystemExit as error:
        if error.code is not None and not isinstance(error.code, int):
            print(error.code, file=sys.stderr)
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    failure = task.exception()
    if failure is None:
        return 0
    if isinstance(failure, pulumi.RunError):
        pulumi.log.error(str(failure))
        return 1
    pulumi.log.error("Program failed with an unhandled exception:\n" + users_traceback(failure, request["program"]))
    return SHOWN


def run_module(name: str, arguments: Sequence[str]) -> None:
    sys.argv = [name, *arguments]
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def main() -> None:
    kind, *rest = sys.argv[1:]
    request = follow_host()
    if kind == "program":
        run_program(request, Path(*rest))
    interruptible(signal.default_int_handler)
    if kind == "pack":
        policy_pack = hosts_own("policy_pack")
        try:
            policy_pack.serve(lambda: run_module("pulumi.policy", rest))
        except KeyboardInterrupt:
            leave(INTERRUPTED)
        return
    target, *arguments = rest
    if kind == "module":
        run_module(target, arguments)
    else:
        sys.argv = [target, *arguments]
        runpy.run_path(target, run_name="__main__")


if __name__ == "__main__":
    main()
