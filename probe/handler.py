"""What the schedule calls."""

import os
import time
from functools import cache
from typing import Any, Protocol

import boto3
from botocore.config import Config

from checks.fetch import Fetch
from probe.fetch import connections, fetch_until
from probe.publisher import Publisher
from probe.questions import Probe
from probe.rounds import PUBLISH_SECONDS, Clock, run
from probe.settings import Keys, Settings

CONNECT_SECONDS = 1.0


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

    run(
        Probe(settings, keys),
        fetch=fetch,
        publish=Publisher(client("cloudwatch", 1), settings.environment).publish,
        remaining=lambda: context.get_remaining_time_in_millis() / 1000,
        clock=Clock(),
    )
