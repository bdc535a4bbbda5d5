"""Tables on terminals of every width: no word is broken that fits, no blanks at the ends of lines."""

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
