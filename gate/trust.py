"""Who may approve, as it was before the change: the signers in force, never the ones that the change brings along.

The signers of the live version are in force, known by the digest of their files. Files of that digest may come from
anywhere; where a stack names a protected branch, that branch must also have had them at the live version's commit, so
that a forged record in the state's backend makes nobody an approver.
"""

import json
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
        return cls(signers=_text(folder / SIGNERS), revoked=_text(folder / REVOKED))


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Parsed and in force."""

    signers: Signers
    revoked: Revoked
    digest: str
    commit: str


def _text(file: Path) -> str:
    try:
        if not file.exists():
            raise TrustError(f"{file} is not there: approvals/README.md says what goes into it")
        if file.is_symlink() or not file.is_file() or file.stat().st_size > LONGEST:
            raise TrustError(f"{file} is no regular file of at most 64 KiB: git checkout {file}")
        return file.read_bytes().decode()
    except OSError as error:
        raise TrustError(f"{file} can't be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise TrustError(f"{file} is not UTF-8") from None


def in_force(records: Records, folder: Path, commits: Commits, branch: str) -> Trust:
    """The signers that judge the next change of the stack.

    `folder` is the approvals folder of this checkout, `branch` the protected one or empty.

    Raises: TrustError, StoreError.
    """
    record = records.live() or records.trust_root()
    if record is None:
        raise TrustError("nobody has confirmed yet who may approve: ./pf signers confirm")
    if branch:
        files = _from_branch(commits, branch, record.signers_commit, record.signers)
    else:
        files = _of_digest(records, folder, record.signers)
    try:
        revoked = Revoked.parse(files.revoked.encode(), f"{APPROVALS}/{REVOKED}")
        # A revocation only restricts, so one that comes with the change counts at once.
        here = Revoked.read(folder / REVOKED)
        return Trust(
            signers=Signers.parse(files.signers.encode(), f"{APPROVALS}/{SIGNERS}"),
            revoked=Revoked(text=f"{revoked.text}\n{here.text}", fingerprints=revoked.fingerprints | here.fingerprints),
            digest=record.signers,
            commit=record.signers_commit,
        )
    except SignersError as error:
        raise TrustError(str(error)) from error


def _from_branch(commits: Commits, branch: str, commit: str, wanted: str) -> TrustFiles:
    try:
        if not commit or not commits.has(branch, commit):
            raise TrustError(
                f"the signers in force come from the commit {commit[:12] or '(none)'}, which is not on {branch}: "
                "git fetch --unshallow origin, and see docs/security.md"
            )
        found = [commits.file(commit, f"{APPROVALS}/{name}") for name in (SIGNERS, REVOKED)]
    except GitError as error:
        raise TrustError(str(error)) from error
    if found[0] is None or found[1] is None:
        raise TrustError(f"{commit[:12]} has no {APPROVALS}/{SIGNERS} and {APPROVALS}/{REVOKED}")
    try:
        files = TrustFiles(signers=found[0].decode(), revoked=found[1].decode())
    except UnicodeDecodeError:
        raise TrustError(f"{APPROVALS}/ of {commit[:12]} is not UTF-8") from None
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
        except (ValueError, KeyError):
            pass
    raise TrustError(f"the signers in force ({wanted[:12]}) are neither in {folder} nor in the gate's records")
