"""Latency and errors of each endpoint by a few probes, on the way that users take; harmless, and over in a moment.

The probes are those of `health`: a select over REST, and each function's self-check, which encrypts and decrypts under
each of its purposes and says how long that took. They are sent at fixed times, each by a thread of its own, and never
wait for an answer: an endpoint that stalls can't slow its own questioning down and so look better than it is.
"""

import math
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from checks.endpoints import PurposeCheck
from operations.health import Answer, Probes, Status
from operations.stack import Stack
from reports.models import Measurement

REQUESTS = 10  # for each endpoint
SPREAD_SECONDS = 0.25
TIMEOUT_SECONDS = 5.0

Ask = Callable[[], Answer]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One probe, or one round trip through a key. `seconds` is None where no answer came, `blind` as in `Answer`."""

    endpoint: str
    ok: bool
    seconds: float | None
    blind: bool = False


def measure(stack: Stack) -> list[Measurement]:
    """Every endpoint, in about half a second where all is well."""
    return measurements(sample(stack))


def sample(
    stack: Stack,
    *,
    requests: int = REQUESTS,
    spread: float = SPREAD_SECONDS,
    timeout: float = TIMEOUT_SECONDS,
) -> list[Sample]:
    """Probe every endpoint, the requests spread over that many seconds; never longer than `spread` + `timeout`."""
    asks = _asks(stack, timeout)
    answers: queue.SimpleQueue[tuple[str, Answer, float]] = queue.SimpleQueue()

    def ask(endpoint: str) -> None:
        begun = time.monotonic()
        answer = asks[endpoint]()
        answers.put((endpoint, answer, time.monotonic() - begun))

    start = time.monotonic()
    for number in range(requests):
        time.sleep(max(0.0, start + spread * number / requests - time.monotonic()))
        for endpoint in asks:
            threading.Thread(target=ask, args=(endpoint,), daemon=True, name=endpoint).start()
    samples: list[Sample] = []
    missing = dict.fromkeys(asks, requests)
    while any(missing.values()):
        try:
            endpoint, answer, took = answers.get(timeout=max(0.0, start + spread + timeout - time.monotonic()))
        except queue.Empty:
            break
        missing[endpoint] -= 1
        samples += _samples(endpoint, answer, took)
    # Blind: whoever got as far as a connection has run into its own time-out; a name that isn't resolved has none.
    return samples + [
        Sample(endpoint=endpoint, ok=False, seconds=None, blind=True)
        for endpoint, count in missing.items()
        for _ in range(count)
    ]


def _asks(stack: Stack, timeout: float) -> dict[str, Ask]:
    probes = Probes(stack, timeout)

    def function(name: str) -> Ask:
        return lambda: probes.function(name)

    return {"rest": probes.rest} | {name: function(name) for name in sorted(stack.release.functions)}


def _samples(endpoint: str, answer: Answer, took: float) -> list[Sample]:
    ok = answer.status is Status.HEALTHY
    whole = Sample(endpoint=endpoint, ok=ok, seconds=took if answer.answered else None, blind=answer.blind)
    return [whole, *(_trip(purpose, check) for purpose, check in answer.purposes.items())]


def _trip(purpose: str, check: PurposeCheck) -> Sample:
    seconds = None if check.latency_ms is None else check.latency_ms / 1000
    return Sample(endpoint=f"encrypt and decrypt {purpose}", ok=check.ok, seconds=seconds)


def measurements(samples: Iterable[Sample]) -> list[Measurement]:
    """One for each endpoint, by name."""
    by_endpoint: defaultdict[str, list[Sample]] = defaultdict(list)
    for one in samples:
        by_endpoint[one.endpoint].append(one)
    return [_measurement(endpoint, found) for endpoint, found in sorted(by_endpoint.items())]


def _measurement(endpoint: str, samples: list[Sample]) -> Measurement:
    times = sorted(one.seconds * 1000 for one in samples if one.seconds is not None)
    return Measurement(
        endpoint=endpoint,
        requests=len(samples),
        errors=sum(not one.ok for one in samples),
        p50_ms=_percentile(times, 50),
        p95_ms=_percentile(times, 95),
        max_ms=_percentile(times, 100),
    )


def _percentile(ordered: list[float], percent: int) -> float | None:
    """By nearest rank: always a time that was measured."""
    if not ordered:
        return None
    return round(ordered[math.ceil(len(ordered) * percent / 100) - 1], 1)
