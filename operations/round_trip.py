"""An encrypt-decrypt round trip under each purpose, the way that the backend takes it: it verifies a deployment."""

from concurrent.futures import ThreadPoolExecutor
from time import monotonic

from checks.round_trip import FUNCTION, round_trip
from operations.fetch import fetch_over
from operations.health import Check, Status
from operations.stack import Stack
from operations.supabase import http_client

SECONDS = 5.0


def round_trips(stack: Stack) -> list[Check]:
    """One check a purpose; none where the release has no such function."""
    if FUNCTION not in stack.release.functions:
        return []
    key = stack.environment.supabase_service_role_key.get_secret_value()
    with http_client(SECONDS) as client, ThreadPoolExecutor() as pool:
        fetch = fetch_over(client)

        def trip(purpose: str) -> Check:
            start = monotonic()
            problem = round_trip(fetch, stack.gateway_url, key, purpose)
            return Check(
                name=f"round trip {purpose}",
                status=Status.DOWN if problem else Status.HEALTHY,
                detail=problem or "encrypted and decrypted",
                latency_ms=round((monotonic() - start) * 1000, 1),
            )

        return list(pool.map(trip, sorted(stack.settings.key_aliases)))
