"""The metrics endpoint: the numbers are PostgreSQL's and this machine's, and the probe reads them."""

import os
import time

import httpx
import psutil
import psycopg
import pytest

from probe.database import NAMES, PATH, NoReadingError, Reading
from probe.fetch import connections, fetch_until
from probe.prometheus import samples
from sandbox.database import dsn
from tests.e2e.checkout import Checkout

pytestmark = pytest.mark.rows("M5", "M7")


def ask(sandbox: Checkout, password: str, user: str = "service_role") -> httpx.Response:
    return httpx.get(f"{sandbox.environment['SUPABASE_URL']}{PATH}", auth=(user, password), timeout=30)


def reading(sandbox: Checkout) -> Reading:
    fetch = fetch_until(time.monotonic() + 30, connections())
    variables = sandbox.environment
    return Reading.ask(fetch, variables["SUPABASE_URL"], variables["SUPABASE_SERVICE_ROLE_KEY"])


def figures(one: Reading, before: Reading | None = None) -> dict[str, float]:
    data, missing = one.data(before)
    assert missing == []
    return {datum.name: datum.value for datum in data}


def test_every_name_that_the_probe_reads_is_there(sandbox: Checkout) -> None:
    answer = ask(sandbox, sandbox.environment["SUPABASE_SERVICE_ROLE_KEY"])
    assert answer.status_code == 200
    assert {one.name for one in samples(answer.text, NAMES)} == NAMES


def test_connections_are_those_of_postgresql(sandbox: Checkout) -> None:
    before = figures(reading(sandbox))
    opened = [psycopg.connect(dsn(sandbox.state / "sandbox/database")) for _ in range(5)]
    try:
        during = figures(reading(sandbox))
        row = opened[0].execute("select current_setting('max_connections')::int").fetchone()
    finally:
        for one in opened:
            one.close()
    assert during["Connections"] >= before["Connections"] + 4  # another's may have gone meanwhile
    assert row is not None
    assert during["ConnectionsPercent"] == pytest.approx(100 * during["Connections"] / row[0])


def test_processors_memory_and_disk_are_this_machines(sandbox: Checkout) -> None:
    before = reading(sandbox)
    end = time.process_time() + 0.05
    while time.process_time() < end:  # a counter of hundredths has to move
        pass
    now = figures(reading(sandbox), before)
    assert 0 < now["CpuPercent"] <= 100
    assert now["MemoryPercent"] == pytest.approx(psutil.virtual_memory().percent, abs=20)
    assert now["DiskPercent"] == pytest.approx(psutil.disk_usage(os.fspath(sandbox.state)).percent, abs=5)


def test_who_is_not_service_role_sees_nothing(sandbox: Checkout) -> None:
    variables = sandbox.environment
    url = f"{variables['SUPABASE_URL']}{PATH}"
    assert httpx.get(url, timeout=30).status_code == 401
    assert ask(sandbox, variables["SUPABASE_ANON_KEY"]).status_code == 401
    assert ask(sandbox, variables["SUPABASE_SERVICE_ROLE_KEY"], "anon").status_code == 401
    with pytest.raises(NoReadingError, match="the key is not accepted"):
        Reading.ask(fetch_until(time.monotonic() + 30, connections()), variables["SUPABASE_URL"], "wrong")
