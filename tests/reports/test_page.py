"""The page: everything that the report says, nothing from elsewhere, and no text of others that is more than text."""

import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from reports.models import Approval, Check, OperationReport, Result
from reports.page import page
from tests.reports.samples import BEGAN, deployment, rollback, step

pytestmark = pytest.mark.rows("R4")

HOSTILE = """"'><script src=https://x.example/a.js></script><img src=x onerror=y>{{ 7 * 7 }}{% raw %}"""


class Read(HTMLParser):
    """What a browser would see: elements with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def hostile() -> OperationReport:
    """Each text of it."""
    return rollback(
        **dict.fromkeys(("stack", "environment", "who", "host", "commit", "message", "reason", "why"), HOSTILE),
        change=HOSTILE,
        errors=[HOSTILE],
        steps=[step(HOSTILE, 0, 1, detail=HOSTILE)],
        checks=[Check(name=HOSTILE, status="down", detail=HOSTILE)],
        approvals=[Approval(statement=HOSTILE, role=HOSTILE, by=HOSTILE)],
    )


def test_hostile_text_stays_text() -> None:
    plain, read = Read(page(rollback())), Read(page(hostile()))
    assert {tag for tag, _ in read.elements} <= {tag for tag, _ in plain.elements}
    assert {name for _, found in read.elements for name in found} <= {
        name for _, found in plain.elements for name in found
    }
    assert sum(text.count(HOSTILE) for text in read.texts) >= 13
    assert "{{ 7 * 7 }}" in "".join(read.texts)


@pytest.mark.parametrize("report", [deployment(), rollback(), hostile()])
def test_a_page_needs_nothing_from_anywhere(report: OperationReport) -> None:
    text = page(report)
    read = Read(text)
    assert not {"script", "link", "img", "iframe", "object", "base"} & {tag for tag, _ in read.elements}
    assert not {"src", "href", "srcset", "onload", "onerror"} & {name for _, found in read.elements for name in found}
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert "prefers-color-scheme: dark" in style
    assert not re.search(r"url\(|@import|https?:", style)
    assert ("meta", {"http-equiv": "Content-Security-Policy"}) in [
        (tag, {"http-equiv": found.get("http-equiv")}) for tag, found in read.elements
    ]
    assert "default-src 'none'" in text


def test_a_page_says_everything() -> None:
    said = " ".join(Read(page(deployment())).texts)
    for words in (
        *("Deployment of production", "succeeded, verified", "41 → 42", "ada@example.com on runner-7", "23.4 s"),
        *("bff42b4f6757 Rotate keys twice as often", "measure before", "3 resources changed", "P4", "35.0 s", "met"),
        *("encrypt-data-slow", "a1a1a1a1a1a1", "b2b2b2b2b2b2", "rotates every 180 days", "+10%", "grace@example.com"),
        "7 of Supabase's Management API",
    ):
        assert words in said
    assert "KMSInvalidStateException: key-pii is disabled" in " ".join(Read(page(rollback())).texts)


def bars(report: OperationReport) -> list[tuple[float, float]]:
    styles = [found["style"] or "" for _, found in Read(page(report)).elements if "style" in found]
    return [(float(left), float(width)) for left, width in (re.findall(r"[0-9.]+(?=%)", style) for style in styles)]


def test_bars_stand_where_and_as_long_as_their_steps() -> None:
    report = deployment(seconds=10, steps=[step("a", 0, 2.5), step("b", 2.5, 5), step("c", 7.5, 2.5, Result.FAILED)])
    assert bars(report) == [(0, 25), (25, 50), (75, 25)]
    assert 'class="bar bad"' in page(report)


@pytest.mark.parametrize("seconds", [0, 1e-9, 3])
def test_no_bar_leaves_its_track_whatever_the_clock_did(seconds: float) -> None:
    early = step("early", 0, 5).model_copy(update={"started_at": BEGAN - timedelta(hours=1)})
    for left, width in bars(deployment(seconds=seconds, steps=[early, step("late", 9, 0), step("long", 1, 1e6)])):
        assert left >= 0
        assert width > 0
        assert left + width <= 100


def test_a_report_with_nothing_in_it_has_a_page() -> None:
    report = OperationReport.model_validate(
        deployment().model_dump(
            include={"kind", "id", "stack", "environment", "started_at", "ended_at", "seconds", "who", "host", "result"}
        )
    )
    assert [text for text in Read(page(report)).texts if text in ("Steps", "Checks", "Errors", "Benchmarks")] == []
