"""`/customer/v1/privileged/metrics`: the real numbers of this machine and of its PostgreSQL, under Supabase's names."""

import base64
import hmac
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from sandbox.supabase import PROJECT
from sandbox.supabase.credentials import Credentials

PATH = "/customer/v1/privileged/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Prometheus's node exporter calls these so; what else the platform counts isn't there on every system.
CPU_MODES = ("idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user")
_DB = {"service_type": "db"}
BACKENDS = """
select (select count(*) from pg_stat_activity where datname is not null),
       current_setting('max_connections')::int
"""


class Metrics:
    def __init__(self, database: str, credentials: Credentials, disk: Path) -> None:
        """`disk`: a folder on the disk that the database is on."""
        self._database = database
        self._credentials = credentials
        self._disk = disk

    def answer(self, request: Request) -> Response:
        wanted = f"service_role:{self._credentials.service_role_key}".encode()
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, b"Basic " + base64.b64encode(wanted)):
            return JSONResponse({"message": "Invalid authentication credentials"}, 401)
        return PlainTextResponse("".join(f"{line}\n" for line in self._lines()), media_type=CONTENT_TYPE)

    def _lines(self) -> Iterator[str]:
        try:
            with psycopg.connect(self._database, connect_timeout=5) as connection:
                row = connection.execute(BACKENDS).fetchone()
        except psycopg.OperationalError:
            row = None
        yield from _metric("pg_up", "gauge", [({"service_type": "postgresql"}, int(row is not None))])
        server = {"service_type": "postgresql", "server": "localhost:5432"}
        if row is not None:
            backends, most = row
            yield from _metric("pg_stat_database_num_backends", "gauge", [(server, backends)])
            yield from _metric("max_connections_connection_count", "gauge", [(server, most)])
        times = psutil.cpu_times(percpu=True)
        yield from _metric(
            "node_cpu_seconds_total",
            "counter",
            [
                ({**_DB, "cpu": str(number), "mode": mode}, getattr(one, mode))
                for number, one in enumerate(times)
                for mode in CPU_MODES
                if hasattr(one, mode)
            ],
        )
        memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(self._disk))
        yield from _metric("node_memory_MemTotal_bytes", "gauge", [(_DB, memory.total)])
        yield from _metric("node_memory_MemAvailable_bytes", "gauge", [(_DB, memory.available)])
        place = {**_DB, "device": "/dev/nvme1n1", "fstype": "ext4", "mountpoint": "/data"}
        yield from _metric("node_filesystem_size_bytes", "gauge", [(place, disk.used + disk.free)])
        yield from _metric("node_filesystem_avail_bytes", "gauge", [(place, disk.free)])


def _metric(name: str, kind: str, samples: list[tuple[dict[str, str], float]]) -> Iterator[str]:
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        pairs = ",".join(f'{key}="{text}"' for key, text in {"supabase_project_ref": PROJECT, **labels}.items())
        yield f"{name}{{{pairs}}} {value}"
