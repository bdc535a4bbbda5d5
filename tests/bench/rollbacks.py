"""Emergency rollbacks: how long after the keypress the version from before is back and verified.

Keypress: `./pf` is started, with the incident open. Verified: the end of the report's step `verifying`.
"""

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.table import Table

from reports.models import OperationReport, Step
from reports.store import LATEST, ReportStore
from tests.bench import direct
from tests.bench.delays import delayed
from tests.bench.measures import FUNCTIONS, Measure, change, make_up
from tests.e2e.checkout import Checkout, new_checkout

REASON = ("--reason", "measured")
RUNS = 4  # as many there as back, so that a series leaves what it found
SLOW_RUNS = 2
ROW = 20
AWS_SECONDS = 0.15
UPLOAD_SECONDS = (2.0, 5.0)
LIMIT, AIM = 5.0, 3.0
ASKED = 10.0  # by P5, of any host and any network

Surroundings = Callable[[Checkout], AbstractContextManager[Mapping[str, str]]]


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """One. `pressed`: the clock at the keypress; all else in seconds since then."""

    pressed: float
    ended: float
    report: OperationReport

    @property
    def verifying(self) -> Step:
        return next(step for step in self.report.steps if step.name == "verifying")

    @property
    def verified(self) -> float:
        return self.verifying.started_at.timestamp() + self.verifying.seconds - self.pressed

    @property
    def steps(self) -> dict[str, float]:
        """They add up to the whole."""
        named = {step.name: step.seconds for step in self.report.steps}
        before = self.report.steps[0].started_at.timestamp() - self.pressed
        between = self.verified - before - sum(named.values())
        return {"before the first step": before, **named, "between": between, "afterwards": self.ended - self.verified}


@dataclass(frozen=True, kw_only=True)
class Way:
    """How far the APIs are, and what the host has at hand."""

    name: str
    surroundings: Surroundings
    runs: int = SLOW_RUNS
    limit: float = ASKED


@dataclass(frozen=True, kw_only=True)
class Change:
    """What lies between the two versions, and the floor of bringing the older one back."""

    name: str
    edit: Callable[[Checkout], None]
    floor: Callable[[Checkout, Mapping[str, str]], float]
    floor_is: str


@dataclass(frozen=True, kw_only=True)
class Series:
    """Rollbacks of one kind, to and fro, and their floor's median."""

    name: str
    runs: Sequence[Rollback]
    limit: float
    floor: float
    floor_is: str

    @property
    def measure(self) -> Measure:
        return Measure(
            name=f"{self.name}, verified",
            seconds=statistics.median(one.verified for one in self.runs),
            limit=self.limit,
            aim=AIM,
            floor=self.floor,
            floor_is=self.floor_is,
        )


def change_all(checkout: Checkout) -> None:
    """Both functions, four alarms and the role's policy are others than before."""
    for name in FUNCTIONS:
        change(checkout, name)
    _edit(checkout.root / "components/alarm_catalogue.py", "FAILING_PERCENT = 5.0", "FAILING_PERCENT = 6.0")
    _edit(checkout.root / "components/function_access.py", '"Sid": "SeeKeyState"', '"Sid": "SeeStateOfKeys"')


def _edit(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    if before not in text:
        raise RuntimeError(f"{file} has no {before!r} to change")
    file.write_text(text.replace(before, after))


@contextmanager
def near(_checkout: Checkout) -> Generator[Mapping[str, str]]:
    yield {}


@contextmanager
def cold(checkout: Checkout) -> Generator[Mapping[str, str]]:
    """None of our modules compiled, and Deno's folder empty, so that the functions' npm packages are downloaded again.

    Warm, still: the toolchain (the installed Python packages, compiled), and what the system has read of all files.
    """
    for place, folders, _ in os.walk(checkout.root):
        if "__pycache__" in folders:
            shutil.rmtree(Path(place, "__pycache__"))
            folders.remove("__pycache__")
    with tempfile.TemporaryDirectory(prefix="pf-deno-") as folder:
        yield {"DENO_DIR": folder}


CHANGES = (
    Change(name="one function", edit=change, floor=direct.one_function, floor_is=direct.ONE),
    Change(name="whole stack", edit=change_all, floor=direct.whole_stack, floor_is=direct.WHOLE),
)
NEAR = Way(name="", surroundings=near, runs=RUNS, limit=LIMIT)
FURTHER = (
    *(
        Way(
            name=f", {AWS_SECONDS * 1000:.0f} ms to AWS, {upload:g} s an upload",
            surroundings=partial(delayed, aws=AWS_SECONDS, upload=upload),
        )
        for upload in UPLOAD_SECONDS
    ),
    Way(name=", cold host", surroundings=cold),
)


def latest_report(checkout: Checkout) -> OperationReport:
    store = ReportStore.of(checkout.state / "sandbox/reports", "sandbox", {})
    return store.read(store.find(LATEST))


def release_store(checkout: Checkout) -> Path:
    return checkout.state / "sandbox/pulumi/.parker-flight/parker-flight/sandbox"


def live(checkout: Checkout) -> int:
    return int((release_store(checkout) / "latest.json").read_text())


def open_incident(checkout: Checkout) -> None:
    key = checkout.state / "sandbox/people/incident-commander"
    checkout.pf("incident", "open", "--key", str(key), "--confirm", "sandbox", *REASON)


def roll_back(checkout: Checkout, *which: str, variables: Mapping[str, str] | None = None) -> Rollback:
    """The version that is left is let in again, for the next time. Raises: RuntimeError if it isn't verified."""
    left, pressed = live(checkout), time.time()
    checkout.pf("rollback", "--emergency", *REASON, *which, environment=dict(variables or {}))
    ended = time.time() - pressed
    report = latest_report(checkout)
    if not report.verified:
        raise RuntimeError(f"the rollback is not verified: {report.why}")
    checkout.pf("unblock", str(left), *REASON)
    return Rollback(pressed=pressed, ended=ended, report=report)


def to_and_fro(checkout: Checkout, versions: tuple[int, int], way: Way) -> list[Rollback]:
    """Between two versions' releases, the second of which is live."""
    found: list[Rollback] = []
    for number in range(way.runs):
        with way.surroundings(checkout) as variables:
            found.append(roll_back(checkout, "--version", str(versions[number % 2]), variables=variables))
    return found


def two_versions(checkout: Checkout, edit: Callable[[Checkout], None]) -> tuple[int, int]:
    """What is live, and what the edit makes of it, which is live then."""
    older = live(checkout)
    edit(checkout)
    checkout.approved()
    checkout.pf("deploy", "--watch", "0s")
    return older, live(checkout)


def series(ways: Sequence[Way]) -> Generator[Series]:
    """Every change in every way. The floors come last: they leave functions live that no version has."""
    with new_checkout() as checkout:
        make_up(checkout)
        open_incident(checkout)
        runs: list[tuple[Change, Way, list[Rollback]]] = []
        for one in CHANGES:
            versions = two_versions(checkout, one.edit)
            runs += [(one, way, to_and_fro(checkout, versions, way)) for way in ways]
        for one, way, found in runs:
            yield Series(
                name=f"rollback of {one.name}{way.name}",
                runs=found,
                limit=way.limit,
                floor=_floor(checkout, one, way),
                floor_is=one.floor_is,
            )


def _floor(checkout: Checkout, one: Change, way: Way) -> float:
    with way.surroundings(checkout) as variables:
        return statistics.median(one.floor(checkout, variables) for _ in range(way.runs))


def in_a_row() -> str:
    """Many rollbacks of one function, one after the other."""
    with new_checkout() as checkout:
        make_up(checkout)
        open_incident(checkout)
        versions = two_versions(checkout, change)
        way = Way(name="", surroundings=near, runs=ROW)
        verified = [one.verified for one in to_and_fro(checkout, versions, way)]
    halves = [statistics.median(half) for half in (verified[: ROW // 2], verified[ROW // 2 :])]
    return (
        f"{ROW} rollbacks of one function in a row: verified after {statistics.median(verified):.2f} s, at worst "
        f"{max(verified):.2f} s; the first half {halves[0]:.2f} s, the second {halves[1]:.2f} s"
    )


def steps(found: Sequence[Series]) -> Table:
    """Where each series spends its time, by the reports' steps."""
    title = "medians of a rollback's steps, by its report, in s"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("step", no_wrap=True)
    for one in found:
        table.add_column(one.name.removeprefix("rollback of "), justify="right")
    for name in found[0].runs[0].steps:
        table.add_row(name, *(f"{statistics.median(run.steps[name] for run in one.runs):.2f}" for one in found))
    table.add_section()
    verified = [[run.verified for run in one.runs] for one in found]
    table.add_row("verified", *(f"{statistics.median(figures):.2f}" for figures in verified))
    table.add_row("verified, at worst", *(f"{max(figures):.2f}" for figures in verified))
    table.add_row("the process ends", *(f"{statistics.median(run.ended for run in one.runs):.2f}" for one in found))
    return table
