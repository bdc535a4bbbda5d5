"""Waivers: one rule, one resource, a reason, somebody who answers for it, and an end."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import yaml

from policies.analyzer import APPROVAL
from policies.rules import all_policies
from policies.waivers import FILE, WaiverError, load, place, read

pytestmark = pytest.mark.rows("K5")

TODAY = date(2027, 5, 31)
RULES = {"sns-topic-encrypted", "stack-tags"}
GOOD: dict[str, Any] = {
    "rule": "sns-topic-encrypted",
    "resource": "aws:sns/topic:Topic::notifications-level-1",
    "reason": "because",
    "approver": "security",
    "expires": TODAY,
}
URN = "urn:pulumi:sandbox::parker-flight::parkerflight:sns:Notifications$aws:sns/topic:Topic::notifications-level-1"


def test_a_waiver_holds_for_its_rule_and_its_resource_alone() -> None:
    waivers = read(yaml.safe_dump([GOOD]), RULES, TODAY)
    assert str(waivers.of("sns-topic-encrypted", URN)) == "waived until 2027-05-31 by security: because"
    assert waivers.of("stack-tags", URN) is None
    assert waivers.of("sns-topic-encrypted", f"{URN}-2") is None
    assert waivers.of("sns-topic-encrypted", URN.replace("sns/topic:Topic", "sqs/queue:Queue")) is None
    assert waivers.of("sns-topic-encrypted", "") is None


@pytest.mark.parametrize(
    ("urn", "expected"),
    [
        ("urn:pulumi:s::p::aws:sns/topic:Topic::x", "aws:sns/topic:Topic::x"),
        ("urn:pulumi:s::p::a:b:C$d:e:F$aws:sns/topic:Topic::x", "aws:sns/topic:Topic::x"),
        ("urn:pulumi:s::p::a:b:C$aws:sns/topic:Topic::x::y$z", "aws:sns/topic:Topic::x::y$z"),
    ],
)
def test_the_resource_is_told_whatever_component_holds_it(urn: str, expected: str) -> None:
    assert place(urn) == expected


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"expires": TODAY - timedelta(days=1)}, "it expired on 2027-05-30: mend .*, or have security renew it"),
        ({"expires": "never"}, "`expires` is 'never', not a date like 2027-05-31"),
        ({"rule": "sns-topic-*"}, "'sns-topic-\\*' is no rule that can be waived"),
        ({"rule": "sns-topic-encryptd"}, "is no rule that can be waived; docs/policies.md lists them"),
        ({"resource": "aws:sns/topic:Topic::*"}, "is not one resource"),
        ({"resource": "aws:sns/topic:*::critical"}, "is not one resource"),
        ({"resource": "*"}, "is not one resource"),
        ({"resource": "notifications-level-1"}, "written <type>::<name> without wildcards"),
        ({"reason": " "}, "`reason` is empty"),
        ({"approver": ""}, "`approver` is empty"),
        ({"approver": None}, "`approver` is empty"),
        ({"more": 1}, "it has not exactly the fields rule, resource, reason, approver, expires"),
    ],
)
def test_an_expired_blanket_or_unknown_waiver_keeps_the_pack_from_starting(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(WaiverError, match=f"waiver 2 of waivers.yaml: .*{said}"):
        read(yaml.safe_dump([GOOD | {"rule": "stack-tags"}, GOOD | changes]), RULES, TODAY)


def test_a_waiver_without_an_end_is_refused() -> None:
    with pytest.raises(WaiverError, match="not exactly the fields"):
        read(yaml.safe_dump([{key: value for key, value in GOOD.items() if key != "expires"}]), RULES, TODAY)


def test_the_same_waiver_twice_is_refused() -> None:
    with pytest.raises(WaiverError, match=r"waiver 2 .* is waived for aws:sns/topic:Topic::notifications-level-1"):
        read(yaml.safe_dump([GOOD, GOOD]), RULES, TODAY)


@pytest.mark.parametrize("text", ["{", "rule: x", "just text"])
def test_a_file_that_is_no_list_of_waivers_is_refused(text: str) -> None:
    with pytest.raises(WaiverError, match="is no"):
        read(text, RULES, TODAY)


def test_no_waiver_lasts_longer_than_a_year_and_the_approval_is_never_waived() -> None:
    rules = {policy.name for policy in all_policies()} - {APPROVAL}
    waivers = load(rules)
    assert waivers.all()
    for waiver in waivers.all():
        assert waiver.expires <= datetime.now(UTC).date() + timedelta(days=366)
    with pytest.raises(WaiverError, match="no rule that can be waived"):
        read(FILE.read_text().replace("sns-topic-encrypted", APPROVAL), rules, TODAY)
