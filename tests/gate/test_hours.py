"""Business hours: by the clock on the wall of the stack's people, on every day of the year."""

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.decision import Identity
from gate.evidence import DEFAULT_HOURS, EvidenceError, Gate
from gate.hours import DAYS, BusinessHours

pytestmark = pytest.mark.rows("C1")

WORK = ("mon", "tue", "wed", "thu", "fri")


def hours(
    zone: str = "UTC", opens: str = "09:00", closes: str = "17:00", days: tuple[str, ...] = WORK
) -> BusinessHours:
    return BusinessHours(
        zone=ZoneInfo(zone), days=frozenset(days), opens=time.fromisoformat(opens), closes=time.fromisoformat(closes)
    )


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2026-08-03T08:59:59.999999", False),
        ("2026-08-03T09:00:00", True),
        ("2026-08-03T16:59:59.999999", True),
        ("2026-08-03T17:00:00", False),
        ("2026-08-07T12:00:00", True),
        ("2026-08-08T12:00:00", False),
        ("2026-08-09T12:00:00", False),
    ],
)
def test_opening_counts_and_closing_does_not(moment: str, inside: bool) -> None:
    assert hours().contain(utc(moment)) is inside


@pytest.mark.parametrize(
    ("zone", "moment", "inside"),
    [
        ("Europe/Berlin", "2026-08-03T06:59:00", False),
        ("Europe/Berlin", "2026-08-03T07:00:00", True),
        ("America/New_York", "2026-08-03T20:59:00", True),
        ("America/New_York", "2026-08-03T21:00:00", False),
        ("Pacific/Kiritimati", "2026-08-02T19:00:00", True),  # Monday there, Sunday in UTC
        ("Pacific/Kiritimati", "2026-08-07T19:00:00", False),  # Saturday there, Friday in UTC
        ("Asia/Kathmandu", "2026-08-03T03:15:00", True),  # 09:00, by five hours and 45 minutes
        ("Asia/Kathmandu", "2026-08-03T03:14:59", False),
    ],
)
def test_the_stacks_zone_counts_for_hour_and_day(zone: str, moment: str, inside: bool) -> None:
    assert hours(zone).contain(utc(moment)) is inside


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2026-03-27T08:00:00", True),  # Friday, still in winter: 09:00
        ("2026-03-27T07:59:59", False),
        ("2026-03-30T07:00:00", True),  # Monday, in summer: 09:00
        ("2026-03-30T15:00:00", False),
        ("2026-10-23T15:00:00", False),
        ("2026-10-26T15:00:00", True),
    ],
)
def test_summer_time_moves_them_with_the_wall_clock(moment: str, inside: bool) -> None:
    assert hours("Europe/Berlin").contain(utc(moment)) is inside


def test_the_hour_that_comes_twice_is_open_twice_and_the_one_that_is_left_out_never() -> None:
    at_night = hours("Europe/Berlin", "02:00", "03:00", DAYS)
    assert [at_night.contain(utc(f"2026-10-25T{hour:02}:30:00")) for hour in range(3)] == [True, True, False]
    assert not any(at_night.contain(utc("2026-03-29T00:00:00") + timedelta(minutes=one)) for one in range(180))


def test_until_midnight_is_until_the_day_ends() -> None:
    late = hours(opens="20:00", closes="00:00")
    assert late.contain(utc("2026-08-03T23:59:59.999999"))
    assert not late.contain(utc("2026-08-04T00:00:00"))


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 Hypothesis wants them naive
def test_midnight_to_midnight_on_all_days_is_always(moment: datetime) -> None:
    assert hours("America/St_Johns", "00:00", "00:00", DAYS).contain(moment)


@given(
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(["Asia/Tokyo", "America/Los_Angeles", "Africa/Cairo"]),
)
def test_one_moment_is_one_answer_whatever_zone_it_is_written_in(moment: datetime, zone: str) -> None:
    assert hours("Europe/Berlin").contain(moment.astimezone(ZoneInfo(zone))) == hours("Europe/Berlin").contain(moment)


def test_they_are_said_in_words() -> None:
    assert str(hours("Europe/Berlin")) == "mon, tue, wed, thu, fri 09:00 to 17:00 Europe/Berlin"


# As they stand in a stack's config


def gate(tmp_path: Path, **given: Any) -> Gate:
    return Gate(
        identity=Identity(project="p", stack="s", account="1" * 12, region="us-east-1", supabase_ref="x"),
        root=tmp_path,
        branch="",
        business_hours=given,
        environment={"PULUMI_BACKEND_URL": f"file://{tmp_path}"},
    )


def test_a_stack_that_says_nothing_has_working_hours_in_utc(tmp_path: Path) -> None:
    assert gate(tmp_path).hours == hours()
    assert gate(tmp_path).settings == {"protectedBranch": "", "businessHours": DEFAULT_HOURS}


def test_twenty_four_oclock_is_the_end_of_the_day(tmp_path: Path) -> None:
    given: dict[str, Any] = {"from": "00:00", "to": "24:00", "days": list(DAYS), "timeZone": "Asia/Tokyo"}
    assert gate(tmp_path, **given).hours == hours("Asia/Tokyo", "00:00", "00:00", DAYS)


@pytest.mark.parametrize(
    "given",
    [
        {"timeZone": "Middle/Earth"},
        {"timeZone": "../../etc/passwd"},
        {"timeZone": ""},
        {"days": ["monday"]},
        {"days": 5},
        {"days": None},
        {"from": "9"},
        {"from": "25:00"},
        {"to": "later"},
        {"from": "17:00", "to": "09:00"},
        {"from": "09:00", "to": "09:00"},
        {"from": "09:00+05:00"},
    ],
)
def test_hours_that_nobody_can_keep_close_the_gate(given: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="parker-flight:businessHours can't be used"):
        _ = gate(tmp_path, **given).hours
