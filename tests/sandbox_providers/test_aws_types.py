"""Each AWS type of the program: made, read without drift, changed, imported, removed, refused where AWS would."""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from sandbox.providers.archives import ARCHIVE, ASSET, zipped
from sandbox.providers.aws.provider import TYPES, AwsProvider
from sandbox.providers.wire import SIGNATURE, Values, encode
from tests.sandbox_providers.official import official
from tests.sandbox_providers.plugin import NONE, SOME, Plugin, urn

pytestmark = pytest.mark.rows("K1", "K2", "K3", "K7")

ACCOUNT = "123456789012"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/owner"
TOPIC_ARN = f"arn:aws:sns:us-east-1:{ACCOUNT}:some"
FUNCTION, PERMISSION = "aws:lambda/function:Function", "aws:lambda/permission:Permission"
COMPOSITE, TARGET = "aws:cloudwatch/compositeAlarm:CompositeAlarm", "aws:cloudwatch/eventTarget:EventTarget"
RULE, ISSUER = "aws:cloudwatch/eventRule:EventRule", "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
VERSIONING = "aws:s3/bucketVersioning:BucketVersioning"
ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}],
    }
)


def policy(action: str) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})


def key_policy(action: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": action,
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def assets(texts: dict[str, str]) -> Values:
    """An archive of string assets, with the hash that the engine would add."""
    content = hashlib.sha256(json.dumps(texts).encode()).hexdigest()
    named = {name: {SIGNATURE: ASSET, "text": text} for name, text in texts.items()}
    return {SIGNATURE: ARCHIVE, "hash": content, "assets": named}


@dataclass(frozen=True, kw_only=True)
class Case:
    """Inputs of one type, a change in place, and all that makes a new one, each by itself."""

    inputs: Values
    change: Values
    replacing: Values
    import_skips: tuple[str, ...] = ()
    """Inputs that only steer the provider, which no import can find out."""
    imported_as: str = ""
    """Where an import takes other words than the id."""
    id: str = ""
    """The id, where it isn't random."""


def function() -> Values:
    """What a function needs."""
    return {"code": assets({}), "runtime": "python3.12", "handler": "main.run", "role": ROLE_ARN}


ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
ON_QUERIES = {"comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": 1}
ON_ONE_METRIC = ON_QUERIES | {"metricName": "m", "period": 60}
QUERIES = [
    {
        "id": "errors",
        "metric": {
            "namespace": "ParkerFlight/KMS",
            "metricName": "Failures",
            "dimensions": {"Environment": "test"},
            "period": 60,
            "stat": "Sum",
        },
    },
    {"id": "rate", "expression": "100 * errors", "label": "failure rate", "returnData": True},
]
CASES: dict[str, Case] = {
    "aws:kms/key:Key": Case(
        inputs={
            "description": "test",
            "enableKeyRotation": True,
            "rotationPeriodInDays": 180,
            "deletionWindowInDays": 30,
            "policy": key_policy("kms:*"),
            "tags": {"purpose": "general-data"},
        },
        change={"rotationPeriodInDays": 365, "description": "changed", "tags": {"purpose": "other"}},
        replacing={"multiRegion": True, "customerMasterKeySpec": "RSA_4096", "keyUsage": "SIGN_VERIFY"},
        import_skips=("deletionWindowInDays",),
    ),
    "aws:kms/alias:Alias": Case(
        inputs={"name": "alias/test-alias", "targetKeyId": "KEY"},
        change={"targetKeyId": "OTHER_KEY"},
        replacing={"name": "alias/another"},
    ),
    "aws:iam/role:Role": Case(
        inputs={"name": "test-role", "assumeRolePolicy": TRUST, "tags": {"a": "b"}},
        change={
            "description": "changed",
            "maxSessionDuration": 7200,
            "permissionsBoundary": "OWNER_POLICY",
            "tags": {"c": "d"},
        },
        replacing={"path": "/other/", "name": "another"},
    ),
    "aws:iam/rolePolicy:RolePolicy": Case(
        inputs={"name": "use", "role": "OWNER_ROLE", "policy": policy("kms:Encrypt")},
        change={"policy": policy("kms:Decrypt")},
        replacing={"name": "another", "role": "another"},
    ),
    "aws:iam/user:User": Case(
        inputs={"name": "test-user", "path": "/functions/", "tags": {"a": "b"}},
        change={"permissionsBoundary": "OWNER_POLICY", "tags": {"a": "c"}},
        replacing={"name": "another"},
    ),
    "aws:iam/userPolicy:UserPolicy": Case(
        inputs={"name": "assume", "user": "OWNER_USER", "policy": policy("sts:AssumeRole")},
        change={"policy": policy("sts:TagSession")},
        replacing={"name": "another", "user": "another"},
    ),
    "aws:cloudwatch/logGroup:LogGroup": Case(
        inputs={"name": "/test/group", "retentionInDays": 30, "tags": {"a": "b"}},
        change={"retentionInDays": 90, "tags": {}},
        replacing={"name": "/test/another", "logGroupClass": "INFREQUENT_ACCESS"},
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Case(
        inputs={
            "name": "test-alarm",
            "comparisonOperator": "GreaterThanThreshold",
            "evaluationPeriods": 2,
            "threshold": 5,
            "treatMissingData": "notBreaching",
            "alarmActions": [f"arn:aws:sns:us-east-1:{ACCOUNT}:some"],
            "okActions": [f"arn:aws:sns:us-east-1:{ACCOUNT}:some"],
            "metricQueries": QUERIES,
        },
        change={"threshold": 1.5, "treatMissingData": "breaching"},
        replacing={"name": "another"},
    ),
    "aws:sns/topic:Topic": Case(
        inputs={"name": "test-topic", "displayName": "Test", "tags": {"a": "b"}},
        change={"displayName": "Changed"},
        replacing={"name": "another", "fifoTopic": True},
    ),
    "aws:sns/topicPolicy:TopicPolicy": Case(
        inputs={"arn": "OWNER_TOPIC", "policy": policy("sns:Publish")},
        change={"policy": policy("sns:Subscribe")},
        replacing={"arn": "arn:aws:sns:us-east-1:123456789012:another"},
    ),
    "aws:sns/topicSubscription:TopicSubscription": Case(
        inputs={"topic": "OWNER_TOPIC", "protocol": "email", "endpoint": "oncall@example.com"},
        change={"rawMessageDelivery": True},
        replacing={"endpoint": "other@example.com", "protocol": "sms", "topic": "another"},
    ),
    FUNCTION: Case(
        inputs=function()
        | {
            "name": "test-function",
            "code": assets({"main.py": "def run(event, context): pass"}),
            "environment": {"variables": {"A": "b"}},
            "reservedConcurrentExecutions": 1,
            "loggingConfig": {"logFormat": "Text", "logGroup": "/test/function"},
            "tags": {"a": "b"},
        },
        change={
            "code": assets({"main.py": "def run(event, context): return 1"}),
            "environment": {"variables": {"A": "c"}},
            "timeout": 30,
            "memorySize": 256,
            "architectures": ["arm64"],
            "reservedConcurrentExecutions": 0,
            "tags": {"a": "c"},
        },
        replacing={"name": "another", "packageType": "Image"},
        import_skips=("code",),
        id="test-function",
    ),
    PERMISSION: Case(
        inputs={
            "action": "lambda:InvokeFunction",
            "function": "owner",
            "principal": "events.amazonaws.com",
            "sourceArn": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/some",
            "statementId": "from-the-rule",
        },
        change={},
        replacing={
            "sourceArn": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/other",
            "action": "lambda:Other",
            "function": "another",
            "principal": "sns.amazonaws.com",
            "sourceAccount": ACCOUNT,
            "statementId": "another",
        },
        imported_as="owner/from-the-rule",
        id="from-the-rule",
    ),
    RULE: Case(
        inputs={"name": "test-rule", "scheduleExpression": "rate(1 minute)", "state": "ENABLED", "tags": {"a": "b"}},
        change={"scheduleExpression": "rate(5 minutes)", "state": "DISABLED", "description": "changed"},
        replacing={"name": "another", "eventBusName": "another"},
        id="test-rule",
    ),
    TARGET: Case(
        inputs={
            "rule": "owner",
            "targetId": "notify",
            "arn": TOPIC_ARN,
            "inputTransformer": {"inputPaths": {"who": "$.detail.userIdentity.arn"}, "inputTemplate": '"by <who>"'},
        },
        change={
            "inputTransformer": {"inputPaths": {"what": "$.detail.eventName"}, "inputTemplate": '"<what>"'},
            "retryPolicy": {"maximumRetryAttempts": 0, "maximumEventAgeInSeconds": 60},
        },
        replacing={"targetId": "another", "eventBusName": "another", "rule": "another"},
        imported_as="owner/notify",
        id="owner-notify",
    ),
    COMPOSITE: Case(
        inputs={
            "alarmName": "test-composite",
            "alarmRule": 'ALARM("owner-long") AND ALARM("owner-short")',
            "alarmDescription": "test",
            "alarmActions": [TOPIC_ARN],
            "actionsSuppressor": {"alarm": "owner-long", "waitPeriod": 60, "extensionPeriod": 120},
            "tags": {"a": "b"},
        },
        change={
            "alarmRule": 'ALARM("owner-long") OR ALARM("owner-short")',
            "okActions": [TOPIC_ARN],
            "actionsSuppressor": {"alarm": "owner-short", "waitPeriod": 120, "extensionPeriod": 120},
            "tags": {"c": "d"},
        },
        replacing={"actionsEnabled": False, "alarmName": "another"},
        id="test-composite",
    ),
    "aws:cloudwatch/dashboard:Dashboard": Case(
        inputs={"dashboardName": "test-dashboard", "dashboardBody": json.dumps({"widgets": []})},
        change={"dashboardBody": json.dumps({"widgets": [], "start": "-PT6H"})},
        replacing={"dashboardName": "another"},
        id="test-dashboard",
    ),
    "aws:iam/policy:Policy": Case(
        inputs={"name": "test-policy", "path": "/some/", "policy": policy("kms:Encrypt"), "tags": {"a": "b"}},
        change={"policy": policy("kms:Decrypt"), "tags": {"a": "c"}},
        replacing={"description": "another", "name": "another", "path": "/other/"},
        id=f"arn:aws:iam::{ACCOUNT}:policy/some/test-policy",
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Case(
        inputs={"role": "OWNER_ROLE", "policyArn": "OWNER_POLICY"},
        change={},
        replacing={"role": "another", "policyArn": "another"},
    ),
    ISSUER: Case(
        inputs={"url": "https://issuer.example.com", "clientIdLists": ["one"], "tags": {"a": "b"}},
        change={"thumbprintLists": ["0" * 40], "tags": {"c": "d"}},
        replacing={"url": "https://other.example.com"},
        id=f"arn:aws:iam::{ACCOUNT}:oidc-provider/issuer.example.com",
    ),
    "aws:s3/bucket:Bucket": Case(
        inputs={"bucket": "test-bucket", "tags": {"a": "b"}},
        change={"tags": {"c": "d"}},
        replacing={"bucket": "another"},
        id="test-bucket",
    ),
    "aws:s3/bucketVersioning:BucketVersioning": Case(
        inputs={"bucket": "OWNER_BUCKET", "versioningConfiguration": {"status": "Enabled"}},
        change={"versioningConfiguration": {"status": "Suspended"}},
        replacing={"bucket": "another"},
        id="owner",
    ),
    ENCRYPTION: Case(
        inputs={
            "bucket": "OWNER_BUCKET",
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": "alias/some"},
                    "bucketKeyEnabled": True,
                }
            ],
        },
        change={"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]},
        replacing={"bucket": "another"},
        id="owner",
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": Case(
        inputs={"bucket": "OWNER_BUCKET", "blockPublicAcls": True, "restrictPublicBuckets": True},
        change={"blockPublicPolicy": True, "restrictPublicBuckets": False},
        replacing={"bucket": "another"},
        id="owner",
    ),
    "aws:s3/bucketPolicy:BucketPolicy": Case(
        inputs={"bucket": "OWNER_BUCKET", "policy": policy("s3:GetObject")},
        change={"policy": policy("s3:PutObject")},
        replacing={"bucket": "another"},
        id="owner",
    ),
    LIFECYCLE: Case(
        inputs={
            "bucket": "OWNER_BUCKET",
            "rules": [
                {
                    "id": "old",
                    "status": "Enabled",
                    "filter": {"prefix": "some/"},
                    "noncurrentVersionExpiration": {"noncurrentDays": 30},
                    "expiration": {"expiredObjectDeleteMarker": True},
                    "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
                }
            ],
        },
        change={
            "rules": [{"id": "old", "status": "Disabled", "noncurrentVersionExpiration": {"noncurrentDays": 90}}],
        },
        replacing={"bucket": "another"},
        id="owner",
    ),
}


# What is changed beside Pulumi: (type, what its case has otherwise, what becomes of it). None takes an input away.
BY_HAND: list[tuple[str, Values, Values]] = [
    *((name, {}, case.change) for name, case in CASES.items() if case.change and name not in (FUNCTION, ISSUER)),
    (ISSUER, {"thumbprintLists": ["0" * 40]}, {"thumbprintLists": ["1" * 40], "tags": {"by": "hand"}}),
    ("aws:kms/key:Key", {}, {"policy": key_policy("kms:Put*"), "isEnabled": False}),
    ("aws:kms/key:Key", {"rotationPeriodInDays": None}, {"enableKeyRotation": False}),
    ("aws:iam/role:Role", {}, {"assumeRolePolicy": TRUST.replace("AssumeRole", "TagSession")}),
    ("aws:iam/user:User", {"tags": None}, {"path": "/elsewhere/"}),  # with the path moto forgets the tags
    ("aws:cloudwatch/logGroup:LogGroup", {}, {"kmsKeyId": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/some"}),
    (
        ALARM,
        {},
        {
            "actionsEnabled": False,
            "alarmActions": [],
            "alarmDescription": "changed",
            "comparisonOperator": "LessThanThreshold",
            "datapointsToAlarm": 1,
            "evaluationPeriods": 3,
            "insufficientDataActions": [TOPIC_ARN],
            "metricQueries": [QUERIES[0] | {"returnData": True}],
            "okActions": [],
            "tags": {"by": "hand"},
        },
    ),
    (
        ALARM,
        {"metricQueries": None, "metricName": "m", "namespace": "n", "period": 60, "statistic": "Sum"},
        {
            "dimensions": {"Environment": "test"},
            "metricName": "other",
            "namespace": "other",
            "period": 120,
            "statistic": "Average",
            "unit": "Count",
        },
    ),
    (
        ALARM,
        {"metricQueries": None, "metricName": "m", "namespace": "n", "period": 60, "extendedStatistic": "p99"},
        {"extendedStatistic": "p50", "evaluateLowSampleCountPercentiles": "ignore"},
    ),
    (COMPOSITE, {}, {"alarmActions": [], "alarmDescription": "changed", "insufficientDataActions": [TOPIC_ARN]}),
    (RULE, {}, {"eventPattern": json.dumps({"source": ["aws.kms"]}), "roleArn": ROLE_ARN, "tags": {"by": "hand"}}),
    (TARGET, {}, {"arn": f"{TOPIC_ARN}-other", "roleArn": ROLE_ARN, "deadLetterConfig": {"arn": f"{TOPIC_ARN}-dead"}}),
    (TARGET, {"inputTransformer": None, "input": "{}"}, {"input": '{"a": 1}'}),
    (TARGET, {"inputTransformer": None, "inputPath": "$.detail"}, {"inputPath": "$.source"}),
    (
        FUNCTION,
        {"architectures": ["x86_64"]},
        {
            **{key: value for key, value in CASES[FUNCTION].change.items() if key != "code"},
            "description": "changed",
            "handler": "main.other",
            "loggingConfig": {"logFormat": "JSON", "logGroup": "/test/other"},
            "role": f"arn:aws:iam::{ACCOUNT}:role/other",
            "runtime": "python3.13",
        },
    ),
    (
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        {},
        {"blockPublicAcls": False, "ignorePublicAcls": True},
    ),
    (
        "aws:sns/topic:Topic",
        {
            "deliveryPolicy": json.dumps({"http": {"disableSubscriptionOverrides": False}}),
            "signatureVersion": 1,
            "tracingConfig": "PassThrough",
        },
        {
            "deliveryPolicy": json.dumps({"http": {"disableSubscriptionOverrides": True}}),
            "kmsMasterKeyId": "alias/some",
            "signatureVersion": 2,
            "tags": {"by": "hand"},
            "tracingConfig": "Active",
        },
    ),
    ("aws:sns/topic:Topic", {"name": "by-hand.fifo", "fifoTopic": True}, {"contentBasedDeduplication": True}),
    ("aws:sns/topic:Topic", {"policy": policy("sns:Publish")}, {"policy": policy("sns:Subscribe")}),
    ("aws:sns/topicSubscription:TopicSubscription", {}, {"filterPolicy": json.dumps({"a": ["b"]})}),
]
# Inputs that somebody can change and no refresh sees, each for its reason.
NEVER_DRIFT = {
    ALARM: ["thresholdMetricId"],  # alarms on a band are not simulated
    ISSUER: ["clientIdLists"],  # moto can't change them
    FUNCTION: ["codeSha256"],  # changed code is no drift for the official provider either
}


def test_every_served_type_has_its_case() -> None:
    assert set(CASES) == set(TYPES)


@pytest.fixture
def owners(client: Any) -> dict[str, str]:
    """Stand-ins for the resources that a case refers to."""
    kms, iam, sns = client("kms"), client("iam"), client("sns")
    if "owner" not in [role["RoleName"] for role in iam.list_roles()["Roles"]]:
        iam.create_role(RoleName="owner", AssumeRolePolicyDocument=TRUST)
        iam.create_user(UserName="owner")
        iam.create_policy(PolicyName="owner", PolicyDocument=policy("kms:Encrypt"))
        client("s3").create_bucket(Bucket="owner")
        client("lambda").create_function(
            FunctionName="owner",
            Runtime="python3.12",
            Handler="main.run",
            Role=ROLE_ARN,
            Code={"ZipFile": zipped(assets({}))},
        )
        client("events").put_rule(Name="owner", ScheduleExpression="rate(1 minute)")
        for alarm in ("owner-long", "owner-short"):
            client("cloudwatch").put_metric_alarm(
                AlarmName=alarm,
                Namespace="test",
                MetricName="test",
                Statistic="Sum",
                Period=60,
                EvaluationPeriods=1,
                Threshold=1,
                ComparisonOperator="GreaterThanThreshold",
            )
    return {
        "KEY": kms.create_key()["KeyMetadata"]["KeyId"],
        "OTHER_KEY": kms.create_key()["KeyMetadata"]["KeyId"],
        "OWNER_ROLE": "owner",
        "OWNER_USER": "owner",
        "OWNER_POLICY": f"arn:aws:iam::{ACCOUNT}:policy/owner",
        "OWNER_BUCKET": "owner",
        "OWNER_TOPIC": sns.create_topic(Name="owner")["TopicArn"],
    }


def filled(values: Values, owners: dict[str, str]) -> Values:
    return {key: owners.get(value, value) if isinstance(value, str) else value for key, value in values.items()}


@pytest.mark.parametrize("type_name", CASES)
def test_a_resource_lives_from_creation_to_deletion(aws: Plugin, owners: dict[str, str], type_name: str) -> None:
    case = CASES[type_name]
    inputs = filled(case.inputs, owners)
    id_, outputs = aws.create(type_name, inputs)
    assert inputs.items() <= outputs.items()
    assert {*outputs} <= official(type_name).outputs
    assert case.id in ("", id_)

    read_id, _, read_inputs = aws.read(type_name, id_, inputs)
    assert read_id == id_
    assert aws.diff(type_name, outputs, read_inputs, inputs).changes == NONE, "a fresh resource has no drift"

    new = inputs | filled(case.change, owners)
    if case.change:
        difference = aws.diff(type_name, outputs, inputs, new)
        assert difference.changes == SOME
        assert set(case.change) <= set(difference.diffs)
        assert list(difference.replaces) == []
        outputs = aws.update(type_name, id_, outputs, new)
        assert new.items() <= outputs.items()
        _, _, read_inputs = aws.read(type_name, id_, new)
        assert aws.diff(type_name, outputs, read_inputs, new).changes == NONE, "an updated resource has no drift"

    imported_id, _, imported = aws.read(type_name, case.imported_as or id_)
    assert imported_id == id_
    known = {key: value for key, value in new.items() if key not in case.import_skips}
    assert aws.diff(type_name, outputs, imported, known).changes == NONE, "an import finds the inputs"

    aws.delete(type_name, id_, outputs)
    gone, _, _ = aws.read(type_name, id_, new)
    # A topic has always a policy, a bucket a state of versioning: deleting ours gives back what it was born with.
    assert gone == (id_ if type_name in ("aws:sns/topicPolicy:TopicPolicy", VERSIONING) else "")
    aws.delete(type_name, id_, outputs)


@pytest.mark.parametrize(("type_name", "before", "after"), BY_HAND)
def test_what_somebody_else_has_changed_is_seen(
    aws: Plugin, owners: dict[str, str], type_name: str, before: Values, after: Values
) -> None:
    """By a read in the words of a program that knows nothing of it."""
    inputs = filled(CASES[type_name].inputs | before, owners)
    inputs = {key: value for key, value in inputs.items() if value is not None}
    id_, outputs = aws.create(type_name, inputs)
    aws.update(type_name, id_, outputs, inputs | filled(after, owners))
    found, live, read_inputs = aws.read(type_name, CASES[type_name].imported_as or id_, inputs)
    assert found == id_
    assert {*aws.diff(type_name, live, read_inputs, inputs).diffs} - {"tagsAll"} == {*after}
    aws.delete(type_name, id_, live)


@pytest.mark.parametrize("type_name", CASES)
def test_every_input_that_can_be_read_back_is_changed_by_hand_in_a_test(type_name: str) -> None:
    rules = TYPES[type_name].properties
    changeable = {key for key, rule in rules.items() if not rule.replaces and not rule.write_only}
    changed = {key for name, _, after in BY_HAND if name == type_name for key in after}
    assert changeable - changed == {*NEVER_DRIFT.get(type_name, ())}


@pytest.mark.parametrize("type_name", CASES)
def test_what_cannot_change_in_place_is_replaced(aws: Plugin, type_name: str) -> None:
    case = CASES[type_name]
    assert {*case.replacing} == {key for key, rule in TYPES[type_name].properties.items() if rule.replaces}
    for key, value in case.replacing.items():
        difference = aws.diff(type_name, case.inputs, case.inputs, case.inputs | {key: value})
        assert list(difference.replaces) == [key]


@pytest.mark.parametrize("type_name", CASES)
def test_an_unknown_property_is_refused_by_name(aws: Plugin, type_name: str) -> None:
    case = CASES[type_name]
    _, failures = aws.check(type_name, case.inputs | {"enabelKeyRotation": True})
    assert "enabelKeyRotation" in failures


@pytest.mark.parametrize(
    "type_name", [name for name, type_ in TYPES.items() if any(p.required for p in type_.properties.values())]
)
def test_a_missing_required_property_is_refused_by_name(aws: Plugin, type_name: str) -> None:
    required = {key for key, rule in TYPES[type_name].properties.items() if rule.required}
    _, failures = aws.check(type_name, {})
    assert required <= set(failures)


@pytest.mark.parametrize(
    ("type_name", "inputs", "refused"),
    [
        ("aws:kms/key:Key", {"enableKeyRotation": True, "rotationPeriodInDays": 30}, "rotationPeriodInDays"),
        ("aws:kms/key:Key", {"rotationPeriodInDays": 100}, "rotationPeriodInDays"),
        ("aws:kms/key:Key", {"enableKeyRotation": "yes"}, "enableKeyRotation"),
        ("aws:kms/key:Key", {"policy": "{"}, "policy"),
        ("aws:kms/key:Key", {"keyUsage": "ENCRYPT"}, "keyUsage"),
        ("aws:kms/key:Key", {"policy": key_policy("kms:Encrypt")}, "policy"),
        ("aws:kms/key:Key", {"policy": key_policy("kms:*" + "x" * 33_000)}, "policy"),
        ("aws:kms/key:Key", {"tags": {str(number): "" for number in range(51)}}, "tags"),
        ("aws:kms/key:Key", {"deletionWindowInDays": 1}, "deletionWindowInDays"),
        ("aws:kms/alias:Alias", {"name": "no-prefix", "targetKeyId": "k"}, "name"),
        ("aws:kms/alias:Alias", {"name": "alias/aws/mine", "targetKeyId": "k"}, "name"),
        ("aws:iam/role:Role", {"name": "x" * 65, "assumeRolePolicy": TRUST}, "name"),
        ("aws:iam/role:Role", {"assumeRolePolicy": TRUST.replace(ACCOUNT, "x" * 2000)}, "assumeRolePolicy"),
        ("aws:iam/rolePolicy:RolePolicy", {"role": "r", "policy": policy("s3:" + "x" * 10_240)}, "policy"),
        ("aws:iam/userPolicy:UserPolicy", {"user": "u", "policy": policy("s3:" + "x" * 2048)}, "policy"),
        ("aws:iam/policy:Policy", {"policy": policy("s3:" + "x" * 6144)}, "policy"),
        ("aws:cloudwatch/logGroup:LogGroup", {"name": "/g", "retentionInDays": 31}, "retentionInDays"),
        (
            "aws:cloudwatch/metricAlarm:MetricAlarm",
            {"comparisonOperator": ">", "evaluationPeriods": 1, "metricName": "m"},
            "comparisonOperator",
        ),
        (
            "aws:cloudwatch/metricAlarm:MetricAlarm",
            {"comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": 1},
            "metricName",
        ),
        (
            "aws:cloudwatch/metricAlarm:MetricAlarm",
            {"comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": 1441, "metricName": "m", "period": 60},
            "evaluationPeriods",
        ),
        (ALARM, {**ON_ONE_METRIC, "period": 45}, "period"),
        (ALARM, {**ON_ONE_METRIC, "period": 3600, "evaluationPeriods": 169}, "evaluationPeriods"),
        (ALARM, {**ON_ONE_METRIC, "datapointsToAlarm": 2}, "datapointsToAlarm"),
        (ALARM, {**ON_ONE_METRIC, "alarmActions": [TOPIC_ARN] * 6}, "alarmActions"),
        (ALARM, {**ON_ONE_METRIC, "alarmDescription": "x" * 1025}, "alarmDescription"),
        (ALARM, {**ON_QUERIES, "metricQueries": [{"id": "a", "expresion": "1"}]}, "metricQueries"),
        (ALARM, {**ON_QUERIES, "metricQueries": [{"expression": "1"}]}, "metricQueries"),
        (ALARM, {**ON_QUERIES, "metricQueries": [{"id": "a", "metric": {"metricName": "m"}}]}, "metricQueries"),
        (ALARM, {**ON_QUERIES, "metricQueries": [{"id": "a", "returnData": "yes"}]}, "metricQueries"),
        (
            "aws:sns/topicSubscription:TopicSubscription",
            {"topic": "t", "protocol": "pigeon", "endpoint": "e"},
            "protocol",
        ),
        (RULE, {}, "scheduleExpression"),
        (RULE, {"scheduleExpression": "rate(1 minutes)"}, "scheduleExpression"),
        (RULE, {"scheduleExpression": "rate(5 minute)"}, "scheduleExpression"),
        (RULE, {"eventPattern": "source"}, "eventPattern"),
        (TARGET, {"rule": "r", "arn": "arn:aws:sqs:us-east-1:123456789012:queue"}, "arn"),
        (TARGET, {"rule": "r", "arn": TOPIC_ARN, "input": "{"}, "input"),
        (TARGET, {"rule": "r", "arn": TOPIC_ARN, "input": "{}", "inputPath": "$.detail"}, "input"),
        (FUNCTION, function() | {"code": {SIGNATURE: ARCHIVE, "uri": "https://example.com/a.zip"}}, "code"),
        (FUNCTION, function() | {"code": {SIGNATURE: ARCHIVE, "path": "function.tar.gz"}}, "code"),
        (FUNCTION, function() | {"runtime": "nodejs22.x"}, "runtime"),
        (FUNCTION, function() | {"role": "owner"}, "role"),
        (FUNCTION, function() | {"timeout": 901}, "timeout"),
        (FUNCTION, function() | {"environment": {"variables": {"AWS_REGION": "us-east-1"}}}, "environment"),
        (FUNCTION, function() | {"environment": {"variables": {"A": "x" * 4096}}}, "environment"),
        (FUNCTION, function() | {"environment": {"variable": {}}}, "environment"),
        (FUNCTION, function() | {"loggingConfig": {"logFormat": "XML"}}, "loggingConfig"),
        (TARGET, {"rule": "r", "arn": TOPIC_ARN, "retryPolicy": {"maximumRetryAttempts": 186}}, "retryPolicy"),
        (COMPOSITE, {"alarmName": "a", "alarmRule": " TRUE"}, "alarmRule"),
        (COMPOSITE, {"alarmName": "a", "alarmRule": "TRUE", "actionsSuppressor": {"alarm": "b"}}, "actionsSuppressor"),
        ("aws:cloudwatch/dashboard:Dashboard", {"dashboardName": "d", "dashboardBody": "{"}, "dashboardBody"),
        ("aws:s3/bucket:Bucket", {"bucket": "Capital"}, "bucket"),
        (VERSIONING, {"bucket": "b", "versioningConfiguration": {"status": "On"}}, "versioningConfiguration"),
        (LIFECYCLE, {"bucket": "b", "rules": [{"id": "a", "status": "On"}]}, "rules"),
        (LIFECYCLE, {"bucket": "b", "rules": [{"id": "a", "status": "Enabled", "prefix": "p"}]}, "rules"),
        (ISSUER, {"url": "issuer", "clientIdLists": ["a"]}, "url"),
    ],
)
def test_what_aws_would_refuse_in_mid_deployment_is_refused_at_preview(
    aws: Plugin, type_name: str, inputs: Values, refused: str
) -> None:
    _, failures = aws.check(type_name, inputs)
    assert list(failures) == [refused]
    assert refused in failures[refused]


def sized(length: int, make: Callable[[str], str]) -> str:
    """A document of so many characters, blanks not counted."""
    return make("s3:" + "x" * (length - len(json.dumps(json.loads(make("s3:")), separators=(",", ":")))))


@pytest.mark.parametrize(
    ("type_name", "inputs", "beyond"),
    [
        ("aws:kms/key:Key", {"enableKeyRotation": True, "rotationPeriodInDays": 90}, {"rotationPeriodInDays": 89}),
        ("aws:kms/key:Key", {"enableKeyRotation": True, "rotationPeriodInDays": 2560}, {"rotationPeriodInDays": 2561}),
        ("aws:kms/key:Key", {"deletionWindowInDays": 7}, {"deletionWindowInDays": 6}),
        ("aws:kms/key:Key", {"deletionWindowInDays": 30}, {"deletionWindowInDays": 31}),
        ("aws:kms/alias:Alias", {"name": f"alias/{'x' * 250}", "targetKeyId": "k"}, {"name": f"alias/{'x' * 251}"}),
        ("aws:iam/role:Role", {"name": "x" * 64, "assumeRolePolicy": TRUST}, {"name": "x" * 65}),
        ("aws:iam/user:User", {"name": "x" * 64}, {"name": "x" * 65}),
        ("aws:iam/policy:Policy", {"name": "x" * 128, "policy": policy("a:b")}, {"name": "x" * 129}),
        ("aws:iam/policy:Policy", {"policy": sized(6144, policy)}, {"policy": sized(6145, policy)}),
        (
            "aws:iam/rolePolicy:RolePolicy",
            {"role": "r", "policy": sized(10240, policy)},
            {"policy": sized(10241, policy)},
        ),
        (
            "aws:iam/userPolicy:UserPolicy",
            {"user": "u", "policy": sized(2048, policy)},
            {"policy": sized(2049, policy)},
        ),
        ("aws:cloudwatch/logGroup:LogGroup", {"name": "x" * 512}, {"name": "x" * 513}),
        (ALARM, ON_ONE_METRIC | {"name": "x" * 255}, {"name": "x" * 256}),
        (ALARM, ON_ONE_METRIC | {"period": 60, "evaluationPeriods": 1440}, {"evaluationPeriods": 1441}),
        (ALARM, ON_ONE_METRIC | {"period": 1800, "evaluationPeriods": 48}, {"evaluationPeriods": 49}),
        (ALARM, ON_ONE_METRIC | {"period": 3600, "evaluationPeriods": 168}, {"evaluationPeriods": 169}),
        ("aws:sns/topic:Topic", {"name": "x" * 256}, {"name": "x" * 257}),
        (FUNCTION, function() | {"name": "x" * 64}, {"name": "x" * 65}),
        (FUNCTION, function() | {"timeout": 900}, {"timeout": 901}),
        (RULE, {"name": "x" * 64, "scheduleExpression": "rate(1 day)"}, {"name": "x" * 65}),
        ("aws:s3/bucket:Bucket", {"bucket": "x" * 63}, {"bucket": "x" * 64}),
    ],
)
def test_a_limit_of_aws_is_taken_and_one_more_refused(
    aws: Plugin, type_name: str, inputs: Values, beyond: Values
) -> None:
    assert aws.check(type_name, inputs)[1] == {}
    assert {*aws.check(type_name, inputs | beyond)[1]} == {*beyond}


def test_a_typo_is_answered_with_the_nearest_name(aws: Plugin) -> None:
    _, failures = aws.check("aws:kms/key:Key", {"enableKeyRotations": True})
    assert "'enableKeyRotation'" in failures["enableKeyRotations"]


def test_drift_made_by_hand_is_seen_even_where_the_program_says_nothing(aws: Plugin, client: Any) -> None:
    id_, outputs = aws.create("aws:kms/key:Key", {"enableKeyRotation": True})
    client("kms").disable_key(KeyId=id_)
    client("kms").tag_resource(KeyId=id_, Tags=[{"TagKey": "by", "TagValue": "hand"}])
    _, _, read_inputs = aws.read("aws:kms/key:Key", id_, {"enableKeyRotation": True})
    assert read_inputs == {"enableKeyRotation": True, "isEnabled": False, "tags": {"by": "hand"}}
    assert aws.diff("aws:kms/key:Key", outputs, read_inputs, {"enableKeyRotation": True}).changes == SOME


def test_an_alarm_on_one_metric_has_no_drift(aws: Plugin) -> None:
    """Its live state has an empty list of queries."""
    inputs = {
        "name": "on-one-metric",
        "namespace": "test",
        "metricName": "test",
        "statistic": "Sum",
        "period": 60,
        "evaluationPeriods": 1,
        "threshold": 1,
        "comparisonOperator": "GreaterThanThreshold",
    }
    id_, _ = aws.create("aws:cloudwatch/metricAlarm:MetricAlarm", inputs)
    _, _, read_inputs = aws.read("aws:cloudwatch/metricAlarm:MetricAlarm", id_, inputs)
    assert read_inputs == inputs


def test_a_policy_in_other_words_is_no_change(aws: Plugin) -> None:
    one = {"Version": "2012-10-17", "Statement": [{"Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": ["*"]}]}
    other = {"Statement": {"Resource": "*", "Action": ["kms:Decrypt", "kms:Encrypt"]}, "Version": "2012-10-17"}
    old, new = {"policy": json.dumps(one)}, {"policy": json.dumps(other, indent=2)}
    assert aws.diff("aws:kms/key:Key", {}, old, new).changes == NONE


def test_what_is_deployed_is_the_content_of_the_archive(aws: Plugin, owners: dict[str, str], tmp_path: Path) -> None:
    """A folder, a zip file and assets of the same content give the same function; no time or order enters."""
    assert owners
    folder = tmp_path / "source"
    (folder / "inner").mkdir(parents=True)
    (folder / "main.py").write_text("run = print")
    (folder / "inner/other.py").write_text("")
    empty = {SIGNATURE: ASSET}  # the engine leaves an empty text away
    archives: list[Values] = [
        {"path": str(folder)},
        {
            "assets": {
                "main.py": {SIGNATURE: ASSET, "path": str(folder / "main.py")},
                "inner": {SIGNATURE: ARCHIVE, "assets": {"other.py": empty}},
            }
        },
    ]
    (tmp_path / "made.zip").write_bytes(zipped(archives[0]))
    archives.append({"path": str(tmp_path / "made.zip")})
    hashes: set[str] = set()
    for number, archive in enumerate(archives):
        os.utime(folder / "main.py", (number, number))
        code = {SIGNATURE: ARCHIVE, "hash": "0" * 64} | archive
        id_, outputs = aws.create(FUNCTION, function() | {"code": code})
        hashes.add(outputs["codeSha256"])
        aws.delete(FUNCTION, id_, outputs)
    assert len(hashes) == 1
    with zipfile.ZipFile(tmp_path / "made.zip") as made:
        assert {name: made.read(name) for name in made.namelist()} == {"main.py": b"run = print", "inner/other.py": b""}


def test_only_the_content_of_an_archive_counts(aws: Plugin) -> None:
    code = {SIGNATURE: ARCHIVE, "hash": "a", "path": "one"}
    old = function() | {"code": code}
    assert aws.diff(FUNCTION, old, old, old | {"code": code | {"path": "other"}}).changes == NONE
    assert list(aws.diff(FUNCTION, old, old, old | {"code": code | {"hash": "b"}}).diffs) == ["code"]


def test_a_replaced_permission_goes_before_the_new_one_comes(aws: Plugin) -> None:
    """They have the same statement id, and removing the old one would take the new one away."""
    old = CASES[PERMISSION].inputs
    assert aws.diff(PERMISSION, old, old, old | {"sourceArn": "arn:other"}).deleteBeforeReplace
    assert not aws.diff(PERMISSION, old, old, old | {"statementId": "another"}).deleteBeforeReplace


def test_a_rule_that_was_disabled_by_hand_is_drift_where_the_program_says_that_it_is_enabled(
    aws: Plugin, client: Any
) -> None:
    for said, drift in (({"state": "ENABLED"}, SOME), ({}, NONE)):
        inputs = {"name": f"by-hand-{drift}", "scheduleExpression": "rate(1 minute)"} | said
        id_, outputs = aws.create(RULE, inputs)
        client("events").disable_rule(Name=id_)
        _, _, read_inputs = aws.read(RULE, id_, inputs)
        assert aws.diff(RULE, outputs, read_inputs, inputs).changes == drift


def test_a_composite_alarm_over_one_that_does_not_exist_is_refused(aws: Plugin, owners: dict[str, str]) -> None:
    assert owners
    with pytest.raises(grpc.RpcError, match="no alarm has the name missing-one"):
        aws.create(COMPOSITE, {"alarmName": "over-nothing", "alarmRule": "ALARM(missing-one) OR OK(owner-long)"})


def test_a_composite_alarm_is_listed_where_it_is_asked_for(aws: Plugin, client: Any, owners: dict[str, str]) -> None:
    assert owners
    id_, outputs = aws.create(COMPOSITE, {"alarmName": "listed", "alarmRule": "ALARM(owner-long)"})
    listed = {
        kind: client("cloudwatch").describe_alarms(AlarmTypes=[kind]) for kind in ("MetricAlarm", "CompositeAlarm")
    }
    assert id_ in [one["AlarmName"] for one in listed["CompositeAlarm"]["CompositeAlarms"]]
    assert id_ not in [one["AlarmName"] for one in listed["MetricAlarm"]["MetricAlarms"]]
    assert client("cloudwatch").describe_alarms()["CompositeAlarms"] == []
    aws.delete(COMPOSITE, id_, outputs)


def test_a_preview_creates_nothing(aws: Plugin, client: Any) -> None:
    before = len(client("kms").list_keys()["Keys"])
    aws.create("aws:kms/key:Key", {"enableKeyRotation": True}, preview=True)
    assert len(client("kms").list_keys()["Keys"]) == before


def test_a_key_whose_rotation_fails_is_remembered(
    aws_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, client: Any
) -> None:
    for name, value in aws_environment.items():
        monkeypatch.setenv(name, value)

    def fail(*_: object) -> None:
        raise PermissionError("no right to rotate")

    monkeypatch.setattr("sandbox.providers.aws.kms.Key._set_rotation", fail)
    server = grpc.server(ThreadPoolExecutor(1))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(AwsProvider(version="0"), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        stub = provider_pb2_grpc.ResourceProviderStub(grpc.insecure_channel(f"127.0.0.1:{port}"))
        stub.Configure(provider_pb2.ConfigureRequest(args=encode({"region": "us-east-1"})))
        with pytest.raises(grpc.RpcError) as failure:
            stub.Create(provider_pb2.CreateRequest(urn=urn("aws:kms/key:Key"), properties=encode({})))
    finally:
        server.stop(None)
    status = status_pb2.Status.FromString(details_of(failure.value))
    remembered = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(remembered)
    assert client("kms").describe_key(KeyId=remembered.id)["KeyMetadata"]["Enabled"]
    assert "no right to rotate" in remembered.reasons[0]


def details_of(error: Any) -> bytes:
    return next(value for key, value in error.trailing_metadata() if key == "grpc-status-details-bin")


def test_an_unknown_type_is_named_with_those_that_are_served(aws: Plugin) -> None:
    with pytest.raises(grpc.RpcError) as failure:
        aws.check("aws:sqs/queue:Queue", {})
    message = str(failure.value)
    assert "aws:sqs/queue:Queue" in message
    assert "aws:kms/key:Key" in message


def test_an_error_of_aws_keeps_its_code(aws: Plugin) -> None:
    with pytest.raises(grpc.RpcError) as failure:
        aws.create("aws:kms/alias:Alias", {"name": "alias/nowhere", "targetKeyId": "no-such-key"})
    assert "NotFoundException" in str(failure.value)
