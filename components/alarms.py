"""The stack's alarms as CloudWatch has them, each telling its topic when it rings and when it is over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.alarm import CompositeAlarm, MetricAlarm
from components.alarm_catalogue import alarms
from components.naming import Site, Topic

NEVER = "never"


@dataclass(frozen=True, kw_only=True)
class AlarmsArgs:
    site: Site
    functions: Sequence[str]
    minutes: Mapping[Topic, int]  # until the next level is told
    topic_arns: Mapping[Topic, pulumi.Input[str]]
    runbook_url: str


class Alarms(pulumi.ComponentResource):
    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("parkerflight:cloudwatch:Alarms", name, None, opts)
        self._args = args
        metrics, composites = alarms(args.site, args.functions, args.minutes)
        made: dict[str, aws.cloudwatch.MetricAlarm | aws.cloudwatch.CompositeAlarm] = {}
        for alarm in metrics:
            made[alarm.what] = self._metric(alarm)
        never = self._never() if any(alarm.wait_seconds for alarm in composites) else None
        for alarm in composites:
            made[alarm.what] = self._composite(alarm, [made[part] for part in alarm.parts], never)
        self.register_outputs({"arns": {what: one.arn for what, one in made.items()}})

    def _metric(self, alarm: MetricAlarm) -> aws.cloudwatch.MetricAlarm:
        actions = self._actions(alarm.tells)
        return aws.cloudwatch.MetricAlarm(
            alarm.what,
            name=self._args.site.alarm(alarm.what),
            alarm_description=self._description(alarm),
            comparison_operator="GreaterThanThreshold" if alarm.above is not None else "LessThanThreshold",
            threshold=alarm.above if alarm.above is not None else alarm.below,
            evaluation_periods=alarm.measure.periods,
            datapoints_to_alarm=alarm.measure.breaching,
            metric_queries=alarm.measure.queries,
            treat_missing_data=alarm.missing_data,
            alarm_actions=actions,
            ok_actions=actions,
            tags=self._tags(alarm),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _composite(
        self, alarm: CompositeAlarm, parts: Sequence[pulumi.Resource], never: aws.cloudwatch.CompositeAlarm | None
    ) -> aws.cloudwatch.CompositeAlarm:
        actions = self._actions(alarm.tells)
        over = actions
        suppressor = None
        if alarm.wait_seconds and never:
            # CloudWatch holds the actions back for as long as it waits for the suppressor, and drops them if the
            # alarm is over by then. One that never rings makes of it: "tell only if it still stands". It waits with
            # the end just so, and tells it whatever was told of the beginning: whom nobody woke must not be woken.
            over = None
            suppressor = aws.cloudwatch.CompositeAlarmActionsSuppressorArgs(
                alarm=never.alarm_name, wait_period=alarm.wait_seconds, extension_period=0
            )
        return aws.cloudwatch.CompositeAlarm(
            alarm.what,
            alarm_name=self._args.site.alarm(alarm.what),
            alarm_description=self._description(alarm),
            alarm_rule=self._rule(alarm),
            alarm_actions=actions,
            ok_actions=over,
            actions_suppressor=suppressor,
            tags=self._tags(alarm),
            opts=pulumi.ResourceOptions(parent=self, depends_on=parts),
        )

    def _never(self) -> aws.cloudwatch.CompositeAlarm:
        return aws.cloudwatch.CompositeAlarm(
            NEVER,
            alarm_name=self._args.site.alarm(NEVER),
            alarm_description="Never rings. Alarms that tell of what still stands after a while wait for it in vain.",
            alarm_rule="FALSE",
            tags=self._args.site.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _rule(self, alarm: CompositeAlarm) -> str:
        groups = [" AND ".join(f'ALARM("{self._args.site.alarm(part)}")' for part in group) for group in alarm.any_of]
        return " OR ".join(f"({group})" if " AND " in group and len(groups) > 1 else group for group in groups)

    def _actions(self, topic: Topic | None) -> list[pulumi.Input[str]] | None:
        return [self._args.topic_arns[topic]] if topic else None

    def _tags(self, alarm: MetricAlarm | CompositeAlarm) -> dict[str, str]:
        return {**self._args.site.tags, "Severity": alarm.severity, "Runbook": alarm.heading}

    def _description(self, alarm: MetricAlarm | CompositeAlarm) -> str:
        """Three lines. The dashboard has the links to everything else."""
        advice = alarm.advice(self._args.runbook_url)
        return f"{alarm.problem} {advice}\nDashboard: {self._args.site.dashboard_url}"
