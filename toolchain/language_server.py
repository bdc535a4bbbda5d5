"""The engine's calls to a language runtime, served for Python."""

import contextlib
import json
import os
import queue
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import IO

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2
from typing_extensions import override

from toolchain import environments, pins
from toolchain.child import SHOWN
from toolchain.children import Children
from toolchain.imports import note_of
from toolchain.report import ToolchainError

Process = subprocess.Popen[bytes]
Program = tuple[Path, Path]  # its interpreter, and the note of its imports
PluginOutput = Iterator[language_pb2.RunPluginResponse]


@dataclass(kw_only=True)
class Host:
    """What the calls share: the engine's address, the children, those of them that wait for a program."""

    engine: str
    children: Children
    stop: threading.Event
    debug: bool  # whether the engine shows debug messages
    program: Program | None = None  # whose packages the engine asked for
    expecting: threading.Lock = field(default_factory=threading.Lock)
    warm: dict[Program, Process] = field(default_factory=dict[Program, Process])

    def expect_program(self) -> None:
        """The engine starts policy packs before the program that they judge, and none where it runs no program."""
        with self.expecting:
            if self.program and self.program not in self.warm:
                self.warm[self.program] = self.program_child(self.program)

    def program_child(self, program: Program) -> Process:
        """The one that has been importing the SDK already, or a new one."""
        waiting = self.warm.pop(program, None)
        if waiting is not None and waiting.poll() is None:
            return waiting
        python, note = program
        environment = environments.activated(python, os.environ)
        return self.children.start(python, ["program", str(note)], environment=environment)


def serve(host: Host) -> tuple[grpc.Server, int]:
    server = grpc.server(
        ThreadPoolExecutor(max_workers=64), options=[("grpc.max_receive_message_length", 400 * 1024 * 1024)]
    )
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageRuntime(host), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


class LanguageRuntime(language_pb2_grpc.LanguageRuntimeServicer):
    """Code generation, packing and linking are not served: this host runs programs."""

    def __init__(self, host: Host) -> None:
        self._host = host

    @override
    def Handshake(
        self, request: language_pb2.LanguageHandshakeRequest, context: grpc.ServicerContext
    ) -> language_pb2.LanguageHandshakeResponse:
        self._host.engine = request.engine_address
        return language_pb2.LanguageHandshakeResponse()

    @override
    def GetPluginInfo(self, request: Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=pins.PULUMI)

    @override
    def About(self, request: language_pb2.AboutRequest, context: grpc.ServicerContext) -> language_pb2.AboutResponse:
        python = _python(request.info)
        return language_pb2.AboutResponse(
            executable=str(python), version=environments.version(python), metadata={"toolchain": "uv"}
        )

    @override
    def GetRequiredPackages(
        self, request: language_pb2.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        python, _ = self._host.program = _program(request.info)
        needed = environments.plugins(python)
        return language_pb2.GetRequiredPackagesResponse(
            packages=[
                plugin_pb2.PackageDependency(
                    name=plugin.name, kind="resource", version=plugin.version, server=plugin.server
                )
                for plugin in needed
            ]
        )

    @override
    def GetProgramDependencies(
        self, request: language_pb2.GetProgramDependenciesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetProgramDependenciesResponse:
        found = environments.packages(_python(request.info), transitive=request.transitiveDependencies)
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[language_pb2.DependencyInfo(name=name, version=version) for name, version in found]
        )

    @override
    def RuntimeOptionsPrompts(
        self, request: language_pb2.RuntimeOptionsRequest, context: grpc.ServicerContext
    ) -> language_pb2.RuntimeOptionsResponse:
        return language_pb2.RuntimeOptionsResponse()

    @override
    def Template(
        self, request: language_pb2.TemplateRequest, context: grpc.ServicerContext
    ) -> language_pb2.TemplateResponse:
        return language_pb2.TemplateResponse()

    @override
    def Cancel(self, request: Empty, context: grpc.ServicerContext) -> Empty:
        context.add_callback(self._host.stop.set)  # once the engine has its answer
        return Empty()

    @override
    def Run(self, request: language_pb2.RunRequest, context: grpc.ServicerContext) -> language_pb2.RunResponse:
        child = self._host.program_child(_program(request.info))
        if not context.add_callback(lambda: self._host.children.stop(child)):
            self._host.children.stop(child)
        with contextlib.suppress(BrokenPipeError):  # it has ended already; its exit code says why
            if child.stdin is not None:
                child.stdin.write(_program_request(request, self._host))
                child.stdin.flush()
        code = self._host.children.wait(child)
        if code == 0:
            return language_pb2.RunResponse()
        if code == SHOWN:
            return language_pb2.RunResponse(bail=True)
        if code < 0:
            return language_pb2.RunResponse(error=f"Program was ended by signal {-code}")
        return language_pb2.RunResponse(error=f"Program exited with non-zero exit code: {code}")

    @override
    def RunPlugin(self, request: language_pb2.RunPluginRequest, context: grpc.ServicerContext) -> PluginOutput:
        if request.kind == "analyzer":
            self._host.expect_program()
        try:
            running = RunningPlugin(self._host, request)
        except ToolchainError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        if not context.add_callback(running.stop):
            running.stop()
        return running.output()

    @override
    def InstallDependencies(
        self, request: language_pb2.InstallDependenciesRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.InstallDependenciesResponse]:
        root = Path(request.info.root_directory or request.directory)
        try:
            command = _install_command(root, _options(request.info))
        except ToolchainError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        if command is None:
            return
        environment = os.environ | {
            "UV_PROJECT_ENVIRONMENT": str(environments.environment_folder(root, _options(request.info)))
        }
        with subprocess.Popen(
            command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            for piece in _pieces(process.stdout):
                yield language_pb2.InstallDependenciesResponse(stdout=piece)
        if process.returncode:
            context.abort(grpc.StatusCode.UNKNOWN, f"`{' '.join(command)}` exited with code {process.returncode}")


class RunningPlugin:
    """One plugin, and what it writes."""

    def __init__(self, host: Host, request: language_pb2.RunPluginRequest) -> None:
        self._host = host
        self._request = request
        self._python = _python(request.info)
        self._output: queue.Queue[language_pb2.RunPluginResponse | None] = queue.Queue()
        inherited = dict(entry.split("=", 1) for entry in request.env) or dict(os.environ)
        self._process = host.children.start(
            self._python,
            self._arguments(),
            environment=environments.activated(self._python, inherited),
            cwd=request.pwd or None,
            captured=True,
        )
        threading.Thread(target=self._follow, daemon=True).start()

    def output(self) -> PluginOutput:
        while (piece := self._output.get()) is not None:
            yield piece

    def stop(self) -> None:
        self._host.children.stop(self._process)
        self._output.put(None)

    def _arguments(self) -> list[str]:
        if self._request.kind == "analyzer":
            return ["pack", *self._request.args, self._request.info.program_directory]
        folder = Path(self._request.info.program_directory)
        if (folder / "__main__.py").exists():
            return ["path", str(folder), *self._request.args]
        if not (folder / "pyproject.toml").exists():
            raise ToolchainError(f"the plugin in {folder} has neither __main__.py nor pyproject.toml; add one")
        import tomllib

        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["name"]
        return ["module", "pulumi.run.plugin", project, *self._request.args]

    def _follow(self) -> None:
        def errors() -> None:
            for piece in _pieces(self._process.stderr):
                self._output.put(language_pb2.RunPluginResponse(stderr=piece))

        reader = threading.Thread(target=errors, daemon=True)
        reader.start()
        for piece in _pieces(self._process.stdout):
            self._output.put(language_pb2.RunPluginResponse(stdout=piece))
        reader.join()
        code = self._host.children.wait(self._process)
        self._output.put(language_pb2.RunPluginResponse(exitcode=code))
        self._output.put(None)


def _options(info: language_pb2.ProgramInfo) -> dict[str, object]:
    return dict(info.options.items())


def _python(info: language_pb2.ProgramInfo) -> Path:
    return environments.interpreter(Path(info.root_directory or "."), _options(info))


def _program(info: language_pb2.ProgramInfo) -> Program:
    python = _python(info)
    return python, note_of(python, Path(info.root_directory or "."))


def _program_request(request: language_pb2.RunRequest, host: Host) -> bytes:
    return (
        json.dumps(
            {
                "settings": {
                    "monitor": request.monitor_address,
                    "engine": host.engine,
                    "project": request.project,
                    "stack": request.stack,
                    "parallel": request.parallel,
                    "dry_run": request.dryRun,
                    "organization": request.organization or "organization",
                    "root_directory": request.info.root_directory,
                },
                "config": dict(request.config),
                "config_secret_keys": list(request.configSecretKeys),
                "program": request.info.entry_point or request.program or ".",
                "pwd": request.pwd or request.info.program_directory,
                "args": list(request.args),
                "debug": host.debug,
            }
        ).encode()
        + b"\n"
    )


def _install_command(root: Path, options: dict[str, object]) -> list[str] | None:
    """`--inexact` leaves in place what `make setup` put beside the program's own packages."""
    from toolchain import runtimes

    project = environments.project_folder(root)
    if (project / "pyproject.toml").exists():
        locked = ["--locked"] if (project / "uv.lock").exists() else []
        return [runtimes.uv(), "sync", "--inexact", *locked, "--project", str(project)]
    if (root / "requirements.txt").exists():
        python = environments.interpreter(root, options)
        return [runtimes.uv(), "pip", "install", "--python", str(python), "-r", "requirements.txt"]
    return None


def _pieces(stream: IO[bytes] | None) -> Iterator[bytes]:
    """As they come, after what reading a first line has left in the buffer."""
    while isinstance(stream, BufferedReader) and (piece := stream.read1(65536)):
        yield piece
