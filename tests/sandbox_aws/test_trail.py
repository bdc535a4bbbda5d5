"""Rules that wait for API calls: what was done to keys and alarms reaches a topic."""

import json
from collections.abc import Callable, Generator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from sandbox.inbox import read
from tests.sandbox_aws.server import Aws

pytestmark = pytest.mark.rows("K2", "K7")

Watch = Callable[..., Callable[[], list[dict[str, Any]]]]


@pytest.fixture
def watch(aws: Aws) -> Generator[Watch]:
    """Makes a rule of this pattern with a topic behind it; what it returns reads the events that the topic got."""
    events, sns = aws.client("events"), aws.client("sns")
    names: list[str] = []

    def make(pattern: dict[str, Any], **settings: Any) -> Callable[[], list[dict[str, Any]]]:
        name = f"watch-{uuid4().hex[:8]}"
        topic = sns.create_topic(Name=name)["TopicArn"]
        statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement | {"Resource": topic}]})
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
        events.put_rule(Name=name, EventPattern=json.dumps(pattern), **settings)
        events.put_targets(Rule=name, Targets=[{"Id": "topic", "Arn": topic}])
        names.append(name)
        return lambda: [json.loads(message.message) for message in read(aws.inbox) if message.topic == name]

    yield make
    for name in names:
        events.remove_targets(Rule=name, Ids=["topic"])
        events.delete_rule(Name=name)


def of(source: str, *names: str) -> dict[str, Any]:
    return {
        "source": [f"aws.{source}"],
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {"eventSource": [f"{source}.amazonaws.com"], "eventName": list(names)},
    }


def test_what_is_done_to_a_key_reaches_who_waits_for_it_and_nobody_else(aws: Aws, watch: Watch) -> None:
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    told, others = watch(of("kms", "ScheduleKeyDeletion", "DisableKey", "PutKeyPolicy")), watch(of("kms", "EnableKey"))
    kms.disable_key(KeyId=key)
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy='{"Version": "2012-10-17", "Statement": []}')
    kms.list_keys()
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert [event["detail"]["eventName"] for event in told()] == ["DisableKey", "PutKeyPolicy", "ScheduleKeyDeletion"]
    last = told()[-1]
    assert last["detail"]["requestParameters"] == {"keyId": key, "pendingWindowInDays": 7}
    assert last["detail"]["userIdentity"]["accountId"] == last["account"] == "123456789012"
    assert "errorCode" not in last["detail"]
    assert others() == []


def test_a_deleted_alarm_is_named(aws: Aws, watch: Watch) -> None:
    told = watch(of("monitoring", "DeleteAlarms"))
    aws.client("cloudwatch").delete_alarms(AlarmNames=["one", "two"])
    (event,) = told()
    assert event["detail"]["requestParameters"] == {"alarmNames": ["one", "two"]}


def test_who_did_it_is_named(aws: Aws, watch: Watch) -> None:
    aws.client("iam").create_role(RoleName="careless", AssumeRolePolicyDocument="{}")
    told = watch(of("kms", "CreateKey"))
    session = aws.client("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/careless", RoleSessionName="me")
    made = session["Credentials"]
    aws.client("kms", keys=(made["AccessKeyId"], made["SecretAccessKey"])).create_key()
    (event,) = told()
    assert event["detail"]["userIdentity"]["arn"] == "arn:aws:sts::123456789012:assumed-role/careless/me"


def test_a_call_that_failed_says_so(aws: Aws, watch: Watch) -> None:
    told = watch(of("kms", "DisableKey"))
    only_done = watch({"detail": {"eventName": ["DisableKey"], "errorCode": [{"exists": False}]}})
    with pytest.raises(ClientError):
        aws.client("kms").disable_key(KeyId="00000000-0000-4000-8000-000000000000")
    (event,) = told()
    assert event["detail"]["errorCode"] == "NotFoundException"
    assert only_done() == []


def test_reading_and_using_a_key_reach_only_a_rule_that_asks_for_all(aws: Aws, watch: Watch) -> None:
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    pattern = of("kms", "Encrypt", "DescribeKey")
    ordinary, every = watch(pattern), watch(pattern, State="ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
    kms.encrypt(KeyId=key, Plaintext=b"secret")
    kms.describe_key(KeyId=key)
    assert ordinary() == []
    assert [event["detail"]["requestParameters"] for event in every()] == [{"keyId": key}, {"keyId": key}]


def test_a_disabled_rule_is_told_nothing(aws: Aws, watch: Watch) -> None:
    told = watch(of("iam", "CreateUser"), State="DISABLED")
    aws.client("iam").create_user(UserName=f"user-{uuid4().hex[:8]}")
    assert told() == []


def test_iam_is_heard_in_its_region(aws: Aws, watch: Watch) -> None:
    told = watch(of("iam", "CreateUser"))
    name = f"user-{uuid4().hex[:8]}"
    aws.client("iam").create_user(UserName=name)
    assert [event["detail"]["requestParameters"]["userName"] for event in told()] == [name]
