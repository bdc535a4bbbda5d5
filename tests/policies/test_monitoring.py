"""What the pack says about alarms, topics and logs."""

import re
from typing import Any

import pytest

from policies.monitoring import COMPOSITE_ALARM, LOG_GROUP, METRIC_ALARM, METRIC_FILTER, PUBLISHED, TOPIC
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

pytestmark = pytest.mark.rows("K5", "K2")

COMMAND = "command:local:Command"
RELEASE = {
    COMMAND: {
        "create": "python -m components.functions_release deploy",
        "triggers": [f"encrypt-data {'0' * 64} verify_jwt=true"],
    }
}
BY_FUNCTION = {"Environment": "sandbox", "Function": "encrypt-data"}
REQUESTS = {"namespace": "ParkerFlight/Functions", "metricName": "Requests", "dimensions": BY_FUNCTION}
NO_ALARM = Row(verdict=NOT_APPLICABLE, type=TOPIC, props={})


def alarm(verdict: str, metric: dict[str, Any], said: str = "", beside: dict[str, Any] | None = None) -> Row:
    queries = [
        {"id": "whole", "expression": "FILL(part, 0)", "returnData": True},
        {"id": "part", "metric": metric, "returnData": False},
    ]
    beside = RELEASE if beside is None else beside
    return Row(verdict=verdict, type=METRIC_ALARM, props={"metricQueries": queries}, said=said, beside=beside)


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
        NO_ALARM,
        Row(verdict=NOT_KNOWN, type=METRIC_ALARM, props={"alarmActions": UNKNOWN}, said="alarmActions"),
    ],
    "alarm-missing-data": [
        Row(verdict=COMPLIANT, type=METRIC_ALARM, props={"treatMissingData": "notBreaching"}),
        Row(verdict=VIOLATING, type=METRIC_ALARM, props={"treatMissingData": "whatever"}, said="`treatMissingData`"),
        Row(verdict=MISSING, type=METRIC_ALARM, props={}, said="doesn't say what silence means; write out one of"),
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
