"""Somebody is told: faults are made on a deployed sandbox, and the notifications are read from the inbox."""

import json
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import dropwhile
from typing import Any

import httpx
import pytest

from sandbox import inbox
from sandbox.inbox import Message
from tests.e2e.checkout import Checkout, new_checkout

pytestmark = [pytest.mark.drill, pytest.mark.rows("K2", "M6", "L4")]

PREFIX = "parker-flight-sandbox"
ALIAS = f"alias/{PREFIX.removesuffix('-sandbox')}-pii-sandbox"
NOTICED_SECONDS = 120  # L4
CALLERS = 4
OVER_SECONDS = 240  # an ok comes once the bad periods have left the window


@pytest.fixture(scope="module")
def monitored() -> Iterator[Checkout]:
    """A deployment of its own, once every metric has arrived."""
    with new_checkout() as checkout:
        checkout.pf("sandbox", "up")
        checkout.approved()
        checkout.pf("deploy")
        assert checkout.eventually(lambda: not unwell(checkout), OVER_SECONDS), unwell(checkout)
        yield checkout


def unwell(checkout: Checkout) -> dict[str, str]:
    """What `pf monitoring check` finds wrong, in its words."""
    report = json.loads(checkout.pf("monitoring", "check", "--json", check=False).stdout)
    return {one["name"]: one["detail"] for one in report["checks"] if one["status"] != "healthy"}


def heard(checkout: Checkout, topic: str) -> list[Message]:
    found = inbox.read(checkout.state / "sandbox/aws" / inbox.INBOX)
    return [one for one in found if one.topic == f"{PREFIX}-{topic}"]


def told(checkout: Checkout, topic: str, alarm: str) -> list[dict[str, Any]]:
    """What an alarm told its topic since it first rang, the oldest first."""
    found: list[dict[str, Any]] = [
        json.loads(one.message) for one in heard(checkout, topic) if one.message.startswith("{")
    ]
    of_alarm = [one for one in found if one["AlarmName"] == f"{PREFIX}-{alarm}"]
    return list(dropwhile(lambda one: one["NewStateValue"] != "ALARM", of_alarm))


def states(checkout: Checkout, topic: str, alarm: str) -> list[str]:
    return [one["NewStateValue"] for one in told(checkout, topic, alarm)]


@contextmanager
def traffic(checkout: Checkout) -> Generator[None]:
    """Callers who encrypt, many every second, whatever they get."""
    token, over = checkout.token("authenticated"), threading.Event()

    def call() -> None:
        while not over.is_set():
            try:
                checkout.call("encrypt-data", {"purpose": "user-profile-data", "plaintext": "x"}, token)
            except httpx.HTTPError:
                continue  # what they get is what is tested

    with ThreadPoolExecutor(CALLERS) as pool:
        for _ in range(CALLERS):
            pool.submit(call)
        try:
            yield
        finally:
            over.set()


def test_a_function_that_is_gone_is_told_within_two_minutes_and_so_is_its_return(monitored: Checkout) -> None:
    variables = monitored.environment
    url = f"{variables['SUPABASE_API_URL']}/v1/projects/sandboxsandboxsandbo/functions/encrypt-data"
    headers = {"Authorization": f"Bearer {variables['SUPABASE_ACCESS_TOKEN']}"}
    httpx.delete(url, headers=headers).raise_for_status()

    def down() -> list[str]:
        return states(monitored, "level-2", "encrypt-data-down")

    assert monitored.eventually(lambda: down() == ["ALARM"], NOTICED_SECONDS), down()
    (message,) = told(monitored, "level-2", "encrypt-data-down")
    assert "docs/runbook.md#a-function-is-down" in message["AlarmDescription"]
    assert monitored.pf("status", check=False).returncode == 2
    monitored.pf("deploy")
    assert monitored.eventually(lambda: down() == ["ALARM", "OK"], OVER_SECONDS), down()


def test_kms_that_refuses_and_the_alias_that_was_taken_away_are_told(monitored: Checkout) -> None:
    with traffic(monitored):
        monitored.aws("kms").delete_alias(AliasName=ALIAS)

        def failing() -> list[str]:
            return states(monitored, "level-2", "encrypt-data-kms-failures")

        assert monitored.eventually(lambda: failing() == ["ALARM"], NOTICED_SECONDS), failing()
        (touched,) = [one.message for one in heard(monitored, "level-2") if "An alias of ours" in one.message]
        assert f"called DeleteAlias on {ALIAS}" in touched
        assert "docs/runbook.md#a-key-was-touched" in touched
        monitored.pf("deploy")
        assert monitored.eventually(lambda: failing() == ["ALARM", "OK"], OVER_SECONDS), failing()


@pytest.mark.rows("O2")
def test_an_alarm_that_was_deleted_is_told_and_turns_the_check_red(monitored: Checkout) -> None:
    assert monitored.eventually(lambda: not unwell(monitored), OVER_SECONDS), unwell(monitored)
    monitored.aws("cloudwatch").delete_alarms(AlarmNames=[f"{PREFIX}-rest-down"])
    (silenced,) = [one.message for one in heard(monitored, "warning") if "Alarms of ours were deleted" in one.message]
    assert f"called DeleteAlarms on {PREFIX}-rest-down" in silenced
    assert "MetricAlarm rest-down" in unwell(monitored)["alarms"]
    assert monitored.pf("monitoring", "check", check=False).returncode == 2
    monitored.pf("deploy")
    assert "alarms" not in unwell(monitored)


@pytest.mark.rows("O2")
@pytest.mark.parametrize(
    ("service", "call", "arguments", "part", "named"),
    [
        ("events", "remove_targets", {"Rule": f"{PREFIX}-probe", "Ids": ["probe"]}, "rules", "EventTarget probe"),
        (
            "lambda",
            "remove_permission",
            {"FunctionName": f"{PREFIX}-probe", "StatementId": "schedule"},
            "probe",
            "Permission probe",
        ),
    ],
)
def test_what_calls_the_probe_no_more_turns_the_check_red(
    monitored: Checkout, service: str, call: str, arguments: dict[str, Any], part: str, named: str
) -> None:
    getattr(monitored.aws(service), call)(**arguments)
    assert named in unwell(monitored)[part]
    monitored.pf("deploy")
    assert part not in unwell(monitored)
