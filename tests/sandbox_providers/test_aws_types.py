"""Each AWS type of the program: made, read without drift, changed, imported, removed, refused where AWS would."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from sandbox.providers.aws.provider import TYPES, AwsProvider
from sandbox.providers.wire import Values, encode
from tests.sandbox_providers.plugin import NONE, SOME, Plugin, urn

pytestmark = pytest.mark.rows("K1", "K2", "K3", "K7")

ACCOUNT = "123456789012"
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


@dataclass(frozen=True, kw_only=True)
class Case:
    """Inputs of one type, a change in place, and a change that makes a new one."""

    inputs: Values
    change: Values
    replacing: Values
    import_skips: tuple[str, ...] = ()
    """Inputs that only steer the provider, which no import can find out."""


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
        replacing={"multiRegion": True},
        import_skips=("deletionWindowInDays",),
    ),
    "aws:kms/alias:Alias": Case(
        inputs={"name": "alias/test-alias", "targetKeyId": "KEY"},
        change={"targetKeyId": "OTHER_KEY"},
        replacing={"name": "alias/another"},
    ),
    "aws:iam/role:Role": Case(
        inputs={"name": "test-role", "assumeRolePolicy": TRUST, "tags": {"a": "b"}},
        change={"description": "changed", "maxSessionDuration": 7200, "tags": {"c": "d"}},
        replacing={"path": "/other/"},
    ),
    "aws:iam/rolePolicy:RolePolicy": Case(
        inputs={"name": "use", "role": "OWNER_ROLE", "policy": policy("kms:Encrypt")},
        change={"policy": policy("kms:Decrypt")},
        replacing={"name": "another"},
    ),
    "aws:iam/user:User": Case(
        inputs={"name": "test-user", "path": "/functions/", "tags": {"a": "b"}},
        change={"tags": {"a": "c"}},
        replacing={"name": "another"},
    ),
    "aws:iam/userPolicy:UserPolicy": Case(
        inputs={"name": "assume", "user": "OWNER_USER", "policy": policy("sts:AssumeRole")},
        change={"policy": policy("sts:TagSession")},
        replacing={"name": "another"},
    ),
    "aws:cloudwatch/logGroup:LogGroup": Case(
        inputs={"name": "/test/group", "retentionInDays": 30, "tags": {"a": "b"}},
        change={"retentionInDays": 90, "tags": {}},
        replacing={"name": "/test/another"},
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
        replacing={"name": "another"},
    ),
    "aws:sns/topicPolicy:TopicPolicy": Case(
        inputs={"arn": "OWNER_TOPIC", "policy": policy("sns:Publish")},
        change={"policy": policy("sns:Subscribe")},
        replacing={"arn": "arn:aws:sns:us-east-1:123456789012:another"},
    ),
    "aws:sns/topicSubscription:TopicSubscription": Case(
        inputs={"topic": "OWNER_TOPIC", "protocol": "email", "endpoint": "oncall@example.com"},
        change={"rawMessageDelivery": True},
        replacing={"endpoint": "other@example.com"},
    ),
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
    return {
        "KEY": kms.create_key()["KeyMetadata"]["KeyId"],
        "OTHER_KEY": kms.create_key()["KeyMetadata"]["KeyId"],
        "OWNER_ROLE": "owner",
        "OWNER_USER": "owner",
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

    read_id, _, read_inputs = aws.read(type_name, id_, inputs)
    assert read_id == id_
    assert aws.diff(type_name, outputs, read_inputs, inputs).changes == NONE, "a fresh resource has no drift"

    new = inputs | filled(case.change, owners)
    difference = aws.diff(type_name, outputs, inputs, new)
    assert difference.changes == SOME
    assert set(case.change) <= set(difference.diffs)
    assert list(difference.replaces) == []
    outputs = aws.update(type_name, id_, outputs, new)
    _, _, read_inputs = aws.read(type_name, id_, new)
    assert aws.diff(type_name, outputs, read_inputs, new).changes == NONE, "an updated resource has no drift"

    _, _, imported = aws.read(type_name, id_)
    known = {key: value for key, value in new.items() if key not in case.import_skips}
    assert aws.diff(type_name, outputs, imported, known).changes == NONE, "an import finds the inputs"

    aws.delete(type_name, id_, outputs)
    gone, _, _ = aws.read(type_name, id_, new)
    # A topic has always a policy: deleting ours gives it back the one that it was born with.
    assert gone == (id_ if type_name == "aws:sns/topicPolicy:TopicPolicy" else "")
    aws.delete(type_name, id_, outputs)


@pytest.mark.parametrize("type_name", CASES)
def test_what_cannot_change_in_place_is_replaced(aws: Plugin, type_name: str) -> None:
    case = CASES[type_name]
    difference = aws.diff(type_name, case.inputs, case.inputs, case.inputs | case.replacing)
    assert list(difference.replaces) == list(case.replacing)


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
        ("aws:kms/key:Key", {"deletionWindowInDays": 1}, "deletionWindowInDays"),
        ("aws:kms/alias:Alias", {"name": "no-prefix", "targetKeyId": "k"}, "name"),
        ("aws:kms/alias:Alias", {"name": "alias/aws/mine", "targetKeyId": "k"}, "name"),
        ("aws:iam/role:Role", {"name": "x" * 65, "assumeRolePolicy": TRUST}, "name"),
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
        (
            "aws:sns/topicSubscription:TopicSubscription",
            {"topic": "t", "protocol": "pigeon", "endpoint": "e"},
            "protocol",
        ),
    ],
)
def test_what_aws_would_refuse_in_mid_deployment_is_refused_at_preview(
    aws: Plugin, type_name: str, inputs: Values, refused: str
) -> None:
    _, failures = aws.check(type_name, inputs)
    assert list(failures) == [refused]
    assert refused in failures[refused]


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


def test_a_policy_in_other_words_is_no_change(aws: Plugin) -> None:
    one = {"Version": "2012-10-17", "Statement": [{"Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": ["*"]}]}
    other = {"Statement": {"Resource": "*", "Action": ["kms:Decrypt", "kms:Encrypt"]}, "Version": "2012-10-17"}
    old, new = {"policy": json.dumps(one)}, {"policy": json.dumps(other, indent=2)}
    assert aws.diff("aws:kms/key:Key", {}, old, new).changes == NONE


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
        aws.check("aws:s3/bucket:Bucket", {})
    message = str(failure.value)
    assert "aws:s3/bucket:Bucket" in message
    assert "aws:kms/key:Key" in message


def test_an_error_of_aws_keeps_its_code(aws: Plugin) -> None:
    with pytest.raises(grpc.RpcError) as failure:
        aws.create("aws:kms/alias:Alias", {"name": "alias/nowhere", "targetKeyId": "no-such-key"})
    assert "NotFoundException" in str(failure.value)
