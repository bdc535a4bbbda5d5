"""Composite alarms: their rule, and when a suppressor keeps them from acting."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandbox.alarms.state import State, SuppressedBy

_TOKEN = re.compile(r'\s*(?:"(?P<quoted>[^"]*)"|(?P<bracket>[()])|(?P<word>[^\s()",]+)|(?P<other>\S))')
_STATES = {"OK", "ALARM", "INSUFFICIENT_DATA"}
_ARN = re.compile(r"arn:[^:]*:cloudwatch:[^:]*:[^:]*:alarm:(?P<name>.+)")

States = Mapping[str, State]


class RuleError(ValueError):
    """An AlarmRule that can't be parsed."""


def alarm_name(reference: str) -> str:
    """An alarm may be named by its name or its ARN."""
    match = _ARN.fullmatch(reference)
    return match["name"] if match else reference


@dataclass(frozen=True)
class Rule:
    """A parsed AlarmRule; equal ones have the same text."""

    text: str
    holds: Callable[[States], bool] = field(compare=False, repr=False)
    children: tuple[str, ...] = field(compare=False, repr=False)


def parse_rule(text: str) -> Rule:
    """Parse `ALARM("a") AND NOT (OK(b) OR TRUE)`; names may be quoted.

    Raises:
        RuleError: it is no such expression.
    """
    parser = _Parser(text)
    holds = parser.either()
    if parser.token is not None:
        raise parser.error(f"{parser.token[1]!r} is one too many")
    return Rule(text, holds, tuple(dict.fromkeys(parser.children)))


class _Parser:
    """NOT binds closer than AND, AND closer than OR."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [(kind, found[kind]) for found in _TOKEN.finditer(text) if (kind := found.lastgroup) is not None]
        self.place = 0
        self.children: list[str] = []

    @property
    def token(self) -> tuple[str, str] | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def error(self, problem: str) -> RuleError:
        return RuleError(f"{self.text!r} is no alarm rule: {problem}")

    def take(self, *wanted: str) -> str | None:
        if self.token is not None and self.token[0] != "quoted" and self.token[1] in wanted:
            self.place += 1
            return self.tokens[self.place - 1][1]
        return None

    def need(self, wanted: str) -> None:
        if not self.take(wanted):
            raise self.error(f"{wanted!r} is missing" + (f" before {self.token[1]!r}" if self.token else " at its end"))

    def either(self) -> Callable[[States], bool]:
        parts = [self.both()]
        while self.take("OR"):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else lambda states: any(part(states) for part in parts)

    def both(self) -> Callable[[States], bool]:
        parts = [self.one()]
        while self.take("AND"):
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else lambda states: all(part(states) for part in parts)

    def one(self) -> Callable[[States], bool]:
        if self.take("NOT"):
            inner = self.one()
            return lambda states: not inner(states)
        if self.take("("):
            inner = self.either()
            self.need(")")
            return inner
        if word := self.take("TRUE", "FALSE"):
            return lambda _: word == "TRUE"
        if function := self.take(*_STATES):
            self.need("(")
            if self.token is None or self.token[0] not in ("quoted", "word"):
                raise self.error(f"{function} needs the name of an alarm")
            name = alarm_name(self.token[1])
            self.place += 1
            self.need(")")
            self.children.append(name)
            return lambda states: states[name] == function
        found = f"{self.token[1]!r}" if self.token else "its end"
        raise self.error(f"{found} stands where one of ALARM, OK, INSUFFICIENT_DATA, NOT, TRUE, FALSE or ( must")


@dataclass
class Suppression:
    """Whether a composite alarm with a suppressor may act. `wait` and `extension` in seconds.

    A change of state waits for the suppressor to ring; once that has rung and stopped, the extension gives the
    composite alarm time to clear. When neither runs any more, it acts on the state that it then has.
    """

    wait: int
    extension: int
    by: SuppressedBy | None = None
    until: float | None = None
    pending: bool = False  # it changed, and hasn't acted on that

    def expire(self, at: float) -> bool:
        """End a period that is over at `at`; True if the alarm must act on its state now."""
        if self.until is None or at < self.until:
            return False
        acts = self.pending
        self.by = self.until = None
        self.pending = False
        return acts

    def step(self, at: float, *, changed: bool, suppressor_rings: bool) -> bool:
        """Take in what changed at `at`; True if the alarm must act on its state now."""
        self.pending |= changed
        if suppressor_rings:
            self.by, self.until = SuppressedBy.ALARM, None
            return False
        if changed:
            self.by, self.until = SuppressedBy.WAIT_PERIOD, at + self.wait
        elif self.by is SuppressedBy.ALARM:
            self.by, self.until = SuppressedBy.EXTENSION_PERIOD, at + self.extension
        return self.expire(at)
