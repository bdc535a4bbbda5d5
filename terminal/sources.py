"""A source that Python can't read: whoever edits this checkout is told which line, instead of a traceback."""

import sys
from typing import NoReturn

REFUSED = 3  # as any setting that can't be used


def refuse_to_start(error: SyntaxError) -> NoReturn:
    """Ends the process. It imports as it starts, so nothing was changed yet."""
    print(
        f"error: {error.filename}, line {error.lineno}: {error.msg}\n"
        "  Mend that line, or put this checkout's changes aside (git stash); then type it again.",
        file=sys.stderr,
    )
    sys.exit(REFUSED)
