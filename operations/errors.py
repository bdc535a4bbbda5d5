"""What ends a verb: a message that says what is wrong and where, and the command or edit that mends it."""

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """What `pf` ends with. 0 to 2 judge the stack, the rest say that the verb did not get that far."""

    HEALTHY = 0
    DEGRADED = 1
    DOWN = 2
    REFUSED = 3  # a setting, a tool or a precondition: nothing was changed
    FAILED = 4  # the engine or a cloud refused in the middle
    USAGE = 64
    BUG = 70
    INTERRUPTED = 130


class OperationError(Exception):
    """Something an operator can mend."""

    def __init__(self, message: str, cure: str = "", code: ExitCode = ExitCode.REFUSED) -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure
        self.code = code

    def __str__(self) -> str:
        return f"{self.message}\n  {self.cure}" if self.cure else self.message


def together(problems: Sequence[OperationError]) -> OperationError:
    """All at once, so that they are mended at once; one alone is itself."""
    if len(problems) == 1:
        return OperationError(problems[0].message, problems[0].cure)
    return OperationError("\n".join(["several things are in the way:", *(f"- {problem}" for problem in problems)]))
