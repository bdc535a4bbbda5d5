"""`make bench`: how long the everyday commands take, and where that time goes."""

import argparse
import os
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.bench import gate, many_versions, rollbacks
from tests.bench.measures import Measure, measure_all
from tests.bench.shares import SHARES, Split, health_shares, shares
from tests.e2e.checkout import new_checkout

IDLE_SHARE = 0.3  # of the cores at work; above it, a limit says nothing about the project
FILE_WIDTH = 160


def medians(measures: Sequence[Measure]) -> Table:
    table = Table(title=f"medians on {os.cpu_count()} cores, in s", title_justify="left", box=None, pad_edge=False)
    table.add_column("what", no_wrap=True)
    for column in ("median", "limit", "aim", "floor", "ratio"):
        table.add_column(column, justify="right")
    table.add_column("the floor is", overflow="fold")
    for one in measures:
        figures = (f"{one.seconds:.2f}", f"{one.limit:g}", f"{one.aim:g}", f"{one.floor:.2f}")
        table.add_row(one.name, *figures, f"{one.seconds / one.floor:.1f}", one.floor_is)
    return table


def parts(splits: Sequence[Split]) -> Table:
    title = "where the time of one traced run goes, in s: each instant to the first share that is at work"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, show_footer=True)
    table.add_column("share", "in all", no_wrap=True)
    for one in splits:
        table.add_column(one.name, f"{sum(one.seconds.values()):.2f}", justify="right")
    table.add_column("what it is", overflow="fold")
    for share, meaning in SHARES.items():
        seconds = [one.seconds[share] for one in splits]
        table.add_row(share, *(f"{took:.2f}" if took else "" for took in seconds), meaning)
    return table


def said(measure: Measure) -> Measure:
    """At once: all of them take minutes, and what was measured isn't lost if the rest fails."""
    print(f"{measure.name}: {measure.seconds:.2f} s, floor {measure.floor:.2f} s", file=sys.stderr, flush=True)
    return measure


def pace() -> float:
    """Seconds for ten million turns of a loop: what one run's figures can be held against another's by.

    A virtual machine's host is faster at one hour than at another, and no load average shows that.
    """
    start = time.perf_counter()
    for _ in range(10_000_000):
        pass
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.bench", description=__doc__)
    parser.add_argument(
        "--long",
        action="store_true",
        help="rollbacks over slow networks, from a cold host, in a row, of a long history",
    )
    long = parser.parse_args().long
    console = Console(highlight=False, width=None if sys.stdout.isatty() else FILE_WIDTH)
    load = os.getloadavg()[0]  # before we add to it
    print(f"load average {load:.1f} on {os.cpu_count()} cores; limits and aims are for an idle machine")
    print(f"pace before: {pace():.2f} s for ten million turns of a loop\n")
    measures = [said(one) for one in measure_all()]
    found: list[rollbacks.Series] = []
    for one in rollbacks.series([rollbacks.NEAR, *(rollbacks.FURTHER if long else ())]):
        found.append(one)
        measures.append(said(one.measure))
    with new_checkout() as checkout:
        splits = shares(checkout)
        measures.append(gate.verification(checkout))
        console.print(
            medians(measures), "", rollbacks.steps(found), "", parts(splits), "", health_shares(checkout), sep="\n"
        )
        console.print("", gate.table(gate.costs(checkout)), sep="\n")
    if long:
        console.print("", rollbacks.in_a_row(), sep="\n")
        console.print("", many_versions.table(), sep="\n")
    print(f"\npace after: {pace():.2f} s")
    late = [one.name for one in measures if one.seconds > one.limit]
    idle = load < IDLE_SHARE * (os.cpu_count() or 1)
    if late:
        judged = "" if idle else f" (not judged: the load average was {load:.1f} before; measure again when it is idle)"
        print(f"over the limit: {', '.join(late)}{judged}", file=sys.stderr)
    return 1 if late and idle else 0


if __name__ == "__main__":
    sys.exit(main())
