"""What the pack says about keys."""

from typing import Any

import pytest

from policies.documents import KEY_POLICY
from policies.encryption import ALIAS, BUCKET_CONTEXT, GRANT, KEY
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

pytestmark = pytest.mark.rows("K5")

EXTERNAL_KEY = "aws:kms/externalKey:ExternalKey"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
TOPIC = "aws:sns/topic:Topic"
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/functions"
EXACT = {"kms:EncryptionContext:application": "parker-flight", "kms:EncryptionContext:purpose": "payment-method-data"}
EXACT_APPLICATION = {"kms:EncryptionContext:application": "parker-flight"}
OF_A_BUCKET = {BUCKET_CONTEXT: "arn:aws:s3:::state", "kms:ViaService": "s3.us-east-1.amazonaws.com"}
ADMINISTRATION = {"Effect": "Allow", "Principal": ROOT, "Action": ["kms:PutKeyPolicy"], "Resource": "*"}
USE = {
    "Effect": "Allow",
    "Principal": ROOT,
    "Action": ["kms:Decrypt", "kms:Encrypt"],
    "Resource": "*",
    "Condition": {"ArnEquals": {"aws:PrincipalArn": ROLE}, "StringEquals": EXACT},
}
GRANT_STATEMENT = {"Effect": "Allow", "Principal": ROOT, "Action": "kms:CreateGrant", "Resource": "*"}


def key(verdict: str, *statements: dict[str, Any], said: str = "", type_: str = KEY, **props: Any) -> Row:
    return Row(verdict=verdict, type=type_, said=said, props={"policy": document(*statements), **props})


def identity(verdict: str, *statements: dict[str, Any], said: str = "") -> Row:
    return key(
        verdict, *[{k: v for k, v in s.items() if k != "Principal"} for s in statements], said=said, type_=ROLE_POLICY
    )


NO_KEY = Row(verdict=NOT_APPLICABLE, type=TOPIC, props={})
NO_POLICY = Row(verdict=MISSING, type=KEY, props={}, said="`policy` can't be read for certain: it is missing")
UNKNOWN_POLICY = Row(verdict=NOT_KNOWN, type=KEY, props={"policy": UNKNOWN}, said="policy")

TABLE: Table = {
    "kms-key-rotation": [
        Row(verdict=COMPLIANT, type=KEY, props={"enableKeyRotation": True, "rotationPeriodInDays": 365.0}),
        Row(verdict=COMPLIANT, type=KEY, props={"enableKeyRotation": True, "rotationPeriodInDays": 90}),
        Row(
            verdict=VIOLATING,
            type=KEY,
            props={"enableKeyRotation": True, "rotationPeriodInDays": 366.0},
            said="`rotationPeriodInDays` is 366; write out at most 365",
        ),
        Row(
            verdict=VIOLATING,
            type=KEY,
            props={"enableKeyRotation": True, "rotationPeriodInDays": 0},
            said="`rotationPeriodInDays` is 0",
        ),
        Row(
            verdict=VIOLATING,
            type=KEY,
            props={"enableKeyRotation": "true", "rotationPeriodInDays": 365},
            said="`enableKeyRotation` is not true",
        ),
        Row(verdict=VIOLATING, type=EXTERNAL_KEY, props={}, said="KMS rotates no imported key material"),
        Row(verdict=MISSING, type=KEY, props={"rotationPeriodInDays": 365}, said="`enableKeyRotation` is not true"),
        Row(verdict=MISSING, type=KEY, props={"enableKeyRotation": True}, said="`rotationPeriodInDays` is missing"),
        NO_KEY,
        Row(
            verdict=NOT_KNOWN,
            type=KEY,
            props={"enableKeyRotation": True, "rotationPeriodInDays": UNKNOWN},
            said="rotationPeriodInDays",
        ),
    ],
    "kms-key-deletion-window": [
        Row(verdict=COMPLIANT, type=KEY, props={"deletionWindowInDays": 30.0}),
        Row(
            verdict=VIOLATING, type=KEY, props={"deletionWindowInDays": 7.0}, said="`deletionWindowInDays` is 7; write"
        ),
        Row(verdict=VIOLATING, type=EXTERNAL_KEY, props={"deletionWindowInDays": 29}, said="is 29"),
        Row(verdict=MISSING, type=KEY, props={}, said="`deletionWindowInDays` is missing; write out 30"),
        NO_KEY,
        Row(verdict=NOT_KNOWN, type=KEY, props={"deletionWindowInDays": UNKNOWN}, said="deletionWindowInDays"),
    ],
    "kms-key-protected": [
        Row(verdict=COMPLIANT, type=KEY, props={}),
        Row(verdict=COMPLIANT, type=ALIAS, props={"targetKeyId": UNKNOWN}),
        Row(verdict=VIOLATING, type=KEY, props={}, protect=False, said="the option `protect` is off; set it"),
        Row(verdict=VIOLATING, type=ALIAS, props={}, protect=False, said="the option `protect` is off"),
        Row(verdict=NOT_APPLICABLE, type=TOPIC, props={}, protect=False),
    ],
    "kms-key-principals": [
        key(COMPLIANT, ADMINISTRATION, USE),
        key(COMPLIANT, ADMINISTRATION, {**GRANT_STATEMENT, "Effect": "Deny", "Principal": "*"}),
        key(VIOLATING, {**ADMINISTRATION, "Principal": "*"}, said="statement 1: the Principal * is a wildcard"),
        key(VIOLATING, {**ADMINISTRATION, "Principal": {"AWS": [ROLE, "*"]}}, said="the Principal * is a wildcard"),
        key(VIOLATING, {**ADMINISTRATION, "Principal": {"AWS": "arn:aws:iam::*:root"}}, said="arn:aws:iam::*:root"),
        key(
            VIOLATING,
            {k: v for k, v in ADMINISTRATION.items() if k != "Principal"} | {"Sid": "Others", "NotPrincipal": ROOT},
            said="statement Others: NotPrincipal means everybody else",
        ),
        key(
            VIOLATING,
            {**ADMINISTRATION, "Principal": "*"},
            type_=KEY_POLICY,
            said="the Principal * is a wildcard; name accounts",
        ),
        key(MISSING, {k: v for k, v in ADMINISTRATION.items() if k != "Principal"}, said="it names no Principal"),
        NO_POLICY,
        NO_KEY,
        UNKNOWN_POLICY,
    ],
    "kms-key-no-lockout": [
        key(COMPLIANT, ADMINISTRATION, USE),
        key(COMPLIANT, {**ADMINISTRATION, "Action": "kms:*"}),
        key(COMPLIANT, {**ADMINISTRATION, "Action": "KMS:putkeypolicy"}),
        key(VIOLATING, USE, said="leaves kms:PutKeyPolicy to nobody"),
        key(VIOLATING, {**ADMINISTRATION, "Principal": {"AWS": "210987654321"}}, said="nobody of the account"),
        key(
            VIOLATING,
            {**ADMINISTRATION, "Principal": {"Service": "sns.amazonaws.com"}},
            said="to nobody of the account",
        ),
        key(
            VIOLATING,
            {**ADMINISTRATION, "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}},
            said="leaves kms:PutKeyPolicy to nobody of the account without condition",
        ),
        key(
            VIOLATING,
            ADMINISTRATION,
            {"Sid": "No", "Effect": "Deny", "Principal": ROOT, "NotAction": "kms:Decrypt", "Resource": "*"},
            said="statement No: it denies kms:PutKeyPolicy without a condition",
        ),
        key(
            VIOLATING,
            ADMINISTRATION,
            bypassPolicyLockoutSafetyCheck=True,
            said="`bypassPolicyLockoutSafetyCheck` is on",
        ),
        NO_POLICY,
        NO_KEY,
        UNKNOWN_POLICY,
    ],
    "kms-key-separation": [
        key(COMPLIANT, ADMINISTRATION, USE),
        key(COMPLIANT, ADMINISTRATION, {**USE, "Principal": {"AWS": ROLE}, "Condition": {}}),
        key(
            VIOLATING,
            {**ADMINISTRATION, "Sid": "All", "Action": "kms:*"},
            said="statement All: it allows both kms:Decrypt and kms:CancelKeyDeletion",
        ),
        key(VIOLATING, {**ADMINISTRATION, "Action": ["kms:PutKeyPolicy", "kms:ReEncrypt*"]}, said="it allows both"),
        key(VIOLATING, ADMINISTRATION, {**USE, "Condition": {}}, said="and so to the administrators; name the users"),
        key(
            VIOLATING,
            ADMINISTRATION,
            {**USE, "Condition": {"ArnLike": {"aws:PrincipalArn": f"{ROLE}*"}}},
            said="and so to the administrators",
        ),
        key(VIOLATING, ADMINISTRATION, {**USE, "Principal": {"AWS": ACCOUNT}, "Condition": {}}, said=f"to {ACCOUNT}"),
        key(
            VIOLATING,
            {**ADMINISTRATION, "Principal": {"AWS": ROLE}},
            USE,
            said=f"{ROLE} may both administer and use",
        ),
        identity(COMPLIANT, USE),
        identity(VIOLATING, USE, ADMINISTRATION, said="its holder may both administer and use"),
        NO_POLICY,
        NO_KEY,
        UNKNOWN_POLICY,
    ],
    "kms-encryption-context": [
        key(COMPLIANT, ADMINISTRATION, USE),
        identity(COMPLIANT, USE),
        identity(COMPLIANT, {**USE, "Condition": {"StringEquals": OF_A_BUCKET}}),
        identity(
            VIOLATING,
            {**USE, "Condition": {"StringEquals": EXACT_APPLICATION | {BUCKET_CONTEXT: "arn:aws:s3:::state"}}},
            said="without one exact kms:EncryptionContext:purpose",
        ),
        identity(
            VIOLATING,
            {**USE, "Condition": {"StringEquals": EXACT_APPLICATION | OF_A_BUCKET | {BUCKET_CONTEXT: "arn:*"}}},
            said="without one exact kms:EncryptionContext:purpose",
        ),
        identity(
            VIOLATING,
            {
                **USE,
                "Condition": {
                    "StringEquals": EXACT_APPLICATION | OF_A_BUCKET | {"kms:ViaService": "ssm.us-east-1.amazonaws.com"}
                },
            },
            said="without one exact kms:EncryptionContext:purpose",
        ),
        key(
            VIOLATING,
            {**USE, "Condition": {"StringEquals": {"kms:EncryptionContext:application": "parker-flight"}}},
            said="it allows kms:Decrypt without one exact kms:EncryptionContext:purpose",
        ),
        key(
            VIOLATING,
            {**USE, "Condition": {"StringEquals": EXACT | {"kms:EncryptionContext:purpose": ["a", "b"]}}},
            said="without one exact kms:EncryptionContext:purpose",
        ),
        key(
            VIOLATING,
            {
                **USE,
                "Condition": {
                    "StringEquals": {"kms:EncryptionContext:application": "parker-flight"},
                    "StringLike": {"kms:EncryptionContext:purpose": "payment-*"},
                },
            },
            said="demand it by StringEquals",
        ),
        identity(
            VIOLATING,
            {
                **USE,
                "Action": "kms:Enc*",
                "Condition": {"StringEquals": EXACT | {"kms:EncryptionContext:purpose": "*"}},
            },
            said="it allows kms:Encrypt without one exact kms:EncryptionContext:purpose",
        ),
        NO_POLICY,
        NO_KEY,
        UNKNOWN_POLICY,
    ],
    "kms-no-grants": [
        key(COMPLIANT, ADMINISTRATION, USE),
        key(COMPLIANT, {**GRANT_STATEMENT, "Condition": {"Bool": {"kms:GrantIsForAWSResource": True}}}),
        key(COMPLIANT, {**GRANT_STATEMENT, "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}}}),
        key(VIOLATING, GRANT_STATEMENT, said="it allows kms:CreateGrant"),
        key(VIOLATING, {**GRANT_STATEMENT, "Action": "kms:Create*"}, said="it allows kms:CreateGrant"),
        key(
            VIOLATING,
            {**GRANT_STATEMENT, "Condition": {"Bool": {"kms:GrantIsForAWSResource": "false"}}},
            said="demand kms:GrantIsForAWSResource by Bool",
        ),
        identity(VIOLATING, GRANT_STATEMENT, said="it allows kms:CreateGrant"),
        Row(verdict=VIOLATING, type=GRANT, props={}, said="a grant gives use past the key's policy"),
        NO_POLICY,
        NO_KEY,
        UNKNOWN_POLICY,
    ],
}


@pytest.mark.parametrize(("policy", "row"), cases(TABLE))
def test_keys(policy: str, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    check(policy, row, monkeypatch)
