"""The Pulumi engine: an official one on PATH is used as it is, else it is built from its pinned Go module.

The build is checked against go.sum, cached per machine, and resumes after Ctrl-C because Go's own build cache stays.
"""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from toolchain import paths, pins, runtimes
from toolchain.locking import only_one
from toolchain.report import Progress, ToolchainError, say
from toolchain.versions import answer, at_least, on_path

PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
LINK_FLAGS = f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{pins.PULUMI}"
LANGUAGE_HOST = "pulumi-language-python"


@dataclass(frozen=True, kw_only=True)
class Engine:
    program: Path
    language_host: Path | None  # None: ours


def find() -> Engine:
    return official() or Engine(program=built(), language_host=None)


def official() -> Engine | None:
    """A complete installation that is new enough; half of one is said and passed over."""
    program = on_path("pulumi", besides=paths.tools())
    if program is None:
        return None
    version = answer(program, "version") or ""
    host = program.resolve().parent / LANGUAGE_HOST
    language_host = host if host.exists() else on_path(LANGUAGE_HOST, besides=paths.tools())
    if not at_least(version, pins.PULUMI):
        say(f"{program} is {version or 'not working'}, older than {pins.PULUMI}: passed over")
        return None
    if language_host is None:
        say(f"{program} has no {LANGUAGE_HOST} beside it: passed over")
        return None
    return Engine(program=program, language_host=language_host)


def cache_name(go_sum: bytes, platform: str) -> str:
    """Changes with everything that changes the binary, so that an old build is never taken for a new one."""
    digest = sha256(go_sum + b"\0" + LINK_FLAGS.encode()).hexdigest()[:12]
    return f"engine-{pins.PULUMI}-{digest}-{platform}"


def built() -> Path:
    """The cached build, made first where it is missing."""
    name = cache_name((paths.ENGINE_MODULE / "go.sum").read_bytes(), _platform())
    program = paths.cache() / name / "pulumi"
    if program.exists():
        return program
    with only_one(paths.cache(), name):
        if not program.exists():
            program.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=program.parent, prefix="build-") as folder:
                unfinished = Path(folder) / "pulumi"
                _build(runtimes.go(), unfinished)
                unfinished.replace(program)
    return program


def _platform() -> str:
    machine = os.uname()
    return f"{machine.sysname}-{machine.machine}".lower()


def go_environment() -> dict[str, str]:
    """Registries and caches stay the machine's; flags that could loosen the check against go.sum don't."""
    return os.environ | {"GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def _build(go: Path, target: Path) -> None:
    progress = Progress(f"Pulumi engine {pins.PULUMI}")
    say(f"building the Pulumi engine {pins.PULUMI} with {go} (about 6 minutes, once a machine; Ctrl-C resumes)")
    listed = _watch([str(go), "list", "-deps", PACKAGE], progress, "{count} modules downloaded", output=subprocess.PIPE)
    total = len(listed.splitlines())
    command = [str(go), "build", "-v", "-buildvcs=false", "-ldflags", LINK_FLAGS, "-o", str(target), PACKAGE]
    _watch(command, progress, f"{{count}} of at most {total} packages compiled")
    version = answer(target, "version")
    if version != f"v{pins.PULUMI}":
        raise ToolchainError(f"the engine that was built says version {version}, not v{pins.PULUMI}; run: make setup")
    progress.done("built")


def _watch(command: list[str], progress: Progress, text: str, output: int = subprocess.DEVNULL) -> str:
    """Run a Go command; each of its lines on stderr is a step, and the last ones explain a failure."""
    steps: list[str] = []
    with tempfile.TemporaryFile("w+") as listed:
        with subprocess.Popen(
            command,
            cwd=paths.ENGINE_MODULE,
            env=go_environment(),
            stdout=listed if output == subprocess.PIPE else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            for line in process.stderr or ():
                steps.append(line.rstrip())
                progress.show(text.format(count=len(steps)))
        if process.returncode:
            reason = "\n  ".join(steps[-8:])
            raise ToolchainError(
                f"`{Path(command[0]).name} {command[1]}` failed in toolchain/engine:\n  {reason}\n"
                "Mend that (Go's module proxy is set by `go env GOPROXY`) and run: make setup"
            )
        listed.seek(0)
        return listed.read()


def place(program: Path, link: Path) -> None:
    """A hard link, or a copy: the engine looks for its language host beside the file that it was started as."""
    unfinished = link.with_name(f".{link.name}-{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    try:
        unfinished.hardlink_to(program)
    except OSError:  # another file system
        shutil.copy2(program, unfinished)
    unfinished.replace(link)
