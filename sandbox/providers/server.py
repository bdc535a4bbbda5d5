"""What every plugin does alike: serve the engine on a port of 127.0.0.1, and be gone at once when told to."""

import os
import signal
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

# As many as the engine works on at once, by far; keys and policies are small.
WORKERS = 16
LARGEST_MESSAGE = 400 * 1024 * 1024  # what the engine itself allows


def serve(provider: provider_pb2_grpc.ResourceProviderServicer, on_end: Callable[[], None] = lambda: None) -> None:
    """Serve until SIGINT or SIGTERM comes or the engine is gone; then run `on_end` and exit.

    The engine waits seconds for a plugin that doesn't end on SIGINT, so nothing is wound up here.
    """

    def end(_number: int = 0, _frame: FrameType | None = None) -> None:
        on_end()
        os._exit(0)

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    options = [("grpc.max_receive_message_length", LARGEST_MESSAGE), ("grpc.max_send_message_length", LARGEST_MESSAGE)]
    server = grpc.server(ThreadPoolExecutor(WORKERS), options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    _follow_engine(end)
    print(port, flush=True)
    server.wait_for_termination()


def _follow_engine(end: Callable[[], None]) -> None:
    """The engine holds our stdin open: its end is ours, also when the engine was killed."""
    if not stat.S_ISFIFO(os.fstat(0).st_mode):
        return

    def wait_for_the_end() -> None:
        while os.read(0, 4096):
            pass
        end()

    threading.Thread(target=wait_for_the_end, name="follow-engine", daemon=True).start()
