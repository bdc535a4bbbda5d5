"""What git says about the program that is to be deployed: who wrote it, and whether it was reviewed."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from typing_extensions import override

from gate.stack_file import release_part

APPROVALS = "approvals"
# The statements of a stack, which need no review; who may approve, in the files above them, is part of the change.
STATEMENTS = f":(exclude,glob){APPROVALS}/*/**"
SECONDS = 10
_STACK_FILE = re.compile(r"Pulumi\.[\w-]+\.yaml")
SHA256 = 64  # characters of a commit, in a repository of that kind


class GitError(Exception):
    """Git can't answer; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Commits:
    """The program's folder in its git repository."""

    folder: Path

    def _git(
        self, *arguments: str, codes: tuple[int, ...] = (0,), told: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        git = shutil.which("git")
        if git is None:
            raise GitError("git is not on PATH: install it")
        try:
            done = subprocess.run(
                [git, "--no-replace-objects", "-C", str(self.folder), *arguments],
                # Not of the repository whose hook runs this.
                env={name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
                input=told,
                capture_output=True,
                check=False,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise GitError(f"`git {arguments[0]}` did not answer within {SECONDS} s") from None
        if done.returncode not in codes:
            raise GitError(f"`git {' '.join(arguments)}` failed: {done.stderr.decode(errors='replace').strip()}")
        return done

    def head(self) -> str:
        """The commit of this folder; empty outside a repository (an unpacked release)."""
        if shutil.which("git") is None:
            return ""
        done = self._git("rev-parse", "--show-prefix", "HEAD", codes=(0, 128))
        lines = done.stdout.decode().splitlines()
        # A folder inside another repository would give that one's commit.
        return lines[1] if done.returncode == 0 and len(lines) == 2 and not lines[0] else ""

    def tree(self) -> str:
        """Git's name for all files of the commit of this folder, whichever way they came together."""
        return self._git("rev-parse", "HEAD^{tree}").stdout.decode().strip()

    def authors(self, since: str) -> frozenset[str]:
        """Who wrote the change (e-mail addresses); neither filing statements nor merging is writing it."""
        head = self.head()
        if not head:
            return frozenset()
        known = since and self._git("cat-file", "-e", f"{since}^{{commit}}", codes=(0, 1, 128)).returncode == 0
        which = [f"{since}..{head}"] if known else ["-1", "--no-merges", head]
        form = ["-c", "--name-only", "--no-show-signature", "--format=%x01%ae%x02%P%x02"]
        done = self._git("log", *form, *which, "--", ".", STATEMENTS)
        authors: set[str] = set()
        for commit in done.stdout.decode(errors="replace").lower().split("\x01")[1:]:
            author, parents, files = commit.split("\x02", 2)
            if " " not in parents or files.strip():  # for a merge, those that are as none of its parents has them
                authors.add(author)
        return frozenset(authors)

    def is_on(self, branch: str) -> bool:
        """Whether this very program, with nothing uncommitted, is on the branch."""
        head = self.head()
        return bool(head) and self.has(branch, head) and self.is_committed()

    def is_committed(self) -> bool:
        """Whether this very program is a commit's."""
        return bool(self.head()) and not self.is_dirty()

    def is_dirty(self) -> bool:
        """Whether the program is not as its commit has it; that of a folder outside git is as it is."""
        changed = ["status", "--porcelain", "--untracked-files=all", "--", ".", STATEMENTS]
        return bool(self.head()) and bool(self._git(*changed).stdout.strip())

    def is_pushed(self) -> bool:
        """Whether some branch of a remote has this commit."""
        head = self.head()
        return bool(head) and bool(self._git("branch", "--remotes", "--contains", head).stdout.strip())

    def has(self, branch: str, commit: str) -> bool:
        """Whether the branch contains the commit.

        Raises: GitError for a branch that this clone doesn't have.
        """
        if self._git("rev-parse", "--verify", "--quiet", f"{branch}^{{commit}}", codes=(0, 1)).returncode:
            raise GitError(f"this clone has no {branch}: git fetch origin")
        return self._git("merge-base", "--is-ancestor", commit, branch, codes=(0, 1, 128)).returncode == 0

    def file(self, commit: str, path: str) -> bytes | None:
        """A file as that commit has it."""
        done = self._git("show", f"{commit}:{path}", codes=(0, 128))
        return done.stdout if done.returncode == 0 else None


@dataclass(frozen=True, kw_only=True)
class ReleaseCommits(Commits):
    """A release unpacked outside git, held against the commit that it is said to come from in a repository.

    Where it came from is a claim until its files are those of the commit.
    """

    release: Path
    commit: str

    @override
    def head(self) -> str:
        return self.commit

    @override
    def authors(self, since: str) -> frozenset[str]:
        """Of what isn't live yet: that it was is a claim. Nobody where git doesn't know the commit."""
        return super().authors(since) if self._blobs() else frozenset()

    @override
    def is_committed(self) -> bool:
        blobs = self._blobs()
        here = {file.relative_to(self.release).as_posix(): file for file in _files(self.release)}
        complete = all(path in here for path in blobs if _counts(path))
        return (
            bool(blobs)
            and complete
            and all(
                blobs.get(path) == self._blob(file) or (path in blobs and self._is_encrypted_otherwise(path, file))
                for path, file in here.items()
            )
        )

    def _is_encrypted_otherwise(self, path: str, file: Path) -> bool:
        """Whether it is the stack's file, which differs by nothing but how the state is encrypted."""
        if not _STACK_FILE.fullmatch(path) or file.is_symlink() or not file.is_file():
            return False
        committed = self.file(self.commit, path)
        return committed is not None and release_part(file.read_bytes()) == release_part(committed)

    def _blobs(self) -> dict[str, str]:
        """Git's name for the content of each file of the commit; empty where this clone doesn't have it."""
        if not self.commit:
            return {}
        listed = self._git("ls-tree", "-r", "-z", "--full-tree", self.commit, codes=(0, 128))
        lines = filter(None, listed.stdout.decode(errors="replace").split("\0"))
        return {path: described.split()[2] for described, _, path in (line.partition("\t") for line in lines)}

    def _blob(self, file: Path) -> str:
        """Git's name for the content of this file; empty for what no archive holds, as a link."""
        if file.is_symlink() or not file.is_file():
            return ""
        content = file.read_bytes()
        form = hashlib.sha256 if len(self.commit) == SHA256 else partial(hashlib.sha1, usedforsecurity=False)
        return form(b"blob %d\0" % len(content) + content).hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """With links to folders, from which Python could import, except to the release's own packages."""
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if Path(place, name).is_symlink()]
        folders[:] = [name for name in folders if name not in ("__pycache__", *links)]
        yield from (Path(place, name) for name in sorted([*names, *(one for one in links if one != ".venv")]))


def _counts(path: str) -> bool:
    """Without which a release is another one: what Python imports, and the functions."""
    parts = path.split("/")
    return not any(part.startswith(".") for part in parts) and (path.endswith(".py") or parts[0] == "supabase")
