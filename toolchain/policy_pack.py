"""A policy pack's process: it answers the engine at once, and runs the pack when it knows for which stack.

The SDK's `pulumi.policy` reads stack, project, dry run and config from its environment when it starts, but the engine
sends them only after it has connected (ConfigureStack). The vendor's host puts a proxy between the two; in Python one
would cost every call more than the pack itself. Here the pack is served by the server that the engine knows already.
"""

import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from io import StringIO
from typing import Any

import grpc
from pulumi.runtime.proto import analyzer_pb2

SERVICE = "/pulumirpc.Analyzer/"
_OPTIONS = [("grpc.max_receive_message_length", 400 * 1024 * 1024)]


def stack_environment(request: analyzer_pb2.AnalyzerStackConfigureRequest) -> dict[str, str]:
    """As the vendor's host gives it: empty values are left out."""
    values = {
        "PULUMI_ORGANIZATION": request.organization,
        "PULUMI_PROJECT": request.project,
        "PULUMI_STACK": request.stack,
        "PULUMI_DRY_RUN": "true" if request.dry_run else "false",
        "PULUMI_CONFIG": json.dumps(dict(request.config)),
    }
    return {name: value for name, value in values.items() if value}


class Door(grpc.GenericRpcHandler):
    """The engine's calls, which wait until the pack is there."""

    def __init__(self) -> None:
        self._stack: Future[dict[str, str]] = Future()
        self._knowing = threading.Lock()
        self._pack: Future[Sequence[grpc.GenericRpcHandler]] = Future()
        self._server = grpc.server(ThreadPoolExecutor(max_workers=16), handlers=[self], options=_OPTIONS)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def stack(self) -> dict[str, str]:
        """The stack's environment; waits for the engine to tell it."""
        return self._stack.result()

    def open(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        self._pack.set_result(handlers)

    def close(self, said: str = "") -> None:
        """Calls that still wait fail with what the pack has said."""
        if not self._pack.done():
            self._pack.set_exception(RuntimeError(f"the policy pack did not start: {said.strip()}"))
        self._server.stop(grace=1).wait()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        name = str(handler_call_details.method).removeprefix(SERVICE)
        answers = {"Handshake": self._handshake, "ConfigureStack": self._configure}
        return grpc.unary_unary_rpc_method_handler(answers.get(name) or partial(self._pass_on, handler_call_details))

    def _handshake(self, _request: bytes, _context: grpc.ServicerContext) -> bytes:
        return b""

    def _configure(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self._is_for(stack_environment(analyzer_pb2.AnalyzerStackConfigureRequest.FromString(request)))
        try:
            return self._pass_on(_Call(f"{SERVICE}ConfigureStack"), request, context)
        except NotImplementedError:  # packs before this call read the environment
            context.set_code(grpc.StatusCode.OK)
            return b""

    def _pass_on(self, call: grpc.HandlerCallDetails, request: bytes, context: grpc.ServicerContext) -> bytes:
        self._is_for({})  # the engine may ask a pack about itself with no stack at all (policy publish)
        try:
            handlers = self._pack.result()
        except RuntimeError as error:
            context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        for each in handlers:
            handler: Any = each.service(call)
            if handler is not None:
                return handler.response_serializer(handler.unary_unary(handler.request_deserializer(request), context))
        return context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the pack doesn't serve {call.method}")

    def _is_for(self, environment: dict[str, str]) -> None:
        with self._knowing:
            if not self._stack.done():
                self._stack.set_result(environment)


class _Call(grpc.HandlerCallDetails):
    def __init__(self, method: str) -> None:
        self.method = method
        self.invocation_metadata = ()


class PackServer:
    """What the pack takes for a server of its own."""

    def __init__(self, door: Door, held_back: StringIO, *_pool: object, **_options: object) -> None:
        self._door = door
        self._held_back = held_back
        self._handlers: list[grpc.GenericRpcHandler] = []

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        self._handlers.extend(handlers)

    def add_registered_method_handlers(self, _service: str, _handlers: object) -> None:
        """The same again, by name."""

    def add_insecure_port(self, address: str) -> str:  # noqa: ARG002 (callers name it)
        """The pack prints what it gets, and the engine has its port already."""
        return ""

    def start(self) -> None:
        sys.stderr = sys.__stderr__
        print(self._held_back.getvalue(), file=sys.stderr, end="", flush=True)
        self._door.open(self._handlers)

    def wait_for_termination(self) -> None:
        threading.Event().wait()

    def stop(self, _grace: float | None) -> None:
        self._door.close()


def serve(start: Callable[[], None]) -> None:
    """`start` runs the pack, whose servers are this one from now on."""
    door = Door()
    print(door.port, flush=True)
    # The engine shows why a call failed; what a plugin wrote it shows only if that comes in time.
    said = sys.stderr = StringIO()
    try:
        os.environ.update(door.stack())
        grpc.server = partial(PackServer, door, said)
        start()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            raise SystemExit(1) from None
        raise
    finally:
        door.close(said.getvalue())
