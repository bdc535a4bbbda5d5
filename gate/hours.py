"""Business hours, in which major changes need no incident commander (C1)."""

from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, kw_only=True)
class BusinessHours:
    """`opens` counts, `closes` no longer does; midnight to midnight is the whole day."""

    zone: ZoneInfo
    days: frozenset[str]
    opens: time
    closes: time

    def __post_init__(self) -> None:
        if self.opens.tzinfo or self.closes.tzinfo:
            raise ValueError("the hours are those of timeZone, without an offset of their own")
        if self.closes != time() and self.closes <= self.opens:
            raise ValueError(f"they open at {self.opens:%H:%M} and close before, at {self.closes:%H:%M}")

    def contain(self, moment: datetime) -> bool:
        there = moment.astimezone(self.zone)
        if DAYS[there.weekday()] not in self.days:
            return False
        return self.opens <= there.time() and (self.closes == time() or there.time() < self.closes)

    def __str__(self) -> str:
        days = ", ".join(day for day in DAYS if day in self.days)
        return f"{days} {self.opens:%H:%M} to {self.closes:%H:%M} {self.zone.key}"
