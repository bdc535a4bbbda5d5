"""What the schedule calls."""

import os
import time
from functools import cache
from typing import Any, Protocol

import boto3
from botocore.config import Config

from checks.fetch import Fetch
from probe.access import key_age
from probe.comparison import changes
from probe.fetch import connections, fetch_until
from probe.log import log
from probe.publisher import Publisher
from probe.questions import Probe
from probe.rounds import PUBLISH_SECONDS, Clock, run
from probe.settings import Keys, Settings

CONNECT_SECONDS = 1.0
LOOK_SECONDS = 2 * PUBLISH_SECONDS  # what changes slowly is asked for when a run has that much left: ask, and publish


class Context(Protocol):
    def get_remaining_time_in_millis(self) -> int: ...


@cache
def client(service: str, attempts: int) -> Any:
    """Kept from run to run. A round waits no longer for CloudWatch than it may, and tries once."""
    read = PUBLISH_SECONDS - CONNECT_SECONDS
    config = Config(connect_timeout=CONNECT_SECONDS, read_timeout=read, retries={"total_max_attempts": attempts})
    return boto3.client(service, config=config)  # pyright: ignore[reportCallIssue, reportArgumentType]


def handle(_event: object, context: Context) -> None:
    """Raises: KeysMissingError or AWS's refusal where there are no keys; then nothing is published."""
    settings = Settings.of(os.environ)
    keys = Keys.fetch(client("ssm", 3), settings.parameters)
    pool = connections()

    def fetch(seconds: float) -> Fetch:
        return fetch_until(time.monotonic() + seconds, pool)

    clock, cloudwatch = Clock(), client("cloudwatch", 1)
    publisher = Publisher(cloudwatch, settings.environment)

    def remaining() -> float:
        return context.get_remaining_time_in_millis() / 1000

    run(Probe(settings, keys), fetch=fetch, publish=publisher.publish, remaining=remaining, clock=clock)
    now = clock.now()
    for look in (
        lambda: key_age(client("iam", 1), settings.functions_user, now),
        lambda: changes(cloudwatch, settings.environment, settings.functions, now),
    ):
        if remaining() < LOOK_SECONDS:
            log("no time to look at what changes slowly")
            return
        publisher.publish(look(), now)
