"""A preview as a comment on a pull request.

Whatever comes from the change under review (names, values, reasons, messages) stands in code spans and code blocks,
escaped to one harmless line: there no Markdown, HTML, mention, reference or link of it comes alive. So does every other
text of a report, since the change's own code ran where it was written. GitHub takes 65,536 characters; what doesn't fit
is counted, never dropped in silence.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from gate.text import LONGEST_NAME, plain
from gate.value_words import noun
from operations.preview_report import APPROVAL, DRIFT, SHOWN, Outcome, PreviewReport, ResourceDifference
from operations.preview_text import lines, people, signed

LONGEST = 63_000  # the job that comments adds what it knows by itself
LONGEST_ITEM = 2_000
LONGEST_DIFF_LINE = 500
# In bytes, for each part; the diff gets what the others leave.
ROOM = {
    "changes": 10_000,
    "functions": 2_000,
    "undo": 4_000,
    "policies": 8_000,
    "surface": 24_000,
    "drift": 3_000,
    "approvals": 4_000,
    "errors": 4_000,
}
FOR_THE_FRAME = 1_500  # of the diff
UNFOLDED = 20  # lines of the surface that stand open

MARKER = "<!-- parker-flight-preview:"
HEADLINES = {
    Outcome.ALLOWED: "✅ allowed",
    Outcome.APPROVALS_MISSING: "🔏 approvals are missing",
    Outcome.REFUSED: "❌ refused",
}
MARKS = {"added": "+", "changed": "~", "removed": "-"}


def marker(stack: str) -> str:
    """By which the comment is found again and edited in place; no name can end it early."""
    return f"{MARKER}{quote(stack[:LONGEST_NAME], safe='').replace('--', '-%2D')} -->"


def markdown(report: PreviewReport) -> str:
    head = [
        marker(report.stack),
        f"### Preview of {code(report.stack, LONGEST_NAME)}: {HEADLINES[report.outcome]}",
        "",
        f"{report.changes}.",
    ]
    # What a reviewer must do, then what they look at for it.
    todo = [*_policies(report), *_errors(report), *_approvals(report), *_undo(report), *_drift(report)]
    text = "\n".join([*head, *todo, *_changes(report), *_functions(report), *_surface(report)])
    return "\n".join([text, *_diff(report.diff, LONGEST - _size(text) - FOR_THE_FRAME)]) + "\n"


def code(text: str, longest: int = LONGEST_ITEM, *, in_table: bool = False) -> str:
    """As a code span: its fence is longer than any that stands in the text."""
    return _span(plain(text, longest), in_table=in_table)


def _span(escaped: str, *, in_table: bool = False) -> str:
    """Of what was escaped where it was written. That it was is not relied on: a line's end would end the span."""
    harmless = _printable(escaped.strip()) or "(empty)"
    fence = "`" * (_longest_run(harmless) + 1)
    pad = " " if harmless[0] == "`" or harmless[-1] == "`" else ""
    span = f"{fence}{pad}{harmless}{pad}{fence}"
    return span.replace("|", "\\|") if in_table else span


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _size(text: str) -> int:
    return len(text.encode())


def _fitting(items: Sequence[str], part: str, what: str, stack: str) -> Iterator[str]:
    """As many as there is room for, then how many more there are and where to read them."""
    left = ROOM[part]
    for index, item in enumerate(items):
        left -= _size(item) + 1
        if left < 0:
            yield f"\n… and {len(items) - index} more {what}: {code(f'./pf preview --stack {stack}', 200)} shows all."
            return
        yield item


def _changes(report: PreviewReport) -> Iterator[str]:
    if not report.steps:
        return
    yield from ("", "| change | kind | resource | what differs |", "|---|---|---|---|")
    rows = [
        "| "
        + " | ".join(
            [
                code(step.op, in_table=True) + (" (kept)" if step.kept else ""),
                _span(noun(step.type), in_table=True),
                code(step.name, 200, in_table=True),
                " ".join(code(path, 200, in_table=True) for path in list(step.properties)[:10])
                + (f" and {len(step.properties) - 10} more" if len(step.properties) > 10 else ""),
            ]
        )
        + " |"
        for step in report.steps
    ]
    yield from _fitting(rows, "changes", "resources", report.stack)


def _functions(report: PreviewReport) -> Iterator[str]:
    if not report.functions:
        return
    yield from ("", "**Edge functions with new content**", "")
    items = [
        f"- {code(one.name)}: {_hash(one.before, 'new')} → {_hash(one.after, 'taken away')}" for one in report.functions
    ]
    yield from _fitting(items, "functions", "functions", report.stack)


def _hash(digest: str, otherwise: str) -> str:
    return code(digest[:SHOWN]) if digest else otherwise


def _undo(report: PreviewReport) -> Iterator[str]:
    if not report.undoable:
        return
    question, _, answer = report.undoable.partition("? ")
    yield from ("", f"**{question.capitalize()}?** {code(answer)}", "")
    items = [
        f"- forward-only: {code(f'{one.op} of {noun(one.type)} {one.name}')}: {code(one.why)}" for one in report.lasting
    ]
    yield from _fitting(items, "undo", "changes", report.stack)


def _policies(report: PreviewReport) -> Iterator[str]:
    yield from ("", f"**Policies:** {report.policies.replace(APPROVAL, code(APPROVAL))}.")
    items = [""] if report.refusals else []
    for one in report.refusals:
        sign = "❌" if one.level == "mandatory" else "⚠️"
        items.append(f"- {sign} {code(one.policy)} on {code(one.name or 'the stack')}")
        items += [f"  - {_span(line)}" for line in lines(one.message) if line.strip()]
    yield from _fitting(items, "policies", "lines", report.stack)


def _surface(report: PreviewReport) -> Iterator[str]:
    if not report.surface and not report.differences:
        return
    surface, before = (code(one[:SHOWN] or "nothing") for one in (report.surface, report.approved))
    if not report.differences:
        yield from ("", f"**Security surface** {surface}: as it was approved.")
        return
    found = _in_words(report.differences)
    count = f"{len(report.differences)} difference{'s' * (len(report.differences) != 1)}"
    yield from ("", f"**Security surface** {surface}, in place of {before}: {count}", "")
    yield f"<details{' open' * (len(found) <= UNFOLDED)}><summary>What approvals are about</summary>"
    yield ""
    yield from _fitting(found, "surface", "lines", report.stack)
    yield from ("", "</details>")


def _drift(report: PreviewReport) -> Iterator[str]:
    if report.drift:
        yield from ("", f"**Drift:** {DRIFT}:", "")
        yield from _fitting(_in_words(report.drift), "drift", "lines", report.stack)


def _in_words(found: Sequence[ResourceDifference]) -> list[str]:
    items: list[str] = []
    for one in found:
        items.append(f"- `{MARKS[one.kind]}` {_span(one.title)}")
        items += [f"  - {_span(_shortened(sentence))}" for sentence in one.sentences]
    return items


def _shortened(sentence: str) -> str:
    """Escaped already; cut where even that is longer than an item may be."""
    if len(sentence) <= LONGEST_ITEM:
        return sentence
    return f"{sentence[:LONGEST_ITEM]}… {len(sentence) - LONGEST_ITEM:,} characters more"


def _approvals(report: PreviewReport) -> Iterator[str]:
    if report.approvals is None:
        yield from ("", "**Approvals:** the gate could not judge this change.", "")
        if report.gate_problem:
            yield f"- {code(report.gate_problem)}"
        yield from _to_type(report)
        return
    found = report.approvals
    yield from ("", f"**Approvals** ({code(found.kind)})", "")
    # What matters most stands first: it is never what there is no room for.
    items = ["- nothing is missing"] if found.allowed else []
    items += [f"- ❌ missing: {code(one.role)}, from {_span(people(one.people))}" for one in found.missing]
    items += [f"- here: {_span(signed(one))}" for one in found.filed if one.for_this_change]
    items += [f"- {code(problem)}" for problem in found.problems]
    yield from _fitting(items, "approvals", "lines", report.stack)
    yield from _to_type(report)


def _to_type(report: PreviewReport) -> Iterator[str]:
    if report.approve_command:
        yield from ("", "Type next, in a checkout of this branch:", *fenced(plain(report.approve_command, 500), "sh"))


def _errors(report: PreviewReport) -> Iterator[str]:
    if not report.diagnostics:
        return
    yield from ("", "**What the engine reported**", "")
    items: list[str] = []
    for one in report.diagnostics:
        first, *rest = [line for line in lines(one.message) if line.strip()] or [""]
        items.append(f"- {'❌' if one.severity == 'error' else '⚠️'} {_span(first)}")
        items += [f"  - {_span(line)}" for line in rest]
    yield from _fitting(items, "errors", "lines", report.stack)


def _diff(diff: str, room: int) -> Iterator[str]:
    if not diff:
        return
    kept: list[str] = []
    all_lines = [_visible(line) for line in diff.split("\n")]
    for line in all_lines:
        room -= _size(line) + 1
        if room < 0:
            break
        kept.append(line)
    left = len(all_lines) - len(kept)
    yield from ("", "<details><summary>What the engine says, in full</summary>", "")
    yield from fenced("\n".join(kept), "text")
    if left:
        yield f"\n… and {left:,} more lines."
    yield from ("", "</details>")


def _visible(line: str) -> str:
    """A long line cut, and said to be."""
    if len(line) > LONGEST_DIFF_LINE:
        line = f"{line[:LONGEST_DIFF_LINE]} … {len(line) - LONGEST_DIFF_LINE:,} characters more"
    return _printable(line)


def _printable(line: str) -> str:
    """Control, format and other unprintable characters escaped."""
    return "".join(
        one.encode("unicode_escape").decode() if unicodedata.category(one)[0] == "C" or one in "\u2028\u2029" else one
        for one in line
    )


def fenced(text: str, language: str) -> list[str]:
    """A code block; its fence is longer than any that stands in the text."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return [f"{fence}{language}", text, fence]
