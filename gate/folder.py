"""The statements of one stack and their signatures as files: `<approvals>/<stack>/`.

A statement stands under the one name that its content gives it, its signatures beside it, and nothing is ever written
over. Layout: `<kind>-<surface[:12]>-<nonce>.json`, `incidents/<id>.json`, `incidents/<id>.closed.json`,
`withdrawn/<digest>.json`, and for each signature `<statement file>.<role>.<8 characters of the key>.sig`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from gate.files import write_new
from gate.signature import Signature
from gate.signers import ROLES, Role
from gate.statement import Approval, Closure, Incident, StatementError, Withdrawal

Statement = TypeVar("Statement", Approval, Incident)
_Filed = TypeVar("_Filed", Approval, Incident, Withdrawal)
_FILE_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, kw_only=True)
class SignatureFile:
    """Where a signature may be, and in which role: what its name says, for `verify` to hold it to."""

    path: Path
    role: Role


@dataclass(frozen=True, kw_only=True)
class Filed(Generic[Statement]):
    """A statement in its file, and the files that may hold signatures over it: by name only, none is verified."""

    path: Path
    statement: Statement
    signatures: tuple[SignatureFile, ...]


class Folder:
    """The statements of one stack, `<approvals>/<stack>/`. Nothing in it is ever written over."""

    def __init__(self, approvals: Path, stack: str) -> None:
        self.path = approvals / stack
        self.stack = stack

    def approvals(self) -> tuple[tuple[Filed[Approval], ...], tuple[StatementError, ...]]:
        """Those that can be used, and why the others can't: a damaged one counts for nothing but stops no other."""
        return self._list(self.path, Approval)

    def incidents(self) -> tuple[tuple[Filed[Incident], ...], tuple[StatementError, ...]]:
        """Open or not; see `closed`."""
        return self._list(self.path / "incidents", Incident)

    def closed(self, incident: str) -> bool:
        """Whatever stands in the file: its name is enough to restrict."""
        path = self.path / "incidents" / f"{incident}.closed.json"
        return path.exists() or path.is_symlink()

    def withdrawn(self) -> dict[str, Withdrawal]:
        """By digest. Raises: StatementError for any file that can't be read: what it withdraws must not pass."""
        withdrawals = [self._filed(path, Withdrawal) for path in _files(self.path / "withdrawn")]
        return {withdrawal.digest: withdrawal for withdrawal in withdrawals}

    def write(self, statement: Approval | Incident | Closure | Withdrawal) -> Path:
        """Raises: StatementError for another stack's, and where its file is there already."""
        if statement.stack != self.stack:
            raise StatementError(f"the {statement.what} is for the stack {statement.stack}, not for {self.stack}")
        return self._write(self.path / statement.file_name, statement.content)

    def write_signature(self, statement: Approval | Incident, signature: Signature, armoured: bytes) -> Path:
        """Beside its statement. Raises: StatementError where this key's signature in this role is there already."""
        name = f"{statement.file_name}.{signature.role}.{_key_name(signature.fingerprint)}.sig"
        return self._write(self.path / name, armoured)

    def has_signature_of(self, fingerprint: str) -> bool:
        """Whether a key has signed here before; by its file's name, which nothing is decided by."""
        return self.path.is_dir() and any(self.path.rglob(f"*.{_key_name(fingerprint)}.sig"))

    def _list(
        self, folder: Path, model: type[Statement]
    ) -> tuple[tuple[Filed[Statement], ...], tuple[StatementError, ...]]:
        files = _files(folder)
        found: list[Filed[Statement]] = []
        problems: list[StatementError] = []
        for path in files:
            if path.suffix != ".json" or path.name.endswith(".closed.json"):
                continue
            try:
                statement = self._filed(path, model)
            except StatementError as error:
                problems.append(error)
                continue
            found.append(Filed(path=path, statement=statement, signatures=tuple(_signatures(path, files))))
        return tuple(found), tuple(problems)

    def _filed(self, path: Path, model: type[_Filed]) -> _Filed:
        if not _FILE_NAME.fullmatch(path.name):
            raise StatementError(f"{path.parent} holds a file with a strange name: {path.name!a}")
        statement = model.read(path)
        if statement.stack != self.stack:
            raise StatementError(f"{path} is for the stack {statement.stack}, but lies in the folder of {self.stack}")
        if self.path / statement.file_name != path:
            raise StatementError(f"{path} was renamed or copied: this {statement.what} is {statement.file_name}")
        return statement

    def _write(self, path: Path, content: bytes) -> Path:
        try:
            write_new(path, content)
        except FileExistsError as error:
            raise StatementError(f"{path} is there already, and what was filed is never changed") from error
        except OSError as error:
            raise StatementError(f"{path} can't be written: {error.strerror}") from error
        return path


def _signatures(statement: Path, files: Iterable[Path]) -> Iterator[SignatureFile]:
    for path in files:
        rest = path.name.removeprefix(f"{statement.name}.")
        for role in ROLES:
            if rest != path.name and re.fullmatch(rf"{role}\.[A-Za-z0-9_-]{{8}}\.sig", rest):
                yield SignatureFile(path=path, role=role)


def _key_name(fingerprint: str) -> str:
    """A key in a signature file's name."""
    return fingerprint.removeprefix("SHA256:")[:8].translate(str.maketrans("+/", "-_"))


def _files(folder: Path) -> list[Path]:
    """In the order of their names; hidden ones are the repository's (.gitkeep) or unfinished."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StatementError(f"{folder} can't be listed: {error.strerror}") from error
