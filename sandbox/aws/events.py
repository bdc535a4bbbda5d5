"""EventBridge: rules that run by their schedule or on an event reach their targets, as moto 5.2.5 leaves them."""

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import lambda_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.events.models import EventsBackend, Rule, events_backends
from moto.sns.models import sns_backends

from sandbox.aws.functions import Functions
from sandbox.aws.resource_policy import allows
from sandbox.aws.timetable import Timetable

SERVICE = "events.amazonaws.com"
log = logging.getLogger("sandbox.events")


class RefusedError(Exception):
    """Why a target did not take an event."""


class EventBridge:
    """Follows the rules that stand in moto."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._changed = threading.Event()

    def follow_schedules(self) -> None:
        """Run scheduled rules when they are due, for ever; without rules it sleeps."""
        timetable = Timetable()
        while True:
            scheduled = {rule.arn: rule for rule in scheduled_rules()}
            expressions = {arn: rule.scheduled_expression or "" for arn, rule in scheduled.items()}
            for arn in timetable.due(expressions, time.monotonic()):
                self.run(scheduled[arn])
            following = timetable.next
            self._changed.wait(None if following is None else max(0, following - time.monotonic()))
            self._changed.clear()

    def look_again(self) -> None:
        """Rules have changed."""
        self._changed.set()

    def run(self, rule: Rule) -> list[threading.Thread]:
        """Run a scheduled rule now; the functions among its targets run in the threads that are returned."""
        return self.send(rule, event_of(rule, "aws.events", "Scheduled Event", {}, [rule.arn]))

    def run_all(self) -> list[str]:
        """Run every scheduled rule now, and return their names when their functions have ended."""
        scheduled = list(scheduled_rules())
        for thread in [thread for rule in scheduled for thread in self.run(rule)]:
            thread.join()
        return [rule.name for rule in scheduled]

    def send(self, rule: Rule, event: dict[str, Any]) -> list[threading.Thread]:
        """Hand an event to every target of a rule."""
        threads: list[threading.Thread] = []
        refused = 0
        for target in list(rule.targets):
            try:
                threads += self._hand_over(rule, target["Arn"], payload(rule, target, event))
            except RefusedError as refusal:
                refused += 1
                log.error("%s: %s: %s", rule.name, target["Arn"], refusal)  # noqa: TRY400  # not an error of ours
        count = {"TriggeredRules": 1, "Invocations": len(rule.targets), "FailedInvocations": refused}
        dimensions = [{"Name": "RuleName", "Value": rule.name}]
        data = [{"MetricName": name, "Value": value, "Dimensions": dimensions} for name, value in count.items()]
        cloudwatch_backends[rule.account_id][rule.region_name].put_metric_data("AWS/Events", data)
        return threads

    def _hand_over(self, rule: Rule, target: str, text: str) -> list[threading.Thread]:
        _, _, service, region, account, *_ = target.split(":")
        if service == "sns":
            topic = sns_backends[account][region].topics.get(target)
            if topic is None:
                raise RefusedError("there is no such topic")
            # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html: a topic's policy
            # can't have conditions for EventBridge.
            _refuse_unless_allowed(rule, json.loads(topic.policy)["Statement"], "sns:Publish", source_arn=None)
            topic.publish(text)
            return []
        try:
            function = lambda_backends[account][region].get_function(target)
        except UnknownFunctionException:
            raise RefusedError("there is no such function") from None
        _refuse_unless_allowed(rule, function.policy.statements, "lambda:InvokeFunction", source_arn=rule.arn)
        return [self._functions.start(function, text)]


def serve_rules(backend: type[EventsBackend], bridge: EventBridge) -> None:
    """Start to follow the schedules, and look again when a rule is made, changed or enabled."""

    def then_look_again(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            answer = method(*arguments, **named)
            bridge.look_again()
            return answer

        return call

    backend.put_rule = then_look_again(backend.put_rule)
    backend.enable_rule = then_look_again(backend.enable_rule)
    threading.Thread(target=bridge.follow_schedules, name="schedules", daemon=True).start()


def rules() -> Iterator[Rule]:
    """Every enabled rule of every account and region."""
    for account in list(events_backends.values()):
        for backend in list(account.values()):
            for bus in list(backend.event_buses.values()):
                yield from (rule for rule in list(bus.rules.values()) if rule.state != "DISABLED")


def scheduled_rules() -> Iterator[Rule]:
    return (rule for rule in rules() if rule.scheduled_expression)


def event_of(rule: Rule, source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": rule.account_id,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": rule.region_name,
        "resources": resources,
        "detail": detail,
    }


def payload(rule: Rule, target: dict[str, Any], event: dict[str, Any]) -> str:
    """What the target gets: the event, a part of it, fixed text, or a template with parts of it."""
    if fixed := target.get("Input"):
        return str(fixed)
    if path := target.get("InputPath"):
        return json.dumps(_at(event, path))
    if transformer := target.get("InputTransformer"):
        values = {name: _at(event, path) for name, path in transformer.get("InputPathsMap", {}).items()}
        values |= {"aws.events.rule-arn": rule.arn, "aws.events.rule-name": rule.name, "aws.events.event.json": event}
        return _filled(transformer["InputTemplate"], values)
    return json.dumps(event)


def _at(event: Any, path: str) -> Any:
    """The value at a path like `$.detail.alarms[0]`; None where there is none."""
    for key, index in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path):
        try:
            event = event[int(index) if index else key]
        except (KeyError, IndexError, TypeError):
            return None
    return event


def _filled(template: str, values: dict[str, Any]) -> str:
    """`<name>` within a string becomes its text, elsewhere its JSON; a name without a value becomes nothing."""

    def within_string(found: re.Match[str]) -> str:
        value = values.get(found[1])
        text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
        return json.dumps(text)[1:-1]

    def replace(found: re.Match[str]) -> str:
        if found[1] is None:
            return re.sub(r"<([\w.\-]+)>", within_string, found[0])
        value = values.get(found[1])
        return "" if value is None else json.dumps(value)

    return re.sub(r'"(?:\\.|[^"\\])*"|<([\w.\-]+)>', replace, template)


def _refuse_unless_allowed(
    rule: Rule, statements: list[dict[str, Any]], action: str, *, source_arn: str | None
) -> None:
    if not allows(statements, service=SERVICE, action=action, source_arn=source_arn):
        raise RefusedError(f"its policy does not allow {action} to {SERVICE} for {rule.arn}")
