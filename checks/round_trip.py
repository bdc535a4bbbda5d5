"""Encrypting and decrypting the way that the backend does.

A function's own self-check proves its keys; it can't prove that its answers to callers are right.
"""

import json
import secrets
from typing import Any, cast

from checks.fetch import Fetch, Request, UnreachableError, authorized

FUNCTION = "encrypt-data"


class _FailedError(Exception):
    """An answer that is none."""


def round_trip(fetch: Fetch, gateway_url: str, service_role_key: str, purpose: str) -> str:
    """What is wrong with it; empty where the text came back."""
    plaintext = secrets.token_hex(16)

    def post(**fields: str) -> dict[str, Any]:
        reply = fetch(
            Request(
                method="POST",
                url=f"{gateway_url}/functions/v1/{FUNCTION}",
                headers={**authorized(service_role_key), "Content-Type": "application/json"},
                body=json.dumps({"purpose": purpose, **fields}).encode(),
            )
        )
        if not reply.is_success:
            raise _FailedError(f"it answered {reply.status}: {reply.body[:200].decode(errors='replace')}")
        try:
            answer: object = json.loads(reply.body)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise _FailedError("it answered with no JSON object")
        return cast("dict[str, Any]", answer)

    try:
        ciphertext = post(plaintext=plaintext).get("ciphertext")
        if not isinstance(ciphertext, str) or plaintext in ciphertext:
            return "it answered without a ciphertext"
        return "" if post(ciphertext=ciphertext).get("plaintext") == plaintext else "it gave another text back"
    except _FailedError as error:
        return str(error)
    except UnreachableError as error:
        return "no answer in time" if error.timed_out else error.kind
