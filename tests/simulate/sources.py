"""What publishes, healthy or not: the probe, the functions. Each gives its data with when an alarm can see them."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from statistics import NormalDist

from probe.data import METRICS, REST
from probe.rounds import INTERVAL_SECONDS, ROUNDS, TIMEOUT_SECONDS
from sandbox.alarms.series import Datum, Metric
from sandbox.alarms.statistics import Sample
from tests.simulate import assumptions as given
from tests.simulate import series

FUNCTIONS = tuple(given.REQUESTS)
ENDPOINTS = (REST, *FUNCTIONS)

Arrival = tuple[float, Metric, Datum]  # when it is seen, of what, and what


@dataclass(frozen=True, kw_only=True)
class World:
    """How everything is at a moment."""

    down: frozenset[str] = frozenset()  # endpoints
    hang: frozenset[str] = frozenset()
    slow_ms: Mapping[str, float] = field(default_factory=dict[str, float])
    errors: Mapping[str, float] = field(default_factory=dict[str, float])  # share of a function's requests
    kms_denied: bool = False
    connections: float = given.CONNECTIONS
    probe_runs: bool = True


def drawn(what: object) -> Random:
    """Chance that is the same in every run."""
    return Random(str(what))  # noqa: S311


HEALTHY = World(errors=dict.fromkeys(FUNCTIONS, given.ERRORS))
Worlds = Callable[[float], World]


def probe(worlds: Worlds, random: Random, *, start: float, end: float, lost: bool = False) -> Iterator[Arrival]:
    """`start` is where in the minute the schedule runs. `lost`: single rounds and runs get lost, as in real life."""
    runs = math.ceil((end - start) / given.RUN_EVERY)
    for run in range(runs):
        begin = start + run * given.RUN_EVERY + random.uniform(0, given.LATE_START)
        if not worlds(begin).probe_runs or (lost and random.random() < given.LOST_RUNS):
            continue
        for number in range(ROUNDS):
            at = begin + number * INTERVAL_SECONDS
            failing = random.choice(ENDPOINTS) if lost and random.random() < given.LOST_ROUNDS else None
            yield from _round(worlds(at), random, at, failing, load=number in given.LOAD_ROUNDS)


def _round(world: World, random: Random, at: float, failing: str | None, *, load: bool) -> Iterator[Arrival]:
    if not world.probe_runs:
        return
    values: list[tuple[Metric, float]] = []
    longest = 0.0
    for endpoint in ENDPOINTS:
        hangs = endpoint in world.hang or endpoint == failing
        refused = endpoint in world.down or (world.kms_denied and endpoint != REST)
        latency = None if hangs else given.REFUSED * 1000 if refused else _latency(world, random, endpoint)
        longest = max(longest, TIMEOUT_SECONDS if latency is None else latency / 1000)
        values.append((series.probe("Available", endpoint), float(not hangs and not refused)))
        if latency is not None and endpoint not in world.down:
            values.append((series.probe("Latency", endpoint), latency))
    if load:
        values.append((series.probe("Available", METRICS), 1.0))
        values.append((series.database("Connections"), world.connections))
        values += [(series.database(name), percent) for name, percent in given.LOAD_PERCENT.items()]
    seen = at + longest + given.PUBLISHING + given.VISIBLE
    for metric, value in values:
        yield seen, metric, Datum(at=at, sample=Sample.of_value(value), resolution=1)


def function(
    worlds: Worlds,
    random: Random,
    name: str,
    *,
    start: float,
    end: float,
    batch: float = given.BATCH,
    share: Callable[[float], float] = lambda _: 1.0,
) -> Iterator[Arrival]:
    """Everything that it publishes of each `batch` seconds of requests. `share` is the traffic's, of the day's."""
    at = start
    while at < end:
        world = worlds(at)
        requests = _poisson(random, given.REQUESTS[name] * batch * share(at))
        if requests and name not in world.down and name not in world.hang:
            failing = 1.0 if world.kms_denied else world.errors.get(name, 0.0)
            values = {
                series.function("Requests", name): Sample.of_value(requests),
                series.function("Errors", name): Sample.of_value(min(requests, _poisson(random, requests * failing))),
                series.function("Latency", name): _latencies(
                    random, requests, world.slow_ms.get(name, given.LATENCY[name])
                ),
                series.kms("Operations", name): Sample.of_value(requests),
                series.kms("Failures", name): Sample.of_value(requests if world.kms_denied else 0),
                series.kms("Latency", name): _latencies(random, requests, given.LATENCY["kms"]),
            }
            answered = world.slow_ms.get(name, 0.0) / 1000
            seen = at + batch + answered + given.PUBLISHING + given.VISIBLE
            for metric, sample in values.items():
                yield seen, metric, Datum(at=at, sample=sample, resolution=1)
        at += batch


def _latency(world: World, random: Random, endpoint: str) -> float:
    return world.slow_ms.get(endpoint) or random.lognormvariate(math.log(given.LATENCY[endpoint]), given.SPREAD)


PARTS = 20
_QUANTILES = [math.exp(given.SPREAD * NormalDist().inv_cdf((part + 0.5) / PARTS)) for part in range(PARTS)]


def _latencies(random: Random, requests: int, median: float) -> Sample:
    """Drawn one by one where there are few; else so many each of twenty that a p95 comes out as it must."""
    if median >= 1000:
        return Sample.of_values([median], [requests])
    if requests <= PARTS:
        return Sample.of_values(
            [random.lognormvariate(math.log(median), given.SPREAD) for _ in range(requests)], [1] * requests
        )
    return Sample.of_values([median * quantile for quantile in _QUANTILES], [requests / PARTS] * PARTS)


def _poisson(random: Random, mean: float) -> int:
    if mean > 30:
        return max(0, round(random.gauss(mean, math.sqrt(mean))))
    below, product, number = math.exp(-mean), random.random(), 0
    while product > below:
        number += 1
        product *= random.random()
    return number
