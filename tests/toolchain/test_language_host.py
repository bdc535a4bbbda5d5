"""The calls of the language host that a program's run doesn't show, over the protocol itself."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from tests.toolchain.conftest import until
from toolchain import paths, pins

pytestmark = pytest.mark.rows("K3")


def runs(process: psutil.Process) -> bool:
    """An orphan that has ended stays a zombie until the machine's first process looks."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@dataclass(frozen=True, kw_only=True)
class RunningHost:
    process: subprocess.Popen[bytes]
    calls: language_pb2_grpc.LanguageRuntimeStub

    def gone(self) -> float:
        """Seconds until the host and all its children have ended."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        start = time.monotonic()
        self.process.wait(5)
        assert until(lambda: not any(runs(child) for child in children), 5)
        return time.monotonic() - start


@pytest.fixture
def host() -> Iterator[RunningHost]:
    program = paths.tools() / "pulumi-language-python"
    command = [str(program), "-root=.", "127.0.0.1:1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield RunningHost(process=process, calls=language_pb2_grpc.LanguageRuntimeStub(channel))
        process.kill()


def info(folder: Path) -> language_pb2.ProgramInfo:
    return language_pb2.ProgramInfo(root_directory=str(folder), program_directory=str(folder), entry_point=".")


def test_required_packages_are_the_providers_of_the_installed_sdks(host: RunningHost) -> None:
    answer = host.calls.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest(info=info(paths.ROOT)))

    found = {(package.kind, package.name, package.version) for package in answer.packages}
    assert found == {("resource", "aws", "7.51.1"), ("resource", "command", "1.2.1")}


def test_about_and_dependencies_tell_of_the_projects_environment(host: RunningHost) -> None:
    about = host.calls.About(language_pb2.AboutRequest(info=info(paths.ROOT)))
    direct = host.calls.GetProgramDependencies(
        language_pb2.GetProgramDependenciesRequest(info=info(paths.ROOT), transitiveDependencies=False)
    )
    everything = host.calls.GetProgramDependencies(
        language_pb2.GetProgramDependenciesRequest(info=info(paths.ROOT), transitiveDependencies=True)
    )

    assert Path(about.executable) == paths.VENV_BIN / "python"
    assert about.version.startswith("3.")
    assert host.calls.GetPluginInfo(Empty()).version == pins.PULUMI
    assert "pulumi_aws" in {package.name for package in direct.dependencies}
    assert "grpcio" not in {package.name for package in direct.dependencies}
    assert "grpcio" in {package.name for package in everything.dependencies}


def test_a_provider_plugin_runs_in_its_folder_and_ends_with_its_call(host: RunningHost, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(
        "import os, sys, time\n"
        "import beside\n"
        "print(beside.PORT, flush=True)\n"
        "print(sys.argv[1:], os.environ['GIVEN'], os.environ['VIRTUAL_ENV'] != '', file=sys.stderr, flush=True)\n"
        "time.sleep(300)\n"
    )
    (tmp_path / "beside.py").write_text("PORT = 4711\n")
    request = language_pb2.RunPluginRequest(
        pwd=str(tmp_path),
        info=info(tmp_path),
        kind="resource",
        args=["127.0.0.1:1"],
        env=[*(f"{name}={value}" for name, value in os.environ.items()), "GIVEN=yes"],
    )

    call = host.calls.RunPlugin(request)
    stdout, stderr = b"", b""
    while not (stdout.endswith(b"\n") and stderr.endswith(b"\n")):
        piece = next(call)
        stdout, stderr = stdout + piece.stdout, stderr + piece.stderr
    running = psutil.Process(host.process.pid).children(recursive=True)
    call.cancel()

    assert stdout == b"4711\n"
    assert stderr == b"['127.0.0.1:1'] yes True\n"
    assert until(lambda: len([process for process in running if runs(process)]) < len(running), 1)


def test_a_plugins_exit_code_comes_after_its_output(host: RunningHost, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text("import sys\nprint('said', end='')\nsys.exit(7)\n")

    answers = list(
        host.calls.RunPlugin(language_pb2.RunPluginRequest(pwd=str(tmp_path), info=info(tmp_path), kind="resource"))
    )

    assert b"".join(answer.stdout for answer in answers) == b"said"
    assert answers[-1].exitcode == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_host_at_once(host: RunningHost, number: signal.Signals) -> None:
    os.killpg(host.process.pid, number)

    assert host.gone() < 0.2


def test_cancel_is_answered_and_then_ends_the_host(host: RunningHost) -> None:
    host.calls.Cancel(Empty(), timeout=1)

    assert host.gone() < 0.2


def test_a_killed_host_leaves_no_child(host: RunningHost, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text("import time\nprint(1, flush=True)\ntime.sleep(300)\n")
    call = host.calls.RunPlugin(language_pb2.RunPluginRequest(pwd=str(tmp_path), info=info(tmp_path), kind="resource"))
    assert next(call).stdout.startswith(b"1")

    host.process.kill()

    assert host.gone() < 1


def test_a_plugin_that_cannot_run_is_a_clear_error(host: RunningHost, tmp_path: Path) -> None:
    with pytest.raises(grpc.RpcError) as failure:
        list(host.calls.RunPlugin(language_pb2.RunPluginRequest(info=info(tmp_path), kind="resource")))

    assert "has neither __main__.py nor pyproject.toml" in str(failure.value)


def test_the_hosts_end_follows_the_engines(host: RunningHost) -> None:
    assert host.process.stdin is not None
    host.process.stdin.close()

    assert host.gone() < 0.2
