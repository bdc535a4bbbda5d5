"""The history as a person reads it in a terminal; what it quotes can't repaint the screen."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from operations.history import NEVER, NOT_YET, UPDATE, Entry
from operations.history_details import Details, Difference
from operations.preview_report import SHOWN
from operations.preview_text import difference_lines
from operations.report_text import SHORT, STYLES, show_report
from releases.versions import Version
from reports.models import Result
from reports.summary import TONES, Tone, clock, first_line, made_from, seconds
from terminal.tables import show, table
from terminal.text import printable


def show_history(found: Sequence[Entry]) -> None:
    columns = ("version", "when (UTC)", "what", "result", "state", "")
    show(table(columns, [_line(one) for one in found], right=("version",), below=1))


def _line(one: Entry) -> tuple[Text | str, ...]:
    tone = TONES.get(one.result)
    return (
        "" if one.number is None else str(one.number),
        clock(one.at)[:-3],
        printable(one.kind if one.target is None else f"{one.kind} to {one.target}"),
        Text(printable(one.result), STYLES[tone] if tone else ""),
        _state(one),
        printable(_about(one)),
    )


def _state(one: Entry) -> Text:
    if one.number is None:
        makes_versions = one.kind == UPDATE or one.report
        return Text("no new version" if makes_versions and one.result == Result.SUCCEEDED else "")
    said = [("live", "bold")] if one.live else []
    said.append(("verified", STYLES[Tone.GOOD]) if one.verified else ("not verified", STYLES[Tone.WARNING]))
    if one.quarantined:
        said.append(("quarantined", STYLES[Tone.BAD]))
    if one.withdrawn:
        said.append(("withdrawn", STYLES[Tone.BAD]))
    return Text(", ").join(Text(*part) for part in said)


def _about(one: Entry) -> str:
    """Who, from what, what changed; in a line of its own, what for; in another, why it isn't well."""
    facts = [
        one.by,
        "" if one.seconds is None else seconds(one.seconds),
        _commit(one.commit[:SHORT], dirty=one.dirty),
        f"surface {one.surface[:SHORT]}" if one.surface else "",
        counts(one.changes),
        f"functions {', '.join(one.functions)}" if one.functions else "",
    ]
    lines = [", ".join(filter(None, facts)), first_line(one.message), first_line(one.why)]
    return "\n".join(filter(None, lines))


def _commit(commit: str, *, dirty: bool) -> str:
    return f"commit {made_from(commit, dirty=dirty)}" if commit else ""


def counts(changes: Mapping[str, int]) -> str:
    """`2 created, 1 replaced`"""
    return ", ".join(f"{count} {op.removesuffix('e')}ed" for op, count in changes.items())


def show_details(found: Details) -> None:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in _facts(found):
        grid.add_row(Text(name, "bold"), Text(printable(value)))
    show(grid)
    if found.report:
        print()
        show_report(found.report)


def _facts(found: Details) -> Iterator[tuple[str, str]]:
    """Each with its name; what isn't known isn't said."""
    version = found.version
    yield "version", f"{version.number}{', live' * found.live}"
    yield "made", f"{clock(version.at)} UTC by {version.by}"
    yield "by", _origin(version)
    if commit := _commit(version.commit, dirty=version.dirty):
        yield "from", commit
    yield "surface", version.surface
    for line in version.functions:
        name, digest, *_ = line.split(" ")
        yield "function", f"{name} {digest[:SHOWN]}"
    if seen := found.verification:
        verdict = "verified" if seen.good else f"not verified: {seen.why}"
        yield "state", f"{verdict} ({clock(seen.at)} UTC by {seen.by})"
    else:
        yield "state", f"not verified: {NOT_YET if found.live else NEVER}"
    if left := found.quarantined:
        yield "quarantine", f"since {clock(left.at)} UTC by {left.by}: {left.reason}"
        yield "lift it", f"./pf unblock {version.number} --stack {found.stack} --reason WHY"
    if found.withdrawn:
        yield "withdrawn", found.withdrawn


def _origin(version: Version) -> str:
    asked = version.operation
    if asked is None:
        return "pulumi up"
    what = asked.kind if asked.target is None else f"{asked.kind} to {asked.target}"
    return ": ".join(filter(None, (what, asked.message or asked.reason)))


def show_difference(found: Difference) -> None:
    for part in _parts(found):
        show(part)


def _parts(found: Difference) -> Iterator[RenderableType]:
    """As it would be to go from the one to the other."""
    if found.resources:
        yield Text("resources", "bold")
        yield from difference_lines(found.resources)
    if found.functions:
        yield Text("functions", "bold")
        for one in found.functions:
            before, after = one.before[:SHOWN] or "(new)", one.after[:SHOWN] or "(taken away)"
            yield Padding(Text(printable(f"{one.name}  {before} → {after}")), (0, 0, 0, 2))
    if found.config:
        yield Text("config", "bold")
        for key, pair in found.config.items():
            before, after = (text or "(not set)" for text in pair)
            yield Padding(Text(printable(f"{key}: {before} → {after}")), (0, 0, 0, 2))
    if not (found.resources or found.functions or found.config):
        yield f"no resource, function or setting differs between {found.before} and {found.after}"
    if found.program and all(found.commits) and len(set(found.commits)) > 1:
        yield f"the program differs as well: git diff {' '.join(one[:SHOWN] for one in found.commits)}"
    elif found.program:
        yield "the program differs as well"
