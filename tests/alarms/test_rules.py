"""The program's alarms ring when they should and only then, and no setting of one is there by accident."""

import re
from collections.abc import Iterable, Mapping
from functools import cache

import pytest

from sandbox.alarms.definitions import Alarm, MetricAlarm
from sandbox.alarms.series import Metric
from sandbox.alarms.state import State
from tests.alarms.mutants import mutants
from tests.alarms.program import declared
from tests.alarms.scenarios import Scenario, load
from tests.alarms.simulation import differs, problems, watched

pytestmark = pytest.mark.rows("K2", "M4", "M6")

SCENARIOS = load()
# The mean of ones and zeros, taken from one, is never that threshold to the last bit.
NO_CHANGE = re.compile("slo-availability-.*: comparison GreaterThanOrEqualToThreshold")


@cache
def on(name: str) -> list[Scenario]:
    """The scenarios that depend on an alarm; those first that look at it and at its acts, and the shortest."""
    return sorted(
        (scenario for scenario in SCENARIOS if name in watched(scenario.history, declared())),
        key=lambda scenario: (name not in scenario.history, name not in scenario.acts, scenario.end),
    )


def metrics(alarms: Iterable[Alarm]) -> set[Metric]:
    return {query.metric for alarm in alarms if isinstance(alarm, MetricAlarm) for query in alarm.queries.values()}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: f"{', '.join(scenario.history)}: {scenario.name}")
def test_scenario(scenario: Scenario) -> None:
    assert list(problems(scenario, declared())) == []


def test_each_alarm_is_seen_to_ring_to_stay_silent_and_without_data() -> None:
    missing: list[str] = []
    for name in declared():
        if not (reads := metrics(watched([name], declared()).values())):
            continue  # nothing can change it
        told = [scenario for scenario in SCENARIOS if name in scenario.history]
        rings = [State.ALARM in {state for _, state in scenario.history[name]} for scenario in told]
        data = [bool(reads & scenario.metrics.keys()) for scenario in told]
        kinds = {"ring": any(rings), "have no data": not all(data)}
        kinds["stay silent"] = any(has and not ringing for has, ringing in zip(data, rings, strict=True))
        missing += [f"{name} is never seen to {kind}" for kind, seen in kinds.items() if not seen]
    assert missing == []


def test_each_metric_of_a_scenario_is_one_that_an_alarm_reads() -> None:
    """A misspelt series would be no data, and a scenario of silence would prove nothing."""
    known = metrics(declared().values())
    assert {str(metric) for scenario in SCENARIOS for metric in scenario.metrics if metric not in known} == set()


def survivors(name: str, alarms: Mapping[str, Alarm]) -> list[str]:
    """The changes to an alarm that no scenario tells."""
    changed = {f"{name}: {what}": {**alarms, name: mutant} for what, mutant in mutants(alarms[name])}
    return [what for what in changed if not NO_CHANGE.fullmatch(what) and not differs(on(name), changed[what])]


def test_each_change_of_an_alarm_makes_a_scenario_fail() -> None:
    found = [survivor for name in declared() for survivor in survivors(name, declared())]
    assert not found, "no scenario tells these changes:\n" + "\n".join(found)
