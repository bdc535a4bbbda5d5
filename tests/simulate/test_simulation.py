"""A coarse part of `make simulate`: what is critical is told in time, and what is healthy is not told at all."""

from dataclasses import replace

import pytest

from sandbox.alarms.definitions import MetricAlarm
from sandbox.alarms.series import Datum, Metric
from sandbox.alarms.state import State
from sandbox.alarms.statistics import Sample
from tests.alarms.program import declared
from tests.simulate import assumptions as given
from tests.simulate.detection import FAULTS, ONE, SILENCE, FalseAlarmError, Fault, Phase, detect
from tests.simulate.sources import HEALTHY, World
from tests.simulate.store import OrderedStore
from tests.simulate.week import DAY, HOUR, week

pytestmark = pytest.mark.rows("L4", "M6")

# Of both, one just before and one just after an evaluation, and one between two probes.
PHASES = [Phase(fault=fault, probe=probe) for fault in (0, 29, 56) for probe in (4, 29)]


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.critical], ids=lambda fault: fault.name)
def test_what_is_critical_is_told_within_two_minutes(fault: Fault) -> None:
    for phase in PHASES:
        told = detect(fault, phase, declared())
        assert told is not None, phase
        assert told.seconds < given.LIMIT, (phase, told)
        assert told.topic.startswith("level"), (phase, told)


@pytest.mark.parametrize("spare_points", range(4))
def test_a_silent_probe_is_told_in_time_however_far_cloudwatch_looks_back(spare_points: int) -> None:
    told = detect(SILENCE, Phase(fault=1, probe=10), declared(), spare_points=spare_points)
    assert told is not None
    assert told.alarm == "probe-silent"
    assert told.seconds < given.LIMIT


def test_what_an_alarm_would_tell_too_late_is_seen() -> None:
    silent = declared()["probe-silent"]
    assert isinstance(silent, MetricAlarm)
    slower = replace(silent, evaluation_periods=6, datapoints_to_alarm=6)
    told = detect(SILENCE, Phase(fault=1, probe=10), {**declared(), "probe-silent": slower})
    assert told is not None
    assert told.seconds > given.LIMIT


def test_a_fault_that_nobody_watches_is_never_told() -> None:
    assert detect(SILENCE, Phase(fault=1, probe=10), {"rest-down": declared()["rest-down"]}) is None


def test_what_rings_before_the_fault_is_a_false_alarm() -> None:
    rest = declared()["rest-down"]
    assert isinstance(rest, MetricAlarm)
    with pytest.raises(FalseAlarmError, match=r"rest-down .* s before the probe stops"):
        detect(SILENCE, Phase(fault=1, probe=10), {"rest-down": replace(rest, threshold=2)})


@pytest.mark.parametrize("start", [0, 11 * HOUR], ids=["at night", "at noon"])
def test_two_healthy_hours_tell_nothing(start: float) -> None:
    assert list(week(declared(), start=start, seconds=HOUR)) == []


def test_what_is_told_in_an_unhealthy_hour_is_seen() -> None:
    def worlds(at: float) -> World:
        return World(down=frozenset({ONE})) if 1000 <= at < 1100 else HEALTHY

    told = [one for one in week(declared(), seconds=HOUR, worlds=worlds) if one.alarm == f"{ONE}-down"]
    assert [one.state for one in told] == [State.ALARM, State.OK]
    assert 1000 < told[0].at < 1100 < told[1].at


SERIES = Metric.of("N", "M")


def test_windows_over_ordered_data() -> None:
    store = OrderedStore()
    for at, values in [(0, [1, 2]), (5, [3]), (10, [10])]:
        store.put(SERIES, Datum(at=at, sample=Sample.of_values(values, [1] * len(values)), resolution=1))
    asked = {name: store.value(SERIES, name, 0, 10) for name in ("Sum", "SampleCount", "Average", "Maximum", "p50")}
    assert asked == {"Sum": 6, "SampleCount": 3, "Average": 2, "Maximum": 3, "p50": 2}
    assert store.value(SERIES, "Sum", 11, DAY) is None
    assert store.value(Metric.of("N", "other"), "Sum", 0, DAY) is None


def test_data_out_of_order_are_refused() -> None:
    store = OrderedStore()
    store.put(SERIES, Datum(at=5, sample=Sample.of_value(1), resolution=1))
    with pytest.raises(ValueError, match="they must come in order"):
        store.put(SERIES, Datum(at=4, sample=Sample.of_value(1), resolution=1))
