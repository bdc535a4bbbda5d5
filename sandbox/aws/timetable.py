"""When the scheduled rules are due."""

import re
from collections.abc import Mapping

RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
SECONDS = {"minute": 60, "hour": 3600, "day": 86400}


def interval(expression: str) -> int | None:
    """Seconds between two runs; None for a schedule that the sandbox doesn't follow (cron)."""
    found = RATE.fullmatch(expression)
    return int(found[1]) * SECONDS[found[2]] if found else None


class Timetable:
    """Times in seconds of any steady clock. A rule runs first one interval after it was made or changed."""

    def __init__(self) -> None:
        self._due: dict[tuple[str, str], float] = {}

    @property
    def next(self) -> float | None:
        """When the next rule is due; None without rules."""
        return min(self._due.values(), default=None)

    def due(self, rules: Mapping[str, str], now: float) -> set[str]:
        """Which of these rules (expression by ARN) are to run now; runs that were missed are not made up for."""
        known = {rule: seconds for rule in rules.items() if (seconds := interval(rule[1]))}
        before, self._due = self._due, {}
        running: set[str] = set()
        for rule, seconds in known.items():
            at = before.get(rule, now + seconds)
            if at <= now:
                running.add(rule[0])
                at += ((now - at) // seconds + 1) * seconds
            self._due[rule] = at
        return running
