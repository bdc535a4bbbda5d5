"""Alarms that ring: `sandbox.alarms` decides on what was published, moto shows the state, and topics are told.

moto 5.2.5 keeps the state that an alarm was made with, and runs no action.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.backends import get_backend
from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from sandbox.alarms import definitions
from sandbox.alarms.definitions import Alarm, DefinitionError
from sandbox.alarms.series import Metric, from_api
from sandbox.alarms.state import State, Transition
from sandbox.alarms.watch import Alarms
from sandbox.providers.aws.cloudwatch import CompositeAlarm, MetricAlarm
from sandbox.providers.wire import Values

SUBJECT_LETTERS = 100
REGION_NAMES = {"us-east-1": "US East (N. Virginia)"}
STATE = ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history")


@dataclass
class Watch:
    """The alarms of one account and region, evaluated by a thread of their own whenever one is due."""

    account: str
    region: str
    backend: CloudWatchBackend
    alarms: Alarms = field(default_factory=lambda: Alarms([]))
    known: dict[str, Alarm] = field(default_factory=dict[str, Alarm])
    changed: threading.Condition = field(default_factory=threading.Condition)

    def start(self) -> None:
        threading.Thread(target=self._evaluate_for_ever, name="alarms", daemon=True).start()

    def put(self, namespace: str, data: list[dict[str, Any]]) -> None:
        with self.changed:
            for datum in data:
                name, dimensions, content = from_api(datum, time.time())
                self.alarms.put(Metric.of(namespace, name, dimensions), content)

    def define(self, given: Values, of: Callable[[Values], Alarm]) -> None:
        """Raises: ValidationError where CloudWatch would refuse it, or the sandbox can't simulate it."""
        try:
            alarm = of(given)
            with self.changed:
                self._know({**self.known, alarm.name: alarm})
        except DefinitionError as error:
            raise ValidationError(str(error)) from error

    def forget(self, names: list[str]) -> None:
        """Raises: ValidationError where a composite alarm needs one of them."""
        try:
            with self.changed:
                self._know({name: alarm for name, alarm in self.known.items() if name not in names})
        except DefinitionError as error:
            raise ValidationError(f"Cannot delete: {error}") from error

    def _know(self, alarms: dict[str, Alarm]) -> None:
        self.alarms.define(alarms.values())
        self.known = alarms
        self.changed.notify()

    def set_state(self, name: str, state: State, why: str) -> None:
        with self.changed:
            told = self.alarms.set_state(name, state, time.time(), why)
        if told:
            self._tell(told)

    def _evaluate_for_ever(self) -> None:
        while True:
            with self.changed:
                now = time.time()
                due = self.alarms.next_due(now)
                self.changed.wait(None if due is None else due - now)
                transitions = self.alarms.evaluate(time.time())
            for transition in transitions:
                self._tell(transition)

    def _tell(self, change: Transition) -> None:
        alarm = self.backend.alarms.get(change.alarm)
        if alarm is None:  # deleted meanwhile
            return
        if change.old is not change.new:
            alarm.update_state(change.reason, "{}", change.new)
        for topic_arn in change.actions:
            topics = get_backend("sns")[self.account][self.region].topics
            if topic := topics.get(topic_arn):  # like CloudWatch, whose action on a topic that is gone just fails
                topic.publish(message(alarm, change, self.account, self.region), subject=subject(change, self.region))


def evaluate_alarms(response: type[CloudWatchResponse], backend: type[CloudWatchBackend]) -> None:
    """Feed the alarms with what is published, by a request or by the sandbox itself, and keep them as declared."""
    watches: dict[tuple[str, str], Watch] = {}
    lock = threading.Lock()

    def watch(backend: CloudWatchBackend) -> Watch:
        place = str(backend.account_id), str(backend.region_name)
        with lock:
            if place not in watches:
                watches[place] = Watch(*place, backend)
                watches[place].start()
            return watches[place]

    def defining(put: Callable[[CloudWatchResponse], ActionResult], of: Callable[[Values], Alarm]) -> Any:
        def put_and_watch(self: CloudWatchResponse) -> ActionResult:
            given: Values = self._get_params()  # pyright: ignore[reportPrivateUsage]
            alarms, name = self.cloudwatch_backend.alarms, given["AlarmName"]
            before = alarms.get(name)
            watch(self.cloudwatch_backend).define(given, of)
            answer = put(self)
            if before is None:
                alarms[name].state_value = State.INSUFFICIENT_DATA  # moto says OK
            else:  # a change leaves the state as it is
                vars(alarms[name]).update({key: vars(before)[key] for key in STATE})
            return answer

        return put_and_watch

    put_data, delete, set_state = backend.put_metric_data, response.delete_alarms, response.set_alarm_state

    def put_metric_data(self: CloudWatchBackend, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        put_data(self, namespace, metric_data)
        watch(self).put(namespace, metric_data)

    def delete_alarms(self: CloudWatchResponse) -> ActionResult:
        watch(self.cloudwatch_backend).forget(self._get_params()["AlarmNames"])  # pyright: ignore[reportPrivateUsage]
        return delete(self)

    def set_alarm_state(self: CloudWatchResponse) -> ActionResult:
        answer = set_state(self)
        given: Values = self._get_params()  # pyright: ignore[reportPrivateUsage]
        watch(self.cloudwatch_backend).set_state(given["AlarmName"], State(given["StateValue"]), given["StateReason"])
        return answer

    unwatched: Any = response
    response.put_metric_alarm = defining(response.put_metric_alarm, _metric_alarm)
    unwatched.put_composite_alarm = defining(unwatched.put_composite_alarm, _composite_alarm)
    backend.put_metric_data = put_metric_data
    response.delete_alarms = delete_alarms
    response.set_alarm_state = set_alarm_state


def _metric_alarm(given: Values) -> Alarm:
    return definitions.MetricAlarm.from_inputs(MetricAlarm().inputs_from(given))


def _composite_alarm(given: Values) -> Alarm:
    return definitions.CompositeAlarm.from_inputs(CompositeAlarm().inputs_from(given))


def subject(change: Transition, region: str) -> str:
    """As CloudWatch words it, in what SNS takes as a subject."""
    whole = f'{change.new}: "{change.alarm}" in {REGION_NAMES.get(region, region)}'
    return whole if len(whole) <= SUBJECT_LETTERS else f"{whole[: SUBJECT_LETTERS - 3]}..."


def message(alarm: Any, change: Transition, account: str, region: str) -> str:
    """The JSON that CloudWatch sends to a topic."""
    return json.dumps(
        {
            "AlarmName": change.alarm,
            "AlarmDescription": alarm.description,
            "AWSAccountId": account,
            "NewStateValue": change.new,
            "NewStateReason": change.reason,
            "StateChangeTime": datetime.fromtimestamp(change.at, UTC).isoformat(timespec="milliseconds"),
            "Region": REGION_NAMES.get(region, region),
            "AlarmArn": alarm.alarm_arn,
            "OldStateValue": change.old,
        }
    )
