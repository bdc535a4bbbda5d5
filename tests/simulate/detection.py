"""How long it takes from a fault until somebody is told, wherever in their rounds probe and alarms then are."""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from probe.data import REST
from probe.rounds import INTERVAL_SECONDS
from sandbox.alarms.definitions import Alarm
from sandbox.alarms.evaluation import SPARE_POINTS
from sandbox.alarms.series import Datum, Metric
from sandbox.alarms.state import State
from sandbox.alarms.statistics import Sample
from sandbox.alarms.watch import Alarms
from tests.simulate import assumptions as given
from tests.simulate import series
from tests.simulate.sources import ENDPOINTS, FUNCTIONS, HEALTHY, Arrival, World, drawn, function, probe
from tests.simulate.store import OrderedStore

MINUTE, HOUR, DAY = 60, 3600, 86400
START = 10 * DAY  # of the minute in which the fault begins
WARM_UP = 5 * MINUTE  # published as it would be; what lies further back is summed up
PATIENCE = 10 * MINUTE

ONE = FUNCTIONS[0]


@dataclass(frozen=True, kw_only=True)
class Fault:
    name: str
    world: World
    critical: bool = True
    by_chance: bool = False  # how soon it shows depends on which requests fail


SILENCE = Fault(name="the probe stops", world=World(probe_runs=False))
FAULTS = (
    Fault(name="REST refuses", world=World(down=frozenset({REST}))),
    Fault(name="REST hangs", world=World(hang=frozenset({REST}))),
    Fault(name="one function refuses", world=World(down=frozenset({ONE}))),
    Fault(name="one function hangs", world=World(hang=frozenset({ONE}))),
    Fault(name="all functions refuse", world=World(down=frozenset(FUNCTIONS))),
    Fault(name="6 % of the requests fail", world=World(errors={ONE: 0.06}), by_chance=True),
    Fault(name="KMS denies", world=World(kms_denied=True)),
    SILENCE,
    Fault(name="one function takes 2.5 s", world=World(slow_ms={ONE: 2500}), critical=False),
    Fault(name="REST takes 2.5 s", world=World(slow_ms={REST: 2500}), critical=False),
    Fault(name="85 connections", world=World(connections=85), critical=False),
)


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Where things are when the fault begins: `fault` and `probe` in seconds after the full minute."""

    fault: float
    probe: float
    seed: int = 0


def grid(step: float, seeds: Iterable[int] = (0,)) -> list[Phase]:
    steps = [number * step for number in range(round(MINUTE / step))]
    return [Phase(fault=fault, probe=at, seed=seed) for seed in seeds for fault in steps for at in steps]


@dataclass(frozen=True, kw_only=True)
class Told:
    """`seconds` after the fault, by which alarm, to which topic."""

    seconds: float
    alarm: str
    topic: str


class FalseAlarmError(Exception):
    """An alarm rang before anything was wrong."""


def detect(
    fault: Fault, phase: Phase, declared: Mapping[str, Alarm], *, spare_points: int = SPARE_POINTS
) -> Told | None:
    """The first notification; None if there is none within `PATIENCE`. Of what is critical, such as wakes somebody.

    Raises:
        FalseAlarmError: something rang before the fault.
    """
    store = OrderedStore()
    for metric, datum in _before():
        store.put(metric, datum)
    began = START + phase.fault
    arrivals = _arrivals(fault, phase, began)
    running = Alarms(declared.values(), store=store, spare_points=spare_points)
    names = {alarm.name: name for name, alarm in declared.items()}
    coming = next(arrivals, None)
    at = running.next_due(START - WARM_UP + MINUTE)
    while at is not None and at < began + PATIENCE:
        while coming is not None and coming[0] <= at:
            store.put(*coming[1:])
            coming = next(arrivals, None)
        for change in running.evaluate(at):
            topics = [topic.removeprefix(TOPIC) for topic in change.actions if change.new is State.ALARM]
            if topics and at <= began:
                raise FalseAlarmError(f"{names[change.alarm]} {began - at:.0f} s before {fault.name}, {phase}")
            if any(topic.startswith("level") or not fault.critical for topic in topics):
                return Told(seconds=at - began + given.DELIVERY, alarm=names[change.alarm], topic=topics[0])
        at = running.next_due(at)
    return None


TOPIC = "arn:of:notifications-"  # as the recorded program has them


def _arrivals(fault: Fault, phase: Phase, began: float) -> Iterator[Arrival]:
    def worlds(at: float) -> World:
        return HEALTHY if at < began else fault.world

    end = began + PATIENCE
    start = START - WARM_UP
    sources = [probe(worlds, drawn(f"{phase} probe"), start=start + phase.probe, end=end)]
    sources += [function(worlds, drawn(f"{phase} {name}"), name, start=start, end=end) for name in FUNCTIONS]
    return heapq.merge(*sources, key=lambda arrival: arrival[0])


def _before() -> Iterator[tuple[Metric, Datum]]:
    """A healthy day, in sums of hours and at last of minutes."""
    until = START - WARM_UP
    moments = [(float(at), HOUR) for at in range(until - DAY, until - HOUR, HOUR)]
    moments += [(float(at), MINUTE) for at in range(until - HOUR, until, MINUTE)]
    for at, seconds in moments:
        for endpoint in ENDPOINTS:
            rounds = seconds / INTERVAL_SECONDS
            yield series.probe("Available", endpoint), Datum(at=at, sample=Sample.of_statistics(rounds, rounds, 1, 1))
        for name in FUNCTIONS:
            requests = given.REQUESTS[name] * seconds
            yield series.function("Requests", name), Datum(at=at, sample=Sample.of_value(requests))
            yield series.function("Errors", name), Datum(at=at, sample=Sample.of_value(requests * given.ERRORS))
