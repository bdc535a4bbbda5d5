"""Which modules of the providers' SDKs a program needs: noted when it has run, imported ahead before it runs again.

A provider's SDK loads each service when something is first read of it, and the whole program waits for that; while the
engine is still busy with the policy pack it costs nobody anything. Of the providers' alone, which are generated:
another module may do something when it is imported, for which the program prepares it.
"""

import contextlib
import importlib
import json
import sys
import sysconfig
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path


def note_of(python: Path, root: Path) -> Path:
    """A file in the program's environment, since another has other modules; the same for every copy of the project."""
    project = root / "Pulumi.yaml"
    name = sha256(project.read_bytes() if project.exists() else b"").hexdigest()[:16]
    return python.parent.parent / "pulumi-imports" / f"{name}.json"


def import_ahead(note: Path) -> None:
    """The providers' packages and what is noted of them. What fails here, the program that imports it will say."""
    for name in [*_packages(), *_noted(note)]:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def keep(note: Path) -> None:
    """All that is imported of the providers. Where it can't be written, nothing is imported ahead."""
    text = json.dumps(sorted(_of_providers(sys.modules)))
    with contextlib.suppress(OSError):
        if note.exists() and note.read_text() == text:
            return
        note.parent.mkdir(exist_ok=True)
        whole = note.with_suffix(".new")
        whole.write_text(text)
        whole.replace(note)


def _noted(note: Path) -> list[str]:
    """Nothing where there is no note, or none that can be used."""
    try:
        return _of_providers(json.loads(note.read_text()))
    except (AttributeError, OSError, TypeError, ValueError):
        return []


def _of_providers(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.partition(".")[0] in _packages()]


@cache
def _packages() -> frozenset[str]:
    """The providers' SDKs in this environment."""
    installed = Path(sysconfig.get_path("purelib"))
    return frozenset(described.parent.name for described in installed.glob("*/pulumi-plugin.json"))
