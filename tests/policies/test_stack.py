"""What the pack says about where a stack stands and whose it is."""

import importlib
import inspect
import json
from typing import Any

import pytest

from policies.stack import CONTACT_ROLES, PROVIDER, STACK, WITHOUT_TAGS
from settings import CONTACT_ROLES as THOSE_OF_THE_SETTINGS
from tests.policies.table import (
    ACCOUNT,
    COMPLIANT,
    CONFIG,
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

pytestmark = pytest.mark.rows("K5")

KEY = "aws:kms/key:Key"
ALIAS = "aws:kms/alias:Alias"
COMMAND = "command:local:Command"
BOUND = {"region": "us-east-1", "allowedAccountIds": json.dumps([ACCOUNT])}
TAGS = {"Application": "parker-flight", "Environment": "sandbox", "ManagedBy": "pulumi"}
CONTACTS: dict[str, Any] = json.loads(CONFIG["parker-flight:contacts"])


def provider(verdict: str, said: str = "", **changes: Any) -> Row:
    props = {key: value for key, value in {**BOUND, **changes}.items() if value is not None}
    return Row(verdict=verdict, type=PROVIDER, props=props, said=said)


def contacts(verdict: str, value: Any, said: str = "") -> Row:
    spelled = value if isinstance(value, str) or value is None else json.dumps(value)
    return Row(verdict=verdict, type=STACK, props={}, said=said, config={"parker-flight:contacts": spelled})


TABLE: Table = {
    "stack-region": [
        provider(COMPLIANT),
        Row(verdict=COMPLIANT, type=KEY, props={"region": "us-east-1"}),
        provider(VIOLATING, "`region` is eu-west-1; allowed is us-east-1", region="eu-west-1"),
        Row(verdict=VIOLATING, type=KEY, props={"region": "eu-west-1"}, said="`region` is eu-west-1"),
        provider(MISSING, "`region` is missing; allowed is us-east-1", region=None),
        Row(verdict=NOT_APPLICABLE, type=KEY, props={}),
        Row(verdict=NOT_APPLICABLE, type=COMMAND, props={"region": "eu-west-1"}),
        provider(NOT_KNOWN, "region", region=UNKNOWN),
    ],
    "stack-account": [
        provider(COMPLIANT),
        provider(COMPLIANT, allowedAccountIds=[ACCOUNT], skipRequestingAccountId="false"),
        provider(COMPLIANT, allowedAccountIds=f"[{ACCOUNT}]"),  # set by `pulumi config set --path`
        provider(VIOLATING, "the stack's account is 123456789012", allowedAccountIds='["210987654321"]'),
        provider(VIOLATING, "`allowedAccountIds` is 123456789012, 2", allowedAccountIds=f'["{ACCOUNT}", "2"]'),
        provider(VIOLATING, "`skipRequestingAccountId` is on", skipRequestingAccountId="true"),
        provider(MISSING, "`allowedAccountIds` is missing", allowedAccountIds=None),
        provider(MISSING, "`allowedAccountIds` is missing", allowedAccountIds="[]"),
        Row(
            verdict=MISSING,
            type=PROVIDER,
            props=BOUND,
            config={"parker-flight:awsAccountId": None},
            said="the stack's account is missing",
        ),
        Row(verdict=NOT_APPLICABLE, type="pulumi:providers:command", props={}),
        provider(NOT_KNOWN, "allowedAccountIds", allowedAccountIds=UNKNOWN),
    ],
    "stack-tags": [
        Row(verdict=COMPLIANT, type=KEY, props={"tags": {**TAGS, "DataClass": "pii"}}),
        Row(
            verdict=VIOLATING,
            type=KEY,
            props={"tags": {**TAGS, "Environment": "production"}},
            said="`tags.Environment` is production, not sandbox",
        ),
        Row(verdict=VIOLATING, type=KEY, props={"tags": {**TAGS, "ManagedBy": ""}}, said="`tags.ManagedBy` is missing"),
        Row(
            verdict=MISSING,
            type="aws:sqs/queue:Queue",
            props={"tags": {k: v for k, v in TAGS.items() if k != "Application"}},
            said="`tags.Application` is missing, not parker-flight",
        ),
        Row(verdict=NOT_APPLICABLE, type=ALIAS, props={}),
        Row(verdict=NOT_APPLICABLE, type=COMMAND, props={}),
        Row(verdict=NOT_KNOWN, type=KEY, props={"tags": {**TAGS, "Environment": UNKNOWN}}, said="tags.Environment"),
    ],
    "stack-contacts": [
        contacts(COMPLIANT, CONTACTS),
        contacts(
            VIOLATING,
            CONTACTS | {"security": {"name": "S", "email": " "}},
            said="pulumi config set --path 'parker-flight:contacts.security.email' <value>",
        ),
        contacts(
            VIOLATING, CONTACTS | {"devops": {"email": "a@example.com"}}, said="contacts.devops has no name; `pulumi"
        ),
        contacts(
            MISSING,
            {role: person for role, person in CONTACTS.items() if role != "security"},
            said="contacts.security has no name and no email",
        ),
        Row(verdict=NOT_APPLICABLE, type=KEY, props={}),
    ],
}


@pytest.mark.parametrize(("policy", "row"), cases(TABLE))
def test_stack(policy: str, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    check(policy, row, monkeypatch)


@pytest.mark.parametrize("type_", sorted(WITHOUT_TAGS))
def test_what_is_excused_from_tags_can_have_none(type_: str) -> None:
    _, place, name = type_.split(":")
    service = place.partition("/")[0]
    module = importlib.import_module(f"pulumi_aws.{'lambda_' if service == 'lambda' else service}")
    assert "tags" not in inspect.signature(getattr(module, name)._internal_init).parameters


def test_the_pack_and_the_settings_ask_for_the_same_contacts() -> None:
    assert CONTACT_ROLES == THOSE_OF_THE_SETTINGS
