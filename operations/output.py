"""What people read: tables on standard output, talk on standard error; colour and width as the terminal has them."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from operations.health import HealthReport, Status

if TYPE_CHECKING:
    from gate.signers import Signers
    from gate.words import Difference
    from operations.approvals import Approvals
    from operations.incident import IncidentState

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


def show_approvals(found: "Approvals") -> None:
    """The change, its approvals so far, and what is missing."""
    console = Console(highlight=False)
    verdict = Text("allowed", "green") if found.allowed else Text("not allowed", "bold red")
    console.print(Text.assemble(f"{found.stack}: surface {found.surface[:12]} ({found.kind}) is ", verdict))
    for problem in found.problems:
        console.print(Text(f"  {problem}"))
    table = Table(box=None, pad_edge=False)
    for column in ("approval", "for", "signed by", "until"):
        table.add_column(column, overflow="fold")
    for one in found.filed:
        signed = ", ".join(f"{given.role}: {given.by or given.problem}" for given in one.signatures) or "nobody"
        which = "this change" if one.for_this_change else one.surface[:12]
        table.add_row(*map(Text, (f"{one.file}\n{one.reason}", which, signed, f"{one.expires:%Y-%m-%d %H:%M}")))
    if found.filed:
        console.print(table)
    for missing in found.missing:
        console.print(Text(f"missing: {missing.role} ({' or '.join(missing.people) or 'nobody may give it'})"))
    if found.missing:
        say(f"Give one: ./pf approve --stack {found.stack}")


def show_incidents(found: "Sequence[IncidentState]") -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("incident", "state", "until", "opened by", "reason"):
        table.add_column(column, overflow="fold")
    for one in found:
        table.add_row(*map(Text, (one.id, one.detail, f"{one.expires:%Y-%m-%d %H:%M}", one.opened_by, one.reason)))
    Console(highlight=False).print(table if found else "no incident")


def show_signers(found: "Signers") -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("who", "may approve as", "key", "until"):
        table.add_column(column, overflow="fold")
    for one in found.signers:
        until = f"{one.valid_before:%Y-%m-%d}" if one.valid_before else ""
        table.add_row(*map(Text, (one.principal, ", ".join(one.roles), one.fingerprint, until)))
    Console(highlight=False).print(table)


def show_differences(found: "Sequence[Difference]") -> None:
    """What a change does to each resource, in words."""
    console = Console(highlight=False)
    marks = {"added": Text("+", "green"), "changed": Text("~", "yellow"), "removed": Text("-", "bold red")}
    for one in found:
        console.print(Text.assemble(marks[one.kind], f" {one.name} ({one.type})"))
        for sentence in one.sentences:
            console.print(Padding(Text(sentence), (0, 0, 0, 4)))


def say(message: str) -> None:
    """Talk: never mixed with data."""
    print(message, file=sys.stderr, flush=True)
