"""Small alarms and data for the tests."""

from typing import Any

from sandbox.alarms.composite import parse_rule
from sandbox.alarms.definitions import Comparison, CompositeAlarm, MetricAlarm, Query, Suppressor
from sandbox.alarms.series import Datum, Metric
from sandbox.alarms.state import Actions, State
from sandbox.alarms.statistics import Sample
from sandbox.alarms.watch import Alarms

LOAD = Metric.of("ParkerFlight/Test", "Load")
ACTIONS = Actions(ok=("ok",), alarm=("alarm",), insufficient_data=("insufficient",))


def metric_alarm(
    name: str = "load", metric: Metric = LOAD, *, period: int = 60, statistic: str = "Sum", **changes: Any
) -> MetricAlarm:
    """3 of 3 periods above 10."""
    of: dict[str, Any] = {"evaluation_periods": 3, "threshold": 10, "actions": ACTIONS, "comparison": Comparison.ABOVE}
    of |= changes
    of.setdefault("datapoints_to_alarm", of["evaluation_periods"])
    queries = {"m1": Query(metric=metric, statistic=statistic, period=period)}
    return MetricAlarm(name=name, queries=queries, watched="m1", **of)


def composite_alarm(name: str, rule: str, suppressor: Suppressor | None = None) -> CompositeAlarm:
    return CompositeAlarm(name=name, rule=parse_rule(rule), suppressor=suppressor, actions=ACTIONS)


def load(at: float, number: float, *, resolution: int = 60) -> Datum:
    return Datum(at=at, sample=Sample.of_value(number), resolution=resolution)


def changes(alarms: Alarms, until: float, *, after: float = 0) -> list[tuple[float, str, State]]:
    """Evaluate at every due time of (after, until]: when which alarm got which state."""
    found: list[tuple[float, str, State]] = []
    at = alarms.next_due(after)
    while at is not None and at <= until:
        found += [(change.at, change.alarm, change.new) for change in alarms.evaluate(at)]
        at = alarms.next_due(at)
    return found
