"""Reading and comparing the versions of programs that the machine already has."""

import os
import re
import shutil
import subprocess
from pathlib import Path


def numbers(text: str) -> tuple[int, ...] | None:
    """The first dotted number of a text, whatever stands around it (`go version go1.26.8 linux/amd64`, `v20.1`)."""
    found = re.search(r"(\d+(?:\.\d+)+|\d+)", text)
    return tuple(int(part) for part in found.group(1).split(".")) if found else None


def at_least(text: str, minimum: str) -> bool:
    have, need = numbers(text), numbers(minimum)
    return have is not None and need is not None and have >= need


def answer(*command: str | Path, timeout: float = 20) -> str | None:
    """What a program says of itself; None when it is missing or can't run (a version manager's empty shim)."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def on_path(name: str, *, besides: Path) -> Path | None:
    """A program on PATH that isn't one that we put there ourselves."""
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    others = [folder for folder in folders if Path(folder).absolute() != besides]
    found = shutil.which(name, path=os.pathsep.join(others))
    return Path(found) if found else None
