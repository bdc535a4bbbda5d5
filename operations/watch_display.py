"""What the watch shows while it goes on: a table that moves on a terminal, elsewhere a line a minute."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from operations.output import say
from terminal.tables import console, table

if TYPE_CHECKING:
    from operations.watch import Window

LINE_SECONDS = 60.0


class Display:
    """On standard error, for the time of the watch."""

    def __init__(self, stack: str, seconds: float) -> None:
        target = console(stderr=True)
        self._stack = stack
        self._end = time.monotonic() + seconds
        self._next_line = time.monotonic() + LINE_SECONDS
        self._window: Window | None = None
        moves = seconds > 0 and target.is_terminal and not target.is_dumb_terminal
        self._live = Live(get_renderable=self._table, console=target, transient=True) if moves else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, window: "Window") -> None:
        self._window = window
        if not self._live and time.monotonic() >= self._next_line:
            self._next_line += LINE_SECONDS
            say(f"  {line(window, self._left)}")

    @property
    def _left(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def _table(self) -> RenderableType:
        left = Text(f"watching {self._stack}: {clock(self._left)} left (Ctrl-C ends the watch)", "bold")
        if self._window is None:
            return left
        rows = [
            (one.endpoint, f"{rate(one.errors, one.requests)} errors", p95(one.p95_ms))
            for one in self._window.measurements
        ]
        return Group(left, table(("endpoint", "last window", "p95"), rows))


def line(window: "Window", left: float) -> str:
    """One window in one line."""
    measured = window.measurements
    errors, requests = sum(one.errors for one in measured), sum(one.requests for one in measured)
    slowest = max(measured, key=lambda one: one.p95_ms or 0.0)
    return (
        f"{clock(left)} left, {rate(errors, requests)} errors, p95 at most {p95(slowest.p95_ms)} ({slowest.endpoint})"
    )


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def rate(errors: int, requests: int) -> str:
    return f"{errors / requests:.1%}"


def p95(milliseconds: float | None) -> str:
    return "no answer" if milliseconds is None else f"{milliseconds:.0f} ms"
