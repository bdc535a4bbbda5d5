"""What a run asks and publishes, and that neither silence nor garbage nor CloudWatch ends it."""

import json
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from checks.fetch import Reply, UnreachableError
from probe.data import DATABASE, NAMESPACE, Datum
from probe.database import PATH
from probe.questions import Probe
from probe.rounds import run
from tests.checks.fakes import said, self_check
from tests.probe.fakes import KEYS, SETTINGS, START, Gateway, Time

pytestmark = pytest.mark.rows("K2", "L1", "L4", "M6", "M7")

ENDPOINTS = ("rest", "create-payment-method", "encrypt-data")
REFUSED = UnreachableError("NewConnectionError", timed_out=False, connected=False)

Published = list[tuple[datetime, Sequence[Datum]]]


def ran(gateway: Gateway, time: Time | None = None, whole: float = 58.0) -> Published:
    time = time or Time()
    published: Published = []
    run(
        Probe(SETTINGS, KEYS),
        fetch=gateway.fetch,
        publish=lambda data, at: published.append((at, data)),
        remaining=time.remaining(whole),
        clock=time.clock,
    )
    return published


def seen(gateway: Gateway, *, number: int = 0, load: bool = True, seconds: float = 5.0) -> dict[str, float]:
    """Whether each endpoint is available in one round."""
    data = Probe(SETTINGS, KEYS).see(number, gateway, seconds, load=load)
    return {datum.endpoint: datum.value for datum in data if datum.name == "Available"}


def test_a_run_is_six_rounds_ten_seconds_apart() -> None:
    published = ran(Gateway())
    assert [at for at, _ in published] == [START + timedelta(seconds=seconds) for seconds in (0, 10, 20, 30, 40, 50)]


def test_each_round_publishes_what_it_saw_of_every_endpoint() -> None:
    for number, (_, data) in enumerate(ran(Gateway())):
        asked = {*ENDPOINTS, "metrics"} if number in (0, 5) else {*ENDPOINTS}
        available = {one.endpoint: (one.value, one.unit) for one in data if one.name == "Available"}
        assert available == dict.fromkeys(asked, (1.0, "Count"))
        latencies = [one for one in data if one.name == "Latency"]
        assert {one.endpoint for one in latencies} == asked
        assert all(0 <= one.value < 5000 and one.unit == "Milliseconds" for one in latencies)
        assert {one.namespace for one in data if one.endpoint} == {NAMESPACE}


def test_the_load_is_published_twice_a_run_and_the_processors_once() -> None:
    published = [{one.name for one in data if one.namespace == DATABASE} for _, data in ran(Gateway())]
    load = {"Connections", "ConnectionsPercent", "MemoryPercent", "DiskPercent"}
    assert published == [load, set(), set(), set(), set(), load | {"CpuPercent"}]


def test_each_purpose_is_encrypted_and_decrypted_under_in_turn() -> None:
    gateway = Gateway()
    ran(gateway)
    posts = [json.loads(one.body) for one in gateway.asked if one.body]
    purposes = [one["purpose"] for one in posts if "plaintext" in one]
    assert purposes == [*SETTINGS.purposes, *SETTINGS.purposes]
    assert len(posts) == 12


def test_each_key_goes_where_it_belongs() -> None:
    gateway = Gateway()
    seen(gateway)
    keys = {one.url.split("/")[3]: one.headers.get("apikey") for one in gateway.asked}
    assert keys == {"rest": "anon", "functions": "role", "customer": None}


@pytest.mark.parametrize(
    ("path", "reply", "endpoint"),
    [
        ("/rest/v1/payment_methods", said(503), "rest"),
        ("/rest/v1/payment_methods", said(401), "rest"),
        ("/rest/v1/payment_methods", REFUSED, "rest"),
        ("/functions/v1/encrypt-data", said(401), "encrypt-data"),
        ("/functions/v1/encrypt-data", said(200, self_check()), "encrypt-data"),  # also to a round trip
        ("/functions/v1/create-payment-method", said(200, self_check(healthy=False)), "create-payment-method"),
        (PATH, said(200, "<html>"), "metrics"),
        (PATH, said(401), "metrics"),
        (PATH, REFUSED, "metrics"),
    ],
)
def test_one_endpoint_that_is_not_well_leaves_the_others(
    capsys: pytest.CaptureFixture[str], path: str, reply: Reply | Exception, endpoint: str
) -> None:
    available = seen(Gateway(replies={path: reply}))
    assert available == {one: float(one != endpoint) for one in (*ENDPOINTS, "metrics")}
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["endpoint"] for line in lines} == {endpoint}


def test_wrong_keys_are_said_and_never_shown(capsys: pytest.CaptureFixture[str]) -> None:
    refused = {"/rest/v1/payment_methods", *(f"/functions/v1/{name}" for name in SETTINGS.functions), PATH}
    available = seen(Gateway(replies=dict.fromkeys(refused, said(401))))
    assert set(available.values()) == {0.0}
    told = capsys.readouterr().out
    assert told.count("the key is not accepted") == 4
    assert "role" not in told


def test_a_round_trip_alone_makes_its_function_unavailable() -> None:
    class Wrong(Gateway):
        def __call__(self, request: object) -> Reply:
            reply = super().__call__(request)  # pyright: ignore[reportArgumentType]
            return said(200, {"plaintext": "x"}) if b'"plaintext"' in reply.body else reply

    assert seen(Wrong()) == {"rest": 1, "create-payment-method": 1, "encrypt-data": 0, "metrics": 1}


def test_who_never_answers_holds_nobody_up_and_has_no_latency() -> None:
    gateway = Gateway(silent=frozenset({"/rest/v1/payment_methods"}))
    try:
        data = Probe(SETTINGS, KEYS).see(0, gateway, 0.5, load=False)
    finally:
        gateway.released.set()
    by_name = {(one.endpoint, one.name): one.value for one in data}
    assert by_name["rest", "Available"] == 0
    assert ("rest", "Latency") not in by_name
    assert by_name["encrypt-data", "Available"] == 1


def test_a_metric_that_is_gone_makes_the_endpoint_unwell_and_loses_nothing_else() -> None:
    gateway = Gateway(metrics=["pg_stat_database_num_backends 12"])
    data = Probe(SETTINGS, KEYS).see(0, gateway, 5, load=True)
    assert [one.value for one in data if one.namespace == DATABASE] == [12]
    assert [one.value for one in data if one.endpoint == "metrics" and one.name == "Available"] == [0]


def test_a_question_that_fails_itself_is_logged_and_not_taken_for_health(monkeypatch: pytest.MonkeyPatch) -> None:
    logged = threading.Event()

    def hook(_: threading.ExceptHookArgs) -> None:
        logged.set()

    monkeypatch.setattr(threading, "excepthook", hook)
    assert seen(Gateway(replies={PATH: RuntimeError("a bug")})) == {**dict.fromkeys(ENDPOINTS, 1.0), "metrics": 0.0}
    assert logged.wait(5)


@pytest.mark.parametrize(("whole", "rounds"), [(58, 6), (55, 6), (54.9, 5), (15, 2), (4.9, 0)])
def test_no_round_outlives_the_run(whole: float, rounds: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(ran(Gateway(), whole=whole)) == rounds
    assert ("left out for want of time" in capsys.readouterr().out) == (rounds < 6)


def test_a_round_waits_no_longer_than_the_run_has_left() -> None:
    asked: list[float] = []
    time, gateway = Time(), Gateway()

    def fetch(seconds: float) -> Gateway:
        asked.append(seconds)
        return gateway

    probe = Probe(SETTINGS, KEYS)
    run(probe, fetch=fetch, publish=lambda _data, _at: None, remaining=time.remaining(56), clock=time.clock)
    assert asked == [5, 5, 5, 5, 5, 3]


def test_a_slow_round_does_not_move_the_next() -> None:
    time = Time()

    def publish(_data: Sequence[Datum], _at: datetime) -> None:
        time.seconds += 4

    run(Probe(SETTINGS, KEYS), fetch=Gateway().fetch, publish=publish, remaining=time.remaining(58), clock=time.clock)
    assert time.slept == [0, 6, 6, 6, 6, 6]
