"""Tables on terminals of every width: no word is broken that fits, no blanks at the ends of lines."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from rich.text import Text

from terminal.tables import console, show, table

pytestmark = pytest.mark.rows("E1")

ALIAS = "alias/parker-flight-general-sandbox, rotates every 365 days"
ROWS = [("create-payment-method", Text("down", "bold red"), "1044", ALIAS), ("rest", "healthy", "", "a select")]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_word_is_broken_and_no_line_too_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    show(table(("part", "state", "ms", "what it said"), ROWS, right=("ms",)))
    shown = capsys.readouterr().out
    assert {"alias/parker-flight-general-sandbox,", "create-payment-method", "365"} <= set(shown.split())
    lines = shown.splitlines()
    assert all(line == line.rstrip() and len(line) <= width for line in lines)
    assert lines[0].startswith("part")


def test_a_word_wider_than_the_terminal_is_folded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    show(table(("part", "what it said"), [("rest", "x" * 50)]))
    assert capsys.readouterr().out.count("x") == 50


def test_without_colour_nothing_is_bold_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")  # as if it were a terminal
    for wanted, escapes in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", wanted)
        terminal = console()
        with terminal.capture() as captured:
            terminal.print(Text("down", "bold red"))
        assert ("\x1b" in captured.get()) == escapes


def lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int, *arguments: Any, **named: Any
) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    show(table(*arguments, **named))
    return capsys.readouterr().out.splitlines()


Shown = Callable[..., list[str]]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shown:
    return partial(lines, monkeypatch, capsys)


CHECKS = [("round trip payment", "healthy", "7", "alias/parker-flight, rotates")]


def test_the_last_column_goes_below_rather_than_that_the_others_are_folded(shown: Shown) -> None:
    columns = ("part", "state", "ms", "what it said")
    assert shown(54, columns, CHECKS, right=("ms",)) == [
        "part                state    ms  what it said",
        "round trip payment  healthy   7  alias/parker-flight,",
        "                                 rotates",
    ]
    assert shown(52, columns, CHECKS, right=("ms",)) == [
        "part                state    ms",
        "  what it said",
        "round trip payment  healthy   7",
        "  alias/parker-flight, rotates",
    ]


def test_numbers_are_never_folded(shown: Shown) -> None:
    rows = [("handing settings over", "17.2 s", "0.3 s")]
    assert shown(28, ("step", "after", "took"), rows, right=("after", "took")) == [
        "step            after   took",
        "handing        17.2 s  0.3 s",
        "settings over",
    ]


def test_a_column_in_which_nothing_stands_is_left_out(shown: Shown) -> None:
    assert shown(40, ("step", "detail", "took"), [("looking", "", "1 s")]) == ["step     took", "looking  1 s"]
    assert shown(40, ("step", "why"), [("looking", "")], below=1) == ["step", "looking"]


def test_what_does_not_fit_shares_a_line_below(shown: Shown) -> None:
    assert shown(22, ("report", "kind", "took", "commit", "why"), [("2026", "deployment", "1 s", "45a0", "a\nb")]) == [
        "report  kind",
        "  took  commit  why",
        "2026    deployment",
        "  1 s",
        "  45a0",
        "  a",
        "  b",
    ]
    rows = [("20261128T024132", "deployment", "1 s", "45a0", "why")]
    assert shown(27, ("report", "kind", "took", "commit", "about"), rows, below=1) == [
        "report           kind",
        "  took  commit",
        "  about",
        "20261128T024132  deployment",
        "  1 s  45a0",
        "  why",
    ]
