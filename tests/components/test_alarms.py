"""Alarms, their escalation and who is told, as the engine receives them."""

import json
from typing import Any

import pytest

from components.alarm import CompositeAlarm, Measure, MetricAlarm, MissingData, Series
from components.alarms import NEVER, Alarms, AlarmsArgs
from components.naming import Severity, Site, Topic
from components.notifications import Notifications, NotificationsArgs
from components.objectives import PAGE, TICKET, objectives
from settings import Contact
from tests.components.recording import Recording, Registered, record

SITE = Site(environment="staging", account_id="123456789012", region="us-east-1")
FUNCTIONS = ["create-payment-method", "encrypt-data"]
METRIC = "aws:cloudwatch/metricAlarm:MetricAlarm"
COMPOSITE = "aws:cloudwatch/compositeAlarm:CompositeAlarm"
MINUTES = {Topic.LEVEL_1: 15, Topic.LEVEL_2: 30}
URL = "https://example.com/runbook"
SERIES = {"x": Series(namespace="N", metric="M", dimensions={}, statistic="Sum")}


def declared() -> Recording:
    topics = {topic: f"arn:{topic}" for topic in Topic}
    args = AlarmsArgs(site=SITE, functions=FUNCTIONS, minutes=MINUTES, topic_arns=topics, runbook_url=URL)
    return record(lambda: Alarms("alarms", args))


def metric(name: str) -> dict[str, Any]:
    return declared().one(METRIC, name).inputs


def composite(name: str) -> dict[str, Any]:
    return declared().one(COMPOSITE, name).inputs


def everything() -> list[Registered]:
    recorded = declared()
    return [*recorded.all(METRIC), *(one for one in recorded.all(COMPOSITE) if one.name != NEVER)]


@pytest.mark.rows("K2")
def test_every_alarm_says_what_is_wrong_what_to_do_and_how_bad_it_is() -> None:
    for alarm in everything():
        tags = alarm.inputs["tags"]
        assert tags["Severity"] in set(Severity), alarm.name
        _what, to_do, dashboard = alarm.inputs["alarmDescription"].split("\n")
        assert to_do == f"What to do: {URL}#{tags['Runbook']}", alarm.name
        assert dashboard == f"Dashboard: {SITE.dashboard_url}", alarm.name
        assert len(alarm.inputs["alarmDescription"]) <= 1024, "CloudWatch takes no more"
        if alarm.type == METRIC:  # CloudWatch's own default hides a dead publisher, and would end a page by silence
            assert alarm.inputs["treatMissingData"] in ("notBreaching", "breaching", "ignore"), alarm.name


@pytest.mark.rows("K2", "M6")
def test_whoever_is_told_of_an_alarm_at_once_is_told_when_it_is_over() -> None:
    for alarm in everything():
        waits = "actionsSuppressor" in alarm.inputs
        assert alarm.inputs.get("okActions") == (None if waits else alarm.inputs.get("alarmActions")), alarm.name


@pytest.mark.rows("K2")
def test_an_alarm_that_tells_nobody_is_part_of_one_that_does() -> None:
    rules = [one.inputs["alarmRule"] for one in declared().all(COMPOSITE)]
    silent = [one for one in declared().all(METRIC) if not one.inputs.get("alarmActions")]
    assert {one.name.split("-")[0] for one in silent} == {"slo"}
    for one in silent:
        assert any(f'ALARM("{one.inputs["name"]}")' in rule for rule in rules), one.name


@pytest.mark.rows("M1", "M2", "M3", "M4", "M5", "M6", "M7", "L1", "L2", "L3", "L9")
@pytest.mark.parametrize(
    ("name", "threshold", "severity"),
    [
        ("encrypt-data-latency", 100, "warning"),  # M1, L2
        ("rest-latency", 100, "warning"),
        ("encrypt-data-error-rate", 1, "warning"),  # M2
        ("throughput", 25, "info"),  # M3
        ("encrypt-data-kms-failures", 5, "critical"),  # M4, M6
        ("database-connections", 80, "warning"),  # M5
        ("database-connections-share", 80, "warning"),
        ("encrypt-data-errors", 5, "critical"),  # M6
        ("encrypt-data-down", 1, "critical"),
        ("rest-down", 1, "critical"),
        ("encrypt-data-slow", 2000, "warning"),  # M7
        ("rest-slow", 2000, "warning"),
        ("database-resources", 80, "warning"),
        ("encrypt-data-kms-latency", 50, "warning"),  # L9
        ("slo-availability-14.4x-1h", 1.44, "info"),  # L1: 14.4 times 0.1 %
        ("slo-errors-6x-30m", 0.6, "info"),  # L3
    ],
)
def test_each_requirement_has_its_alarm(name: str, threshold: float, severity: str) -> None:
    inputs = metric(name)
    assert (inputs["threshold"], inputs["tags"]["Severity"]) == (threshold, severity)


@pytest.mark.rows("M2", "M6")
def test_rates_are_judged_with_traffic_only() -> None:
    for name, floor in [("encrypt-data-errors", 20), ("encrypt-data-error-rate", 100)]:
        (judged,) = [query for query in metric(name)["metricQueries"] if query.get("returnData")]
        assert judged["expression"] == f"IF(whole >= {floor}, 100 * FILL(part, 0) / whole, 0)"


@pytest.mark.rows("L4")
def test_what_is_critical_is_measured_every_ten_seconds() -> None:
    critical = [one for one in declared().all(METRIC) if one.inputs["tags"]["Severity"] == "critical"]
    assert critical
    for alarm in critical:
        periods = {query["metric"]["period"] for query in alarm.inputs["metricQueries"] if "metric" in query}
        assert periods <= {10, 30}, alarm.name


@pytest.mark.rows("L1", "L3")
def test_a_page_needs_the_long_and_the_short_window() -> None:
    rule = composite("slo-errors-page")["alarmRule"].replace("parker-flight-staging-", "")
    assert rule == (
        '(ALARM("slo-errors-14.4x-1h") AND ALARM("slo-errors-14.4x-5m"))'
        ' OR (ALARM("slo-errors-6x-6h") AND ALARM("slo-errors-6x-30m"))'
    )
    assert composite("slo-errors-page")["alarmActions"] == ["arn:level-2"]
    assert composite("slo-errors-ticket")["alarmActions"] == ["arn:warning"]


@pytest.mark.rows("L1", "L3")
def test_the_windows_are_those_of_the_workbook() -> None:
    hours = [(burn.rate, burn.long / 3600, burn.short / 3600) for burn in (*PAGE, *TICKET)]
    assert hours == [(14.4, 1, 1 / 12), (6, 6, 0.5), (3, 24, 2), (1, 72, 6)]
    assert [objective.budget_percent for objective in objectives(SITE, FUNCTIONS)] == [0.1, 0.1]


@pytest.mark.rows("X1", "X2")
@pytest.mark.parametrize(
    ("level", "seconds", "told", "of"),
    [
        ("level-1", 900, "arn:level-2", "encrypt-data-errors"),
        ("level-2", 1800, "arn:level-3", "encrypt-data-down"),
        ("level-2-budget", 3600, "arn:level-3", "slo-errors-page"),
    ],
)
def test_what_still_stands_after_a_while_is_told_to_the_next_level(
    level: str, seconds: int, told: str, of: str
) -> None:
    inputs = composite(f"{level}-unresolved")
    assert inputs["alarmActions"] == [told]
    assert inputs["actionsSuppressor"] == {
        "alarm": "parker-flight-staging-never",
        "waitPeriod": seconds,
        "extensionPeriod": 0,
    }
    assert f'ALARM("parker-flight-staging-{of}")' in inputs["alarmRule"].split(" OR ")
    assert composite(NEVER)["alarmRule"] == "FALSE"


@pytest.mark.rows("X3")
def test_a_critical_failure_of_the_system_is_told_to_level_three_at_once() -> None:
    for inputs in (metric("rest-down"), metric("probe-silent"), composite("functions-down")):
        assert inputs["alarmActions"] == ["arn:level-3"]
        assert "actionsSuppressor" not in inputs


def test_a_composite_alarm_is_made_after_its_parts() -> None:
    recorded = declared()
    parts = recorded.one(COMPOSITE, "functions-down").depends_on
    assert set(parts) == {recorded.one(METRIC, f"{function}-down").urn for function in FUNCTIONS}


ALARM: dict[str, Any] = {
    "what": "x",
    "rows": "K2",
    "problem": "p",
    "severity": Severity.INFO,
    "runbook": "docs/runbook.md#x",
    "tells": Topic.INFO,
}


@pytest.mark.rows("K2")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"runbook": "docs/other.md#x"}, "no heading of docs/runbook.md"),
        ({"runbook": "docs/runbook.md"}, "no heading of docs/runbook.md"),
        ({"above": None}, "either `above` or `below`"),
        ({"below": 1}, "either `above` or `below`"),
    ],
)
def test_an_alarm_without_a_way_out_or_a_threshold_is_refused(changes: dict[str, Any], said: str) -> None:
    measure = Measure(series=SERIES, period=60, periods=1, breaching=1)
    args: dict[str, Any] = {**ALARM, "measure": measure, "missing_data": MissingData.IS_FINE, "above": 1}
    with pytest.raises(ValueError, match=said):
        MetricAlarm(**{**args, **changes})


@pytest.mark.rows("K2")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"breaching": 3}, "3 of 2 periods"),
        ({"period": 300, "periods": 289}, "further back than CloudWatch looks"),
        ({"period": 86400, "periods": 8}, "further back than CloudWatch looks"),
        ({"series": {**SERIES, "y": SERIES["x"]}}, "judged by an expression"),
    ],
)
def test_a_measure_that_cloudwatch_would_refuse_is_refused(changes: dict[str, Any], said: str) -> None:
    args: dict[str, Any] = {"series": SERIES, "period": 60, "periods": 2, "breaching": 1}
    with pytest.raises(ValueError, match=said):
        Measure(**{**args, **changes})


def test_a_composite_alarm_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no alarm to ring with"):
        CompositeAlarm(**ALARM, any_of=[[]])


ADA = Contact.model_validate(
    {"name": "Ada", "email": "ada@example.com", "phone": "+14155550100", "webhook": "https://example.com/hook"}
)
BOB = Contact.model_validate({"name": "Bob", "email": "bob@example.com"})


def notifications(roles: dict[Topic, list[str]]) -> Recording:
    args = NotificationsArgs(
        site=SITE, roles=dict.fromkeys(Topic, ()) | roles, contacts={"devops": ADA, "devops-lead": BOB}
    )
    return record(lambda: Notifications("notifications", args))


@pytest.mark.rows("K2", "M6", "X3")
def test_every_level_has_a_topic_that_alarms_of_this_account_may_publish_to() -> None:
    recorded = notifications({})
    topics = {topic.name: topic for topic in recorded.all("aws:sns/topic:Topic")}
    assert set(topics) == {f"notifications-{topic}" for topic in Topic}
    for topic in Topic:
        policy = recorded.one("aws:sns/topicPolicy:TopicPolicy", f"notifications-{topic}").inputs
        statement, *of_rules = json.loads(policy["policy"])["Statement"]
        arn = f"arn:aws:sns:us-east-1:123456789012:{topics[f'notifications-{topic}'].inputs['name']}"
        assert statement["Resource"] == arn
        assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        assert statement["Condition"] == {
            "ArnLike": {"aws:SourceArn": ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:*"]},
            "StringEquals": {"aws:SourceAccount": "123456789012"},
        }
        # With a condition AWS lets no rule publish to a topic.
        told = topic in {Topic.LEVEL_2, Topic.LEVEL_3, Topic.WARNING}
        assert [{**one, "Sid": ""} for one in of_rules] == told * [
            {
                "Sid": "",
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sns:Publish",
                "Resource": arn,
            }
        ]


@pytest.mark.rows("X1", "X2", "X3", "R2")
def test_the_phone_rings_for_what_can_not_wait_and_nobody_is_told_twice() -> None:
    recorded = notifications({Topic.LEVEL_1: ["devops", "devops-lead", "devops"], Topic.WARNING: ["devops"]})
    found = recorded.all("aws:sns/topicSubscription:TopicSubscription")
    assert sorted((one.inputs["topic"], one.inputs["protocol"], one.inputs["endpoint"]) for one in found) == [
        ("arn:of:notifications-level-1", "email", "ada@example.com"),
        ("arn:of:notifications-level-1", "email", "bob@example.com"),
        ("arn:of:notifications-level-1", "https", "https://example.com/hook"),
        ("arn:of:notifications-level-1", "sms", "+14155550100"),
        ("arn:of:notifications-warning", "email", "ada@example.com"),
    ]
