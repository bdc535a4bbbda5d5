"""The database's load: right figures, and no figure out of garbage."""

import base64

import pytest

from checks.fetch import Reply, UnreachableError
from probe.data import DATABASE, Datum
from probe.database import NoReadingError, Reading
from probe.prometheus import samples
from tests.checks.fakes import answering, said
from tests.probe.fakes import METRICS, cpu

pytestmark = pytest.mark.rows("M5", "M7")


def read(text: str) -> Reading:
    return Reading.ask(answering(said(200, text))[0], "http://gateway", "role")


def figures(reading: Reading, before: Reading | None = None) -> dict[str, float]:
    return {datum.name: datum.value for datum in reading.data(before)[0]}


def test_the_figures_are_those_of_the_endpoint() -> None:
    data, missing = read(METRICS).data(None)
    assert missing == []
    assert data == [
        Datum(namespace=DATABASE, name="Connections", value=12, unit="Count"),
        Datum(namespace=DATABASE, name="ConnectionsPercent", value=20, unit="Percent"),
        Datum(namespace=DATABASE, name="MemoryPercent", value=75, unit="Percent"),
        Datum(namespace=DATABASE, name="DiskPercent", value=75, unit="Percent"),  # /data, not the emptier root
    ]


def test_processors_are_busy_where_they_neither_idle_nor_wait() -> None:
    before, after = read(METRICS + cpu(100, 10, 10)), read(METRICS + cpu(120, 15, 25))
    assert figures(after, before)["CpuPercent"] == pytest.approx(100 * 15 / 40)


@pytest.mark.parametrize("then", [(100, 10, 10), (200, 10, 10)])
def test_a_restarted_machine_and_an_old_answer_say_nothing_of_its_processors(then: tuple[float, float, float]) -> None:
    now = read(METRICS + cpu(100, 10, 10))
    data, missing = now.data(read(METRICS + cpu(*then)))
    assert "CpuPercent" not in {datum.name for datum in data}
    assert missing == ["CpuPercent: node_cpu_seconds_total did not grow"]


@pytest.mark.parametrize(
    ("line", "lost"),
    [
        ("pg_stat_database_num_backends", {"Connections", "ConnectionsPercent"}),
        ("max_connections_connection_count", {"ConnectionsPercent"}),
        ("node_memory_MemTotal_bytes", {"MemoryPercent"}),
        ("node_memory_MemAvailable_bytes", {"MemoryPercent"}),
        ("node_filesystem_size_bytes", {"DiskPercent"}),
        ("node_filesystem_avail_bytes", {"DiskPercent"}),
    ],
)
def test_a_name_that_is_gone_is_said_and_the_others_count(line: str, lost: set[str]) -> None:
    whole = figures(read(METRICS)).keys()
    data, missing = read("\n".join(one for one in METRICS.split("\n") if not one.startswith(line))).data(None)
    assert {datum.name for datum in data} == whole - lost
    assert {one.partition(":")[0] for one in missing} == lost
    assert all(line in one for one in missing)


@pytest.mark.parametrize("value", ["NaN", "+Inf", "0"])
def test_no_figure_comes_out_of_no_number(value: str) -> None:
    data, missing = read(METRICS.replace("} 60", f"}} {value}")).data(None)
    assert "ConnectionsPercent" not in {datum.name for datum in data}
    assert len(missing) == 1


def test_the_key_goes_as_basic_authentication() -> None:
    fetch, asked = answering(said(200, METRICS))
    Reading.ask(fetch, "http://gateway", "role")
    assert asked[0].url == "http://gateway/customer/v1/privileged/metrics"
    assert base64.b64decode(asked[0].headers["Authorization"].removeprefix("Basic ")) == b"service_role:role"


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (said(401), "the key is not accepted"),
        (said(403), "the key is not accepted"),
        (said(500), "answered 500"),
        (said(200, "<html>"), "gave no metrics: line 1 is no sample"),
        (Reply(status=200, body=b"\xff"), "gave no metrics: 'utf-8' codec"),
        (UnreachableError("ReadTimeout", timed_out=True, connected=True), "no answer in time"),
        (UnreachableError("ProtocolError", timed_out=False, connected=True), "ProtocolError"),
    ],
)
def test_garbage_is_no_reading(reply: Reply | Exception, why: str) -> None:
    with pytest.raises(NoReadingError, match=why):
        Reading.ask(answering(reply)[0], "http://gateway", "role")


def test_an_empty_text_has_no_figures() -> None:
    data, missing = Reading(samples=samples("", ())).data(None)
    assert (data, len(missing)) == ([], 4)
