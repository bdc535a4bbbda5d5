"""What a preview leaves for the update of the same run: which surface it saw, on which state, from which program.

It stops accidents (an update without its preview, another program, a state that moved on), not people: whoever may
write the state folder can forge it. What it says is judged again at the update, by the same approvals.
"""

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, TypeAdapter

from gate.canonical import digest
from gate.stack_file import release_part
from gate.surface import Surface, SurfaceError

FRESH = timedelta(minutes=60)  # a person reads the preview, then says yes
# Flags with which a preview sees a part of the stack only; -t and -x, also among other letters.
PARTIAL = re.compile(r"--(target|exclude)(-replace|-dependents)?(=.*)?|-[defjqrvyQ]*[tx].*", re.DOTALL)
PARTIAL_OPTIONS = frozenset(
    f"PULUMI_OPTION_{name}"
    for name in ("TARGET", "TARGET_REPLACE", "TARGET_DEPENDENTS", "EXCLUDE", "EXCLUDE_DEPENDENTS")
)
PROGRAM_FOLDERS = ("components", "gate", "policies")
PROGRAM_FILES = ("Pulumi.yaml", "uv.lock")
IMPORTABLE = (".py", ".pyc", ".so", ".pyd")
NO_PROGRAM = ("__pycache__", "node_modules")


class ReceiptError(Exception):
    """No receipt that this update may go by; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One call of the engine: a preview and its update share it, two calls never do."""

    id: str
    partial: bool  # it was told to look at a part of the stack only


def this_run() -> Run:
    """By the engine's process, the nearest `pulumi` above this one."""
    processes: dict[int, tuple[int, str]] = {}
    for line in _ps("-A", "-o", "pid=,ppid=,comm=").splitlines():
        pid, parent, command = line.split(maxsplit=2)  # the command's path may have spaces
        processes[int(pid)] = (int(parent), command)
    pid = os.getpid()
    while pid in processes:
        parent, command = processes[pid]
        if Path(command).name == "pulumi":
            partial = any(map(PARTIAL.fullmatch, _ps("-p", str(pid), "-o", "args=").split()))
            return Run(id=run_of(pid), partial=partial or not PARTIAL_OPTIONS.isdisjoint(os.environ))
        pid = parent
    raise ReceiptError("the engine's process was not found above the policy pack's")


def run_of(pid: int) -> str:
    """The run of an engine's process: its number and start, not its arguments, where a person's message may stand."""
    return f"{pid} {_started(pid)}"


def _started(pid: int) -> str:
    """When the process began. On Linux `ps` reckons it anew each time, and may be a second off the time before."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return _ps("-p", str(pid), "-o", "lstart=").strip()


def _ps(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["ps", "-ww", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env=os.environ | {"LC_ALL": "C", "TZ": "UTC"},
        )
    except FileNotFoundError as error:
        raise ReceiptError(
            "`ps` is not on PATH, so this update can't be known again: install it (on Linux the package procps)"
        ) from error
    return done.stdout


def content_digest(surface: str, functions: Sequence[str]) -> str:
    return digest({"surface": surface, "functions": list(functions)})


def release_digest(program: str, functions: Sequence[str]) -> str:
    return digest({"program": program, "functions": list(functions)})


def program_digest(folder: Path, stack: str) -> str:
    """Changes with the program, the gate, the stack's config and the locked packages.

    The program is whatever it can import: Python searches its folder before the installed packages. The functions'
    content is not part of it; the engine shows that among the inputs. Nor is how the state is encrypted.

    Raises: ReceiptError.
    """
    hashed, stack_file = hashlib.sha256(), folder / f"Pulumi.{stack}.yaml"
    for file in program_files(folder, stack):
        content = release_part(file.read_bytes()) if file == stack_file else file.read_bytes()
        hashed.update(f"{file.relative_to(folder).as_posix()} {hashlib.sha256(content).hexdigest()}\n".encode())
    return hashed.hexdigest()


def program_files(folder: Path, stack: str) -> Iterator[Path]:
    """Raises: ReceiptError where a folder is a link: what is behind it can change unseen."""
    named = [folder / name for name in (*PROGRAM_FILES, f"Pulumi.{stack}.yaml")]
    for place, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = sorted(name for name in folders if name not in NO_PROGRAM and not name.startswith("."))
        if links := [name for name in folders if Path(place, name).is_symlink()]:
            raise ReceiptError(f"{Path(place, links[0])} is a link to a folder: put the folder itself there")
        whole = Path(place).relative_to(folder).parts[:1] in [(name,) for name in PROGRAM_FOLDERS]
        files = (Path(place, name) for name in sorted(names))
        yield from (file for file in files if file.is_file() and (whole or file in named or file.suffix in IMPORTABLE))


def _raise(error: OSError) -> None:
    raise error


@dataclass(frozen=True, kw_only=True)
class _Stored:
    """A receipt in its file."""

    run: str
    program: str
    state: str
    surface: dict[str, Any]
    digest: str
    functions: tuple[str, ...]
    at: AwareDatetime


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What the preview saw. `surface` is the wanted one, `state` the digest of the one that is deployed.

    `functions` is the content that the edge functions are to have, which is not part of the surface.
    """

    run: str
    program: str
    state: str
    surface: Surface
    functions: tuple[str, ...]
    at: datetime

    @property
    def release(self) -> str:
        """What a hotfix is approved by: the whole program and the content of the functions."""
        return release_digest(self.program, self.functions)

    @property
    def content(self) -> str:
        """What stands when this is applied, whatever program makes it: surface and content of the functions."""
        return content_digest(self.surface.digest, self.functions)

    def write(self, file: Path) -> None:
        """Raises: ReceiptError."""
        unfinished = file.with_name(f".{file.name}-{os.getpid()}")
        stored = _Stored(
            run=self.run,
            program=self.program,
            state=self.state,
            surface=self.surface.as_json(),
            digest=self.surface.digest,
            functions=self.functions,
            at=self.at,
        )
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(TypeAdapter(_Stored).dump_json(stored))
            unfinished.replace(file)
        except OSError as error:
            raise ReceiptError(
                f"the preview's receipt {file} can't be written ({error.strerror}): free space there or mend its rights"
            ) from error

    @classmethod
    def read(cls, file: Path) -> "Receipt":
        """Raises: ReceiptError."""
        try:
            stored = TypeAdapter(_Stored).validate_json(file.read_bytes())
            surface = Surface.from_json(stored.surface, stored.digest)
        except FileNotFoundError:
            raise ReceiptError("no preview came before this update in the same run") from None
        except (OSError, ValueError, SurfaceError) as error:
            raise ReceiptError(f"the preview's receipt {file} can't be read ({error})") from error
        return cls(
            run=stored.run,
            program=stored.program,
            state=stored.state,
            surface=surface,
            functions=stored.functions,
            at=stored.at,
        )

    def check(self, *, run: str, program: str, state: str, now: datetime) -> None:
        """Raises: ReceiptError unless it is this run's, of this program and state, and fresh."""
        if self.run != run:
            raise ReceiptError("no preview came before this update in the same run")
        if self.program != program:
            raise ReceiptError("the program, its config or its packages changed after the preview")
        if self.state != state:
            raise ReceiptError("the stack's state changed after the preview")
        if not timedelta() <= now - self.at <= FRESH:
            raise ReceiptError(
                f"the preview is from {self.at:%Y-%m-%d %H:%M} UTC, it counts for {FRESH.seconds // 60} min"
            )
