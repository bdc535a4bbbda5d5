"""Measurements: what counts as an error, and that they take a few probes."""

import socket
import time
from collections import Counter
from collections.abc import Callable, Generator

import pytest
from pytest_httpserver import HTTPServer

from operations.measure import Sample, measure, measurements, sample
from operations.stack import Stack
from reports.models import Measurement
from tests.operations.conftest import FUNCTIONS, all_well, self_check

pytestmark = pytest.mark.rows("D3")

TRIP = "encrypt and decrypt general-data"


@pytest.fixture
def hanging() -> Generator[str]:
    """An address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def of(measured: list[Measurement], endpoint: str) -> Measurement:
    return next(one for one in measured if one.endpoint == endpoint)


def test_every_endpoint_and_every_purpose_is_measured_by_ten_probes_each(stack: Stack, httpserver: HTTPServer) -> None:
    all_well(httpserver)
    measured = measure(stack)
    asked = Counter(request.path for request, _ in httpserver.log)
    assert asked == {"/rest/v1/payment_methods": 10} | {f"/functions/v1/{name}": 10 for name in FUNCTIONS}
    assert [one.endpoint for one in measured] == [FUNCTIONS[0], TRIP, FUNCTIONS[1], "rest"]
    assert [(one.requests, one.errors) for one in measured] == [(10, 0), (20, 0), (10, 0), (10, 0)]
    assert of(measured, TRIP).p95_ms == 12  # as the functions say
    assert {request.method for request, _ in httpserver.log} == {"GET"}


def test_a_refusal_a_server_error_and_an_unwell_self_check_are_errors(stack: Stack, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/rest/v1/payment_methods").respond_with_data("boom", status=503)
    unwell = self_check("encrypt-data", user_profile_data="kms_unavailable")
    httpserver.expect_request("/functions/v1/encrypt-data").respond_with_json(unwell)
    httpserver.expect_request("/functions/v1/create-payment-method").respond_with_data("", status=404)
    measured = measure(stack)
    for endpoint in (*FUNCTIONS, "rest", "encrypt and decrypt user-profile-data"):
        assert of(measured, endpoint).errors == 10, endpoint
    assert of(measured, TRIP).errors == 0


def test_a_server_that_hangs_is_an_error_without_a_time(make_stack: Callable[..., Stack], hanging: str) -> None:
    samples = sample(make_stack(SUPABASE_URL=hanging), requests=2, spread=0.1, timeout=0.3)
    assert len(samples) == 6
    assert not any(one.ok for one in samples)
    assert {one.seconds for one in samples} == {None}
    assert not all(one.blind for one in samples)  # it took the connection, so the network is there


def test_a_host_that_is_not_there_is_seen_as_blindness(make_stack: Callable[..., Stack]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    samples = sample(make_stack(SUPABASE_URL=url), requests=2, spread=0)
    assert [one.blind for one in samples] == [True] * 6


def test_a_name_that_is_never_resolved_is_seen_as_blindness(
    make_stack: Callable[..., Stack], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No time-out of a client ends a resolver's wait."""

    def stuck(*_arguments: object, **_named: object) -> None:
        time.sleep(0.6)

    monkeypatch.setattr("operations.health.Probes.rest", stuck)
    monkeypatch.setattr("operations.health.Probes.function", stuck)
    samples = sample(make_stack(), requests=2, spread=0, timeout=0.1)
    assert [one.blind for one in samples] == [True] * 6


def test_keys_that_are_not_accepted_are_seen_as_blindness(stack: Stack, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/rest/v1/payment_methods").respond_with_data("", status=401)
    for name in FUNCTIONS:
        httpserver.expect_request(f"/functions/v1/{name}").respond_with_data("", status=401)
    assert all(one.blind and not one.ok for one in sample(stack, requests=1, spread=0))


def test_percentiles_are_times_that_were_measured() -> None:
    samples = [Sample(endpoint="rest", ok=True, seconds=number / 1000) for number in range(1, 101)]
    samples.append(Sample(endpoint="rest", ok=False, seconds=None))
    assert measurements(samples) == [
        Measurement(endpoint="rest", requests=101, errors=1, p50_ms=50, p95_ms=95, max_ms=100)
    ]


def test_an_endpoint_without_any_answer_has_no_percentile() -> None:
    (one,) = measurements([Sample(endpoint="rest", ok=False, seconds=None)])
    assert (one.p50_ms, one.p95_ms, one.max_ms) == (None, None, None)
