"""A project that answers as a test says, and a clock that nobody waits for."""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from checks.fetch import Fetch, Reply, Request, UnreachableError
from probe.comparison import ENOUGH
from probe.database import PATH
from probe.rounds import Clock
from probe.settings import Keys, Settings
from tests.checks.fakes import said, self_check

START = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
KEYS = Keys(anon="anon", service_role="role")
SETTINGS = Settings(
    environment="sandbox",
    gateway_url="http://gateway",
    functions=("create-payment-method", "encrypt-data"),
    functions_user="parker-flight-sandbox-functions",
    purposes=("general-data", "payment-method-data", "user-profile-data"),
    parameters="/parker-flight/sandbox/probe",
)
METRICS = """\
# HELP pg_stat_database_num_backends The number of active backends
# TYPE pg_stat_database_num_backends gauge
pg_stat_database_num_backends{supabase_project_ref="abc",service_type="postgresql",server="localhost:5432"} 12
max_connections_connection_count{supabase_project_ref="abc",server="localhost:5432"} 60
node_memory_MemTotal_bytes{service_type="db"} 4e+09
node_memory_MemAvailable_bytes{service_type="db"} 1e+09
node_filesystem_size_bytes{device="/dev/nvme0n1p2",fstype="ext4",mountpoint="/"} 1e+10
node_filesystem_size_bytes{device="/dev/nvme1n1",fstype="ext4",mountpoint="/data"} 8e+09
node_filesystem_avail_bytes{device="/dev/nvme0n1p2",fstype="ext4",mountpoint="/"} 9e+09
node_filesystem_avail_bytes{device="/dev/nvme1n1",fstype="ext4",mountpoint="/data"} 2e+09
replication_slots_max_lag_bytes{service_type="postgresql"} NaN
"""


def cpu(idle: float, iowait: float, user: float) -> str:
    """Two processors that did the same."""
    return "".join(
        f'node_cpu_seconds_total{{service_type="db",cpu="{number}",mode="{mode}"}} {value}\n'
        for number in (0, 1)
        for mode, value in (("idle", idle), ("iowait", iowait), ("user", user))
    )


@dataclass
class Gateway:
    """All is well, but for what `replies` says of a path. `metrics` are given one after the other."""

    replies: dict[str, Reply | Exception] = field(default_factory=dict[str, Reply | Exception])
    metrics: list[str] = field(default_factory=lambda: [METRICS + cpu(100, 10, 10), METRICS + cpu(120, 15, 25)])
    asked: list[Request] = field(default_factory=list[Request])
    silent: frozenset[str] = frozenset()
    released: threading.Event = field(default_factory=threading.Event)

    def fetch(self, _seconds: float) -> Fetch:
        return self

    def __call__(self, request: Request) -> Reply:
        self.asked.append(request)
        path = request.url.removeprefix(SETTINGS.gateway_url).partition("?")[0]
        if path in self.silent:
            self.released.wait()
            raise UnreachableError("too late", timed_out=True, connected=True)
        if path in self.replies:
            if isinstance(reply := self.replies[path], Exception):
                raise reply
            return reply
        if path == PATH:
            return said(200, self.metrics.pop(0))
        if path.startswith("/rest/"):
            return said(200, [])
        if request.body is None:
            return said(200, self_check(function=path.rpartition("/")[2]))
        fields = json.loads(request.body)
        turned = fields.get("plaintext", fields.get("ciphertext"))[::-1]
        return said(200, {"ciphertext" if "plaintext" in fields else "plaintext": turned})


@dataclass
class Time:
    """Sleeping is what passes it."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list[float])

    @property
    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.seconds, sleep=self._sleep, now=self.now)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def remaining(self, whole: float) -> Callable[[], float]:
        return lambda: whole - self.seconds

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


class Iam:
    """A user with these keys, each with its status and age in days."""

    def __init__(self, *keys: tuple[str, int], error: Exception | None = None) -> None:
        self._keys = [{"Status": status, "CreateDate": START - timedelta(days=days)} for status, days in keys]
        self._error = error

    def list_access_keys(self, *, UserName: str) -> Any:  # noqa: N803
        del UserName
        if self._error:
            raise self._error
        return {"AccessKeyMetadata": self._keys}


class Steady:
    """A CloudWatch where every hour had as many samples as it takes, and the same p95."""

    def get_metric_data(self, *, MetricDataQueries: Sequence[Any], StartTime: datetime, EndTime: datetime) -> Any:  # noqa: N803
        assert StartTime < EndTime
        return {"MetricDataResults": [{"Id": one["Id"], "Values": [ENOUGH]} for one in MetricDataQueries]}
