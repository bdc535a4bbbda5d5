"""What somebody does to the keys or to the alarms themselves, told as it happens.

EventBridge gets AWS's API calls from CloudTrail while some trail of the account logs management events;
`pf monitoring check` asks whether one does. Calls on keys are told whichever key of the account they are about: a
pattern with the keys' ids could only be approved once the keys exist.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws

from components.alarm import Problem
from components.naming import Severity, Site, Topic

TARGET = "topic"
KEY_TOUCHED = "docs/runbook.md#a-key-was-touched"
ALARMS_TOUCHED = "docs/runbook.md#alarms-were-touched"


@dataclass(frozen=True, kw_only=True)
class SecurityEvent(Problem):
    """Calls of one service of AWS that somebody has to hear of.

    `on` is the request parameter that says what the call is about, `only` narrows the request further.
    """

    tells: Topic
    service: str
    calls: Sequence[str]
    on: str
    only: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def pattern(self) -> dict[str, Any]:
        """A call that AWS refused changed nothing."""
        detail: dict[str, Any] = {
            "eventSource": [f"{self.service}.amazonaws.com"],
            "eventName": list(self.calls),
            "errorCode": [{"exists": False}],
        }
        if self.only:
            detail["requestParameters"] = dict(self.only)
        return {"source": [f"aws.{self.service}"], "detail-type": ["AWS API Call via CloudTrail"], "detail": detail}


def security_events(site: Site) -> list[SecurityEvent]:
    aliases = sorted(site.key_aliases.values())
    return [
        SecurityEvent(
            what="key-deletion-scheduled",
            rows="K2, M6",
            problem="A key is to be deleted, and with it whatever it has encrypted.",
            severity=Severity.CRITICAL,
            tells=Topic.LEVEL_3,
            runbook=KEY_TOUCHED,
            service="kms",
            calls=["ScheduleKeyDeletion"],
            on="keyId",
        ),
        SecurityEvent(
            what="key-disabled",
            rows="K2, M6",
            problem="A key was disabled: nothing can be encrypted or decrypted with it.",
            severity=Severity.CRITICAL,
            tells=Topic.LEVEL_3,
            runbook=KEY_TOUCHED,
            service="kms",
            calls=["DisableKey"],
            on="keyId",
        ),
        SecurityEvent(
            what="alias-changed",
            rows="K2, M6",
            problem="An alias of ours was deleted, or points to another key.",
            severity=Severity.CRITICAL,
            tells=Topic.LEVEL_2,
            runbook=KEY_TOUCHED,
            service="kms",
            calls=["DeleteAlias", "UpdateAlias"],
            on="aliasName",
            only={"aliasName": aliases},
        ),
        SecurityEvent(
            what="key-policy-changed",
            rows="K2",
            problem="Who may use a key was changed.",
            severity=Severity.WARNING,
            tells=Topic.WARNING,
            runbook=KEY_TOUCHED,
            service="kms",
            calls=["PutKeyPolicy"],
            on="keyId",
        ),
        SecurityEvent(
            what="key-rotation-disabled",
            rows="K2",
            problem="A key doesn't rotate any more.",
            severity=Severity.WARNING,
            tells=Topic.WARNING,
            runbook=KEY_TOUCHED,
            service="kms",
            calls=["DisableKeyRotation"],
            on="keyId",
        ),
        SecurityEvent(
            what="alarms-silenced",
            rows="K2",
            problem="Alarms of ours were deleted, or tell nobody any more.",
            severity=Severity.WARNING,
            tells=Topic.WARNING,
            runbook=ALARMS_TOUCHED,
            service="monitoring",
            calls=["DeleteAlarms", "DisableAlarmActions"],
            on="alarmNames[0]",
            only={"alarmNames": [{"prefix": site.alarm("")}]},
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class SecurityEventsArgs:
    site: Site
    runbook_url: str


class SecurityEvents(pulumi.ComponentResource):
    """A rule and its target for each. Everything in them is known before anything exists."""

    def __init__(self, name: str, args: SecurityEventsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("parkerflight:events:SecurityEvents", name, None, opts)
        events = security_events(args.site)
        for event in events:
            rule = aws.cloudwatch.EventRule(
                event.what,
                name=args.site.rule(event.what),
                description=event.problem,
                event_pattern=json.dumps(event.pattern, sort_keys=True),
                state="ENABLED",
                tags={**args.site.tags, "Severity": event.severity, "Runbook": event.heading},
                opts=pulumi.ResourceOptions(parent=self),
            )
            aws.cloudwatch.EventTarget(
                event.what,
                rule=args.site.rule(event.what),
                target_id=TARGET,
                arn=args.site.arn("sns", args.site.topic(event.tells)),
                input_transformer=_message(event, args.runbook_url),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[rule]),
            )
        self.register_outputs({"rules": [args.site.rule(event.what) for event in events]})


def _message(event: SecurityEvent, runbook_url: str) -> aws.cloudwatch.EventTargetInputTransformerArgs:
    advice = event.advice(runbook_url).replace("\n", " ")  # a template's string is one line
    text = f"{event.problem} <who> called <call> on <what>, at <when>. {advice}"
    return aws.cloudwatch.EventTargetInputTransformerArgs(
        input_paths={
            "who": "$.detail.userIdentity.arn",
            "call": "$.detail.eventName",
            "what": f"$.detail.requestParameters.{event.on}",
            "when": "$.detail.eventTime",
        },
        input_template=json.dumps(text),
    )
