"""What an answer of REST or of a function means, whoever asks."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.endpoints import Fault, Found, PurposeCheck, function, rest
from checks.fetch import Reply, UnreachableError
from tests.checks.fakes import answering, said, self_check
from tests.components.recording import ROOT

pytestmark = pytest.mark.rows("E1", "M9")

DEAF = UnreachableError("ReadTimeout", timed_out=True, connected=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def of_rest(reply: Reply | Exception) -> Found:
    return rest(answering(reply)[0], "http://gateway", "anon")


def of_function(reply: Reply | Exception) -> Found:
    return function(answering(reply)[0], "http://gateway", "role", "encrypt-data")


def test_rest_is_asked_for_one_row_as_anon() -> None:
    fetch, asked = answering(said(200, []))
    assert rest(fetch, "http://gateway", "anon") == Found(detail="select on payment_methods")
    assert [(one.method, one.url, one.headers["apikey"], one.headers["Authorization"]) for one in asked] == [
        ("GET", "http://gateway/rest/v1/payment_methods?select=id&limit=1", "anon", "Bearer anon")
    ]


@pytest.mark.parametrize(
    ("reply", "fault", "detail"),
    [
        (said(401), Fault.REFUSED, "the key is not accepted"),
        (said(404), Fault.BROKEN, "answered 404 to a select on payment_methods"),
        (said(204), Fault.BROKEN, "answered 204 to a select on payment_methods"),
        (said(500), Fault.BROKEN, "answered 500 to a select on payment_methods"),
        (DEAF, Fault.UNREACHABLE, "no answer in time"),
        (UnreachableError("ConnectError", timed_out=False, connected=False), Fault.UNREACHABLE, "ConnectError"),
    ],
)
def test_rest_that_is_not_well(reply: Reply | Exception, fault: Fault, detail: str) -> None:
    found = of_rest(reply)
    assert (found.fault, found.detail) == (fault, detail)


def test_a_function_that_proves_its_keys_is_well() -> None:
    found = of_function(said(200, self_check()))
    assert found == Found(
        detail="release r1: general-data 12 ms, user-profile-data 0 ms",
        release="r1",
        purposes={
            "general-data": PurposeCheck(ok=True, latency_ms=12),
            "user-profile-data": PurposeCheck(ok=True),
        },
    )


@pytest.mark.parametrize(
    ("reply", "fault", "detail"),
    [
        (said(401), Fault.REFUSED, "the key is not accepted"),
        (said(404), Fault.MISSING, "not deployed"),
        (said(500, "boom"), Fault.BROKEN, "answered 500, but with no self-check"),
        (said(503, self_check()), Fault.BROKEN, "encryption fails under every purpose; answered 503"),
        (said(200, self_check(healthy=False)), Fault.BROKEN, "encryption fails under every purpose"),
        (said(200, self_check(checks={})), Fault.BROKEN, "encryption fails under every purpose"),
        (
            said(200, self_check(checks={"a": {"ok": False, "code": "kms_unavailable"}, "b": {"ok": False}})),
            Fault.BROKEN,
            "encryption fails under a (kms_unavailable), b (no reason given)",
        ),
        (DEAF, Fault.UNREACHABLE, "no answer in time"),
    ],
)
def test_a_function_that_is_not_well(reply: Reply | Exception, fault: Fault, detail: str) -> None:
    found = of_function(reply)
    assert (found.fault, found.detail) == (fault, detail)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        json.dumps(self_check(function=1)).encode(),
        json.dumps(self_check(release=None)).encode(),
        json.dumps(self_check(healthy="yes")).encode(),
        json.dumps(self_check(checks=[])).encode(),
        json.dumps(self_check(checks={"a": True})).encode(),
        json.dumps(self_check(checks={"a": {"ok": 1}})).encode(),
        json.dumps(self_check(checks={"a": {"ok": True, "latencyMs": "12"}})).encode(),
        json.dumps(self_check(checks={"a": {"ok": True, "latencyMs": True}})).encode(),
        json.dumps(self_check(checks={"a": {"ok": True, "latencyMs": 10**400}})).encode(),
        json.dumps(self_check(checks={"a": {"ok": False, "code": 7}})).encode(),
    ],
)
def test_what_is_no_self_check_is_broken(body: bytes) -> None:
    found = of_function(Reply(status=200, body=body))
    assert (found.fault, found.detail) == (Fault.BROKEN, "answered 200, but with no self-check")


@given(body=JSON, checks=JSON)
def test_no_answer_breaks_the_check(body: Any, checks: Any) -> None:
    assert of_function(said(200, {"json": body})).fault is Fault.BROKEN
    assert of_function(said(200, self_check(checks=checks))).detail


def test_the_checks_need_nothing_but_the_standard_library() -> None:
    """They are packed as they are: a package with a binary part would not be the same on each machine."""
    modules = sorted(f"checks.{file.stem}" for file in (ROOT / "checks").glob("[!_]*.py"))
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {','.join(modules)}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert len(modules) > 1
