"""A preview as a person reads it in a terminal; every foreign text is escaped, so that none can repaint the screen."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from gate.text import plain
from gate.value_words import noun
from operations.approvals import Approvals, FiledApproval
from operations.preview_report import DRIFT, SHOWN, Outcome, PreviewReport, ResourceDifference, Step
from terminal.tables import show, table

OUTCOMES = {Outcome.ALLOWED: "green", Outcome.APPROVALS_MISSING: "yellow", Outcome.REFUSED: "bold red"}
OPS = {"replace": "bold red", "delete": "bold red", "create": "green", "update": "yellow"}
MARKS = {"added": Text("+", "green"), "changed": Text("~", "yellow"), "removed": Text("-", "bold red")}
LONGEST_LINE = 500


def show_preview(report: PreviewReport) -> None:
    show(*_parts(report))


def lines(text: str) -> list[str]:
    """A foreign text of several lines, each harmless."""
    return [plain(line.rstrip(), LONGEST_LINE) for line in text.expandtabs().split("\n")]


def _parts(report: PreviewReport) -> Iterator[RenderableType]:
    if report.steps:
        yield table(("change", "kind", "resource", "what differs"), [_step(one) for one in report.steps])
        yield ""
    if report.functions:
        yield "functions with new content"
        for one in report.functions:
            before, after = one.before[:SHOWN] or "(new)", one.after[:SHOWN] or "(taken away)"
            yield _indented(Text(f"{plain(one.name)}  {before} → {after}"))
        yield ""
    yield from _undo(report)
    yield from _policies(report)
    if report.differences:
        surface, before = (one[:SHOWN] or "nothing" for one in (report.surface, report.approved))
        yield f"\nwhat approvals are about: the security surface {surface}, in place of {before}"
        yield from difference_lines(report.differences)
    if report.drift:
        yield f"\n{DRIFT}:"
        yield from difference_lines(report.drift)
    if report.approvals:
        yield from _approvals(report.approvals)
    elif report.gate_problem:
        yield Text(f"\nthe approval gate could not judge this: {plain(report.gate_problem, LONGEST_LINE)}")
    yield Text.assemble(
        f"\n{plain(report.stack)}: ",
        (report.outcome, OUTCOMES[report.outcome]),
        f" ({report.changes}, {report.seconds:.1f} s)",
    )
    if report.approve_command:
        yield Text(f"Type next: {plain(report.approve_command, 500)}")


def difference_lines(found: list[ResourceDifference]) -> Iterator[RenderableType]:
    """What becomes of each resource, in words."""
    for one in found:
        yield Text.assemble(MARKS[one.kind], f" {one.title}")
        for sentence in one.sentences:
            yield _indented(Text(sentence), 4)


def _step(step: Step) -> tuple[Text | str, ...]:
    op = f"{step.op} (kept)" if step.kept else step.op
    properties = ", ".join(plain(path) for path in step.properties)
    return Text(plain(op), OPS.get(step.op, "")), noun(step.type), plain(step.name), properties


def _undo(report: PreviewReport) -> Iterator[RenderableType]:
    if not report.undoable:
        return
    yield Text(plain(report.undoable, LONGEST_LINE))
    for one in report.lasting:
        yield _indented(Text(plain(f"{one.op} of {noun(one.type)} {one.name}: {one.why}", LONGEST_LINE)))
    yield ""


def _policies(report: PreviewReport) -> Iterator[RenderableType]:
    yield f"policies: {report.policies}"
    for one in report.refusals:
        about = f" ({plain(one.name)})" if one.name else ""
        style = "bold red" if one.level == "mandatory" else "yellow"
        yield _indented(Text.assemble((plain(one.level), style), f" {plain(one.policy)}{about}"))
        for line in lines(one.message):
            yield _indented(Text(line), 4)
    for error in report.diagnostics:
        style = "bold red" if error.severity == "error" else "yellow"
        first, *rest = lines(error.message)
        yield Text.assemble((error.severity, style), f": {first}")
        for line in rest:
            yield _indented(Text(line))


def _approvals(found: Approvals) -> Iterator[RenderableType]:
    yield Text(f"\napprovals for this change ({plain(found.kind)})")
    for problem in found.problems:
        yield _indented(Text(plain(problem, LONGEST_LINE)))
    for one in found.filed:
        if one.for_this_change:
            yield _indented(Text(f"here: {signed(one)}"))
    for missing in found.missing:
        yield _indented(Text(f"missing: {missing.role} ({people(missing.people)})"))
    if found.allowed:
        yield _indented(Text("nothing is missing"))


def signed(one: FiledApproval) -> str:
    given = ", ".join(
        f"{plain(mark.role)} {plain(mark.by)}"
        if not mark.problem
        else f"{plain(mark.role)}: {plain(mark.problem, 200)}"
        for mark in one.signatures
    )
    return f"{given or 'signed by nobody yet'}; until {one.expires:%Y-%m-%d %H:%M} UTC; {plain(one.reason, 200)}"


def people(names: list[str]) -> str:
    return " or ".join(plain(name) for name in names) or "nobody among the signers may give it"


def _indented(text: RenderableType, by: int = 2) -> Padding:
    return Padding(text, (0, 0, 0, by), expand=False)
