"""How a check reaches the gateway: whoever asks brings the client."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)  # a key is among them
    body: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int
    body: bytes

    @property
    def is_success(self) -> bool:
        return self.status // 100 == 2


class UnreachableError(Exception):
    """No reply. `timed_out`: there was none in time; `connected`: somebody took the connection."""

    def __init__(self, kind: str, *, timed_out: bool, connected: bool) -> None:
        super().__init__(kind)
        self.kind = kind
        self.timed_out = timed_out
        self.connected = connected


Fetch = Callable[[Request], Reply]
"""Raises: UnreachableError."""


def authorized(key: str) -> dict[str, str]:
    """What Supabase's gateway wants to see of whoever calls."""
    return {"apikey": key, "Authorization": f"Bearer {key}"}
