"""The analyzer that the engine talks to in place of a policy pack.

The SDK's `pulumi.policy` reads stack, project, dry run and config from its environment when it starts, but the engine
sends them only after it has connected (ConfigureStack). So this answers first, starts the pack once they are known, and
then passes every call through unread.
"""

import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Lock

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


class PolicyProxy(grpc.GenericRpcHandler):
    """`start` is called once, with the stack's environment; the pack's port comes by `connect` or never by `fail`."""

    def __init__(self, start: Callable[[dict[str, str]], None]) -> None:
        self._start = start
        self._started = False
        self._starting = Lock()
        self._configuration = b""
        self._pack: Future[grpc.Channel] = Future()
        self._server = grpc.server(ThreadPoolExecutor(max_workers=16), handlers=[self], options=_OPTIONS)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        method = str(handler_call_details.method)
        if not method.startswith(SERVICE):
            return None
        answers = {"Handshake": self._handshake, "ConfigureStack": self._configure}
        name = method.removeprefix(SERVICE)
        return grpc.unary_unary_rpc_method_handler(answers.get(name) or partial(self._forward, method))

    def connect(self, port: int) -> None:
        channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=_OPTIONS)
        if self._configuration:
            try:
                channel.unary_unary(f"{SERVICE}ConfigureStack")(self._configuration)
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNIMPLEMENTED:  # packs before this call read the environment
                    self.fail(f"the policy pack refused its configuration: {error.details()}")
                    return
        self._pack.set_result(channel)

    def fail(self, reason: str) -> None:
        if not self._pack.done():
            self._pack.set_exception(RuntimeError(reason))

    def close(self) -> None:
        self.fail("the policy pack has ended")
        self._server.stop(grace=None)

    def _ensure_started(self, environment: dict[str, str]) -> None:
        with self._starting:
            if not self._started:
                self._started = True
                self._start(environment)

    def _handshake(self, _request: bytes, _context: grpc.ServicerContext) -> bytes:
        return b""

    def _configure(self, request: bytes, _context: grpc.ServicerContext) -> bytes:
        self._configuration = request
        parsed = analyzer_pb2.AnalyzerStackConfigureRequest.FromString(request)
        self._ensure_started(stack_environment(parsed))
        return b""

    def _forward(self, method: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        self._ensure_started({})  # the engine may ask a pack about itself with no stack at all (policy publish)
        try:
            channel = self._pack.result()
        except RuntimeError as error:
            context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        try:
            return channel.unary_unary(method)(request)
        except grpc.RpcError as error:
            context.set_trailing_metadata(tuple((item.key, item.value) for item in error.trailing_metadata() or ()))
            context.abort(error.code(), error.details() or "")
