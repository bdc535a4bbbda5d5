"""Times as people type them."""

import re

from operations.errors import ExitCode, OperationError

TIME = re.compile(r"(?:(\d{1,6})m)?(?:(\d{1,6})s?)?")


def seconds_of(text: str, option: str) -> float:
    """`90`, `90s`, `5m`, `1m30s`.

    Raises: OperationError.
    """
    match = TIME.fullmatch(text.strip())
    if not match or not any(match.groups()):
        raise OperationError(
            f"{option} {text!r} is no time", f"Like this: {option} 5m, or {option} 90s", ExitCode.USAGE
        )
    return int(match[1] or 0) * 60 + int(match[2] or 0)
