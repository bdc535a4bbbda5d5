"""`pf adopt` as people read it."""

from rich.text import Text

from gate.text import LONGEST, plain
from operations.adopt import AdoptionReport
from operations.adoptable import Plan
from operations.output import say
from terminal.tables import show, table

COLOURS = {Plan.IMPORT: "green", Plan.REPLACE: "yellow", Plan.MAKE: "", Plan.LEAVE: "dim"}


def show_adoption(report: AdoptionReport) -> None:
    """One row a thing, then what the program leaves as it is, then the next command."""
    rows = [
        (one.what, _line(one.name), Text(one.plan, COLOURS[one.plan]), "\n".join(map(_line, one.changes)))
        for one in report.findings
    ]
    show(table(("what", "name", "a deployment would", ""), rows, below=1))
    if left := [one for one in report.findings if one.advice]:
        show("", "not the program's to mend:")
        for one in left:
            show(Text(f"- {_line(one.advice)}"))
            print(f"    {_line(one.command)}")  # whole: a command that is broken in two can't be copied
    say(f"\n{_next(report)}")


def _line(text: str) -> str:
    """Names in it are whatever somebody has given things in AWS and Supabase."""
    return plain(text, LONGEST)


def _next(report: AdoptionReport) -> str:
    if not report.settings:
        return f"nothing of {report.stack} is live that could be imported; make it: {report.then}"
    if report.written:
        return f"written to {report.file}. Commit it; then see the import, which changes nothing yet: {report.then}"
    if report.missing:
        return f"nothing was changed; have {report.file} say so: {report.then}"
    return f"{report.file} says all of it already. See the import, which changes nothing yet: {report.then}"
