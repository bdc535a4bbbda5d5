"""Which installed modules a program needs beside the SDK: noted when it has run, imported ahead before it runs again.

A provider's SDK loads each service when something is first read of it, and the whole program waits for that; while the
engine is still busy with the policy pack it costs nobody anything. What the program itself consists of is never noted.
"""

import contextlib
import importlib
import json
import os
import sys
import sysconfig
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path


def note_of(python: Path, root: Path) -> Path:
    """A file in the program's environment, since another has other modules; the same for every copy of the project."""
    project = root / "Pulumi.yaml"
    name = sha256(project.read_bytes() if project.exists() else b"").hexdigest()[:16]
    return python.parent.parent / "pulumi-imports" / f"{name}.json"


def import_ahead(note: Path) -> None:
    """What fails here, the program that imports it will say."""
    with contextlib.suppress(OSError, TypeError, ValueError):
        for name in json.loads(note.read_text()):
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def keep(note: Path, before: Iterable[str]) -> None:
    """What was imported of the environment beyond `before`. Where it can't be written, nothing is imported ahead."""
    installed = sysconfig.get_path("purelib") + os.sep
    names = [name for name in sys.modules.keys() - set(before) if _file(name).startswith(installed)]
    text = json.dumps(sorted(names))
    with contextlib.suppress(OSError):
        if note.exists() and note.read_text() == text:
            return
        note.parent.mkdir(exist_ok=True)
        whole = note.with_suffix(f".{os.getpid()}")
        whole.write_text(text)
        whole.replace(note)


def _file(name: str) -> str:
    return str(getattr(sys.modules[name], "__file__", None) or "")
