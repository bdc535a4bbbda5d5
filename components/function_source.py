"""What a release of the edge functions is made of: a content hash per function, the same on every machine.

A function's hash covers its folder, every local file that its entry point imports, directly or not, the Deno
configuration and lock that apply to it, and its settings in `supabase/config.toml`. Tests and notes don't count.
Imports nothing of Pulumi: the deploying command uses it too.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

FUNCTIONS = Path("supabase/functions")
CONFIG = Path("supabase/config.toml")

_IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"'\n]+)["']""")
_TEST = re.compile(r"[._]test\.[cm]?[jt]sx?$|\.md$")
_IGNORED_FOLDERS = frozenset({"node_modules", "testdata", "tests"})


class SourceError(Exception):
    """Source that can't be a release; the message says what to change."""


@dataclass(frozen=True, kw_only=True)
class Function:
    """One edge function as it stands in the source."""

    name: str
    digest: str
    entry: Path  # relative to the project
    verify_jwt: bool

    @property
    def trigger(self) -> str:
        """What changes when a function does. The policy pack reads there who may call it; the digest doesn't tell."""
        return f"{self.name} {self.digest} verify_jwt={'true' if self.verify_jwt else 'false'}"


@dataclass(frozen=True, kw_only=True)
class Release:
    """All functions that are to be live together."""

    functions: Mapping[str, Function]

    @property
    def contents(self) -> tuple[str, ...]:
        return tuple(function.trigger for _, function in sorted(self.functions.items()))

    @property
    def digest(self) -> str:
        """Names the release, to people and in the functions' answers."""
        text = json.dumps({name: function.digest for name, function in sorted(self.functions.items())})
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_release(root: Path) -> Release:
    """The release that the files under `root` make."""
    settings = _function_settings(root / CONFIG)
    folders = [path for path in sorted((root / FUNCTIONS).glob("*/")) if path.is_dir() and path.name[0] not in "._"]
    names = [path.name for path in folders if path.name not in _IGNORED_FOLDERS]
    for name in sorted(set(settings) - set(names)):
        raise SourceError(f"{CONFIG} has settings for the function {name!r}, but {FUNCTIONS / name} is not there")
    return Release(
        functions={
            name: _read_function(root, name, settings.get(name, {}))
            for name in names
            if settings.get(name, {}).get("enabled", True)
        }
    )


def _function_settings(config: Path) -> dict[str, dict[str, Any]]:
    if not config.is_file():
        return {}
    try:
        return cast("dict[str, dict[str, Any]]", tomllib.loads(config.read_text()).get("functions", {}))
    except tomllib.TOMLDecodeError as error:
        raise SourceError(f"{CONFIG} is no TOML: {error}") from error


def _read_function(root: Path, name: str, settings: Mapping[str, Any]) -> Function:
    supabase = (root / "supabase").resolve()
    folder = supabase / "functions" / name
    entry = (supabase / settings["entrypoint"]).resolve() if "entrypoint" in settings else folder / "index.ts"
    if not entry.is_file():
        raise SourceError(f"the function {name} has no entry point: {FUNCTIONS / name / 'index.ts'} is not there")
    configuration = _configuration(supabase, folder, settings)
    files = {*_own_files(folder), *_imported(entry, supabase, configuration), *configuration}
    for pattern in cast("list[str]", settings.get("static_files", [])):
        files.update(file for file in supabase.glob(pattern.removeprefix("./")) if file.is_file())
    hashed = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for file in sorted(files, key=lambda path: path.relative_to(supabase).as_posix()):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        hashed.update(f"\n{file.relative_to(supabase).as_posix()} {content}".encode())
    return Function(
        name=name,
        digest=hashed.hexdigest(),
        entry=entry.relative_to(root.resolve()),
        verify_jwt=bool(settings.get("verify_jwt", True)),
    )


def _own_files(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        parts = file.relative_to(folder).parts
        if (
            file.is_file()
            and not _TEST.search(file.name)
            and not any(p[0] == "." or p in _IGNORED_FOLDERS for p in parts)
        ):
            yield file


def _configuration(supabase: Path, folder: Path, settings: Mapping[str, Any]) -> list[Path]:
    """The Deno configuration that applies: the function's own, else that of all functions; each with its lock."""
    found: list[Path] = []
    if "import_map" in settings:
        found.append((supabase / settings["import_map"]).resolve())
    for file in ("deno.json", "deno.jsonc", "deno.lock"):
        found.extend([path for place in (folder, folder.parent) if (path := place / file).is_file()][:1])
    return [path for path in found if path.is_file()]


def _import_map(configuration: list[Path]) -> dict[str, Path]:
    """Names of the import maps that stand for files of ours."""
    names: dict[str, Path] = {}
    for file in configuration:
        if file.suffix != ".json":
            continue
        try:
            imports = cast("dict[str, str]", json.loads(file.read_text()).get("imports", {}))
        except ValueError as error:
            raise SourceError(f"{file.name} of the edge functions is no JSON: {error}") from error
        names.update({key: file.parent / value for key, value in imports.items() if value.startswith("./")})
        names.update({key: file.parent / value for key, value in imports.items() if value.startswith("../")})
    return names


def _imported(entry: Path, supabase: Path, configuration: list[Path]) -> set[Path]:
    """Every local file reachable from the entry point. What doesn't resolve is for the type check to report."""
    names = _import_map(configuration)
    seen: set[Path] = set()
    pending = [entry]
    while pending:
        file = pending.pop()
        if file in seen:
            continue
        seen.add(file)
        if file.suffix not in {".ts", ".tsx", ".js", ".jsx", ".mjs", ".mts"}:
            continue
        for specifier in cast("list[str]", _IMPORT.findall(file.read_text())):
            target = _resolve(specifier, file, names)
            if target is not None and target.is_file() and target.is_relative_to(supabase):
                pending.append(target)
    return seen


def _resolve(specifier: str, importer: Path, names: Mapping[str, Path]) -> Path | None:
    if specifier.startswith(("./", "../")):
        return (importer.parent / specifier).resolve()
    for key, path in names.items():
        if specifier == key:
            return path.resolve()
        if key.endswith("/") and specifier.startswith(key):
            return (path / specifier.removeprefix(key)).resolve()
    return None
