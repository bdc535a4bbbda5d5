"""One at a time for what two setups on a machine would otherwise both build."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from toolchain.report import ToolchainError, say


@contextmanager
def only_one(folder: Path, name: str) -> Generator[None]:
    """The kernel drops the lock with the process, so a killed setup blocks nobody."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / f"{name}.lock").open("w")
    except OSError as error:
        raise ToolchainError(
            f"can't write to the cache folder {folder} ({error.strerror}); set PF_CACHE to a folder of yours"
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another setup is at {name}; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
