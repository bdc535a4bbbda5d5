"""The round trip that a deployment is verified by, and that the probe makes."""

import json

import pytest

from checks.fetch import Reply, Request, UnreachableError
from checks.round_trip import round_trip
from tests.checks.fakes import answering, said

pytestmark = pytest.mark.rows("D3", "M9")

CIPHERTEXT = said(200, {"ciphertext": "c1"})


def tripped(*replies: Reply | Exception) -> str:
    return round_trip(answering(*replies)[0], "http://gateway", "role", "general-data")


def test_the_text_that_went_out_comes_back() -> None:
    asked: list[Request] = []

    def backend(request: Request) -> Reply:
        """Hides the text the other way round."""
        asked.append(request)
        fields = json.loads(request.body or b"")
        if "plaintext" in fields:
            return said(200, {"ciphertext": fields["plaintext"][::-1]})
        return said(200, {"plaintext": fields["ciphertext"][::-1]})

    assert round_trip(backend, "http://gateway", "role", "general-data") == ""
    assert [(one.method, one.url, one.headers["apikey"]) for one in asked] == [
        ("POST", "http://gateway/functions/v1/encrypt-data", "role")
    ] * 2
    assert [json.loads(one.body or b"")["purpose"] for one in asked] == ["general-data"] * 2


def test_a_text_that_was_not_encrypted_is_a_fault() -> None:
    def echo(request: Request) -> Reply:
        return said(200, {"ciphertext": json.loads(request.body or b"")["plaintext"]})

    assert round_trip(echo, "http://gateway", "role", "general-data") == "it answered without a ciphertext"


@pytest.mark.parametrize(
    ("replies", "problem"),
    [
        ([said(503, "x" * 300)], f"it answered 503: {'x' * 200}"),
        ([said(302)], "it answered 302: "),
        ([said(200, "<html>")], "it answered with no JSON object"),
        ([said(200, [])], "it answered with no JSON object"),
        ([Reply(status=200, body=b"[" * 100_000)], "it answered with no JSON object"),
        ([said(200, {"ciphertext": 1})], "it answered without a ciphertext"),
        ([CIPHERTEXT, said(200, {"plaintext": "another"})], "it gave another text back"),
        ([CIPHERTEXT, said(500, "boom")], "it answered 500: boom"),
        ([UnreachableError("ReadTimeout", timed_out=True, connected=True)], "no answer in time"),
        ([CIPHERTEXT, UnreachableError("ReadError", timed_out=False, connected=True)], "ReadError"),
    ],
)
def test_what_is_wrong_is_said(replies: list[Reply | Exception], problem: str) -> None:
    assert tripped(*replies) == problem
