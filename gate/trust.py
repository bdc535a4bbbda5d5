"""Who may approve, as it was before the change: the signers in force, never the ones that the change brings along.

The signers of the live version are in force, known by the digest of their files. Files of that digest may come from
anywhere; where a stack names a protected branch, that branch must also have had them at the live version's commit, so
that a forged record in the state's backend makes nobody an approver.
"""

import json
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from gate.canonical import digest
from gate.commits import APPROVALS, Commits, GitError
from gate.records import Records
from gate.signers import Revoked, Signers, SignersError

SIGNERS = "allowed_signers"
REVOKED = "revoked_keys"
LONGEST = 64 * 1024


class TrustError(Exception):
    """It can't be told who may approve; the message says what to do."""


class UnconfirmedError(TrustError):
    """Nobody has taken in the first signers of the stack yet."""


@dataclass(frozen=True, kw_only=True)
class TrustFiles:
    """The two files as text."""

    signers: str
    revoked: str

    @property
    def digest(self) -> str:
        return digest({SIGNERS: self.signers, REVOKED: self.revoked})

    def as_bytes(self) -> bytes:
        return json.dumps({SIGNERS: self.signers, REVOKED: self.revoked}).encode()

    @classmethod
    def of_bytes(cls, content: bytes) -> "TrustFiles":
        found = cast("dict[str, str]", json.loads(content))
        return cls(signers=found[SIGNERS], revoked=found[REVOKED])

    @classmethod
    def of_folder(cls, folder: Path) -> "TrustFiles":
        """Raises: TrustError."""
        return cls(signers=_text(folder / SIGNERS), revoked=_text(folder / REVOKED))

    @classmethod
    def of_commit(cls, commits: Commits, commit: str) -> "TrustFiles":
        """Raises: TrustError, GitError."""
        signers, revoked = (commits.file(commit, f"{APPROVALS}/{name}") for name in (SIGNERS, REVOKED))
        if signers is None or revoked is None:
            raise TrustError(f"{commit[:12]} has no {APPROVALS}/{SIGNERS} and {APPROVALS}/{REVOKED}")
        try:
            return cls(signers=signers.decode(), revoked=revoked.decode())
        except UnicodeDecodeError:
            raise TrustError(f"{APPROVALS}/ of {commit[:12]} is not UTF-8") from None


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Parsed and in force."""

    signers: Signers
    revoked: Revoked
    digest: str
    commit: str


def _text(file: Path) -> str:
    try:
        if not os.path.lexists(file):
            raise TrustError(f"{file} is not there: approvals/README.md says what goes into it")
        if file.is_symlink() or not file.is_file() or file.stat().st_size > LONGEST:
            raise TrustError(f"{file} is no regular file of at most 64 KiB: git checkout {file}")
        return file.read_bytes().decode()
    except OSError as error:
        raise TrustError(f"{file} can't be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise TrustError(f"{file} is not UTF-8") from None


def in_force(records: Records, folder: Path, commits: Commits, branches: Collection[str], stack: str) -> Trust:
    """The signers that judge the next change of the stack.

    `folder` is the approvals folder of this checkout, `branches` the protected ones, if the stack has any.

    Raises: TrustError, StoreError.
    """
    record = records.live() or records.trust_root()
    if record is None:
        raise UnconfirmedError(f"nobody has confirmed yet who may approve: ./pf signers confirm --stack {stack}")
    try:
        if branches:
            files = _from_branches(commits, branches, record.signers_commit, record.signers)
        else:
            files = _of_digest(records, folder, record.signers)
        later = [TrustFiles.of_commit(commits, branch).revoked for branch in branches]
        return Trust(
            signers=Signers.parse(files.signers.encode(), f"{APPROVALS}/{SIGNERS}"),
            revoked=_revoked([files.revoked, *later, _text(folder / REVOKED)]),
            digest=record.signers,
            commit=record.signers_commit,
        )
    except (GitError, SignersError) as error:
        raise TrustError(str(error)) from error


def _revoked(lists: Iterable[str]) -> Revoked:
    """All of them: a lost key counts no more from when its revocation is merged or at hand, before any approval."""
    parsed = [Revoked.parse(text.encode(), f"{APPROVALS}/{REVOKED}") for text in dict.fromkeys(lists)]
    return Revoked(
        text="\n".join(one.text for one in parsed),
        fingerprints=frozenset[str]().union(*(one.fingerprints for one in parsed)),
    )


def _from_branches(commits: Commits, branches: Collection[str], commit: str, wanted: str) -> TrustFiles:
    for branch in branches:
        if not commit or not commits.has(branch, commit):
            raise TrustError(
                f"the signers in force come from the commit {commit[:12] or '(none)'}, which is not on {branch}: "
                "git fetch --unshallow origin, and see docs/security.md"
            )
    files = TrustFiles.of_commit(commits, commit)
    if files.digest != wanted:
        raise TrustError(f"the gate's record of the signers is not what {commit[:12]} has: see docs/security.md")
    return files


def _of_digest(records: Records, folder: Path, wanted: str) -> TrustFiles:
    try:
        here = TrustFiles.of_folder(folder)
        if here.digest == wanted:
            return here
    except TrustError:
        pass  # what this checkout has may be broken; the ones in force are kept beside the record
    kept = records.signers(wanted)
    if kept is not None:
        try:
            files = TrustFiles.of_bytes(kept)
            if files.digest == wanted:
                return files
        except (KeyError, TypeError, ValueError):
            pass
    raise TrustError(f"the signers in force ({wanted[:12]}) are neither in {folder} nor in the gate's records")
