"""A gateway that answers as a test says."""

import json
from collections.abc import Callable
from typing import Any

from checks.fetch import Reply, Request


def answering(*replies: Reply | Exception) -> tuple[Callable[[Request], Reply], list[Request]]:
    """One reply after the other, and the requests that came."""
    asked: list[Request] = []
    left = list(replies)

    def fetch(request: Request) -> Reply:
        asked.append(request)
        if isinstance(reply := left.pop(0), Exception):
            raise reply
        return reply

    return fetch, asked


def said(status: int, body: Any = "") -> Reply:
    return Reply(status=status, body=body.encode() if isinstance(body, str) else json.dumps(body).encode())


def self_check(**changed: Any) -> dict[str, Any]:
    checks = {"general-data": {"ok": True, "latencyMs": 12}, "user-profile-data": {"ok": True}}
    return {"function": "encrypt-data", "release": "r1", "healthy": True, "checks": checks} | changed
