"""An encrypt-decrypt round trip under each purpose, the way that the backend takes: what a deployment is verified by.

A function's own self-check proves its keys; it can't prove that its answers to callers are right.
"""

import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic
from typing import Any

import httpx

from operations.health import Check, Status
from operations.stack import Stack

FUNCTION = "encrypt-data"
SECONDS = 5.0


def round_trips(stack: Stack) -> list[Check]:
    """One check a purpose; none where the release has no such function."""
    if FUNCTION not in stack.release.functions:
        return []
    key = stack.environment.supabase_service_role_key.get_secret_value()
    headers = {"apikey": key, "Authorization": f"Bearer {key}"}
    with (
        httpx.Client(base_url=stack.gateway_url, headers=headers, timeout=SECONDS) as client,
        ThreadPoolExecutor() as pool,
    ):
        return list(pool.map(partial(_round_trip, client), sorted(stack.settings.key_aliases)))


def _round_trip(client: httpx.Client, purpose: str) -> Check:
    plaintext, start = secrets.token_hex(16), monotonic()
    try:
        ciphertext = _post(client, {"purpose": purpose, "plaintext": plaintext}).get("ciphertext")
        if not isinstance(ciphertext, str) or plaintext in ciphertext:
            problem = "it answered without a ciphertext"
        else:
            answer = _post(client, {"purpose": purpose, "ciphertext": ciphertext})
            problem = "" if answer.get("plaintext") == plaintext else "it gave another text back"
    except httpx.HTTPStatusError as error:
        problem = f"it answered {error.response.status_code}: {error.response.text[:200]}"
    except (httpx.HTTPError, ValueError) as error:
        problem = str(error) or type(error).__name__
    took = round((monotonic() - start) * 1000, 1)
    name = f"round trip {purpose}"
    if problem:
        return Check(name=name, status=Status.DOWN, detail=problem, latency_ms=took)
    return Check(name=name, status=Status.HEALTHY, detail="encrypted and decrypted", latency_ms=took)


def _post(client: httpx.Client, body: dict[str, str]) -> dict[str, Any]:
    """Raises: httpx.HTTPError, ValueError for an answer that isn't a JSON object."""
    answer = client.post(f"/functions/v1/{FUNCTION}", json=body).raise_for_status().json()
    if not isinstance(answer, dict):
        raise ValueError("it answered with no JSON object")  # noqa: TRY004 - the answer's fault, not a caller's
    return answer
