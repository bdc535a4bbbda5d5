"""What can be undone: a table of changes, by kind of step and of resource."""

import pytest

from operations.engine_events import FunctionChange, Step
from operations.reversibility import STATELESS, undo_of

pytestmark = pytest.mark.rows("K6", "K9")

KEY, ALIAS = "aws:kms/key:Key", "aws:kms/alias:Alias"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
ROLE = "aws:iam/role:Role"
REVERSIBLE = ""


def step(op: str, kind: str, *properties: str, kept: bool = False) -> Step:
    return Step(op=op, type=kind, name="a", urn="urn:a", properties=dict.fromkeys(properties, "update"), kept=kept)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (step("create", ALARM), REVERSIBLE),
        (step("create", LOG_GROUP), REVERSIBLE),
        (step("create", KEY), "a rollback never takes it away"),
        (step("create", ALIAS), "a rollback never takes it away"),
        (step("import", KEY), "a rollback never takes it away"),
        (step("import", ROLE), "though it was there before"),
        (step("update", KEY, "policy", "rotationPeriodInDays"), REVERSIBLE),
        (step("update", ALIAS, "targetKeyId"), "never points an alias back"),
        (step("update", LOG_GROUP, "tags", "retentionInDays"), "deletes the older log events"),
        (step("update", LOG_GROUP, "tags.retentionInDays"), REVERSIBLE),
        (step("update", "command:local:Command", "triggers[0]"), REVERSIBLE),
        (step("delete", KEY), "can't be read without it"),
        (step("replace", KEY, "customerMasterKeySpec"), "can't be read without it"),
        (step("delete", KEY, kept=True), "can't be read without it"),
        (step("delete", ALIAS), "never points an alias back"),
        (step("delete", LOG_GROUP), "log events are gone"),
        (step("replace", LOG_GROUP, "name"), "log events are gone"),
        (step("delete", LOG_GROUP, kept=True), "a second one"),
        (step("delete", "aws:sns/topic:Topic"), "subscriptions are gone"),
        (step("delete", "aws:sns/topicSubscription:TopicSubscription"), "confirm it again"),
        (step("replace", ROLE, "name"), "another to whatever trusts"),
        (step("delete", "aws:iam/user:User"), "access keys are gone"),
        (step("delete", ALARM), REVERSIBLE),
        (step("delete", "command:local:Command"), REVERSIBLE),
        (step("replace", "aws:iam/rolePolicy:RolePolicy"), REVERSIBLE),
        (step("delete", "aws:s3/bucket:Bucket"), "what it holds is gone"),  # nobody has thought of it yet
    ],
    ids=lambda one: f"{one.op} {one.type} {'kept' * one.kept}" if isinstance(one, Step) else str(one),
)
def test_a_change_is_reversible_or_says_why_not(change: Step, why: str) -> None:
    (found,) = undo_of([change], [])
    assert found.reversible == (not why)
    assert why in found.why
    assert bool(found.why) == bool(why)


@pytest.mark.parametrize(
    ("before", "after", "reversible"), [("1" * 64, "2" * 64, True), ("", "2" * 64, True), ("1" * 64, "", False)]
)
def test_only_a_removed_function_loses_something(before: str, after: str, *, reversible: bool) -> None:
    command = step("update", "command:local:Command", "triggers")
    found = undo_of([command], [FunctionChange(name="refund", before=before, after=after)])
    assert all(one.reversible for one in found) == reversible
    assert reversible or "secrets" in found[-1].why


def test_nothing_that_keeps_data_or_keys_is_called_stateless() -> None:
    assert not {kind for kind in STATELESS if kind.startswith(("aws:kms", "aws:s3", "aws:dynamodb", "aws:logs"))}
