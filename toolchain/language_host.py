"""`pulumi-language-python`: what the engine starts to run Python programs and plugins.

The vendor's host is a Go program that a package registry doesn't carry. This one costs little time: a child imports the
SDK while the engine is busy with other things and waits for the program (children.py, child.py), and the host itself
loads the protocol's messages without the SDK around them.
"""

import gc
import os
import re
import signal
import stat
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import FrameType, ModuleType

from toolchain.children import Children

DEBUG = re.compile(r"--(debug|verbose)(=.*)?|-[A-Za-z]*[dv][A-Za-z]*(=?\d+)?")


def skip_the_sdk() -> None:
    """Stand-ins for the two packages above the protocol: their code costs 0.6 s and the host needs none of it."""
    spec = find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("pulumi-language-python: the Pulumi SDK is not in this environment; run: make setup")
    folder = Path(spec.submodule_search_locations[0])
    for name, location in (("pulumi", folder), ("pulumi.runtime", folder / "runtime")):
        module = ModuleType(name)
        module.__path__ = [str(location)]
        sys.modules[name] = module


def follow_engine(stop: threading.Event) -> None:
    """The engine holds our stdin open: its end is ours, also when the engine was killed."""
    if not stat.S_ISFIFO(os.fstat(0).st_mode):
        return

    def wait_for_the_end() -> None:
        while os.read(0, 4096):
            pass
        stop.set()

    threading.Thread(target=wait_for_the_end, name="follow-engine", daemon=True).start()


def shows_debug(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether an engine that was started so shows debug messages. It throws the others away when it has them.

    Asked by `--debug`, by `-d` alone or among other letters, or by the variable that stands for the flag. With `-v=9`
    it writes them into its log.
    """
    return bool(environment.get("PULUMI_OPTION_DEBUG")) or any(map(DEBUG.fullmatch, arguments))


def engines_arguments() -> Sequence[str]:
    """Where the machine doesn't say how the engine was started, as if it had been asked for everything."""
    try:
        return os.fsdecode(Path(f"/proc/{os.getppid()}/cmdline").read_bytes()).split("\0")[1:]
    except OSError:
        return ["--debug"]


def main() -> None:
    gc.disable()  # nothing of what is imported is garbage, and the process ends with the engine's run
    # The engine's address comes last; the flags before it (-root, -tracing, …) are for the vendor's host.
    engine = sys.argv[-1] if len(sys.argv) > 1 else ""
    children = Children()
    serving = threading.Event()
    stop = threading.Event()

    def end(_number: int = 0, _frame: FrameType | None = None) -> None:
        stop.set()
        if not serving.is_set():
            os._exit(0)

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)

    skip_the_sdk()
    from toolchain.language_server import Host, serve

    debug = shows_debug(engines_arguments(), os.environ)
    host = Host(engine=engine, children=children, stop=stop, debug=debug)
    server, port = serve(host)
    follow_engine(stop)
    serving.set()
    print(port, flush=True)
    stop.wait()
    children.stop_all()
    server.stop(grace=None)
    sys.stdout.flush()
    os._exit(0)
