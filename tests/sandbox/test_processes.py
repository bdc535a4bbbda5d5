"""The sandbox's own servers are told from those of another sandbox on the same machine."""

from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from sandbox.processes import Server
from sandbox.state import SandboxError, State

pytestmark = pytest.mark.rows("K7")


def test_a_server_on_our_port_that_is_not_ours_does_not_answer_for_us(tmp_path: Path, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/healthz").respond_with_data("ok")
    server = Server(
        name="supabase",
        module="sandbox.supabase",
        arguments=("--state", str(tmp_path)),
        port=httpserver.port,
        ready_path="/healthz",
        log=tmp_path / "server.log",
    )
    assert not server.answers()
    with pytest.raises(SandboxError, match=f"port {httpserver.port} is taken"):
        server.claim_port()


def test_sandboxes_of_several_folders_take_ports_apart(tmp_path: Path) -> None:
    ports = [State(root=tmp_path / name).ports for name in ("a", "b", "c", "d")]
    assert len({port for one in ports for port in one.values()}) == 8
