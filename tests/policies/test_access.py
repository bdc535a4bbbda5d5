"""What the pack says about who may do what."""

from typing import Any

import pulumi
import pulumi_aws.iam as iam
import pytest

from policies.access import ATTACHMENTS, EXCEPTIONS, LONG_LIVED
from policies.documents import BOUNDARIES, PERMISSION, POLICY
from tests.policies.table import (
    ACCOUNT,
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
    document,
)

pytestmark = pytest.mark.rows("K5", "K3")

KEY = "aws:kms/key:Key"
ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
TOPIC_POLICY = "aws:sns/topicPolicy:TopicPolicy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
ACCESS_KEY = "aws:iam/accessKey:AccessKey"

OTHER_ACCOUNT = "210987654321"
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
BUCKET = "arn:aws:s3:::parker-flight"
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": BUCKET}
KEYS = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/*"
BY_ALIAS = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": ["alias/parker-flight-pii-sandbox"]}}
METRICS = {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*"}
LOG = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/parker-flight/sandbox/kms-operations:*"
ASSUME = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": ROOT}
GITHUB = "token.actions.githubusercontent.com"
WEB_IDENTITY = {
    "Effect": "Allow",
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"},
}
EXACT = {f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:sub": "repo:parker/flight:environment:production"}
PUBLISH = {
    "Effect": "Allow",
    "Action": "sns:Publish",
    "Resource": f"arn:aws:sns:us-east-1:{ACCOUNT}:topic",
    "Principal": {"Service": "cloudwatch.amazonaws.com"},
}
BOUNDARY_ARN = f"arn:aws:iam::{ACCOUNT}:policy/boundaries/parker-flight-sandbox-deploy-boundary"
NEVER = {"Effect": "Deny", "Action": ["kms:DisableKey", "kms:ScheduleKeyDeletion"], "Resource": "*"}
BY_RULE = {**PUBLISH, "Principal": {"Service": "events.amazonaws.com"}}


def identity(verdict: str, statement: dict[str, Any], said: str = "") -> Row:
    return Row(verdict=verdict, type=ROLE_POLICY, props={"policy": document(statement)}, said=said)


def trust(verdict: str, statement: dict[str, Any], said: str = "", **config: str | None) -> Row:
    props = {"assumeRolePolicy": document(statement)}
    named = {f"parker-flight:{key}": value for key, value in config.items()}
    return Row(verdict=verdict, type=ROLE, props=props, said=said, config=named)


def topic(verdict: str, statement: dict[str, Any], said: str = "") -> Row:
    return Row(verdict=verdict, type=TOPIC_POLICY, props={"policy": document(statement)}, said=said)


def bounded(verdict: str, arn: str | None, said: str = "") -> Row:
    props = {"assumeRolePolicy": document({**WEB_IDENTITY, "Condition": {"StringEquals": EXACT}})}
    return Row(verdict=verdict, type=ROLE, props=props | ({"permissionsBoundary": arn} if arn else {}), said=said)


def boundary(verdict: str, *statements: dict[str, Any], said: str = "") -> Row:
    return Row(verdict=verdict, type=POLICY, props={"path": BOUNDARIES, "policy": document(*statements)}, said=said)


NO_DOCUMENT = Row(verdict=NOT_APPLICABLE, type="aws:sns/topic:Topic", props={})
NOT_OURS = Row(verdict=NOT_APPLICABLE, type="command:local:Command", props={"policy": "no document"})
NO_POLICY = Row(verdict=MISSING, type=ROLE_POLICY, props={}, said="`policy` can't be read for certain: it is missing")
UNKNOWN_POLICY = Row(verdict=NOT_KNOWN, type=ROLE_POLICY, props={"policy": UNKNOWN}, said="policy")
UNKNOWN_TRUST = Row(verdict=NOT_KNOWN, type=ROLE, props={"assumeRolePolicy": UNKNOWN}, said="assumeRolePolicy")
NO_TRUST = Row(
    verdict=MISSING,
    type=ROLE,
    props={"assumeRolePolicy": "{}"},
    said="`assumeRolePolicy` can't be read for certain: its Version is not",
)


def permission(verdict: str, said: str = "", **changed: str) -> Row:
    """Of a Lambda function, by properties instead of a document."""
    props = {"action": "lambda:InvokeFunction", "function": "x", "principal": "events.amazonaws.com"} | changed
    return Row(verdict=verdict, type=PERMISSION, props=props, said=said)


TABLE: Table = {
    "iam-no-wildcard-action": [
        identity(COMPLIANT, READ),
        identity(COMPLIANT, {**READ, "Effect": "Deny", "Action": "*"}),
        permission(COMPLIANT),
        permission(VIOLATING, action="lambda:*", said="the Action lambda:* is a wildcard"),
        identity(VIOLATING, {**READ, "Action": "*"}, said="the Action * is a wildcard; list the actions"),
        identity(VIOLATING, {**READ, "Action": ["s3:PutObject", "s3:Get*"]}, said="the Action s3:Get* is a wildcard"),
        identity(
            VIOLATING,
            {"Effect": "Allow", "NotAction": "iam:CreateUser", "Resource": BUCKET},
            said="NotAction allows everything else",
        ),
        trust(VIOLATING, {**ASSUME, "Action": "sts:*"}, said="`assumeRolePolicy`, statement 1: the Action sts:*"),
        Row(
            verdict=VIOLATING,
            type=ROLE,
            props={"inlinePolicies": [{"name": "x", "policy": document({**READ, "Action": "s3:*"})}]},
            said="`inlinePolicies.0.policy`, statement 1: the Action s3:* is a wildcard",
        ),
        Row(
            verdict=VIOLATING,
            type="aws:s3/bucketPolicy:BucketPolicy",
            props={"policy": document({**READ, "Principal": ROOT, "Action": "s3:*"})},
            said="the Action s3:* is a wildcard",
        ),
        NO_POLICY,
        NO_DOCUMENT,
        NOT_OURS,
        UNKNOWN_POLICY,
        Row(
            verdict=NOT_KNOWN,
            type=ROLE_POLICY,
            props={"policy": {"Version": "2012-10-17", "Statement": [{**READ, "Action": [UNKNOWN]}]}},
            said="policy.Statement.0.Action.0",
        ),
    ],
    "iam-no-wildcard-resource": [
        identity(COMPLIANT, READ),
        boundary(NOT_APPLICABLE, {**READ, "Action": "*", "Resource": "*"}),
        identity(COMPLIANT, {**METRICS, "Condition": {"StringEquals": {"cloudwatch:namespace": "ParkerFlight/KMS"}}}),
        identity(COMPLIANT, {**READ, "Action": ["kms:Decrypt"], "Resource": KEYS, "Condition": BY_ALIAS}),
        identity(COMPLIANT, {**READ, "Action": "logs:PutLogEvents", "Resource": LOG}),
        identity(COMPLIANT, {**READ, "Effect": "Deny", "Resource": "*"}),
        Row(
            verdict=COMPLIANT,
            type=KEY,
            props={"policy": document({**READ, "Action": "kms:PutKeyPolicy", "Principal": ROOT, "Resource": "*"})},
        ),
        identity(VIOLATING, METRICS, said="the Resource * is a wildcard and no listed exception"),
        identity(
            VIOLATING,
            {**METRICS, "Condition": {"StringEquals": {"cloudwatch:namespace": ["ParkerFlight/KMS", "*"]}}},
            said="the Resource * is a wildcard",
        ),
        identity(
            VIOLATING,
            {
                **METRICS,
                "Action": ["cloudwatch:PutMetricData", "cloudwatch:DeleteAlarms"],
                "Condition": {"StringEquals": {"cloudwatch:namespace": "ParkerFlight/KMS"}},
            },
            said="the Resource * is a wildcard",
        ),
        identity(VIOLATING, {**READ, "Action": "kms:Decrypt", "Resource": KEYS}, said="key/* is a wildcard"),
        identity(
            VIOLATING,
            {**READ, "Action": "kms:PutKeyPolicy", "Resource": KEYS, "Condition": BY_ALIAS},
            said="key/* is a wildcard",
        ),
        identity(
            VIOLATING,
            {**READ, "Action": "kms:Decrypt", "Resource": KEYS.replace(ACCOUNT, "*"), "Condition": BY_ALIAS},
            said="key/* is a wildcard",
        ),
        identity(
            VIOLATING,
            {**READ, "Action": "logs:PutLogEvents", "Resource": LOG.replace("sandbox", "*")},
            said="is a wildcard and no listed exception; name the resource",
        ),
        identity(VIOLATING, {**READ, "Resource": [BUCKET, f"{BUCKET}/?"]}, said=f"{BUCKET}/? is a wildcard"),
        identity(
            VIOLATING,
            {"Effect": "Allow", "Action": "s3:GetObject", "NotResource": BUCKET},
            said="NotResource allows everything else",
        ),
        topic(VIOLATING, {**PUBLISH, "Resource": "*"}, said="the Resource * is a wildcard"),
        identity(MISSING, {"Effect": "Allow", "Action": "s3:GetObject"}, said="it names no Resource"),
        NO_POLICY,
        NO_DOCUMENT,
        UNKNOWN_POLICY,
    ],
    "iam-named-principals": [
        trust(COMPLIANT, ASSUME),
        topic(COMPLIANT, PUBLISH),
        topic(COMPLIANT, {**PUBLISH, "Effect": "Deny", "Principal": "*"}),
        permission(COMPLIANT),
        permission(VIOLATING, principal="*", said="`principal`, the permission: the Principal * is a wildcard"),
        permission(VIOLATING, principal="", said="it names no Principal; name one"),
        trust(VIOLATING, {**ASSUME, "Principal": "*"}, said="the Principal * is a wildcard"),
        trust(VIOLATING, {**ASSUME, "Principal": {"AWS": "*"}}, said="the Principal * is a wildcard"),
        topic(
            VIOLATING,
            {k: v for k, v in PUBLISH.items() if k != "Principal"} | {"NotPrincipal": ROOT},
            said="NotPrincipal means everybody else",
        ),
        topic(MISSING, {k: v for k, v in PUBLISH.items() if k != "Principal"}, said="it names no Principal"),
        NO_TRUST,
        NO_DOCUMENT,
        UNKNOWN_TRUST,
    ],
    "iam-oidc-subject": [
        trust(COMPLIANT, {**WEB_IDENTITY, "Condition": {"StringEquals": EXACT}}),
        trust(COMPLIANT, ASSUME),
        trust(
            VIOLATING,
            {
                **WEB_IDENTITY,
                "Condition": {
                    "StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"},
                    "StringLike": {f"{GITHUB}:sub": "repo:parker/flight:*"},
                },
            },
            said=f"demand one exact {GITHUB}:sub by StringEquals",
        ),
        trust(
            VIOLATING,
            {**WEB_IDENTITY, "Condition": {"StringEquals": EXACT | {f"{GITHUB}:sub": ["a", "b"]}}},
            said=f"demand one exact {GITHUB}:sub",
        ),
        trust(
            VIOLATING,
            {**WEB_IDENTITY, "Condition": {"StringEquals": EXACT | {f"{GITHUB}:sub": "repo:parker/*"}}},
            said=f"demand one exact {GITHUB}:sub",
        ),
        trust(
            VIOLATING,
            {**WEB_IDENTITY, "Principal": ROOT, "Condition": {"StringEquals": EXACT}},
            said="it allows a web identity without a Federated principal",
        ),
        trust(
            MISSING,
            {**WEB_IDENTITY, "Condition": {"StringEquals": {f"{GITHUB}:sub": EXACT[f"{GITHUB}:sub"]}}},
            said=f"demand one exact {GITHUB}:aud",
        ),
        NO_DOCUMENT,
        UNKNOWN_TRUST,
    ],
    "iam-oidc-boundary": [
        bounded(COMPLIANT, BOUNDARY_ARN),
        trust(COMPLIANT, ASSUME),
        bounded(VIOLATING, BOUNDARY_ARN.replace("boundaries/", ""), said="is no policy below /boundaries/"),
        bounded(MISSING, None, said="`permissionsBoundary` is no policy below /boundaries/"),
        bounded(NOT_KNOWN, UNKNOWN, said="permissionsBoundary"),
        NO_DOCUMENT,
    ],
    "iam-boundary": [
        boundary(COMPLIANT, {**READ, "Action": "*", "Resource": "*"}, NEVER),
        boundary(VIOLATING, READ, {**NEVER, "Action": "kms:DisableKey"}, said="doesn't deny kms:ScheduleKeyDeletion"),
        boundary(VIOLATING, READ, {**NEVER, "Action": "kms:S*"}, said="doesn't deny kms:DisableKey"),
        *(
            boundary(
                VIOLATING, READ, {"Effect": "Deny", "Action": "kms:S*", "Resource": "*"}, changed, said="DisableKey"
            )
            for changed in (
                {**NEVER, "Effect": "Allow"},
                {**NEVER, "Resource": KEYS},
                {**NEVER, "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}},
            )
        ),
        Row(verdict=MISSING, type=POLICY, props={"path": BOUNDARIES}, said="`policy` can't be read for certain"),
        Row(verdict=NOT_APPLICABLE, type=POLICY, props={"path": "/", "policy": document(READ)}),
        Row(verdict=NOT_KNOWN, type=POLICY, props={"path": UNKNOWN, "policy": document(READ)}, said="path"),
    ],
    "iam-confused-deputy": [
        trust(COMPLIANT, ASSUME),
        trust(COMPLIANT, {**ASSUME, "Principal": {"AWS": ACCOUNT}}),
        trust(
            COMPLIANT,
            {
                **ASSUME,
                "Principal": {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:role/partner"},
                "Condition": {"StringEquals": {"sts:ExternalId": "x"}},
            },
        ),
        topic(COMPLIANT, {**PUBLISH, "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}),
        topic(
            COMPLIANT,
            {
                **PUBLISH,
                "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:*"}},
            },
        ),
        topic(COMPLIANT, BY_RULE),
        topic(
            VIOLATING,
            {**BY_RULE, "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/x"}}},
            said="events.amazonaws.com meets no condition at a topic",
        ),
        topic(VIOLATING, {**BY_RULE, "Action": "sns:*"}, said="events.amazonaws.com works for every customer of AWS"),
        trust(
            VIOLATING,
            {**ASSUME, "Principal": {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:role/partner"}},
            said=f"arn:aws:iam::{OTHER_ACCOUNT}:role/partner is of another account; demand sts:ExternalId",
        ),
        trust(
            VIOLATING,
            {**ASSUME, "Principal": {"AWS": "AROAEXAMPLEID"}},
            said="AROAEXAMPLEID is of another account",
        ),
        trust(
            VIOLATING,
            {
                **ASSUME,
                "Principal": {"AWS": OTHER_ACCOUNT},
                "Condition": {"StringLike": {"sts:ExternalId": "*"}},
            },
            said="demand sts:ExternalId by StringEquals",
        ),
        permission(COMPLIANT, sourceArn=f"arn:aws:events:us-east-1:{ACCOUNT}:rule/x"),
        permission(COMPLIANT, sourceAccount=ACCOUNT),
        permission(COMPLIANT, principal=ACCOUNT),
        permission(VIOLATING, said="events.amazonaws.com works for every customer of AWS"),
        permission(VIOLATING, sourceArn="arn:aws:s3:::bucket", said="demand aws:SourceAccount"),
        permission(VIOLATING, sourceArn=f"arn:aws:events:us-east-1:{OTHER_ACCOUNT}:rule/x", said="works for every"),
        permission(VIOLATING, sourceAccount=OTHER_ACCOUNT, said="works for every"),
        permission(VIOLATING, principal=OTHER_ACCOUNT, said=f"{OTHER_ACCOUNT} is of another account"),
        permission(NOT_KNOWN, sourceArn=UNKNOWN, said="sourceArn"),
        topic(VIOLATING, PUBLISH, said="cloudwatch.amazonaws.com works for every customer of AWS"),
        topic(
            VIOLATING,
            {**PUBLISH, "Condition": {"StringEquals": {"aws:SourceAccount": [ACCOUNT, OTHER_ACCOUNT]}}},
            said=f"demand aws:SourceAccount {ACCOUNT}",
        ),
        topic(
            VIOLATING,
            {**PUBLISH, "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:cloudwatch:us-east-1:*:alarm:*"}}},
            said="works for every customer of AWS",
        ),
        trust(MISSING, ASSUME, said="is of another account", awsAccountId=None),
        NO_TRUST,
        NO_DOCUMENT,
        UNKNOWN_TRUST,
    ],
    "iam-listed-managed-policy": [
        Row(verdict=COMPLIANT, type=ATTACHMENT, props={"policyArn": f"arn:aws:iam::{ACCOUNT}:policy/ours"}),
        Row(
            verdict=VIOLATING,
            type=ATTACHMENT,
            props={"policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
            said="`policyArn` is arn:aws:iam::aws:policy/AdministratorAccess: what that allows is not ours to see",
        ),
        Row(
            verdict=VIOLATING,
            type=ROLE,
            props={"managedPolicyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]},
            said="`managedPolicyArns` is arn:aws:iam::aws:policy/ReadOnlyAccess",
        ),
        Row(
            verdict=VIOLATING,
            type=ATTACHMENT,
            props={"policyArn": BOUNDARY_ARN},
            said="which is there to limit; attach another",
        ),
        Row(verdict=MISSING, type=ATTACHMENT, props={}, said="`policyArn` is missing"),
        Row(verdict=NOT_APPLICABLE, type=ROLE, props={}),
        NO_DOCUMENT,
        Row(verdict=NOT_KNOWN, type=ATTACHMENT, props={"policyArn": UNKNOWN}, said="policyArn"),
    ],
    "iam-no-long-lived-credential": [
        *(
            Row(verdict=VIOLATING, type=type_, props={"user": UNKNOWN}, said="a credential in the stack lives as long")
            for type_ in sorted(LONG_LIVED)
        ),
        Row(verdict=NOT_APPLICABLE, type="aws:iam/user:User", props={}),
    ],
}


@pytest.mark.parametrize(("policy", "row"), cases(TABLE))
def test_access(policy: str, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    check(policy, row, monkeypatch)


def test_every_exception_has_a_reason() -> None:
    for exception in EXCEPTIONS:
        assert exception.reason
        assert not [action for action in exception.actions if "*" in action]


def test_whatever_attaches_a_policy_is_known() -> None:
    assert iam.Role  # the module is loaded once something is read of it
    resources = {
        name
        for name, value in vars(iam).items()
        if isinstance(value, type) and issubclass(value, pulumi.CustomResource)
    }
    known = {type_.rpartition(":")[2] for type_ in ATTACHMENTS} - {"Role"}
    assert known == {name for name in resources if "PolicyAttachment" in name}
