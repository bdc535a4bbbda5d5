"""The Management API's limit: so many calls in a minute, then none until a minute has passed."""

import asyncio
from pathlib import Path

import httpx
import pytest

from sandbox.supabase import PROJECT, management
from sandbox.supabase.__main__ import application
from sandbox.supabase.credentials import Credentials

pytestmark = pytest.mark.rows("K4", "K7")

MINUTE = 60


def test_past_the_limit_every_call_is_refused_for_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    class Clock:
        @staticmethod
        def monotonic() -> float:
            return now

    monkeypatch.setattr(management, "time", Clock)
    app = application(tmp_path, database="", base_url="", aws_endpoint="", calls_a_minute=2)
    token = Credentials.load_or_create(tmp_path).access_token

    async def get(path: str, token: str) -> httpx.Response:
        transport, headers = httpx.ASGITransport(app=app), {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://management", headers=headers) as api:
            return await api.get(path)

    def ask() -> tuple[int, str | None, str | None]:
        answer = asyncio.run(get(f"/v1/projects/{PROJECT}/functions", token))
        return answer.status_code, answer.headers["X-RateLimit-Remaining"], answer.headers.get("Retry-After")

    assert [ask(), ask()] == [(200, "1", None), (200, "0", None)]
    assert ask() == (429, "0", "61")
    now = MINUTE - 1.0  # not even where the first calls are almost a minute old
    assert ask()[0] == 429
    now = MINUTE + 1.0
    assert ask() == (200, "1", None)
    assert asyncio.run(get("/v1/projects", "no")).status_code == 401
