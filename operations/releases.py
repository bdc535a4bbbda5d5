"""The versions of a stack, and a version's release unpacked to be run again.

A release comes back with its own program, functions, config and locked packages. What is always the present's: the
policy pack, the people and their approvals, the windows, secret values, and how the state is encrypted.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import yaml

from gate.commits import Commits, GitError, ReleaseCommits
from gate.evidence import CHECKOUT, COMMIT, VERSION
from gate.receipt import ReceiptError
from gate.records import Quarantined, Records
from gate.stack_file import ENCRYPTION, release_part
from gate.store import StoreError, of_backend
from operations.environment import RUNS_THE_ENGINE, load
from operations.errors import ExitCode, OperationError
from operations.output import say
from operations.places import ROOT, state_folder
from operations.stack import PROJECT, Stack
from releases.source import SourceDamagedError, content, names, unpack
from releases.versions import SourceMissingError, Version, Versions
from settings import NAMESPACE, SettingsError, file_name, file_of

LOCK = "uv.lock"
INSTALL_SECONDS = 600
ROOM = 64 << 20  # bytes: some times a release with what Python makes of it
MEMORY = Path("/dev/shm")  # noqa: S108 - Linux has it, and the folder in it is of a name that nobody knows


class NoTargetError(OperationError):
    """There is no version that a rollback could choose by itself."""


class UnknownStackError(OperationError):
    """Nothing here knows the stack: its name is mistyped."""


@dataclass(frozen=True, kw_only=True)
class ReleaseStore:
    """What a stack's backend holds of its versions."""

    stack: str
    versions: Versions
    records: Records

    @classmethod
    def of(cls, stack: str, variables: Mapping[str, str]) -> "ReleaseStore":
        with reading():
            store = of_backend(variables.get("PULUMI_BACKEND_URL", ""), PROJECT, stack, variables)
        return cls(stack=stack, versions=Versions(store), records=Records(store))

    @classmethod
    def of_environment(cls, stack: str) -> "ReleaseStore":
        """Without the stack's settings, which the present checkout may have broken.

        Raises: OperationError; UnknownStackError where the stack has neither an environment nor settings.
        """
        try:
            loaded = load(stack, state_folder(), os.environ, RUNS_THE_ENGINE)
        except OperationError:
            _refuse_unknown(stack)
            raise
        return cls.of(stack, loaded.variables)


def _refuse_unknown(stack: str) -> None:
    try:
        file_of(stack, ROOT)
    except SettingsError as error:
        raise UnknownStackError(str(error)) from error


@contextmanager
def reading() -> Generator[None]:
    """What the release store can't give is refused with its own message."""
    try:
        yield
    except (StoreError, SourceDamagedError, ReceiptError, GitError) as error:
        raise OperationError(str(error)) from error


def candidates(store: ReleaseStore, left: str) -> Iterator[Version]:
    """What can be brought back, the best first: verified, nowhere refused, unpackable, and not what stands now.

    Raises: StoreError.
    """
    refused = store.records.quarantined().keys() | store.records.withdrawn().keys()
    for version in store.versions.newest_first():
        if version.content == left or not refused.isdisjoint((version.content, version.surface, version.release)):
            continue
        verification = store.versions.verification(version.number)
        if not (verification and verification.good):
            continue
        try:
            names(store.versions.source(version), version.source)
        except (SourceMissingError, SourceDamagedError) as error:  # a store that doesn't answer says nothing of it
            say(f"version {version.number} is passed over: {error}")
            continue
        yield version


def chosen(store: ReleaseStore, *, left: str, number: int | None, commit: str, live: Version | None = None) -> Version:
    """The version to bring back. `left`: the content that stands now, empty where an update broke off.

    Raises: OperationError.
    """
    listing = f"./pf history --stack {store.stack}"
    with reading():
        if number is None and not commit:
            if live and live.operation and live.operation.target and not store.versions.verification(live.number):
                return live  # a rollback that was cut off before it was verified: it is finished, not repeated
            found = next(candidates(store, left), None)
            if found is None:
                raise _no_target(store)
            return found
        by_commit = _of_commit(store, commit) if commit else None
        by_number = store.versions.get(number) if number is not None else None
        if number is not None and by_number is None:
            raise OperationError(f"there is no version {number}", f"What there is: {listing}")
        if commit and by_commit is None:
            raise OperationError(f"no version was made from the commit {commit}", f"What there is: {listing}")
        if by_commit and by_number and not by_number.commit.startswith(commit.lower()):
            raise OperationError(
                f"version {number} was made from {by_number.commit[:12] or 'no commit'}, not from {commit}",
                "Name one of them: --version or --target",
            )
        version = cast("Version", by_number or by_commit)
        _refuse_impossible(store, version, left)
    return version


def _no_target(store: ReleaseStore) -> NoTargetError:
    latest = store.versions.latest()
    if latest and latest.number == 1:
        return NoTargetError(
            "there is one version, so a rollback has no target yet", f"Mend forwards: ./pf deploy --stack {store.stack}"
        )
    return NoTargetError(
        "a rollback has no target: each other version is in quarantine, withdrawn, not verified, or what stands now",
        f"What there is: ./pf history --stack {store.stack}. A version that was never verified can be named: "
        f"./pf rollback --stack {store.stack} --version N --reason WHY",
    )


def _of_commit(store: ReleaseStore, commit: str) -> Version | None:
    """The newest one of that commit; of a verified one where there is a choice."""
    if len(commit) < 7:
        raise OperationError(f"{commit!r} is too short for a commit", "Give 7 characters or more.")
    newest: Version | None = None
    for one in store.versions.newest_first():
        if one.commit.startswith(commit.lower()):
            if (seen := store.versions.verification(one.number)) and seen.good:
                return one
            newest = newest or one
    return newest


def _refuse_impossible(store: ReleaseStore, version: Version, left: str) -> None:
    if version.content == left:
        raise OperationError(
            f"version {version.number} brings what stands already", f"Others: ./pf history --stack {store.stack}"
        )
    withdrawn = store.records.withdrawn()
    for why in (withdrawn[digest] for digest in (version.surface, version.release) if digest in withdrawn):
        raise OperationError(
            f"version {version.number} was withdrawn: {why}", f"Choose another: ./pf history --stack {store.stack}"
        )
    if entry := store.records.quarantined().get(version.content):
        raise OperationError(
            f"version {version.number} is in quarantine: {entry.reason}", unblock_command(store, entry)
        )


def is_being_left(store: ReleaseStore, live: Version) -> bool:
    """Whether a rollback from it began and did not end: in quarantine, and none came after it."""
    return live.content in store.records.quarantined()


def unblock_command(store: ReleaseStore, entry: Quarantined) -> str:
    return f"Lift it: ./pf unblock {entry.version} --stack {store.stack} --reason WHY"


@contextmanager
def unpacked(
    store: ReleaseStore, version: Version, needs: tuple[str, ...], *, present: Path | None = None
) -> Generator[Stack]:
    """The version's release as a stack to work on, in a folder outside any git repository, gone afterwards.

    `present`: the folder of what stands now, where that is another.
    """
    with tempfile.TemporaryDirectory(prefix="pf-release-", dir=_memory()) as name:
        folder = Path(name)
        try:
            unpack(store.versions.source(version), version.source, folder)
        except (StoreError, SourceDamagedError) as error:
            raise OperationError(
                f"version {version.number} can't be unpacked: {error}",
                f"Others can: ./pf history --stack {store.stack}. A deployment of its commit writes the archive anew.",
            ) from error
        with reading():
            _refuse_unproven(store.stack, version, folder)
            if present:
                _keep_the_present(folder / file_name(store.stack), present / file_name(store.stack))
        (folder / ".venv").symlink_to(_packages(folder))
        stack = Stack.load(store.stack, needs=needs, root=folder)
        yield replace(
            stack,
            variables={
                **stack.variables,
                CHECKOUT: str(ROOT),
                COMMIT: "" if version.dirty else version.commit,
                VERSION: str(version.number),
                "PF_STATE": str(stack.state),
                "PULUMI_GIT_HEAD": version.commit,
            },
        )


def checked_out(name: str, folder: Path, needs: tuple[str, ...]) -> Stack:
    """Another checkout as a stack to look at: its program, config and packages, this checkout's tools and policies.

    Raises: OperationError.
    """
    folder = folder.resolve()
    if missing := [one for one in ("Pulumi.yaml", LOCK) if not (folder / one).is_file()]:
        raise OperationError(f"{folder} is no checkout of this project: it has no {' and no '.join(missing)}")
    stack = Stack.load(name, needs=needs, root=folder)
    if not (folder / ".venv").exists():
        (folder / ".venv").symlink_to(_packages(folder))
    return replace(stack, variables={**stack.variables, "PF_STATE": str(stack.state)})


def _memory() -> Path | None:
    """Where files are in memory: a release is hundreds, and gone a few seconds later.

    None where there is no such place or it is nearly full, as a container's may be: no rollback fails for want of it.
    """
    if os.access(MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(MEMORY).free >= ROOM:
        return MEMORY
    return None


def make_ready(store: ReleaseStore, version: Version) -> None:
    """Installs the packages that the version was locked to, where they aren't this checkout's: while there is time.

    Raises: OperationError.
    """
    with reading():
        packed = store.versions.source(version)
        if content(packed, version.source, LOCK) == (ROOT / LOCK).read_bytes():
            return
        with tempfile.TemporaryDirectory(prefix="pf-release-") as name:
            unpack(packed, version.source, Path(name))
            _refuse_unproven(store.stack, version, Path(name))
            _packages(Path(name))


def _refuse_unproven(stack: str, version: Version, folder: Path) -> None:
    """On a stack with a protected branch an archive proves by git what it is, before anything of it runs.

    Whoever can write to the state's backend can change it; what the gate judges later would have run already.

    Raises: OperationError.
    """
    name, here = file_name(stack), Commits(folder=ROOT)
    texts = [file.read_bytes() for file in (ROOT / name, folder / name) if file.is_file()]
    if head := here.head():  # this checkout's may be what is broken
        texts.append(here.file(head, name) or b"")
    if not any(f"{NAMESPACE}:protectedBranch".encode() in text for text in texts):
        return
    if not ReleaseCommits(folder=ROOT, release=folder, commit=version.commit).is_committed():
        raise OperationError(
            f"the archive of version {version.number} is not what the commit {version.commit[:12] or '(none)'} has, or "
            "this clone doesn't have that commit: nothing of it was run",
            "git fetch origin. If the commit is there, somebody has changed the archive: docs/security.md",
        )


@contextmanager
def standing(store: ReleaseStore, live: Version, needs: tuple[str, ...]) -> Generator[Stack]:
    """The release that stands now, or this checkout where the archive of that one can't be used, which is said.

    Raises: OperationError.
    """
    with ExitStack() as opened:
        try:
            stack = opened.enter_context(unpacked(store, live, needs))
        except OperationError as error:
            say(f"{error.message}\n  This checkout is taken for what stands.")
            stack = Stack.load(store.stack, needs=needs)
        yield stack


def damage(store: ReleaseStore, version: Version) -> str:
    """Why the version's archive can't be unpacked; empty where it can."""
    try:
        names(store.versions.source(version), version.source)
    except (StoreError, SourceDamagedError) as error:
        return str(error)
    return ""


@contextmanager
def at_hand(name: str) -> Generator[Stack]:
    """The stack as its live version says it is, since this checkout may be what is broken; by the checkout if need be.

    Of its environment only the backend is needed: who asks a part finds out what that needs.

    Raises: OperationError.
    """
    with ExitStack() as opened:
        try:
            store = ReleaseStore.of_environment(name)
            with reading():
                live = store.versions.latest()
            stack = opened.enter_context(unpacked(store, live, RUNS_THE_ENGINE)) if live else None
        except UnknownStackError:
            raise
        except OperationError:
            stack = None
        yield stack or Stack.load(name, needs=RUNS_THE_ENGINE)


def setting_differences(store: ReleaseStore, before: Version, after: Version) -> dict[str, tuple[str, str]]:
    """By key of the stack's config, its text before and after; empty where it isn't set."""
    old, new = (_config(store, version).get("config", {}) for version in (before, after))
    texts = {key: (_text(old.get(key)), _text(new.get(key))) for key in sorted(old.keys() | new.keys())}
    return {key: pair for key, pair in texts.items() if pair[0] != pair[1]}


def _text(value: object) -> str:
    return "" if value is None else json.dumps(value, sort_keys=True, default=str)


def _config(store: ReleaseStore, version: Version) -> dict[str, Any]:
    """The stack's file as that version had it."""
    name = file_name(store.stack)
    with reading():
        return _parsed(content(store.versions.source(version), version.source, name), name)


def _keep_the_present(file: Path, present: Path) -> None:
    """How the state is encrypted. Written only where it differs: the file as committed is what vouches for the release.

    Windows and protected branch are the present's by the gate itself. Whom the topics tell comes back: it is a part of
    the surface that was approved.
    """
    before, now = _parsed(file.read_bytes(), file.name), _parsed(present.read_bytes(), present.name)
    encrypted, wanted = ({key: one[key] for key in ENCRYPTION if key in one} for one in (before, now))
    if encrypted == wanted:
        return
    kept = release_part(file.read_bytes())
    if any(key in _parsed(kept, file.name) for key in ENCRYPTION):  # written elsewhere than the engine does
        kept = yaml.safe_dump({key: one for key, one in before.items() if key not in ENCRYPTION}).encode()
    file.write_bytes(kept + (yaml.safe_dump(wanted).encode() if wanted else b""))


def _parsed(text: bytes, name: str) -> dict[str, Any]:
    try:
        parsed: object = yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise OperationError(f"the release's {name} can't be read: {error}") from error
    return cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}


def _packages(folder: Path) -> Path:
    """The environment that the release runs in: this checkout's, or one of its own where its lock differs."""
    lock = (folder / LOCK).read_bytes()
    if lock == (ROOT / LOCK).read_bytes():
        return ROOT / ".venv"
    place = state_folder() / "environments" / hashlib.sha256(lock).hexdigest()[:16]
    if (place / "complete").exists():
        return place
    say("installing the packages that this version was locked to")
    uv = shutil.which("uv")
    if uv is None:
        raise OperationError("the version has other locked packages, and uv is not on PATH", "make setup")
    listed = _run([uv, "export", "--quiet", "--frozen", "--no-emit-project", "--project", str(folder)])
    _run([uv, "venv", "--quiet", "--clear", str(place)])
    python = str(place / "bin/python")
    _run([uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", "-"], told=listed)
    (place / "complete").touch()
    return place


def _run(command: list[str], told: str = "") -> str:
    try:
        done = subprocess.run(
            command, input=told, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS, cwd=ROOT
        )
    except subprocess.TimeoutExpired:
        raise _not_installed(f"`{' '.join(command[:3])}` did not end within {INSTALL_SECONDS} s") from None
    if done.returncode:
        raise _not_installed(done.stderr.strip())
    return done.stdout


def _not_installed(why: str) -> OperationError:
    """Before anything was changed."""
    return OperationError(
        f"the version's locked packages can't be installed: {why}", "Is the package index reachable?", ExitCode.FAILED
    )
