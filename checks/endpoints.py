"""A select over REST, and a function's self-check: one question each, read-only."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any, cast

from checks.fetch import Fetch, Reply, Request, UnreachableError, authorized

PROBED_TABLE = "payment_methods"


class Fault(StrEnum):
    """Why an endpoint is not well; the cures are its reader's."""

    UNREACHABLE = "unreachable"
    REFUSED = "refused"  # our own key is not accepted
    MISSING = "missing"
    BROKEN = "broken"


@dataclass(frozen=True, kw_only=True)
class PurposeCheck:
    """A function's word on one purpose. `latency_ms` is how long it took to encrypt and to decrypt."""

    ok: bool
    latency_ms: float | None = None
    code: str = "no reason given"  # of the error, where it isn't ok


@dataclass(frozen=True, kw_only=True)
class Found:
    """What an endpoint answered; well where `fault` is None."""

    detail: str
    fault: Fault | None = None
    release: str = ""
    purposes: Mapping[str, PurposeCheck] = field(default_factory=dict[str, PurposeCheck])
    unreachable: UnreachableError | None = None


@dataclass(frozen=True, kw_only=True)
class SelfCheck:
    """What a function says of itself: it encrypted and decrypted random bytes under each of its purposes."""

    release: str
    healthy: bool
    checks: Mapping[str, PurposeCheck]


def rest(fetch: Fetch, gateway_url: str, anon_key: str) -> Found:
    """A select under row-level security: REST, database and the anon role in one."""
    reply = _asked(fetch, f"{gateway_url}/rest/v1/{PROBED_TABLE}?select=id&limit=1", anon_key)
    if isinstance(reply, Found):
        return reply
    if reply.status != HTTPStatus.OK:
        return Found(fault=Fault.BROKEN, detail=f"answered {reply.status} to a select on {PROBED_TABLE}")
    return Found(detail=f"select on {PROBED_TABLE}")


def function(fetch: Fetch, gateway_url: str, service_role_key: str, name: str) -> Found:
    """The self-check that the function answers a GET with."""
    reply = _asked(fetch, f"{gateway_url}/functions/v1/{name}", service_role_key)
    if isinstance(reply, Found):
        return reply
    if reply.status == HTTPStatus.NOT_FOUND:
        return Found(fault=Fault.MISSING, detail="not deployed")
    try:
        said = self_check(reply.body)
    except (ValueError, OverflowError, RecursionError):
        return Found(fault=Fault.BROKEN, detail=f"answered {reply.status}, but with no self-check")
    return _judged(reply, said)


def _judged(reply: Reply, said: SelfCheck) -> Found:
    failed = [f"{purpose} ({check.code})" for purpose, check in sorted(said.checks.items()) if not check.ok]
    if failed or not said.healthy or not reply.is_success or not said.checks:
        answered = "" if reply.is_success else f"; answered {reply.status}"
        return Found(
            fault=Fault.BROKEN,
            detail=f"encryption fails under {', '.join(failed) or 'every purpose'}{answered}",
            release=said.release,
            purposes=said.checks,
        )
    trips = ", ".join(f"{purpose} {check.latency_ms or 0:.0f} ms" for purpose, check in sorted(said.checks.items()))
    return Found(detail=f"release {said.release}: {trips}", release=said.release, purposes=said.checks)


def self_check(body: bytes) -> SelfCheck:
    """Raises: ValueError, OverflowError or RecursionError for anything but a self-check."""
    said = _fields(json.loads(body))
    checks = {purpose: _purpose(_fields(check)) for purpose, check in _fields(said.get("checks")).items()}
    if not isinstance(said.get("function"), str):
        raise _malformed("function")
    return SelfCheck(release=_text(said, "release"), healthy=_truth(said, "healthy"), checks=checks)


def _purpose(fields: Mapping[str, Any]) -> PurposeCheck:
    latency = fields.get("latencyMs")
    if latency is not None and (isinstance(latency, bool) or not isinstance(latency, int | float)):
        raise _malformed("latencyMs")
    code = _text(fields, "code") if "code" in fields else PurposeCheck.code
    return PurposeCheck(ok=_truth(fields, "ok"), latency_ms=None if latency is None else float(latency), code=code)


def _fields(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _malformed("an object")
    return cast("dict[str, Any]", value)


def _text(fields: Mapping[str, Any], name: str) -> str:
    if not isinstance(value := fields.get(name), str):
        raise _malformed(name)
    return value


def _truth(fields: Mapping[str, Any], name: str) -> bool:
    if not isinstance(value := fields.get(name), bool):
        raise _malformed(name)
    return value


def _malformed(what: str) -> ValueError:
    return ValueError(f"no self-check: {what} is missing or of another kind")


def _asked(fetch: Fetch, url: str, key: str) -> Reply | Found:
    """The answer, or what is found where there is none, or where our own key is not accepted."""
    try:
        reply = fetch(Request(method="GET", url=url, headers=authorized(key)))
    except UnreachableError as error:
        detail = "no answer in time" if error.timed_out else error.kind
        return Found(fault=Fault.UNREACHABLE, detail=detail, unreachable=error)
    if reply.status == HTTPStatus.UNAUTHORIZED:
        return Found(fault=Fault.REFUSED, detail="the key is not accepted")
    return reply
