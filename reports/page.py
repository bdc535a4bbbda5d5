"""A report as one HTML page that needs nothing else: no script, no font, no picture from anywhere.

What a report quotes (reasons, messages, errors) is text on the page, whatever it looks like.
"""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports.models import OperationReport, Step
from reports.summary import TONES, facts, headline, seconds, sections

TEMPLATES = Path(__file__).parent
SMALLEST = 0.4  # per cent: the bar of a step that took no time can be seen


def page(report: OperationReport) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    title, result = headline(report)
    return environment.get_template("page.html.j2").render(
        title=title,
        result=result,
        tone=TONES[report.result],
        tones=TONES,
        report=report,
        facts=list(facts(report)),
        bars=_bars(report),
        whole=seconds(_whole(report)),
        sections=[section for section in sections(report) if section.rows],
    )


def _whole(report: OperationReport) -> float:
    """What the timeline spans, in seconds."""
    ends = [_start(report, step) + step.seconds for step in report.steps]
    return max(report.seconds, *ends, 0.001)


def _start(report: OperationReport, step: Step) -> float:
    return (step.started_at - report.started_at).total_seconds()


def _bars(report: OperationReport) -> list[tuple[Step, str, float, float]]:
    """Each step with what it took, where its bar begins and how wide it is, in per cent."""
    whole = _whole(report)
    bars: list[tuple[Step, str, float, float]] = []
    for step in report.steps:
        width = min(max(step.seconds / whole * 100, SMALLEST), 100)
        left = min(max(_start(report, step) / whole * 100, 0), 100 - width)
        bars.append((step, seconds(step.seconds), round(left, 2), round(width, 2)))
    return bars
