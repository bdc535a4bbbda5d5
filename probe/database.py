"""The database's load, out of Supabase's metrics endpoint.

Names as https://github.com/supabase/supabase-grafana lists them. The endpoint is in beta: a name that is gone is said,
and the others still count.
"""

import base64
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Self

from checks.fetch import Fetch, Request, UnreachableError
from probe.data import DATABASE, Datum
from probe.prometheus import FormatError, Sample, samples

PATH = "/customer/v1/privileged/metrics"
CONNECTIONS = "pg_stat_database_num_backends"
MAX_CONNECTIONS = "max_connections_connection_count"
CPU = "node_cpu_seconds_total"
IDLE = ("idle", "iowait")
MEMORY, MEMORY_LEFT = "node_memory_MemTotal_bytes", "node_memory_MemAvailable_bytes"
DISK, DISK_LEFT = "node_filesystem_size_bytes", "node_filesystem_avail_bytes"
NAMES = frozenset({CONNECTIONS, MAX_CONNECTIONS, CPU, MEMORY, MEMORY_LEFT, DISK, DISK_LEFT})


class NoReadingError(Exception):
    """Why there are no figures, or not all."""


@dataclass(frozen=True, kw_only=True)
class CpuTime:
    """Seconds since the machine's start, of all its processors together."""

    total: float
    idle: float


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the endpoint said at one moment."""

    samples: Sequence[Sample]

    @classmethod
    def ask(cls, fetch: Fetch, gateway_url: str, service_role_key: str) -> Self:
        """Raises: NoReadingError."""
        credentials = base64.b64encode(f"service_role:{service_role_key}".encode()).decode()
        request = Request(method="GET", url=gateway_url + PATH, headers={"Authorization": f"Basic {credentials}"})
        try:
            reply = fetch(request)
        except UnreachableError as error:
            raise NoReadingError("no answer in time" if error.timed_out else error.kind) from error
        if reply.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise NoReadingError("the key is not accepted")
        if reply.status != HTTPStatus.OK:
            raise NoReadingError(f"answered {reply.status}")
        try:
            return cls(samples=samples(reply.body.decode(), NAMES))
        except (FormatError, UnicodeDecodeError) as error:
            raise NoReadingError(f"gave no metrics: {error}") from error

    def data(self, before: "Reading | None") -> tuple[list[Datum], list[str]]:
        """The figures, and why one is missing. How busy the processors are shows between two readings only."""
        figures: dict[str, Callable[[], float]] = {
            "Connections": lambda: self._sum(CONNECTIONS),
            "ConnectionsPercent": lambda: _percent(self._sum(CONNECTIONS), self._sum(MAX_CONNECTIONS)),
            "MemoryPercent": lambda: _used(self._sum(MEMORY_LEFT), self._sum(MEMORY)),
            "DiskPercent": self._fullest,
        }
        if before is not None:
            figures["CpuPercent"] = lambda: self._busy(before)
        data: list[Datum] = []
        missing: list[str] = []
        for name, figure in figures.items():
            try:
                unit = "Count" if name == "Connections" else "Percent"
                data.append(Datum(namespace=DATABASE, name=name, value=figure(), unit=unit))
            except NoReadingError as error:
                missing.append(f"{name}: {error}")
        return data, missing

    def _of(self, name: str) -> list[Sample]:
        found = [one for one in self.samples if one.name == name]
        if not found or not all(math.isfinite(one.value) for one in found):
            raise NoReadingError(f"no {name}")
        return found

    def _sum(self, name: str) -> float:
        return sum(one.value for one in self._of(name))

    def _fullest(self) -> float:
        """Of the file systems: a full one stops the database, however empty the others are."""
        left = {(one.labels.get("device"), one.labels.get("mountpoint")): one.value for one in self._of(DISK_LEFT)}
        used = [
            _used(left[place], one.value)
            for one in self._of(DISK)
            if (place := (one.labels.get("device"), one.labels.get("mountpoint"))) in left and one.value > 0
        ]
        if not used:
            raise NoReadingError(f"no {DISK} that belongs to an {DISK_LEFT}")
        return max(used)

    def _cpu(self) -> CpuTime:
        found = self._of(CPU)
        idle = sum(one.value for one in found if one.labels.get("mode") in IDLE)
        return CpuTime(total=sum(one.value for one in found), idle=idle)

    def _busy(self, before: "Reading") -> float:
        now, then = self._cpu(), before._cpu()
        if now.total <= then.total:  # the machine was started anew, or the answer is an old one
            raise NoReadingError(f"{CPU} did not grow")
        return _used(now.idle - then.idle, now.total - then.total)


def _used(left: float, whole: float) -> float:
    return 100 - _percent(left, whole)


def _percent(part: float, whole: float) -> float:
    if whole <= 0:
        raise NoReadingError("the whole is 0")
    return min(100.0, max(0.0, 100 * part / whole))
