"""One run: six rounds, ten seconds apart, each asking everything at once and publishing what it saw.

Several rounds a run, since one question a minute under an alarm of one minute can't find a fault within two (L4).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from checks.fetch import Fetch
from probe.data import Datum
from probe.log import log
from probe.questions import Probe

ROUNDS = 6
INTERVAL_SECONDS = 10.0
TIMEOUT_SECONDS = 5.0
LEAST_SECONDS = 2.0  # a shorter round would take what is slow for what is down
PUBLISH_SECONDS = 3.0  # what publishing may take at the end of a run


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Tests have one of their own."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = now


def run(
    probe: Probe,
    *,
    fetch: Callable[[float], Fetch],
    publish: Callable[[Sequence[Datum], datetime], None],
    remaining: Callable[[], float],
    clock: Clock,
) -> None:
    """`fetch` makes a way to the gateway that ends after so many seconds; `remaining` are the run's own."""
    start = clock.monotonic()
    for number in range(ROUNDS):
        clock.sleep(max(0.0, start + number * INTERVAL_SECONDS - clock.monotonic()))
        seconds = min(TIMEOUT_SECONDS, remaining() - PUBLISH_SECONDS)
        if seconds < LEAST_SECONDS:
            log("left out for want of time", rounds=str(ROUNDS - number))
            return
        at = clock.now()
        load = number in (0, ROUNDS - 1)  # how busy the processors are shows between two readings
        publish(probe.see(number, fetch(seconds), seconds, load=load), at)
