"""What a release of the edge functions is made of: a content hash per function, the same on every machine.

A function's hash covers its folder, every local file that its entry point imports, directly or not, the Deno
configuration and lock that apply to it, and its settings in `supabase/config.toml`. Tests and notes don't count.
Imports nothing of Pulumi: the deploying command uses it too.
"""

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, TypeGuard, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

FUNCTIONS = Path("supabase/functions")
CONFIG = Path("supabase/config.toml")
LOCK_CHANGES = "\nchanges:\n"  # after it Deno prints all of deno.lock that it would write

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")  # Supabase's own rule
_IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"'\n\0]+)["']""")
_TEST = re.compile(r"[._]test\.[cm]?[jt]sx?$|\.md$")
_IGNORED_FOLDERS = frozenset({"node_modules", "testdata", "tests"})


class SourceError(Exception):
    """Source that can't be a release; the message says what to change."""


def _is_relative(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or "\0" in path:
        raise PydanticCustomError("path", "a path relative to supabase/ is wanted")
    return path


_RelativePath = Annotated[str, AfterValidator(_is_relative)]


class _FunctionSettings(BaseModel):
    """A function's table in `supabase/config.toml`: what is read here, and for the hash whatever else it says."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    enabled: bool = True
    verify_jwt: bool = True
    entrypoint: _RelativePath | None = None
    import_map: _RelativePath | None = None
    static_files: list[_RelativePath] = []

    @property
    def text(self) -> str:
        return json.dumps(self.model_dump(mode="json", exclude_unset=True), sort_keys=True)


class _Config(BaseModel):
    functions: dict[str, _FunctionSettings] = {}


class _DenoConfig(BaseModel):
    imports: dict[str, str | None] = {}


@dataclass(frozen=True, kw_only=True)
class Function:
    """One edge function as it stands in the source."""

    name: str
    digest: str
    entry: Path  # relative to the project
    verify_jwt: bool

    @property
    def line(self) -> str:
        """What changes when a function does. The policy pack reads there who may call it; the digest doesn't tell."""
        return f"{self.name} {self.digest} verify_jwt={'true' if self.verify_jwt else 'false'}"


@dataclass(frozen=True, kw_only=True)
class Release:
    """All functions that are to be live together."""

    functions: Mapping[str, Function]

    @property
    def contents(self) -> tuple[str, ...]:
        return tuple(function.line for _, function in sorted(self.functions.items()))

    @property
    def digest(self) -> str:
        """Names the release, to people and in the functions' answers."""
        text = json.dumps({name: function.digest for name, function in sorted(self.functions.items())})
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_release(root: Path) -> Release:
    """The release that the files under `root` make.

    Raises: SourceError.
    """
    _refuse_links(root)
    settings = _function_settings(root / CONFIG)
    names = _folders(root)
    for name in names:
        if not _NAME.fullmatch(name):
            raise SourceError(
                f"{str(FUNCTIONS / name)!r} can't be a function: Supabase wants a name of letters, digits, _ and -, "
                "with a letter first. Rename it, or begin it with _ if it is none"
            )
    for name in sorted(set(settings) - set(names)):
        raise SourceError(f"{CONFIG} has settings for the function {name!r}, but {FUNCTIONS / name} is not there")
    wanted = {name: settings.get(name, _FunctionSettings()) for name in names}
    try:
        return Release(functions={name: _read_function(root, name, one) for name, one in wanted.items() if one.enabled})
    except OSError as error:
        raise SourceError(f"{error.filename} can't be read: {error.strerror}") from error


def _refuse_links(root: Path) -> None:
    """A link would be deployed as what it leads to, and not come back: no archive of a release has one."""
    supabase = root / CONFIG.parent
    for path in (supabase, *_visible(supabase)):
        if path.is_symlink():
            raise SourceError(f"{path.relative_to(root)} is a link: put there what it leads to")


def _visible(folder: Path) -> Iterator[Path]:
    """Folders and files that an archive may hold: nothing hidden, and no packages."""
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in sorted(folders) if name[0] != "." and name != "node_modules"]
        yield from (Path(place, name) for name in (*folders, *sorted(files)) if name[0] != ".")


def function_names(root: Path) -> list[str]:
    """The functions that ought to be live, also where the source can't be a release as it stands."""
    try:
        settings = _function_settings(root / CONFIG)
    except SourceError:
        settings = {}
    names = {name for name in {*_folders(root), *settings} if _NAME.fullmatch(name)}
    return sorted(name for name in names if name not in settings or settings[name].enabled)


def _folders(root: Path) -> list[str]:
    folders = [path for path in sorted((root / FUNCTIONS).glob("*/")) if path.is_dir() and path.name[0] not in "._"]
    return [path.name for path in folders if path.name not in _IGNORED_FOLDERS]


def _function_settings(config: Path) -> dict[str, _FunctionSettings]:
    if not config.is_file():
        return {}
    try:
        content = tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(f"{CONFIG} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise SourceError(f"{CONFIG} is no TOML: {error}") from error
    try:
        return _Config.model_validate(content).functions
    except ValidationError as error:
        raise SourceError(f"{CONFIG} can't be used: {_problems(error)}") from error


def _problems(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, one['loc'])) or 'the file'}: "
        + ("a table is wanted" if one["type"] in ("model_type", "dict_type") else one["msg"])
        for one in error.errors()
    )


def _read_function(root: Path, name: str, settings: _FunctionSettings) -> Function:
    supabase = (root / "supabase").resolve()
    folder = supabase / "functions" / name
    entry = _inside(supabase, name, settings.entrypoint) if settings.entrypoint else folder / "index.ts"
    if not entry.is_file():
        place = entry.relative_to(supabase.parent)
        raise SourceError(f"the function {name} has no entry point: {place} is not there")
    configuration = _configuration(supabase, folder, settings)
    files = {*_own_files(folder), *_imported(entry, supabase, configuration), *configuration}
    for pattern in settings.static_files:
        files.update(_static_files(supabase, name, pattern))
    hashed = hashlib.sha256(settings.text.encode())
    for file in sorted(files, key=lambda path: path.relative_to(supabase).as_posix()):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        hashed.update(f"\n{file.relative_to(supabase).as_posix()} {content}".encode(errors="surrogateescape"))
    return Function(
        name=name,
        digest=hashed.hexdigest(),
        entry=entry.relative_to(root.resolve()),
        verify_jwt=settings.verify_jwt,
    )


def _inside(supabase: Path, name: str, path: str) -> Path:
    target = (supabase / path).resolve()
    if not target.is_relative_to(supabase):
        raise SourceError(f"{CONFIG}, function {name}: {path} is outside of supabase/")
    return target


def _static_files(supabase: Path, name: str, pattern: str) -> list[Path]:
    try:
        return [file for file in supabase.glob(pattern.removeprefix("./")) if file.is_file()]
    except ValueError as error:
        raise SourceError(f"{CONFIG}, function {name}: static_files {pattern!r}: {error}") from error


def _own_files(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        parts = file.relative_to(folder).parts
        if (
            file.is_file()
            and not _TEST.search(file.name)
            and not any(p[0] == "." or p in _IGNORED_FOLDERS for p in parts)
        ):
            yield file


def _configuration(supabase: Path, folder: Path, settings: _FunctionSettings) -> list[Path]:
    """The Deno configuration that applies: the function's own, else that of all functions; each with its lock."""
    found: list[Path] = []
    if settings.import_map:
        found.append(_inside(supabase, folder.name, settings.import_map))
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
            imports = _DenoConfig.model_validate_json(file.read_bytes()).imports
        except ValidationError as error:
            raise SourceError(f"{file.name} of the edge functions can't be used: {_problems(error)}") from error
        names.update({key: file.parent / value for key, value in imports.items() if _is_ours(value)})
    return names


def _is_ours(specifier: str | None) -> TypeGuard[str]:
    return specifier is not None and specifier.startswith(("./", "../")) and "\0" not in specifier


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
        for specifier in cast("list[str]", _IMPORT.findall(_text(file, supabase))):
            target = _resolve(specifier, file, names)
            if target is not None and target.is_file() and target.is_relative_to(supabase):
                pending.append(target)
    return seen


def _text(file: Path, supabase: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        place = file.relative_to(supabase.parent)
        raise SourceError(f"{place} is no text in UTF-8 (byte {error.start}): save it as UTF-8") from error


def _resolve(specifier: str, importer: Path, names: Mapping[str, Path]) -> Path | None:
    if specifier.startswith(("./", "../")):
        return (importer.parent / specifier).resolve()
    for key, path in names.items():
        if specifier == key:
            return path.resolve()
        if key.endswith("/") and specifier.startswith(key):
            return (path / specifier.removeprefix(key)).resolve()
    return None
