"""Whether a change can be undone: a rollback brings programs and settings back, but no key, no data, no identity.

What is not known to hold nothing of its own counts as forward-only, so that a new type is never called safe by mistake.
"""

from collections.abc import Iterable, Sequence

from pydantic import BaseModel

from operations.engine_events import FunctionChange, Step

KEY = "aws:kms/key:Key"
ALIAS = "aws:kms/alias:Alias"
KEPT = frozenset({KEY, ALIAS})  # a rollback that would take one of these away is refused

# They are what their inputs say and nothing else: made anew, they are the same.
STATELESS = frozenset(
    {
        "aws:cloudwatch/compositeAlarm:CompositeAlarm",
        "aws:cloudwatch/dashboard:Dashboard",
        "aws:cloudwatch/eventRule:EventRule",
        "aws:cloudwatch/eventTarget:EventTarget",
        "aws:cloudwatch/logMetricFilter:LogMetricFilter",
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        "aws:iam/policy:Policy",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "aws:iam/userPolicy:UserPolicy",
        "aws:iam/userPolicyAttachment:UserPolicyAttachment",
        "aws:lambda/function:Function",
        "aws:lambda/permission:Permission",
        "aws:sns/topicPolicy:TopicPolicy",
        "command:local:Command",
        "pulumi:providers:aws",
        "pulumi:providers:command",
    }
)
LOST = {
    KEY: "what this key has encrypted can't be read without it, and no key can be made again",
    ALIAS: "a rollback never points an alias back",
    "aws:cloudwatch/logGroup:LogGroup": "its log events are gone",
    "aws:iam/accessKey:AccessKey": "its secret is gone",
    "aws:iam/role:Role": "one of the same name is another to whatever trusts this one",
    "aws:iam/user:User": "its access keys are gone, and one of the same name is another to whatever trusts this one",
    "aws:sns/topic:Topic": "its subscriptions are gone, and people have to confirm new ones",
    "aws:sns/topicSubscription:TopicSubscription": "whoever subscribed has to confirm it again",
}
# Updates whose effect stays when the setting is put back, by type and property.
LASTING = {
    (ALIAS, "targetKeyId"): "what is encrypted from now on needs the new key; a rollback never points an alias back",
    ("aws:cloudwatch/logGroup:LogGroup", "retentionInDays"): "a shorter time deletes the older log events",
}
ADDED = "a rollback never takes it away: versions without it can't come back"
IMPORTED = "a rollback would delete it, though it was there before"
REMOVED_FUNCTION = "its source comes back, secrets that were set for it alone and data that it kept do not"


class Undo(BaseModel):
    """Whether one change can be undone; where it can't, why."""

    op: str
    type: str
    name: str
    reversible: bool
    why: str = ""


def undo_of(steps: Iterable[Step], functions: Iterable[FunctionChange]) -> list[Undo]:
    """One entry a change, in their order."""
    found = [
        Undo(op=step.op, type=step.type, name=step.name, reversible=not (why := _forward_only(step)), why=why)
        for step in steps
    ]
    return found + [
        Undo(op="delete", type="function", name=one.name, reversible=False, why=REMOVED_FUNCTION)
        for one in functions
        if not one.after
    ]


def forward_only(found: Sequence[Undo]) -> list[Undo]:
    return [one for one in found if not one.reversible]


def _forward_only(step: Step) -> str:
    """Why the step can't be undone; empty where it can."""
    if step.op == "create":
        return ADDED if step.type in KEPT else ""
    if step.op == "update":
        lasting = (LASTING.get((step.type, path.partition(".")[0].partition("[")[0])) for path in step.properties)
        return "; ".join(sorted({why for why in lasting if why}))
    if step.type in STATELESS:
        return ""
    if step.op == "import":
        return ADDED if step.type in KEPT else IMPORTED
    if step.kept and step.type not in KEPT:
        return "it stays in the cloud, and coming back would make a second one"
    return LOST.get(step.type, "what it holds is gone")
