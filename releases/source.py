"""A release's source as one archive: what the engine needs to bring it back without the git host.

The program, the functions, the stack's config and the lock of the packages. What is always the present's stays out:
signers and approvals, secret values. Migrations come along to be compared, never to be undone.
"""

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath, PurePosixPath

from gate.receipt import program_files

FUNCTIONS = "supabase"
FILES = ("pyproject.toml",)
LEFT_OUT = frozenset({"node_modules", "__pycache__"})
MODE = 0o644


class SourceDamagedError(Exception):
    """An archive that is not what its digest says, or holds what no release has."""


def files(folder: Path, stack: str) -> Iterator[Path]:
    """What a release consists of.

    Raises: gate.receipt.ReceiptError.
    """
    found = {*program_files(folder, stack), *(folder / name for name in FILES), *_functions(folder / FUNCTIONS)}
    return (file for file in sorted(found) if file.is_file() and _is_source(file.relative_to(folder)))


def _functions(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if not file.is_symlink())


def _is_source(file: PurePath) -> bool:
    """Nothing hidden, and nothing that Python would run in place of the source."""
    return not any(part.startswith(".") or part in LEFT_OUT for part in file.parts)


def digest_of(archive: bytes) -> str:
    return hashlib.sha256(archive).hexdigest()


def archive(folder: Path, stack: str) -> bytes:
    """A tar.gz, byte for byte the same for the same source."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for file in files(folder, stack):
            content = file.read_bytes()
            entry = tarfile.TarInfo(file.relative_to(folder).as_posix())
            entry.size, entry.mode = len(content), MODE
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def unpack(packed: bytes, digest: str, folder: Path) -> None:
    """Into an empty folder.

    Raises: SourceDamagedError.
    """
    with _opened(packed, digest) as tar:
        tar.extractall(folder, filter="data")


def names(packed: bytes, digest: str) -> list[str]:
    """Of all files, as paths from the release's folder.

    Raises: SourceDamagedError.
    """
    with _opened(packed, digest) as tar:
        return tar.getnames()


def content(packed: bytes, digest: str, name: str) -> bytes:
    """Of one file.

    Raises: SourceDamagedError, also where the release has no such file.
    """
    with _opened(packed, digest) as tar:
        file = tar.extractfile(name) if name in tar.getnames() else None
        if file is None:
            raise SourceDamagedError(f"the release's archive {digest[:12]} has no {name}")
        return file.read()


def contents(packed: bytes, digest: str) -> dict[str, bytes]:
    """Of all files, by their paths from the release's folder.

    Raises: SourceDamagedError.
    """
    with _opened(packed, digest) as tar:
        return {name: file.read() for name in tar.getnames() if (file := tar.extractfile(name))}


@contextmanager
def _opened(packed: bytes, digest: str) -> Generator[tarfile.TarFile]:
    """With nothing in it but source, and of that digest."""
    if digest_of(packed) != digest:
        raise SourceDamagedError(f"the release's archive {digest[:12]} is damaged: its content has another digest")
    try:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed)), mode="r:") as tar:
            for entry in tar:
                if not entry.isfile() or not _is_source(PurePosixPath(entry.name)):
                    raise SourceDamagedError(
                        f"the release's archive {digest[:12]} holds what no release has: {entry.name}"
                    )
            yield tar
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise SourceDamagedError(f"the release's archive {digest[:12]} can't be unpacked: {error}") from error
