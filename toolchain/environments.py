"""Which Python environment a program or plugin runs in, by the rules of `toolchain: uv`."""

import json
import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """A provider that an installed SDK package needs."""

    name: str
    version: str
    server: str


def project_folder(root: Path) -> Path:
    """The nearest folder with a lock, else with a project file, else the root itself."""
    for marker in ("uv.lock", "pyproject.toml"):
        for folder in (root, *root.parents):
            if (folder / marker).exists():
                return folder
    return root


def environment_folder(root: Path, options: Mapping[str, object]) -> Path:
    named = options.get("virtualenv")
    if isinstance(named, str) and named:
        return root / named
    return project_folder(root) / (os.environ.get("UV_PROJECT_ENVIRONMENT") or ".venv")


def interpreter(root: Path, options: Mapping[str, object]) -> Path:
    """A folder without an environment of its own runs in the language host's."""
    own = environment_folder(root, options) / "bin" / "python"
    return own if own.exists() else Path(sys.executable)


def version(python: Path) -> str:
    """From the environment's own record: a process only to ask would cost each update 50 ms."""
    record = python.parent.parent / "pyvenv.cfg"
    found = re.search(r"^version(?:_info)? *= *([0-9.]+)", record.read_text() if record.exists() else "", re.MULTILINE)
    return found.group(1).rstrip(".") if found else platform.python_version()


def activated(python: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """What `activate` sets, so that programs which the child starts find the same Python."""
    folder = python.parent.parent
    kept = {name: value for name, value in environment.items() if name != "PYTHONHOME"}
    if not (folder / "pyvenv.cfg").exists():
        return kept
    path = os.pathsep.join([str(python.parent), environment.get("PATH", "")])
    return kept | {"VIRTUAL_ENV": str(folder), "PATH": path}


def site_packages(python: Path) -> list[str]:
    if python == Path(sys.executable):
        return [entry for entry in sys.path if entry.endswith("-packages")]
    return [str(folder) for folder in python.parent.parent.glob("lib/python3*/site-packages")]


def plugins(python: Path) -> Iterator[Plugin]:
    """SDK packages say in a file beside their code which provider they belong to."""
    for folder in site_packages(python):
        for file in sorted(Path(folder).glob("*/pulumi-plugin.json")):
            content: dict[str, object] = json.loads(file.read_text())
            if content.get("resource") is True:
                name = str(content.get("name") or file.parent.name.removeprefix("pulumi_"))
                yield Plugin(
                    name=name, version=str(content.get("version") or ""), server=str(content.get("server") or "")
                )


def packages(python: Path, *, transitive: bool) -> list[tuple[str, str]]:
    """Installed packages; without `transitive`, those that no other installed package requires."""
    import importlib.metadata  # its import costs every start of the host 50 ms

    found = {_normal(item.name): item for item in importlib.metadata.distributions(path=site_packages(python))}
    required = {
        _normal(re.split(r"[^A-Za-z0-9._-]", need, maxsplit=1)[0])
        for item in found.values()
        for need in item.requires or ()
        if "extra ==" not in need
    }
    names = sorted(found if transitive else found.keys() - required)
    return [(found[name].name, found[name].version) for name in names]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
