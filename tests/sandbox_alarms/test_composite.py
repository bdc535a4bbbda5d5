"""Composite alarms.

Rules from the CloudWatch User Guide: "Composite alarms"
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-combining.html), "Suppressing composite alarm
actions" (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm_Suppression.html), and
the API Reference, PutCompositeAlarm
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html).
"""

import pytest

from sandbox.alarms.composite import RuleError, Suppression, parse_rule
from sandbox.alarms.definitions import Alarm, DefinitionError, Suppressor
from sandbox.alarms.series import Metric
from sandbox.alarms.state import State, SuppressedBy
from sandbox.alarms.watch import Alarms
from tests.sandbox_alarms.samples import LOAD, composite_alarm, load, metric_alarm

pytestmark = pytest.mark.rows("K2")

STATES = {"rings": State.ALARM, "fine": State.OK, "new": State.INSUFFICIENT_DATA, "with space": State.ALARM}


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ('ALARM("rings")', True),
        ("ALARM(rings)", True),
        ("ALARM(arn:aws:cloudwatch:eu-central-1:123456789012:alarm:rings)", True),
        ('ALARM("with space")', True),
        ("ALARM(fine)", False),
        ("OK(fine)", True),
        ("INSUFFICIENT_DATA(new)", True),
        ("NOT ALARM(rings)", False),
        ("ALARM(rings) AND NOT ALARM(fine)", True),
        ("(ALARM(rings) OR ALARM(fine)) AND OK(fine)", True),
        ("TRUE OR FALSE AND FALSE", True),
        ("(TRUE OR FALSE) AND FALSE", False),
        ("NOT FALSE AND FALSE", False),
        ("NOT (FALSE AND FALSE)", True),
        ("\n TRUE \n", True),
    ],
)
def test_a_rule_combines_states(rule: str, holds: bool) -> None:
    """PutCompositeAlarm, AlarmRule."""
    assert parse_rule(rule).holds(STATES) is holds


def test_a_rule_names_its_children_once() -> None:
    assert parse_rule('ALARM(b) AND (OK("a") OR ALARM(b))').children == ("b", "a")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("", "its end stands where one of ALARM"),
        ("ALARM(a", r"'\)' is missing at its end"),
        ("ALARM a", r"'\(' is missing before 'a'"),
        ("ALARM()", "ALARM needs the name of an alarm"),
        ("ALARM(a) ALARM(b)", "'ALARM' is one too many"),
        ("ALARM(a) AND", "its end stands where"),
        ("a AND b", "'a' stands where"),
        ("AT_LEAST(2, ALARM, (a, b, c))", "'AT_LEAST' stands where"),
        ("alarm(a)", "'alarm' stands where"),
        ('ALARM("a', "is no alarm rule"),
    ],
)
def test_what_is_no_rule_is_refused(rule: str, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        parse_rule(rule)


def test_composites_follow_their_children_in_the_same_evaluation() -> None:
    """See "Composite alarms": also composite alarms may be watched."""
    alarms = Alarms(
        [
            composite_alarm("top", "ALARM(middle)"),
            composite_alarm("middle", "ALARM(load) AND NOT TRUE OR ALARM(load)"),
            metric_alarm(evaluation_periods=1),
        ]
    )
    alarms.put(LOAD, load(0, 11))
    assert [(change.alarm, change.new) for change in alarms.evaluate(60)] == [
        ("load", State.ALARM),
        ("middle", State.ALARM),
        ("top", State.ALARM),
    ]


def test_a_composite_has_no_state_only_until_it_is_evaluated() -> None:
    """PutCompositeAlarm: INSUFFICIENT_DATA only just after its creation."""
    alarms = Alarms([metric_alarm(), composite_alarm("both", "ALARM(load)")])
    assert alarms.state("both") is State.INSUFFICIENT_DATA
    assert [(change.alarm, change.new, change.actions) for change in alarms.evaluate(60)] == [
        ("both", State.OK, ("ok",))
    ]
    assert alarms.state("load") is State.INSUFFICIENT_DATA


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"a": "ALARM(nobody)"}, "a: no alarm has the name nobody"),
        ({"a": "ALARM(b)", "b": "ALARM(a)"}, "watch each other in a circle: "),
        ({"a": "ALARM(a)"}, "in a circle: a -> a"),
    ],
)
def test_a_composite_that_can_not_be_evaluated_is_refused(rules: dict[str, str], said: str) -> None:
    """See "Composite alarms": in a cycle of composite alarms the evaluation stops."""
    with pytest.raises(DefinitionError, match=said):
        Alarms([composite_alarm(name, rule) for name, rule in rules.items()])


def test_two_alarms_of_one_name_are_refused() -> None:
    """PutMetricAlarm: a name is unique."""
    with pytest.raises(DefinitionError, match="two alarms have the name load"):
        Alarms([metric_alarm(), metric_alarm()])


def acts(composite: str, suppressor: str) -> list[tuple[int, SuppressedBy | None]]:
    """When it acts, and why it didn't before. One mark a time unit: `A` in ALARM, `.` in OK."""
    suppression = Suppression(wait=2, extension=3)  # time units, as in AWS's examples
    acted: list[tuple[int, SuppressedBy | None]] = []
    for at in range(1, len(composite)):
        before = suppression.by
        changed = composite[at] != composite[at - 1]
        if suppression.step(at, changed=changed, suppressor_rings=suppressor[at] == "A"):
            acted.append((at, before))
    return acted


WAIT, EXTENSION = SuppressedBy.WAIT_PERIOD, SuppressedBy.EXTENSION_PERIOD


@pytest.mark.parametrize(
    ("composite", "suppressor", "expected"),
    [
        # t: 0123456789…
        ("..AAAAAA", "........", [(4, WAIT)]),  # example 1: the suppressor stays in OK
        ("..AAAAAA", "...AAAAA", []),  # example 2: it rings before the wait is over
        ("..A.....", "........", [(5, WAIT)]),  # example 3: back to OK in the wait; a new wait starts
        ("..AAAAAA", "AAAAAAAA", []),  # example 4: it rings already
        ("..AAAAAAAAAA", "...AAA......", [(9, EXTENSION)]),  # example 5
        ("..AAAAA.....", "...AAA......", [(9, WAIT)]),  # example 6: the change ends the extension, a wait starts
        ("..AAAAAAAAAA", "...AAA.A....", [(11, EXTENSION)]),  # it rings again in the extension
        ("........", "..AAA...", []),  # nothing changed, so nothing is done
    ],
)
def test_the_examples_of_suppression(
    composite: str, suppressor: str, expected: list[tuple[int, SuppressedBy | None]]
) -> None:
    """See "Suppressing composite alarm actions", examples 1 to 6 with their times."""
    assert acts(composite, suppressor) == expected


MAINTENANCE = Metric.of("ParkerFlight/Test", "Maintenance")


def suppressed(wait: int, extension: int) -> list[Alarm]:
    """A composite alarm on the load, quiet during maintenance."""
    return [
        metric_alarm(evaluation_periods=1),
        metric_alarm("maintenance", MAINTENANCE, evaluation_periods=1),
        composite_alarm("page", "ALARM(load)", Suppressor(alarm="maintenance", wait=wait, extension=extension)),
    ]


def test_a_suppressed_change_is_told_and_acted_on_later() -> None:
    """See "Suppressing composite alarm actions", example 1: after the wait it acts on the state that it then has."""
    alarms = Alarms(suppressed(wait=90, extension=60))
    alarms.evaluate(0)
    alarms.evaluate(90)
    alarms.put(LOAD, load(60, 11))
    first = next(change for change in alarms.evaluate(120) if change.alarm == "page")
    assert (first.new, first.actions, first.suppressed_by) == (State.ALARM, (), WAIT)
    assert alarms.next_due(180) == 210
    later = [change for at in (180, 210) for change in alarms.evaluate(at) if change.alarm == "page"]
    assert [(change.at, change.old, change.new, change.actions) for change in later] == [
        (210, State.ALARM, State.ALARM, ("alarm",))
    ]


def test_a_wait_that_ended_between_two_evaluations_counts_from_its_end() -> None:
    alarms = Alarms(suppressed(wait=90, extension=60))
    alarms.evaluate(0)
    alarms.evaluate(90)
    alarms.put(LOAD, load(60, 11))
    alarms.evaluate(120)
    alarms.put(LOAD, load(180, 1))
    found = [(change.at, change.new, change.actions) for change in alarms.evaluate(240) if change.alarm == "page"]
    assert found == [(210, State.ALARM, ("alarm",)), (240, State.OK, ())]


def test_a_ringing_suppressor_keeps_the_composite_quiet() -> None:
    alarms = Alarms(suppressed(wait=60, extension=60))
    alarms.evaluate(0)
    alarms.evaluate(60)
    alarms.put(MAINTENANCE, load(60, 11))
    alarms.put(LOAD, load(60, 11))
    page = [change for change in alarms.evaluate(120) if change.alarm == "page"]
    assert [(change.actions, change.suppressed_by) for change in page] == [((), SuppressedBy.ALARM)]


def test_what_is_pending_survives_a_new_definition() -> None:
    """See "Suppressing composite alarm actions", tip: only another suppressor discards the periods."""
    alarms = Alarms(suppressed(wait=90, extension=60))
    alarms.evaluate(0)
    alarms.evaluate(90)
    alarms.put(LOAD, load(60, 11))
    alarms.evaluate(120)
    alarms.define(suppressed(wait=90, extension=60))
    assert [change.actions for change in alarms.evaluate(210) if change.alarm == "page"] == [("alarm",)]
