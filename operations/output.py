"""What people read: tables on standard output, talk on standard error; colour and width as the terminal has them."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from operations.health import HealthReport, Status
from terminal.tables import show, table

if TYPE_CHECKING:
    from gate.words import Difference
    from operations.alarms import AlarmList
    from operations.approvals import Approvals
    from operations.incident import IncidentState
    from operations.signers import InForce

COLOURS = {Status.HEALTHY: "green", Status.DEGRADED: "yellow", Status.DOWN: "bold red"}


def show_health(report: HealthReport) -> None:
    """One row a part, then the judgement."""
    rows = [
        (
            check.name,
            Text(check.status, style=COLOURS[check.status]),
            "" if check.latency_ms is None else f"{check.latency_ms:.0f}",
            check.detail,
        )
        for check in report.checks
    ]
    count = f"{len(report.checks) - len(report.unwell)} of {len(report.checks)} parts are healthy"
    words = Text.assemble(
        f"{report.stack}: ", (report.status, COLOURS[report.status]), f" ({count}, {report.seconds:.1f} s)"
    )
    show(table(("part", "state", "ms", "what it said"), rows, right=("ms",)), "", words)
    if cures := dict.fromkeys(check.cure for check in report.unwell if check.cure):
        show("", "what mends it:")
        print("\n".join(cures))  # whole lines, which a shell takes back


def show_approvals(found: "Approvals") -> None:
    """The change, its approvals so far, and what is missing."""
    verdict = Text("allowed", "green") if found.allowed else Text("not allowed", "bold red")
    show(Text.assemble(f"{found.stack}: surface {found.surface[:12]} ({found.kind}) is ", verdict))
    for problem in found.problems:
        show(Text(f"  {problem}"))
    rows = [
        (
            f"{one.file}\n{one.reason}",
            "this change" if one.for_this_change else one.surface[:12],
            ", ".join(f"{given.role}: {given.by or given.problem}" for given in one.signatures) or "nobody",
            f"{one.expires:%Y-%m-%d %H:%M}",
        )
        for one in found.filed
    ]
    if rows:
        show(table(("approval", "for", "signed by", "until"), rows))
    for missing in found.missing:
        show(Text(f"missing: {missing.role} ({' or '.join(missing.people) or 'nobody may give it'})"))
    if found.missing:
        say(f"Give one: {found.approve_command}")


def show_alarms(found: "AlarmList") -> None:
    colours = {"ALARM": "bold red", "INSUFFICIENT_DATA": "yellow", "OK": "green"}
    words = {"ALARM": "alarm", "INSUFFICIENT_DATA": "no data", "OK": "ok"}
    rows = [
        (
            one.name,
            Text("waits" if one.waits else words[one.state], colours[one.state]),
            f"{one.since:%m-%d %H:%M:%S}",
            one.advice if one.rings else "",
        )
        for one in found.alarms
    ]
    show(table(("alarm", "state", "since (UTC)", "what it says"), rows) if rows else "no alarm is deployed")
    show(f"{found.stack}: {len(found.ringing)} of {len(found.alarms)} alarms ring")


def show_incidents(found: "Sequence[IncidentState]") -> None:
    rows = [(one.id, one.detail, f"{one.expires:%Y-%m-%d %H:%M}", one.opened_by, one.reason) for one in found]
    show(table(("incident", "state", "until", "opened by", "reason"), rows) if rows else "no incident")


def show_signers(found: "Sequence[InForce]") -> None:
    rows = [
        (
            one.principal,
            ", ".join(one.roles),
            one.fingerprint,
            f"{one.valid_before:%Y-%m-%d}" if one.valid_before else "",
        )
        for one in found
    ]
    show(table(("who", "may approve as", "key", "until"), rows))


def show_differences(found: "Sequence[Difference]") -> None:
    """What a change does to each resource, in words."""
    marks = {"added": Text("+", "green"), "changed": Text("~", "yellow"), "removed": Text("-", "bold red")}
    for one in found:
        show(
            Text.assemble(marks[one.kind], f" {one.name} ({one.type})"),
            *(Padding(Text(sentence), (0, 0, 0, 4)) for sentence in one.sentences),
        )


def say(message: str) -> None:
    """Talk: never mixed with data, and in its place among it where both go to the same."""
    sys.stdout.flush()
    print(message, file=sys.stderr, flush=True)


def show_fields(fields: Mapping[str, str]) -> None:
    """Names and values under each other; what is empty is left out."""
    grid = Table.grid(padding=(0, 2))
    for name, value in fields.items():
        if value:
            grid.add_row(Text(f"  {name}", "bold"), Text(value))
    show(grid)
