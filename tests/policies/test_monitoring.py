"""What the pack says about alarms, topics and logs."""

import re
from collections.abc import Sequence
from typing import Any

import pytest

from components.probe_package import HANDLER
from policies.monitoring import COMPOSITE_ALARM, LOG_GROUP, METRIC_ALARM, METRIC_FILTER, PUBLISHED, TOPIC
from probe.access import key_age
from probe.comparison import changes
from probe.handler import handle
from probe.publisher import Publisher
from probe.questions import Probe
from probe.rounds import run
from tests.components.recording import ROOT
from tests.policies.table import (
    COMPLIANT,
    MISSING,
    NOT_APPLICABLE,
    NOT_KNOWN,
    UNKNOWN,
    VIOLATING,
    Row,
    Table,
    cases,
    check,
)
from tests.probe.fakes import KEYS, SETTINGS, START, Gateway, Iam, Steady, Time

pytestmark = pytest.mark.rows("K5", "K2")

COMMAND = "command:local:Command"
RELEASE = {
    COMMAND: {
        "create": "python -m components.functions_release deploy",
        "environment": {"PF_RELEASE_FUNCTIONS": f"encrypt-data {'0' * 64} verify_jwt=true"},
    }
}
BY_FUNCTION = {"Environment": "sandbox", "Function": "encrypt-data"}
REQUESTS = {"namespace": "ParkerFlight/Functions", "metricName": "Requests", "dimensions": BY_FUNCTION}
PROBE: dict[str, dict[str, Any]] = {
    "aws:lambda/function:Function": {
        "name": "a-probe",
        "handler": "probe.handler.handle",
        "environment": {
            "variables": {"PF_ENVIRONMENT": "sandbox", "PF_FUNCTIONS": "create-payment-method encrypt-data"}
        },
    },
    "aws:cloudwatch/eventRule:EventRule": {
        "name": "a-rule",
        "scheduleExpression": "rate(1 minute)",
        "state": "ENABLED",
    },
    "aws:cloudwatch/eventTarget:EventTarget": {
        "rule": "a-rule",
        "arn": "arn:aws:lambda:us-east-1:123456789012:function:a-probe",
    },
    "aws:lambda/permission:Permission": {
        "function": "a-probe",
        "action": "lambda:InvokeFunction",
        "principal": "events.amazonaws.com",
        "sourceArn": "arn:aws:events:us-east-1:123456789012:rule/a-rule",
    },
}
BY_ENDPOINT = {"Environment": "sandbox", "Endpoint": "encrypt-data"}
AVAILABLE = {"namespace": "ParkerFlight/Probe", "metricName": "Available", "dimensions": BY_ENDPOINT}
CONNECTIONS = {
    "namespace": "ParkerFlight/Database",
    "metricName": "Connections",
    "dimensions": {"Environment": "sandbox"},
}
NO_PROBE = "which never comes: the stack has no probe that a schedule calls"
NO_ALARM = Row(verdict=NOT_APPLICABLE, type=TOPIC, props={})


def alarm(verdict: str, metric: dict[str, Any], said: str = "", beside: dict[str, Any] | None = None) -> Row:
    queries = [
        {"id": "whole", "expression": "FILL(part, 0)", "returnData": True},
        {"id": "part", "metric": metric, "returnData": False},
    ]
    beside = RELEASE if beside is None else beside
    return Row(verdict=verdict, type=METRIC_ALARM, props={"metricQueries": queries}, said=said, beside=beside)


def spoken_for(name: str) -> dict[str, dict[str, Any]]:
    return {COMPOSITE_ALARM: {"alarmRule": f'ALARM("{name}") AND ALARM("x")', "alarmActions": ["arn"]}}


def unprobed(type_: str, **changed: Any) -> Row:
    """A probe with one thing in the way; without changes, one that is not there."""
    beside = {one: props for one, props in PROBE.items() if one != type_}
    return alarm(
        VIOLATING, AVAILABLE, said=NO_PROBE, beside=beside | ({type_: PROBE[type_] | changed} if changed else {})
    )


TABLE: Table = {
    "alarm-has-action": [
        Row(verdict=COMPLIANT, type=METRIC_ALARM, props={"alarmActions": ["arn:aws:sns:us-east-1:1:x"]}),
        Row(verdict=COMPLIANT, type=METRIC_ALARM, props={"alarmActions": [UNKNOWN]}),  # a topic that is new as well
        Row(verdict=VIOLATING, type=METRIC_ALARM, props={"alarmActions": []}, said="`alarmActions` is empty"),
        Row(
            verdict=VIOLATING,
            type=METRIC_ALARM,
            props={"alarmActions": ["arn"], "actionsEnabled": False},
            said="`actionsEnabled` is false",
        ),
        Row(verdict=MISSING, type=METRIC_ALARM, props={"okActions": ["arn"]}, said="`alarmActions` is empty"),
        Row(verdict=MISSING, type=COMPOSITE_ALARM, props={}, said="nobody hears it; name a topic"),
        Row(verdict=COMPLIANT, type=METRIC_ALARM, props={"name": "part"}, beside=spoken_for("part")),
        Row(verdict=COMPLIANT, type=COMPOSITE_ALARM, props={"alarmRule": "FALSE"}),  # it never rings
        Row(verdict=VIOLATING, type=METRIC_ALARM, props={"name": "part"}, beside=spoken_for("other"), said="nobody"),
        Row(
            verdict=VIOLATING,
            type=METRIC_ALARM,
            props={"name": "part", "alarmActions": []},
            beside={COMPOSITE_ALARM: {"alarmRule": 'ALARM("part")', "alarmActions": ["arn"], "actionsEnabled": False}},
            said="`actionsEnabled` is false",
        ),
        Row(verdict=NOT_KNOWN, type=METRIC_ALARM, props={"alarmActions": UNKNOWN}, said="alarmActions"),
    ],
    "alarm-missing-data": [
        Row(verdict=COMPLIANT, type=METRIC_ALARM, props={"treatMissingData": "notBreaching"}),
        Row(verdict=VIOLATING, type=METRIC_ALARM, props={"treatMissingData": "whatever"}, said="`treatMissingData`"),
        Row(verdict=MISSING, type=METRIC_ALARM, props={}, said="doesn't say what silence means; write out one of"),
        Row(
            verdict=MISSING,
            type=METRIC_ALARM,
            props={"treatMissingData": "missing", "__defaults": ["actionsEnabled", "treatMissingData"]},
            said="doesn't say what silence means",
        ),
        Row(
            verdict=COMPLIANT,
            type=METRIC_ALARM,
            props={"treatMissingData": "missing", "__defaults": ["actionsEnabled"]},
        ),
        Row(verdict=NOT_APPLICABLE, type=COMPOSITE_ALARM, props={}),
        Row(verdict=NOT_KNOWN, type=METRIC_ALARM, props={"treatMissingData": UNKNOWN}, said="treatMissingData"),
    ],
    "alarm-metric-published": [
        alarm(COMPLIANT, REQUESTS),
        Row(verdict=COMPLIANT, type=METRIC_ALARM, props=REQUESTS, beside=RELEASE),
        alarm(COMPLIANT, {"namespace": "AWS/SNS", "metricName": "NumberOfNotificationsFailed"}, beside={TOPIC: {}}),
        alarm(
            COMPLIANT,
            {"namespace": "Logs", "metricName": "Errors"},
            beside={METRIC_FILTER: {"metricTransformation": {"namespace": "Logs", "name": "Errors"}}},
        ),
        alarm(
            VIOLATING,
            {**REQUESTS, "metricName": "Request"},
            said="`metricQueries` is ParkerFlight/Functions Request, which never comes: nothing in",
        ),
        alarm(
            VIOLATING,
            {**REQUESTS, "dimensions": {**BY_FUNCTION, "Function": "encrypt"}},
            said="which never comes: the stack has no Function encrypt",
        ),
        alarm(
            VIOLATING,
            {**REQUESTS, "dimensions": {**BY_FUNCTION, "Environment": "production"}},
            said="the stack has no Environment production",
        ),
        alarm(VIOLATING, {**REQUESTS, "dimensions": {}}, said="the functions publish it by Environment and Function"),
        alarm(VIOLATING, REQUESTS, said="the stack has no Function encrypt-data", beside={}),
        alarm(
            VIOLATING,
            {"namespace": "AWS/SNS", "metricName": "NumberOfNotificationsFailed"},
            said=f"AWS publishes it for {TOPIC}, and the stack has none",
        ),
        *(
            alarm(COMPLIANT, {**AVAILABLE, "dimensions": {**BY_ENDPOINT, "Endpoint": endpoint}}, beside=PROBE)
            for endpoint in ("rest", "metrics", "encrypt-data")
        ),
        alarm(COMPLIANT, CONNECTIONS, beside=PROBE),
        *(unprobed(type_) for type_ in PROBE),
        unprobed("aws:lambda/function:Function", handler="another.handle"),
        unprobed("aws:lambda/function:Function", environment={"variables": {"PF_ENVIRONMENT": "production"}}),
        unprobed("aws:lambda/function:Function", name="another"),
        unprobed("aws:cloudwatch/eventRule:EventRule", state="DISABLED"),
        unprobed("aws:cloudwatch/eventRule:EventRule", scheduleExpression=""),
        unprobed("aws:cloudwatch/eventRule:EventRule", name="another"),
        unprobed("aws:cloudwatch/eventTarget:EventTarget", arn="arn:aws:lambda:us-east-1:123456789012:function:other"),
        unprobed("aws:lambda/permission:Permission", action="lambda:GetFunction"),
        unprobed("aws:lambda/permission:Permission", principal="sns.amazonaws.com"),
        unprobed("aws:lambda/permission:Permission", sourceArn="arn:aws:events:us-east-1:123456789012:rule/other"),
        unprobed("aws:lambda/permission:Permission", sourceAccount="123456789012"),
        alarm(VIOLATING, CONNECTIONS, said=NO_PROBE, beside=RELEASE),
        alarm(VIOLATING, {**AVAILABLE, "metricName": "Up"}, said="nothing in policies/", beside=PROBE),
        alarm(
            VIOLATING,
            {**AVAILABLE, "dimensions": {**BY_ENDPOINT, "Endpoint": "another"}},
            said="the stack has no Endpoint another",
            beside=PROBE,
        ),
        alarm(
            VIOLATING,
            {**AVAILABLE, "dimensions": {"Environment": "sandbox"}},
            said="the probe publishes it by Endpoint and Environment",
            beside=PROBE,
        ),
        alarm(
            VIOLATING,
            {**CONNECTIONS, "dimensions": {"Environment": "production"}},
            said="the stack has no Environment production",
            beside=PROBE,
        ),
        alarm(VIOLATING, {"namespace": "AWS/Billing", "metricName": "EstimatedCharges"}, said="nothing in policies/"),
        Row(
            verdict=VIOLATING,
            type=METRIC_ALARM,
            props={
                "metricQueries": [
                    {"id": "a", "metric": REQUESTS},
                    {"id": "b", "expression": "SELECT SUM(Errors) FROM X"},
                ]
            },
            beside=RELEASE,
            said="an expression that reads metrics by itself",
        ),
        Row(verdict=MISSING, type=METRIC_ALARM, props={}, said="it watches no metric; name one"),
        Row(verdict=COMPLIANT, type=TOPIC, props={}),  # a stack without an alarm
        Row(verdict=NOT_KNOWN, type=METRIC_ALARM, props={"metricName": UNKNOWN}, said="metricName"),
    ],
    "sns-topic-encrypted": [
        Row(verdict=COMPLIANT, type=TOPIC, props={"kmsMasterKeyId": "alias/notifications"}),
        Row(verdict=VIOLATING, type=TOPIC, props={"kmsMasterKeyId": ""}, said="`kmsMasterKeyId` is missing"),
        Row(verdict=MISSING, type=TOPIC, props={}, said="name a key by its alias"),
        Row(verdict=NOT_APPLICABLE, type=METRIC_ALARM, props={}),
        Row(verdict=NOT_KNOWN, type=TOPIC, props={"kmsMasterKeyId": UNKNOWN}, said="kmsMasterKeyId"),
    ],
    "log-group-retention": [
        Row(verdict=COMPLIANT, type=LOG_GROUP, props={"retentionInDays": 365.0}),
        Row(verdict=VIOLATING, type=LOG_GROUP, props={"retentionInDays": 0}, said="`retentionInDays` is missing or 0"),
        Row(verdict=MISSING, type=LOG_GROUP, props={}, said="it keeps for ever; write out the days"),
        Row(verdict=NOT_APPLICABLE, type=METRIC_ALARM, props={}),
        Row(verdict=NOT_KNOWN, type=LOG_GROUP, props={"retentionInDays": UNKNOWN}, said="retentionInDays"),
    ],
}


@pytest.mark.parametrize(("policy", "row"), cases(TABLE))
def test_monitoring(policy: str, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    check(policy, row, monkeypatch)


def test_the_pack_knows_what_the_functions_publish() -> None:
    """Held against the code that publishes it: a metric renamed there is an alarm that never rings here."""
    source = (ROOT / "supabase/functions/_shared/metrics.ts").read_text()
    namespaces = dict(re.findall(r'export const (FUNCTIONS|KMS) = "([^"]+)"', source))
    always = re.findall(r'this\.#add\(namespace, "([A-Za-z]+)"', source)
    counted = re.findall(r'this\.#count\((FUNCTIONS|KMS), "([A-Za-z]+)", "([A-Za-z]+)"', source)
    assert PUBLISHED["functions"]["namespaces"] == {
        namespaces[constant]: [all_, bad, *always] for constant, all_, bad in counted
    }
    publisher = (ROOT / "supabase/functions/_shared/cloudwatch.ts").read_text()
    assert re.findall(r'\{ Name: "(\w+)", Value:', publisher) == PUBLISHED["functions"]["dimensions"]


def test_the_pack_knows_what_the_probe_publishes() -> None:
    """Held against a run of it."""
    published: dict[str, tuple[set[str], set[str]]] = {}
    endpoints: set[str] = set()

    class CloudWatch:
        def put_metric_data(self, *, Namespace: str, MetricData: Sequence[Any]) -> None:  # noqa: N803
            metrics, dimensions = published.setdefault(Namespace, (set(), set()))
            for datum in MetricData:
                metrics.add(datum["MetricName"])
                by = {one["Name"]: one["Value"] for one in datum["Dimensions"]}
                dimensions.update(by)
                endpoints.update({by["Endpoint"]} if "Endpoint" in by else ())

    time = Time()
    run(
        Probe(SETTINGS, KEYS),
        fetch=Gateway().fetch,
        publish=Publisher(CloudWatch(), SETTINGS.environment).publish,
        remaining=time.remaining(58),
        clock=time.clock,
    )
    publisher = Publisher(CloudWatch(), SETTINGS.environment)
    publisher.publish(key_age(Iam(("Active", 1)), "user", START), START)
    publisher.publish(changes(Steady(), SETTINGS.environment, SETTINGS.functions, START.replace(minute=5)), START)
    known = PUBLISHED["probe"]
    assert published == {
        namespace: (set(one["metrics"]), set(one["dimensions"])) for namespace, one in known["namespaces"].items()
    }
    assert endpoints == {*known["endpoints"], *SETTINGS.functions}
    assert known["handler"] == HANDLER == f"{handle.__module__}.{handle.__name__}"
    assert set(SETTINGS.as_variables()) >= {"PF_ENVIRONMENT", "PF_FUNCTIONS"}, "by these the pack knows whom it asks"
