"""The way to the gateway over urllib3: how each kind of silence is told."""

import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request as Received
from werkzeug import Response

from checks.fetch import Reply, Request, UnreachableError
from probe import fetch as module
from probe.fetch import connections, fetch_until

pytestmark = pytest.mark.rows("M6", "L4")


def fetch(url: str, seconds: float = 5, **changed: bytes) -> Reply:
    request = Request(method="POST" if changed else "GET", url=url, headers={"apikey": "k"}, **changed)
    return fetch_until(time.monotonic() + seconds, connections())(request)


@contextmanager
def listening() -> Generator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_an_answer_comes_back_whole(httpserver: HTTPServer) -> None:
    def answer(request: Received) -> Response:
        return Response(request.headers["apikey"].encode() + request.data, 418)

    httpserver.expect_request("/x").respond_with_handler(answer)
    assert fetch(httpserver.url_for("/x"), body=b"body") == Reply(status=418, body=b"kbody")


def test_a_key_follows_no_redirect(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data(status=302, headers={"Location": "/elsewhere"})
    assert fetch(httpserver.url_for("/x")).status == 302
    assert [request.path for request, _ in httpserver.log] == ["/x"]


def test_one_connection_serves_a_whole_run(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data("ok")
    pool = connections()
    for _ in range(2):
        ask = fetch_until(time.monotonic() + 5, pool)
        assert ask(Request(method="GET", url=httpserver.url_for("/x"), headers={})).body == b"ok"


def test_silence_is_told_from_absence() -> None:
    with listening() as silent, pytest.raises(UnreachableError) as hung:
        fetch(silent, 0.2)
    assert (hung.value.timed_out, hung.value.connected) == (True, True)
    with listening() as gone:
        pass
    with pytest.raises(UnreachableError) as absent:
        fetch(gone)
    assert (absent.value.timed_out, absent.value.connected, absent.value.kind) == (False, False, "NewConnectionError")


def test_no_time_is_no_answer(httpserver: HTTPServer) -> None:
    with pytest.raises(UnreachableError) as late:
        fetch(httpserver.url_for("/x"), -1)
    assert late.value.timed_out
    assert httpserver.log == []


def test_an_answer_without_end_is_none(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_BODY", 1000)
    httpserver.expect_request("/x").respond_with_data("x" * 1001)
    with pytest.raises(UnreachableError, match="without end"):
        fetch(httpserver.url_for("/x"))


def test_a_server_that_hangs_up_took_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.recv(1)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(UnreachableError) as broken:
            fetch(f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread.join()
    assert (broken.value.timed_out, broken.value.connected) == (False, True)
