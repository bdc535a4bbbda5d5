"""The delaying proxy: what goes through it arrives as it was sent, and each call is held up as it was told."""

import httpx
import pytest
from pytest_httpserver import HTTPServer

from tests.bench.delays import proxy

pytestmark = pytest.mark.rows("P5")


def test_calls_and_answers_pass_unchanged(httpserver: HTTPServer) -> None:
    expected = httpserver.expect_ordered_request(
        "/functions/deploy",
        method="POST",
        query_string="slug=a%20b",
        headers={"Authorization": "Bearer x"},
        data=b"body",
    )
    expected.respond_with_data(b"made", status=201, headers={"X-RateLimit-Limit": "600"})
    asked: list[str] = []

    def seconds(path: str) -> float:
        asked.append(path)
        return 0

    with proxy(httpserver.url_for("/").rstrip("/"), seconds) as url:
        headers = {"Authorization": "Bearer x"}
        answer = httpx.post(f"{url}/functions/deploy?slug=a%20b", content=b"body", headers=headers, trust_env=False)
    assert (answer.status_code, answer.content, answer.headers["X-RateLimit-Limit"]) == (201, b"made", "600")
    assert asked == ["/functions/deploy"]
