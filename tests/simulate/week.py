"""A week in which nothing is wrong, with all the noise that is normal: whatever anybody is told is a false alarm."""

import heapq
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sandbox.alarms.definitions import Alarm
from sandbox.alarms.evaluation import SPARE_POINTS
from sandbox.alarms.state import State
from sandbox.alarms.watch import Alarms
from tests.simulate import assumptions as given
from tests.simulate.sources import FUNCTIONS, HEALTHY, Worlds, drawn, function, probe
from tests.simulate.store import OrderedStore

MINUTE, HOUR, DAY, WEEK = 60, 3600, 86400, 7 * 86400
BEFORE = 10 * MINUTE  # until there are data to judge
BATCH = 10.0  # seconds of requests published together: coarser than in truth, so that a week takes a minute or two


@dataclass(frozen=True, kw_only=True)
class Told:
    """Somebody was told something, `at` seconds after midnight."""

    at: float
    alarm: str
    state: State


def share(at: float) -> float:
    """Of the day's traffic: least at midnight, most at noon."""
    return given.NIGHT + (1 - given.NIGHT) * math.sin(math.pi * at / DAY) ** 2


def week(
    declared: Mapping[str, Alarm],
    *,
    start: float = 0,
    seconds: float = WEEK,
    seed: int = 0,
    spare_points: int = SPARE_POINTS,
    worlds: Worlds = lambda _: HEALTHY,
) -> Iterator[Told]:
    """Everything that anybody is told from ten minutes after `start` on."""
    end = start + seconds
    sources = [probe(worlds, drawn(f"{seed} probe"), start=start, end=end, lost=True)]
    sources += [
        function(worlds, drawn(f"{seed} {name}"), name, start=start, end=end, batch=BATCH, share=share)
        for name in FUNCTIONS
    ]
    arrivals = heapq.merge(*sources, key=lambda arrival: arrival[0])
    store = OrderedStore()
    running = Alarms(declared.values(), store=store, spare_points=spare_points)
    names = {alarm.name: name for name, alarm in declared.items()}
    coming = next(arrivals, None)
    at = running.next_due(start + BEFORE)
    while at is not None and at <= end:
        while coming is not None and coming[0] <= at:
            store.put(*coming[1:])
            coming = next(arrivals, None)
        for change in running.evaluate(at):
            begins = change.old is State.INSUFFICIENT_DATA and change.new is State.OK  # of every alarm that is made
            if change.actions and not begins:
                yield Told(at=at, alarm=names[change.alarm], state=change.new)
        at = running.next_due(at)
