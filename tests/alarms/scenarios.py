"""The format of the rule tests (`*.yaml` here): what is published, and when an alarm then has which state.

    each:                     # every scenario once for each row; {name} stands for the row's value
      - {function: encrypt-data}
    scenarios:
      - name: more than 5 % fail
        series:               # from 0s on: VALUE, or VALUExDURATION, or _ for nothing; one sample every minute
          ParkerFlight/Functions Requests{Environment=sandbox, Function={function}}: 500x10m _x5m 500x3d
          ParkerFlight/Functions Latency{Environment=sandbox, Function={function}}:
            values: 95*80+5*2500x10m      # in each sample 95 values of 80 and 5 of 2500
            every: 10s                    # offset: 5s, late: 90s, unit: Count, resolution: 1
        history:              # every change of state, at its time; the alarm is made at 0s, without data
                              # `nothing` where it stays in INSUFFICIENT_DATA
          "{function}-errors": 1m OK, 7m ALARM, 11m OK
        acts:                 # where it matters: when actions are taken, and on which state
          "{function}-errors": 1m OK, 7m ALARM
        lasts: 20m            # else as long as the longest series

Alarms have the names that their resources have in the program.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from sandbox.alarms.series import Datum, Metric, Store
from sandbox.alarms.state import State
from sandbox.alarms.statistics import Sample

FOLDER = Path(__file__).parent
MINUTE = 60

_DURATION = re.compile(r"(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_METRIC = re.compile(r"(?P<namespace>\S+) (?P<name>[^\s{]+)\{(?P<dimensions>[^{}]*)\}")
_TOKEN = re.compile(r"(?P<sample>_|[-+*.\d]+)(?:x(?P<length>\w+))?")


def seconds(text: Any) -> int:
    """90 for 1m30s."""
    match = _DURATION.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{text!r} is no duration like 3d, 1h30m or 10s")
    return sum(int(part or 0) * unit for part, unit in zip(match.groups(), (86400, 3600, MINUTE, 1), strict=True))


def shown(at: float) -> str:
    """1m30s for 90."""
    parts: list[str] = []
    rest = int(at)
    for unit, name in ((86400, "d"), (3600, "h"), (MINUTE, "m"), (1, "s")):
        count, rest = divmod(rest, unit)
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts) or "0s"


def sample(text: str) -> Sample:
    """`95*80+5*2500`: values with their counts."""
    values: list[float] = []
    counts: list[float] = []
    for part in text.split("+"):
        count, _, value = part.rpartition("*")
        values.append(float(value))
        counts.append(float(count or 1))
    return Sample.of_values(values, counts)


History = list[tuple[int, State]]


def history(text: str) -> History:
    """Parse `1m OK, 7m ALARM`, or `nothing`."""
    if text == "nothing":
        return []
    changes = [(seconds(at), State(state)) for at, state in (change.split() for change in text.split(","))]
    if [at for at, _ in changes] != sorted({at for at, _ in changes}):
        raise ValueError(f"{text!r}: its times don't rise")
    if any(before == after for (_, before), (_, after) in pairwise(changes)):
        raise ValueError(f"{text!r} has a state twice in a row")
    return changes


def told(changes: History) -> str:
    return ", ".join(f"{shown(at)} {state}" for at, state in changes) or "nothing"


Seconds = Annotated[int, BeforeValidator(seconds)]
Changes = Annotated[History, BeforeValidator(history)]


class Published(BaseModel):
    """What a metric gets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    values: Annotated[str, BeforeValidator(str)]
    every: Seconds = MINUTE
    offset: Seconds = 0
    late: Seconds = 0
    unit: str = "None"
    resolution: int = MINUTE

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return given if isinstance(given, dict) else {"values": given}

    @model_validator(mode="after")
    def _readable(self) -> "Published":
        list(self.data())
        return self

    def data(self) -> Iterator[Datum]:
        """One datum for each run of equal samples."""
        at = self.offset
        for token, length in self._runs():
            if token != "_":
                yield Datum(
                    at=at,
                    sample=sample(token),
                    unit=self.unit,
                    resolution=self.resolution,
                    every=self.every,
                    times=length // self.every,
                )
            at += length

    @property
    def end(self) -> int:
        return self.offset + sum(length for _, length in self._runs())

    def _runs(self) -> Iterator[tuple[str, int]]:
        for text in self.values.split():
            match = _TOKEN.fullmatch(text)
            if match is None:
                raise ValueError(f"{text!r} is no VALUE, VALUExDURATION or _")
            length = seconds(match["length"]) if match["length"] else self.every
            if length < self.every or length % self.every:
                raise ValueError(f"{text!r}: {shown(self.every)} from one sample to the next don't fill it")
            yield match["sample"], length


class Scenario(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    series: dict[str, Published] = Field(default_factory=dict[str, Published])
    history: dict[str, Changes] = Field(min_length=1)
    acts: dict[str, Changes] = Field(default_factory=dict[str, Changes])
    lasts: Seconds = 0

    @model_validator(mode="after")
    def _whole(self) -> "Scenario":
        last = max((at for changes in self.history.values() for at, _ in changes), default=0)
        if last > self.end:
            raise ValueError(f"{self.name!r} ends at {shown(self.end)}, before {shown(last)}")
        _ = self.metrics
        return self

    @cached_property
    def end(self) -> int:
        return self.lasts or max((published.end for published in self.series.values()), default=0)

    @cached_property
    def metrics(self) -> dict[Metric, Published]:
        return {_metric(text): published for text, published in self.series.items()}

    def on_time(self) -> Store:
        """What is published on time. It may lie there from the start: no evaluation looks ahead."""
        store = Store()
        for metric, published in self.metrics.items():
            if not published.late:
                for datum in published.data():
                    store.put(metric, datum)
        return store

    @cached_property
    def data(self) -> Store:
        """The same for all who only look at it: what one has summed up, the next one needn't."""
        return self.on_time()

    def late(self) -> Iterator[tuple[float, Metric, Datum]]:
        """What comes later than its time, with when it comes."""
        for metric, published in self.metrics.items():
            for run in published.data() if published.late else ():
                for turn in range(run.times):
                    datum = replace(run, at=run.at + turn * run.every, times=1)
                    yield datum.at + published.late, metric, datum


class Rules(BaseModel):
    """One file."""

    model_config = ConfigDict(extra="forbid")

    each: list[dict[str, Annotated[str, BeforeValidator(str)]]] = [{}]
    scenarios: list[dict[str, Any]]

    def expanded(self) -> Iterator[Scenario]:
        for row in self.each:
            for scenario in self.scenarios:
                yield Scenario.model_validate(_filled_in(scenario, row))


def load() -> list[Scenario]:
    """Every scenario of every file."""
    return [
        scenario
        for file in sorted(FOLDER.glob("*.yaml"))
        for scenario in Rules.model_validate(yaml.safe_load(file.read_text())).expanded()
    ]


def _filled_in(value: Any, row: dict[str, str]) -> Any:
    match value:
        case str():
            for name, text in row.items():
                value = value.replace(f"{{{name}}}", text)
            return value
        case list():
            return [_filled_in(item, row) for item in value]
        case dict():
            return {_filled_in(key, row): _filled_in(item, row) for key, item in value.items()}
        case _:
            return value


def _metric(text: str) -> Metric:
    match = _METRIC.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no NAMESPACE NAME{{DIMENSION=VALUE, ...}}")
    pairs = [pair.split("=", 1) for pair in match["dimensions"].replace(" ", "").split(",") if pair]
    return Metric.of(match["namespace"], match["name"], dict(pairs))
