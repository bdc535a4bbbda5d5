"""A stack with a long history: whether a rollback, and the list of versions, take longer for it.

The versions are made up beside two real ones, whose releases they share: records, verifications, reports, and the
engine's own history, in the form that each has in a backend of files.
"""

import hashlib
import json
import shutil
import statistics
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter
from rich.table import Table

from releases.versions import LATEST, Operation, Verification, Version
from reports.models import Kind, report_id
from reports.store import Filed
from tests.bench.measures import change, make_up, timed
from tests.bench.rollbacks import latest_report, live, open_incident, release_store, roll_back, two_versions
from tests.e2e.checkout import Checkout, new_checkout

FEW, MANY = 5, 1000
RUNS = 2
BETWEEN = timedelta(minutes=10)
NANOSECONDS = 1_000_000_000


def commit_of(number: int) -> str:
    return hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest()


def make_up_versions(checkout: Checkout, count: int) -> int:
    """So many more, the last one with the content that is live; returns the number of the first."""
    folder, last = release_store(checkout), live(checkout)
    real = [_read(folder, number) for number in (last - 1, last)]
    report, now = latest_report(checkout), datetime.now(UTC)
    reports = checkout.state / "sandbox/reports/sandbox"
    updates = Path(checkout.state, "sandbox/pulumi/.pulumi/history/parker-flight/sandbox")
    update = max(updates.glob("*.history.json"))
    for number in range(last + 1, last + count + 1):
        ago = last + count - number
        at = now - BETWEEN * ago
        operation = Operation(id=report_id(at), kind="deployment", message=f"made up, {number}")
        version = replace(real[1 - ago % 2], number=number, at=at, commit=commit_of(number), operation=operation)
        verification = Verification(good=True, at=at, by=version.by)
        (folder / f"versions/{number}.json").write_bytes(TypeAdapter(Version).dump_json(version))
        (folder / f"verified/{number}.json").write_bytes(TypeAdapter(Verification).dump_json(verification))
        changed = {"id": operation.id, "started_at": at, "ended_at": at, "version": number, "kind": Kind.DEPLOYMENT}
        name = Filed(kind=Kind.DEPLOYMENT, id=operation.id).name
        (reports / name).write_text(report.model_copy(update=changed).model_dump_json())
        _copy_update(update, at)
    (folder / LATEST).write_text(str(last + count))
    return last + 1


def _read(folder: Path, number: int) -> Version:
    return TypeAdapter(Version).validate_json((folder / f"versions/{number}.json").read_bytes())


def _copy_update(update: Path, at: datetime) -> None:
    """The engine names an update by the nanosecond of its end, and keeps the state that it left beside it."""
    stamp = update.name.removesuffix(".history.json")
    seconds = int(at.timestamp())
    told = json.loads(update.read_text()) | {"startTime": seconds, "endTime": seconds}
    copy = f"{stamp.rpartition('-')[0]}-{seconds * NANOSECONDS + at.microsecond * 1000}"
    update.with_name(f"{copy}.history.json").write_text(json.dumps(told))
    shutil.copy(update.with_name(f"{stamp}.checkpoint.json"), update.with_name(f"{copy}.checkpoint.json"))


def _oldest(checkout: Checkout, first: int) -> int:
    """Of the made-up ones, the oldest with another content than the one that is live."""
    folder = release_store(checkout)
    now = _read(folder, live(checkout)).content
    return next(number for number in (first, first + 1) if _read(folder, number).content != now)


def _measured(checkout: Checkout, first: int) -> dict[str, float]:
    def verified(which: Callable[[], tuple[str, ...]]) -> float:
        return statistics.median(roll_back(checkout, *which()).verified for _ in range(RUNS))

    figures = {
        "rollback --version, the oldest": verified(lambda: ("--version", str(_oldest(checkout, first)))),
        "rollback to what it finds by itself": verified(tuple),
        "rollback --target, the oldest": verified(lambda: ("--target", commit_of(_oldest(checkout, first)))),
    }
    if checkout.pf("history", "--help", check=False).returncode == 0:
        listed = statistics.median(timed(lambda: checkout.pf("history")) for _ in range(RUNS))
        figures["pf history, which may take 1 s"] = listed
    return figures


def table() -> Table:
    """The same questions with few versions and with many: rollbacks to verified, the list to its end."""
    with new_checkout() as checkout:
        make_up(checkout)
        open_incident(checkout)
        two_versions(checkout, change)
        found = [_measured(checkout, make_up_versions(checkout, count)) for count in (FEW, MANY)]
    rows = Table(title="by the number of versions, in s", title_justify="left", box=None, pad_edge=False)
    rows.add_column("what", no_wrap=True)
    for count in (FEW, MANY):
        rows.add_column(str(count), justify="right")
    for what in found[0]:
        rows.add_row(what, *(f"{one[what]:.2f}" for one in found))
    return rows
