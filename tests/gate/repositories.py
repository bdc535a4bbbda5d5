"""Little git repositories, made by the real git and not by ours."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gate.commits import Commits

ALICE, BOB, CAROL = (f"{name}@parker-flight.com" for name in ("alice", "bob", "carol"))


@dataclass(frozen=True)
class Repository:
    folder: Path

    @classmethod
    def new(cls, folder: Path) -> "Repository":
        folder.mkdir(parents=True, exist_ok=True)
        made = cls(folder)
        made.git("init", "-q", "-b", "main")
        return made

    @property
    def commits(self) -> Commits:
        return Commits(folder=self.folder)

    def git(self, *arguments: str, author: str = ALICE) -> str:
        names = {
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "x"), ("EMAIL", author))
        }
        kept = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        done = subprocess.run(
            ["git", "-C", str(self.folder), "-c", "protocol.file.allow=always", *arguments],
            env=kept | names,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)

    def commit(self, files: dict[str, str], author: str = ALICE) -> str:
        self.write(files)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x", author=author)
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def clone(self, folder: Path, *options: str) -> "Repository":
        self.git("clone", "-q", *options, f"file://{self.folder}", str(folder))
        return Repository(folder)
