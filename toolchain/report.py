"""How the toolchain talks: short lines on stderr, one clear message for a failure."""

import sys
import time


class ToolchainError(Exception):
    """What is wrong, where, and the command that mends it; shown without a traceback."""


def say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr, flush=True)


class Progress:
    """A line that moves on a terminal, and one every ten seconds in a log."""

    _LOG_INTERVAL = 10.0

    def __init__(self, what: str) -> None:
        self._what = what
        self._start = time.monotonic()
        self._shown = self._start
        self._moves = sys.stderr.isatty()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._start

    def show(self, text: str) -> None:
        line = f"setup: {self._what}: {text}, {self.elapsed:.0f} s"
        if self._moves:
            print(f"\r\x1b[K{line[:110]}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self._shown >= self._LOG_INTERVAL:
            self._shown = time.monotonic()
            print(line, file=sys.stderr, flush=True)

    def done(self, text: str) -> None:
        end = "\r\x1b[K" if self._moves else ""
        print(f"{end}setup: {self._what}: {text} ({self.elapsed:.1f} s)", file=sys.stderr, flush=True)
