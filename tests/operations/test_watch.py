"""The watch after a deployment: what makes it roll back, hold or end, on a clock that the test turns."""

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, repeat

import pytest
from pytest_httpserver import HTTPServer

from operations.alarms import Alarming
from operations.errors import OperationError
from operations.measure import Sample
from operations.stack import Stack
from operations.watch import Breach, Outcome, Threshold, WatchResult, Window, breaches, duration, run, watch
from operations.watch_display import line
from reports.models import Measurement
from tests.operations.conftest import all_well

pytestmark = pytest.mark.rows("D3", "M6")

QUIET: Mapping[str, Alarming] = {"rest-down": "OK"}
RINGING: Mapping[str, Alarming] = {"rest-down": "ALARM"}


Alarms = Mapping[str, Alarming] | None


def window(
    *, errors: int = 0, requests: int = 10, ms: float = 20, blind: bool = False, alarms: Alarms = QUIET
) -> Window:
    """REST as given, and a function that is well unless nothing is seen."""
    failed = [Sample(endpoint="rest", ok=False, seconds=None, blind=blind)] * errors
    answered = [Sample(endpoint="rest", ok=True, seconds=ms / 1000)] * (requests - errors)
    function = Sample(endpoint="encrypt-data", ok=not blind, seconds=0.02, blind=blind)
    return Window(samples=[*failed, *answered, *[function] * 10], alarms=alarms)


GOOD = window()
FAILING = window(errors=1)
SLOW = window(ms=2001)
DARK = window(errors=10, blind=True)


@dataclass
class World:
    """Time passes only while the watch looks or waits."""

    windows: Iterator[Window]
    time: float = 0.0
    pages: list[str] = field(default_factory=list[str])
    seen: int = 0
    interrupt_at: float = float("inf")
    looking: float = 0.0  # how long a window takes at least
    hindrance: str | None = None  # of a page

    def look(self, within: float) -> Window:
        self.time += max(within / 2, self.looking)
        return next(self.windows)

    def pause(self, seconds: float) -> None:
        self.time += seconds
        if self.time >= self.interrupt_at:
            raise KeyboardInterrupt

    def saw(self, _window: Window) -> None:
        self.seen += 1

    def page(self, text: str) -> str | None:
        self.pages.append(text)
        return self.hindrance


def watched(
    world: World,
    seconds: float = 900,
    *,
    excused: Iterable[Breach] = (),
    alarms_before: Mapping[str, Alarming] = QUIET,
    still_current: Callable[[], str | None] = lambda: None,
) -> WatchResult:
    return run(
        seconds=seconds,
        excused=set(excused),
        alarms_before=alarms_before,
        look=world.look,
        seen=world.saw,
        still_current=still_current,
        page=world.page,
        command=" --stack production",
        now=lambda: world.time,
        pause=world.pause,
    )


def world(*first: Window, then: Window = GOOD) -> World:
    return World(windows=chain(first, repeat(then)))


def test_a_deployment_that_stays_well_passes_after_its_whole_time() -> None:
    well = world()
    result = watched(well)
    assert (result.outcome, result.seconds, well.seen) == (Outcome.PASSED, 900, 90)
    assert [one.requests for one in result.measurements] == [900, 900]
    assert well.pages == []


@pytest.mark.parametrize(("bad", "limit"), [(FAILING, "rest (5% errors or more)"), (SLOW, "rest (p95 > 2000 ms)")])
def test_a_threshold_broken_in_three_windows_of_five_ends_it_at_once(bad: Window, limit: str) -> None:
    result = watched(world(GOOD, bad, GOOD, bad, bad))
    assert result.outcome is Outcome.FAILED
    assert result.message == f"broken in 3 of the last 5 windows: {limit}"
    assert result.seconds < 50


@pytest.mark.parametrize(
    "windows",
    [
        (FAILING, FAILING, GOOD, GOOD, GOOD, FAILING),  # never three in five
        (FAILING, FAILING, SLOW),  # no one threshold thrice
        (window(errors=1, requests=4),) * 10,  # too few to say so
        (window(errors=1, requests=21),) * 10,  # under 5 %
        (window(ms=2000),) * 10,  # not over 2 s
    ],
)
def test_less_than_that_passes(windows: tuple[Window, ...]) -> None:
    assert watched(world(*windows)).outcome is Outcome.PASSED


def test_what_was_broken_before_does_not_count_against_the_deployment() -> None:
    excused = breaches(FAILING.measurements)
    assert watched(world(then=FAILING), excused=excused).outcome is Outcome.PASSED
    assert watched(world(then=SLOW), excused=excused).outcome is Outcome.FAILED


def test_an_alarm_that_rings_since_the_deployment_takes_it_back() -> None:
    world = World(repeat(window(alarms=RINGING)))
    result = watched(world)
    assert (result.outcome, world.seen) == (Outcome.FAILED, 3)
    assert result.message == "rang in 3 of the last 3 windows: alarm rest-down"


@pytest.mark.rows("D4")
def test_a_hotfix_under_a_ringing_alarm_stays() -> None:
    assert watched(World(repeat(window(alarms=RINGING))), alarms_before=RINGING).outcome is Outcome.PASSED


def test_an_alarm_that_cleared_and_came_back_counts() -> None:
    windows = chain([window(alarms=RINGING), GOOD], repeat(window(alarms=RINGING)))
    result = watched(World(windows), alarms_before=RINGING)
    assert result.outcome is Outcome.FAILED


@pytest.mark.parametrize(
    "windows",
    [
        [window(alarms=RINGING), window(alarms=RINGING), GOOD],  # two of five
        [window(alarms={"new": "ALARM"})],  # made by this deployment, and not yet quiet once
        [window(alarms={"rest-down": "INSUFFICIENT_DATA"})],
    ],
)
def test_an_alarm_that_is_no_verdict_yet_passes(windows: list[Window]) -> None:
    assert watched(World(chain(windows, repeat(windows[-1])))).outcome is Outcome.PASSED


def test_alarms_that_can_not_be_read_for_minutes_page_once_and_roll_nothing_back() -> None:
    """CloudWatch answers 429 for two minutes."""
    world = World(chain([window(alarms=None)] * 12, repeat(GOOD)))
    assert watched(world).outcome is Outcome.PASSED
    assert world.pages == ["the alarms can't be read. Nothing is rolled back; the watch goes on."]


def test_alarms_that_stay_unread_hold_the_verdict_and_say_where_to_look() -> None:
    result = watched(World(repeat(window(alarms=None))))
    assert result.outcome is Outcome.UNREADABLE
    assert result.message.endswith(": ./pf monitoring alarms --stack production")


def test_where_nothing_can_be_seen_people_are_called_once_and_nothing_is_undone() -> None:
    dark = world(then=DARK)
    result = watched(dark)
    assert result.outcome is Outcome.UNREADABLE
    assert result.seconds == 900
    assert len(dark.pages) == 1
    assert "Nothing is rolled back" in dark.pages[0]


def test_a_network_that_comes_back_is_judged_again() -> None:
    assert watched(world(DARK, DARK, DARK)).outcome is Outcome.PASSED
    assert watched(world(DARK, DARK, DARK, then=FAILING)).outcome is Outcome.FAILED


def test_silence_of_one_endpoint_beside_another_that_answers_is_an_outage() -> None:
    silent = [Sample(endpoint="rest", ok=False, seconds=None, blind=True)] * 10
    answers = [Sample(endpoint="encrypt-data", ok=True, seconds=0.02)] * 10
    assert watched(world(then=Window(samples=[*silent, *answers]))).outcome is Outcome.FAILED


def test_a_call_for_people_that_could_not_be_sent_is_kept_for_the_report() -> None:
    dark = world(then=DARK)
    dark.hindrance = "there is no topic"
    assert watched(dark).errors == ["there is no topic"]


def test_a_newer_deployment_ends_it_even_when_this_one_looks_broken() -> None:
    answers = iter([None, None, "version 8 is being deployed"])
    result = watched(world(then=FAILING), still_current=lambda: next(answers))
    assert (result.outcome, result.message) == (Outcome.SUPERSEDED, "version 8 is being deployed")


def test_a_store_that_can_not_be_asked_ends_nothing() -> None:
    def unreachable() -> str | None:
        raise OperationError("the store does not answer")

    assert watched(world(), still_current=unreachable).outcome is Outcome.PASSED


def test_ctrl_c_ends_it_early_and_is_no_failure() -> None:
    interrupted = world()
    interrupted.interrupt_at = 150
    result = watched(interrupted)
    assert (result.outcome, result.message) == (Outcome.ENDED_EARLY, "ended by hand after 2 min 30 s")


@pytest.mark.parametrize(("seconds", "windows"), [(0, 0), (0.001, 5), (5, 5), (50, 5), (60, 6)])
def test_a_short_watch_has_windows_enough_to_judge_by_and_none_is_no_watch(seconds: float, windows: int) -> None:
    short = world()
    result = watched(short, seconds)
    assert (result.outcome, short.seen) == (Outcome.PASSED, windows)
    assert (result.message == "not watched") == (seconds == 0)


def test_windows_that_take_longer_than_the_whole_watch_are_still_three() -> None:
    slow = world(then=FAILING)
    slow.looking = 10
    assert watched(slow, 1).outcome is Outcome.FAILED
    assert slow.seen == 3


def test_a_stack_is_watched_over_its_own_endpoints(
    stack: Stack, httpserver: HTTPServer, capsys: pytest.CaptureFixture[str]
) -> None:
    httpserver.expect_request("/rest/v1/payment_methods").respond_with_data("boom", status=500)
    all_well(httpserver)
    failed = watch(stack, seconds=1, before=[], alarms_before={}, still_current=lambda: None)
    assert failed.outcome is Outcome.FAILED
    assert failed.message == "broken in 3 of the last 3 windows: rest (5% errors or more)"
    before = [Measurement(endpoint="rest", requests=10, errors=10)]
    assert (
        watch(stack, seconds=0.5, before=before, alarms_before={}, still_current=lambda: None).outcome is Outcome.PASSED
    )
    said = capsys.readouterr()
    assert said.out == ""
    assert "watching sandbox for 1 s" in said.err
    assert "not judged, for it was so before: rest (5% errors or more)" in said.err


@pytest.mark.rows("M8")
def test_a_gateway_out_of_reach_is_paged_and_the_page_that_fails_is_reported(
    make_stack: Callable[..., Stack], capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    result = watch(make_stack(SUPABASE_URL=url), seconds=0.5, before=[], alarms_before={}, still_current=lambda: None)
    assert result.outcome is Outcome.UNREADABLE
    assert len(result.errors) == 1  # there is no topic yet
    assert "parker-flight-sandbox-level-3" in capsys.readouterr().err


def test_a_line_says_what_is_left_the_errors_and_the_slowest() -> None:
    shown = line(window(errors=1, ms=50), 754)
    assert shown == "12:34 left, 5.0% errors, p95 at most 50 ms (rest)"


def test_durations_read_well() -> None:
    assert [duration(seconds) for seconds in (0, 5, 60, 150, 900)] == ["0 s", "5 s", "1 min", "2 min 30 s", "15 min"]


def test_each_breach_names_its_limit() -> None:
    assert str(Breach(endpoint="rest", threshold=Threshold.SLOW)) == "rest (p95 > 2000 ms)"
