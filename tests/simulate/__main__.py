"""`make simulate`: how soon each kind of fault is told, and what a healthy week tells falsely."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.alarms.program import declared
from tests.simulate import assumptions as given
from tests.simulate.detection import FAULTS, SILENCE, Fault, Told, detect, grid
from tests.simulate.week import WEEK, week

STEP = 6  # seconds; of every ten it meets 0, 2, 4, 6 and 8
SEEDS = 3
SPARE_POINTS = range(4)
FILE_WIDTH = 140


def row(what: str, told: Sequence[Told | None], *, critical: bool) -> tuple[tuple[str, ...], bool]:
    """The table's row, and whether it keeps L4; only what is critical must."""
    seconds = [one.seconds for one in told if one]
    by = Counter(f"{one.alarm} ({one.topic})" for one in told if one)
    worst = max(seconds) if len(seconds) == len(told) else float("inf")
    verdict = "over the limit" if worst > given.LIMIT else "over the aim" if worst > given.AIM else ""
    figures = (f"{worst:.0f} s", f"{median(seconds):.0f} s") if seconds else ("never", "")
    names = ", ".join(name for name, _ in by.most_common())
    return (what, "critical" if critical else "warning", *figures, verdict, names), worst <= given.LIMIT or not critical


def measured(fault: Fault) -> Iterator[tuple[str, list[Told | None]]]:
    phases = grid(STEP, range(SEEDS if fault.by_chance else 1))
    if fault is not SILENCE:
        yield fault.name, [detect(fault, phase, declared()) for phase in phases]
        return
    for spare in SPARE_POINTS:
        told = [detect(fault, phase, declared(), spare_points=spare) for phase in phases]
        yield f"{fault.name}, N + {spare} points looked at", told


def shown(console: Console, faults: Iterable[Fault]) -> bool:
    table = Table(title="from the fault until somebody is told", title_justify="left", box=None, pad_edge=False)
    for column in ("fault", "is", "worst", "median", "", "told by"):
        table.add_column(column, justify="right" if column in ("worst", "median") else "left", overflow="fold")
    kept = True
    for fault in faults:
        for what, told in measured(fault):
            cells, good = row(what, told, critical=fault.critical)
            table.add_row(*cells)
            kept &= good
    console.print(table)
    return kept


def main() -> int:
    wide = sys.stdout.isatty()
    console = Console(highlight=False, width=None if wide else FILE_WIDTH)
    progress = Console(stderr=True)
    print(f"L4: within {given.LIMIT:g} s, aim {given.AIM:g} s; fault and probe at every {STEP} s of a minute\n")
    kept = shown(console, track(FAULTS, "faults", console=progress, transient=True))
    false = [
        f"{one.alarm} {one.state} on day {one.at / 86400:.2f}"
        for one in track(week(declared()), "a healthy week", console=progress, transient=True)
    ]
    print(
        f"\nA healthy week of {WEEK // 86400} days told "
        + ("nothing." if not false else "falsely: " + "; ".join(false))
    )
    return 0 if kept and not false else 1


if __name__ == "__main__":
    sys.exit(main())
