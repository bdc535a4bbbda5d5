"""What people read: tables on standard output, talk on standard error; colour and width as the terminal has them."""

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from operations.health import HealthReport, Status

COLOURS = {Status.HEALTHY: "green", Status.DEGRADED: "yellow", Status.DOWN: "bold red"}


def show_health(report: HealthReport) -> None:
    """One row a part, then the judgement."""
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    table.add_column("part", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    table.add_column("what it said", overflow="fold")
    for check in report.checks:
        latency = "" if check.latency_ms is None else f"{check.latency_ms:.0f}"
        table.add_row(Text(check.name), Text(check.status, style=COLOURS[check.status]), latency, Text(check.detail))
    console.print(table)
    count = f"{len(report.checks) - len(report.unwell)} of {len(report.checks)} parts are healthy"
    words = Text.assemble(
        f"\n{report.stack}: ", (report.status, COLOURS[report.status]), f" ({count}, {report.seconds:.1f} s)"
    )
    console.print(words)


def say(message: str) -> None:
    """Talk: never mixed with data."""
    print(message, file=sys.stderr, flush=True)
