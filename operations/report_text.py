"""Reports as a person reads them in a terminal; what they quote can't repaint the screen."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from operations.report import Listed
from reports.models import OperationReport
from reports.summary import (
    TONES,
    Section,
    Tone,
    facts,
    first_line,
    headline,
    made_from,
    seconds,
    sections,
    steps,
    versions,
)
from terminal.tables import show, table
from terminal.text import printable

SHORT = 8  # characters of a commit in the list
STYLES = {Tone.GOOD: "green", Tone.WARNING: "yellow", Tone.BAD: "bold red"}


def show_report(report: OperationReport) -> None:
    show(*_parts(report))


def show_reports(found: Sequence[Listed]) -> None:
    columns = ("report", "kind", "result", "version", "took", "commit", "who and why")
    show(table(columns, [_line(one) for one in found], right=("took",), below=1))


def _line(one: Listed) -> tuple[Text | str, ...]:
    if not one.report:
        return (one.id, one.kind, Text("unreadable", STYLES[Tone.BAD]), "", "", "", printable(one.problem))
    report = one.report
    about = [report.who, report.why or report.reason or report.message]
    return (
        one.id,
        one.kind,
        Text(report.result, STYLES[TONES[report.result]]),
        versions(report),
        seconds(report.seconds),
        printable(made_from(report.commit[:SHORT], dirty=report.dirty)),
        ": ".join(printable(first_line(part)) for part in about if part),
    )


def _parts(report: OperationReport) -> Iterator[RenderableType]:
    title, result = headline(report)
    yield Text.assemble(f"{printable(title)}: ", (result, STYLES[TONES[report.result]]))
    yield ""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts(report):
        grid.add_row(Text(name, "bold"), Text(printable(value)))
    yield grid
    if report.errors:
        yield Text("\nErrors", "bold")
        for error in report.errors:
            yield Padding(Text(printable(error.rstrip())), (0, 0, 0, 2))
    for section in (steps(report), *sections(report)):
        if not section.rows:
            continue
        yield Text(f"\n{section.title}", "bold")
        yield table(section.columns, [_cells(section, row) for row in section.rows], right=section.numbers)


def _cells(section: Section, row: tuple[str, ...]) -> list[Text]:
    cells: list[Text] = []
    for column, cell in zip(section.columns, row, strict=True):
        tone = section.tone(column, cell)
        cells.append(Text(printable(cell), STYLES[tone] if tone else ""))
    return cells
