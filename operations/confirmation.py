"""What can't be taken back is confirmed by typing what it is about."""

import sys

from operations.errors import OperationError


def confirmed(wanted: str, given: str, question: str) -> None:
    """Typed by a person, or given as an option where there is none."""
    if not given and sys.stdin.isatty():
        print(question, end="", file=sys.stderr, flush=True)
        given = sys.stdin.readline().strip()
    if given != wanted:
        raise OperationError(
            f"not confirmed: {given!r} is not {wanted!r}" if given else "this has to be confirmed",
            f"Nothing was changed. Where nobody can be asked: --confirm {wanted}",
        )
