"""The watch after a deployment: window after window of probes, until the time is over or there is something to do.

One bad window is no verdict: a threshold counts as broken when it was in some of the last windows, each with enough
requests, and wasn't broken before the deployment already. The same holds for the alarms that wake people: one that rang
before counts only once it has been quiet and comes back. A hotfix that is shipped because something fails must not be
undone by the same failure. Where nothing can be seen at all, from here, nothing is undone either: a rollback would go
the same way that the probes don't get through. People are called instead, and the watch goes on.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from operations.alarms import Critical
from operations.errors import OperationError
from operations.health import SLOW_SECONDS
from operations.measure import Sample, measurements, sample
from operations.notify import Event, notify
from operations.output import say
from operations.stack import Stack
from reports.models import Alarming, Measurement

WINDOW_SECONDS = 10.0
RECENT_WINDOWS = 5
BROKEN_WINDOWS = 3  # of the recent ones
ENOUGH_REQUESTS = 5
ERROR_RATE = 0.05  # M6
SLOW_MS = SLOW_SECONDS * 1000  # M7

_UNREAD = "the alarms can't be read"
_BLIND = "no endpoint can be reached from here, or the keys of this environment are not accepted"


class Threshold(StrEnum):
    ERRORS = "errors"
    SLOW = "slow"


@dataclass(frozen=True, kw_only=True, order=True)
class Breach:
    """A threshold that an endpoint doesn't keep."""

    endpoint: str
    threshold: Threshold

    def __str__(self) -> str:
        limit = f"{ERROR_RATE:.0%} errors or more" if self.threshold is Threshold.ERRORS else f"p95 > {SLOW_MS:.0f} ms"
        return f"{self.endpoint} ({limit})"


@dataclass(frozen=True, kw_only=True)
class Window:
    """Probes of every endpoint, sent within some seconds, and the alarms' states; None where they can't be read."""

    samples: Sequence[Sample]
    alarms: Mapping[str, Alarming] | None = field(default_factory=dict[str, Alarming])

    @cached_property
    def measurements(self) -> list[Measurement]:
        return measurements(self.samples)

    @property
    def readable(self) -> bool:
        """One answer shows that the way there is open, and then the silence of the others says something."""
        return not all(one.blind for one in self.samples)


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"  # roll back
    UNREADABLE = "unreadable"  # hold: people have been called
    SUPERSEDED = "superseded"  # a newer deployment has begun
    ENDED_EARLY = "ended early"  # by Ctrl-C


@dataclass(frozen=True, kw_only=True)
class WatchResult:
    """How the watch ended, what its windows measured in all, and the calls for people that could not be sent."""

    outcome: Outcome
    message: str
    seconds: float
    measurements: list[Measurement]
    errors: list[str] = field(default_factory=list[str])


def breaches(measured: Iterable[Measurement]) -> set[Breach]:
    """The thresholds that are broken by as many requests as it takes to say so."""
    found: set[Breach] = set()
    for one in measured:
        if one.requests < ENOUGH_REQUESTS:
            continue
        if one.errors >= ERROR_RATE * one.requests:
            found.add(Breach(endpoint=one.endpoint, threshold=Threshold.ERRORS))
        if one.p95_ms is not None and one.p95_ms > SLOW_MS:
            found.add(Breach(endpoint=one.endpoint, threshold=Threshold.SLOW))
    return found


def failing(windows: Sequence[Window], excused: set[Breach]) -> list[Breach]:
    """What the deployment has broken, as the last windows show it."""
    recent = [window for window in windows[-RECENT_WINDOWS:] if window.readable]
    count = Counter(breach for window in recent for breach in breaches(window.measurements))
    return sorted(breach for breach, times in count.items() if times >= BROKEN_WINDOWS and breach not in excused)


def rung(windows: Sequence[Window], before: Mapping[str, Alarming]) -> list[str]:
    """The alarms that ring since the deployment: they were quiet before it, or became so and came back."""
    quiet_since = {name: -1 for name, state in before.items() if state == "OK"}
    count: Counter[str] = Counter()
    for number, window in enumerate(windows):
        for name, state in (window.alarms or {}).items():
            if state == "OK":
                quiet_since.setdefault(name, number)
            elif state == "ALARM" and name in quiet_since and number >= len(windows) - RECENT_WINDOWS:
                count[name] += 1
    return sorted(name for name, times in count.items() if times >= BROKEN_WINDOWS)


def unread(windows: Sequence[Window]) -> bool:
    """Whether the alarms could not be read in the last windows."""
    return sum(window.alarms is None for window in windows[-RECENT_WINDOWS:]) >= BROKEN_WINDOWS


def unreadable(windows: Sequence[Window]) -> bool:
    """Whether the last windows saw nothing."""
    return sum(not window.readable for window in windows[-RECENT_WINDOWS:]) >= BROKEN_WINDOWS


def watch(
    stack: Stack,
    *,
    seconds: float,
    before: Sequence[Measurement],
    alarms_before: Mapping[str, Alarming],
    still_current: Callable[[], str | None],
) -> WatchResult:
    """Watch for that long. `still_current` says so when a newer deployment has begun, which ends the watch."""
    from operations.watch_display import Display

    excused = breaches(before)
    critical = Critical(stack)
    if seconds > 0:
        say(f"watching {stack.name} for {duration(seconds)}; Ctrl-C ends the watch, and leaves what is deployed")
        if excused:
            say(f"not judged, for it was so before: {', '.join(map(str, sorted(excused)))}")
        if ringing := sorted(name for name, state in alarms_before.items() if state == "ALARM"):
            say(f"not judged until it has been quiet, for it rang before: {', '.join(ringing)}")
    with Display(stack.name, seconds) as display:
        return run(
            seconds=seconds,
            excused=excused,
            alarms_before=alarms_before,
            look=lambda within: Window(samples=sample(stack, spread=within / 2), alarms=critical.states()),
            seen=display.show,
            still_current=still_current,
            page=lambda text: notify(stack, Event.UNREADABLE, text),
            command=stack.command,
        )


def run(
    *,
    seconds: float,
    excused: set[Breach],
    alarms_before: Mapping[str, Alarming],
    look: Callable[[float], Window],
    seen: Callable[[Window], None],
    still_current: Callable[[], str | None],
    page: Callable[[str], str | None],
    command: str = "",
    now: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> WatchResult:
    """The watch itself, which knows no network, no terminal and no clock but those that it is given.

    `look` takes a window within so many seconds, `page` calls people and returns what hindered it; `command` names the
    stack in what people are told to type.
    """
    start = now()
    interval = min(WINDOW_SECONDS, seconds / RECENT_WINDOWS)  # a short watch has as many windows to judge by
    windows: list[Window] = []
    errors: list[str] = []

    def ended(outcome: Outcome, message: str) -> WatchResult:
        every = [one for window in windows for one in window.samples]
        return WatchResult(
            outcome=outcome,
            message=message,
            seconds=round(now() - start, 1),
            measurements=measurements(every),
            errors=errors,
        )

    paged: set[str] = set()
    try:
        while now() < start + seconds or (seconds > 0 and len(windows) < BROKEN_WINDOWS):
            begun = now()
            windows.append(look(interval))
            seen(windows[-1])
            # Asked first: what a newer deployment breaks is not for this one to undo.
            if newer := _newer(still_current):
                return ended(Outcome.SUPERSEDED, newer)
            if broken := failing(windows, excused):
                said = f"broken in {BROKEN_WINDOWS} of the last {len(windows[-RECENT_WINDOWS:])} windows"
                return ended(Outcome.FAILED, f"{said}: {', '.join(map(str, broken))}")
            if ringing := rung(windows, alarms_before):
                said = f"rang in {BROKEN_WINDOWS} of the last {len(windows[-RECENT_WINDOWS:])} windows"
                return ended(Outcome.FAILED, f"{said}: alarm {', '.join(ringing)}")
            for fault, holds in ((_BLIND, unreadable(windows)), (_UNREAD, unread(windows))):
                if holds and fault not in paged:
                    paged.add(fault)
                    errors += filter(None, [page(f"{fault}. Nothing is rolled back; the watch goes on.")])
            pause(max(0.0, min(begun + interval, start + seconds) - now()))
    except KeyboardInterrupt:
        return ended(Outcome.ENDED_EARLY, f"ended by hand after {duration(now() - start)}")
    if unreadable(windows):
        return ended(Outcome.UNREADABLE, f"{_BLIND}. Nothing was rolled back: look whether it is well")
    if unread(windows):
        look_at = f"./pf monitoring alarms{command}"
        return ended(Outcome.UNREADABLE, f"{_UNREAD}; the probes saw nothing wrong. Look: {look_at}")
    if not windows:
        return ended(Outcome.PASSED, "not watched")
    dark = sum(not window.readable for window in windows)
    saw_nothing = f", {dark} of which saw nothing" if dark else ""
    return ended(Outcome.PASSED, f"nothing broke in {duration(now() - start)}, {len(windows)} windows{saw_nothing}")


def _newer(still_current: Callable[[], str | None]) -> str | None:
    try:
        return still_current()
    except OperationError:
        return None  # the store can't be asked just now; the next window asks again


def duration(seconds: float) -> str:
    """`15 min`, `2 min 30 s`, `5 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return " ".join([f"{minutes} min"] * (minutes > 0) + [f"{rest} s"] * (rest > 0 or minutes == 0))
