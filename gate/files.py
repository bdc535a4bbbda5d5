"""Files that others wrote, read with nothing taken for granted; and files of ours, written whole or not at all."""

import errno
import os
import stat
import tempfile
from pathlib import Path

LIMIT = 64 * 1024


class FileRefusedError(Exception):
    """A file that is not read; the message names the cause, the caller names the file."""


def read_regular(path: Path, limit: int = LIMIT) -> bytes:
    """A regular file's bytes. A link would let its content change behind the name; a FIFO would hang the gate.

    Raises: FileRefusedError for anything else, what can't be read, and what is larger than the limit.
    """
    try:  # O_NONBLOCK: opening a FIFO must not wait for its writer
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise FileRefusedError("is not there") from None
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ELOOP, errno.EMLINK):
            raise FileRefusedError("is a symbolic link; a regular file is needed") from error
        raise FileRefusedError(f"can't be read: {error}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileRefusedError("is no regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise FileRefusedError(f"can't be read: {error}") from error
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise FileRefusedError(f"is larger than {limit} bytes")
    return content


def as_text(content: bytes) -> str:
    """Raises: FileRefusedError for what is no plain UTF-8."""
    if content.startswith(b"\xef\xbb\xbf"):
        raise FileRefusedError("begins with a byte order mark; save it as plain UTF-8")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise FileRefusedError(f"is not UTF-8 (byte {error.start})") from error


def write_new(path: Path, content: bytes) -> None:
    """Whole, on the disk, and never over another file: a link fails where the name is taken, a rename would not.

    Raises: FileExistsError; OSError when the disk refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:  # not the name that is taken, but a file where its folder belongs
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path.parent)) from error
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, 0o644)  # git and every verifier read it; nothing in it is secret
            os.fsync(descriptor)
        os.link(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
