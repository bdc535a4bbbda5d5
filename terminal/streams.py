"""Standard output: a pipe that ends early changes nothing, a disk that is full is one message."""

import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer


class OutputError(Exception):
    """What is printed can't be written: the disk behind it is full, for example."""


class _Pipe(io.FileIO):
    """A reader that has seen enough (`| head -1`) changes neither the work nor its exit code."""

    gone = False

    def write(self, data: "Buffer", /) -> int:
        size = memoryview(data).nbytes
        if self.gone:
            return size
        try:
            return super().write(data)
        except BrokenPipeError:
            self.gone = True
            return size
        except OSError as error:
            self.gone = True  # the interpreter tries again when it ends, and would say so in its own words
            raise OutputError(f"standard output can't be written: {error.strerror}") from error


def open_output() -> None:
    """Once a process, before anything is printed."""
    old = sys.stdout
    pipe = io.BufferedWriter(_Pipe(os.dup(old.fileno()), "wb"))
    sys.stdout = io.TextIOWrapper(pipe, old.encoding, old.errors, line_buffering=old.isatty())
