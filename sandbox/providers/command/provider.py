"""`command:local:Command`, as pulumi-command 1.2 has it."""

import json
import os
import secrets
import signal
from itertools import zip_longest
from typing import Any, Final

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2, provider_pb2_grpc
from typing_extensions import override

from sandbox.providers.command import files, processes
from sandbox.providers.resource import Property, failures
from sandbox.providers.wire import UNKNOWN, Values, decode, encode, holds_secret, secret

COMMAND: Final = "command:local:Command"
OUTPUTS: Final = ("stdout", "stderr", "assets", "archive")
LOGGING: Final = {
    "stdoutAndStderr": ("stdout", "stderr"),
    "stdout": ("stdout",),
    "stderr": ("stderr",),
    "none": (),
}
INPUTS: Final = {
    "addPreviousOutputInEnv": Property(kind="boolean"),
    "archivePaths": Property(kind="strings"),
    "assetPaths": Property(kind="strings"),
    "create": Property(),
    "delete": Property(),
    "dir": Property(),
    "environment": Property(kind="map"),
    "interpreter": Property(kind="strings"),
    "logging": Property(choices=tuple(LOGGING)),
    "stdin": Property(),
    "triggers": Property(kind="list"),
    "update": Property(),
}
SHELL: Final = ["/bin/sh", "-c"]


class CommandProvider(provider_pb2_grpc.ResourceProviderServicer):
    """Keeps secrets as they come: what a command prints may hold any of its inputs, so one secret makes it secret."""

    _engine: engine_pb2_grpc.EngineStub | None = None
    _cancelled = False

    def __init__(self, version: str) -> None:
        self._version = version

    @override
    def Handshake(self, request: Any, context: Any) -> Any:
        self._connect(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=False)

    @override
    def Attach(self, request: Any, context: Any) -> Any:
        self._connect(request.address)
        return Empty()

    @override
    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=self._version)

    @override
    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    @override
    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    @override
    def Configure(self, request: Any, context: Any) -> Any:
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    @override
    def Invoke(self, request: Any, context: Any) -> Any:
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            f"{request.tok}: the sandbox's stand-in for the command provider serves no function, but {COMMAND} alone",
        )

    @override
    def Check(self, request: Any, context: Any) -> Any:
        _only_command(context, request.urn)
        news = decode(request.news)
        wrong = [provider_pb2.CheckFailure(property=key, reason=reason) for key, reason in failures(INPUTS, news)]
        return provider_pb2.CheckResponse(inputs=request.news, failures=wrong)

    @override
    def Diff(self, request: Any, context: Any) -> Any:
        old, new = decode(request.old_inputs), decode(request.news)
        for key in request.ignoreChanges:
            new[key] = old.get(key)
        changed = [key for key in INPUTS if old.get(key) != new.get(key)]
        kinds = provider_pb2.PropertyDiff
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=changed,
            detailedDiff={
                place: provider_pb2.PropertyDiff(
                    kind=kinds.UPDATE_REPLACE if place == "triggers" else kinds.UPDATE, inputDiff=True
                )
                for key in changed
                for place in _places(key, old.get(key), new.get(key))
            },
            hasDetailedDiff=True,
        )

    @override
    def Create(self, request: Any, context: Any) -> Any:
        if request.preview:
            return provider_pb2.CreateResponse(
                id="", properties=_result(request.properties, _unknown(request.properties))
            )
        inputs = decode(request.properties)
        id_ = f"{request.urn.rpartition('::')[2]}{secrets.token_hex(4)}"
        properties = self._run(context, request.urn, request.properties, inputs.get("create"), {})
        return provider_pb2.CreateResponse(id=id_, properties=properties)

    @override
    def Read(self, request: Any, context: Any) -> Any:
        """A command has no state outside: what was remembered is what there is."""
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    @override
    def Update(self, request: Any, context: Any) -> Any:
        if request.preview:
            return provider_pb2.UpdateResponse(properties=_result(request.news, _unknown(request.news)))
        inputs, before = decode(request.news), decode(request.olds)
        command = inputs.get("create") if inputs.get("update") is None else inputs["update"]
        return provider_pb2.UpdateResponse(properties=self._run(context, request.urn, request.news, command, before))

    @override
    def Delete(self, request: Any, context: Any) -> Any:
        before = decode(request.properties)
        self._run(context, request.urn, request.properties, before.get("delete"), before)
        return Empty()

    @override
    def Cancel(self, request: Any, context: Any) -> Any:
        self._cancelled = True
        processes.interrupt_all()
        return Empty()

    def _run(self, context: Any, urn: str, properties: Any, command: str | None, before: Values) -> Any:
        """Run it and return the outputs; no command leaves the outputs as they were."""
        inputs = decode(properties)
        if command is None:
            return _result(
                properties, {"stdout": "", "stderr": ""} | {key: before[key] for key in OUTPUTS if key in before}
            )
        environment: dict[str, str] = dict(inputs.get("environment") or {})
        if inputs.get("addPreviousOutputInEnv", True):
            printed = {f"PULUMI_COMMAND_{key.upper()}": str(before.get(key) or "") for key in ("stdout", "stderr")}
            environment |= {name: text for name, text in printed.items() if text}
        shown = () if holds_secret(properties) else LOGGING[inputs.get("logging") or "stdoutAndStderr"]

        def log(stream: str, line: str) -> None:
            if stream in shown:
                self._log(urn, line)

        arguments = [*(inputs.get("interpreter") or SHELL), command]
        running = f"running {json.dumps(command, ensure_ascii=False)}"
        try:
            done = processes.run(
                arguments,
                environment=environment,
                cwd=inputs.get("dir") or None,
                stdin=inputs.get("stdin"),
                on_line=log,
            )
        except OSError as error:
            context.abort(grpc.StatusCode.UNKNOWN, f"{_not_started(error, arguments[0], inputs)}: {running}:\n")
            raise
        except UnicodeDecodeError:
            context.abort(grpc.StatusCode.INTERNAL, f"what it printed contains invalid UTF-8: {running}")
            raise
        if self._cancelled:
            context.abort(grpc.StatusCode.CANCELLED, f"interrupted: {running}")
        if done.code:
            how = f"exit status {done.code}" if done.code > 0 else f"signal: {signal.strsignal(-done.code)}".lower()
            context.abort(grpc.StatusCode.UNKNOWN, f"{how}: {running}:\n{done.both}")
        return _result(properties, {"stdout": done.stdout, "stderr": done.stderr} | _files(inputs))

    def _connect(self, address: str) -> None:
        if address:
            self._engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))

    def _log(self, urn: str, line: str) -> None:
        if self._engine is not None:
            self._engine.Log(engine_pb2.LogRequest(severity=engine_pb2.INFO, message=line, urn=urn, ephemeral=True))


def _only_command(context: Any, urn: str) -> None:
    token = urn.split("::")[2].rpartition("$")[2]
    if token != COMMAND:
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            f"{token}: the sandbox's stand-in for the command provider doesn't serve this type. It serves: {COMMAND}",
        )


def _places(key: str, old: Any, new: Any) -> list[str]:
    """Which of the triggers differ: the SDK asks the engine to replace for any `triggers[*]`."""
    if key != "triggers" or not isinstance(old, list) or not isinstance(new, list):
        return [key]
    pairs = zip_longest(old, new, fillvalue=UNKNOWN)
    return [f"{key}[{index}]" for index, (one, other) in enumerate(pairs) if one != other]


def _not_started(error: OSError, program: str, inputs: Values) -> str:
    """Why, in Go's words: people look for those."""
    reason = (error.strerror or str(error)).lower()
    if error.filename == inputs.get("dir"):
        return f"chdir {error.filename}: {reason}"
    if "/" in program:
        return f"fork/exec {program}: {reason}"
    return f'exec: "{program}": executable file not found in $PATH'


def _files(inputs: Values) -> Values:
    folder, found = inputs.get("dir") or os.getcwd(), Values()  # noqa: PTH109 (as it is called)
    if globs := inputs.get("assetPaths"):
        found["assets"] = files.assets(folder, globs)
    if globs := inputs.get("archivePaths"):
        found["archive"] = files.archive(folder, globs)
    return found


def _unknown(properties: Any) -> Values:
    asked = {"assets": "assetPaths", "archive": "archivePaths"}
    return {key: UNKNOWN for key in OUTPUTS if key not in asked or asked[key] in properties}


def _result(properties: Any, outputs: Values) -> Any:
    """The inputs as they came, secrets included, and what came of the command."""
    made = type(properties)()
    made.CopyFrom(properties)
    hidden = holds_secret(properties)
    made.MergeFrom(encode({key: secret(one) if hidden and one != UNKNOWN else one for key, one in outputs.items()}))
    return made
