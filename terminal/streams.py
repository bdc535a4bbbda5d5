"""What is printed: a pipe that ends early changes nothing, and a disk that is full is one message.

What is said beside it, on standard error, ends nothing at all: an update that is at work goes on without its reader.
"""

import io
import os
import select
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer


class OutputError(Exception):
    """What is printed can't be written: the disk behind it is full, for example."""


class _Output(io.FileIO):
    """A reader that has seen enough (`| head -1`) changes neither the work nor its exit code."""

    gone = False

    def write(self, data: "Buffer", /) -> int:
        while not self.gone:
            try:
                written = super().write(data)
            except OSError as error:
                self.gone = True  # the interpreter tries again when it ends, and would say so in its own words
                self.failed(error)
            else:
                if written is not None:  # pyright: ignore[reportUnnecessaryComparison]
                    return written
                select.select([], [self], [])  # whoever shares the pipe has set it to not block
        return memoryview(data).nbytes

    def failed(self, error: OSError) -> None:
        if not isinstance(error, BrokenPipeError):
            raise OutputError(f"standard output can't be written: {error.strerror}") from error


class _Talk(_Output):
    """Whatever it fails of, there is nobody left who could be told."""

    def failed(self, error: OSError) -> None:
        pass


def open_output() -> None:
    """Once a process, before anything is printed or said."""
    out, err = sys.stdout, sys.stderr
    output = io.BufferedWriter(_Output(os.dup(out.fileno()), "wb"))
    sys.stdout = io.TextIOWrapper(output, out.encoding, out.errors, line_buffering=out.isatty())
    talk = io.BufferedWriter(_Talk(os.dup(err.fileno()), "wb"))
    sys.stderr = io.TextIOWrapper(talk, err.encoding, err.errors, line_buffering=True)
