"""The sandbox's own servers are told from those of another sandbox on the same machine."""

import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from sandbox.processes import Server, marked
from sandbox.state import SandboxError, State

pytestmark = pytest.mark.rows("K7")


def server_in(folder: Path, port: int) -> Server:
    return Server(
        name="supabase",
        module="sandbox.supabase",
        arguments=("--state", str(folder)),
        port=port,
        ready_path="/healthz",
        log=folder / "server.log",
    )


def test_a_server_on_our_port_that_is_not_ours_does_not_answer_for_us(tmp_path: Path, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/healthz").respond_with_data("ok")
    server = server_in(tmp_path, httpserver.port)
    assert not server.answers()
    with pytest.raises(SandboxError, match=f"port {httpserver.port} is taken"):
        server.claim_port()


def test_what_a_killed_server_left_is_ended_and_nobody_elses_process_is(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.touch()
    follow = ("tail", "-f", str(log))
    with ExitStack() as ended:

        def started(environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(follow, env=environment, stdout=subprocess.DEVNULL)
            ended.callback(process.wait)
            ended.callback(process.kill)
            return process

        persons, left, elsewhere = started(), started(marked(tmp_path)), started(marked(tmp_path / "other"))
        server_in(tmp_path, 1).stop()
        assert left.poll() is not None
        assert [persons.poll(), elsewhere.poll()] == [None, None]


def test_sandboxes_of_several_folders_take_ports_apart(tmp_path: Path) -> None:
    ports = [State(root=tmp_path / name).ports for name in ("a", "b", "c", "d")]
    assert len({port for one in ports for port in one.values()}) == 8
