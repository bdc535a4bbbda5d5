"""The Supabase CLI: exactly the pinned version, from PATH or from npm, checked against package-lock.json.

Only the platform whose hash the lock holds is installed; elsewhere the person installs the CLI.
"""

import os
import shutil
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

from toolchain import paths, pins, runtimes
from toolchain.locking import only_one
from toolchain.report import Progress, ToolchainError
from toolchain.versions import answer, on_path

LOCKED_PLATFORM = ("Linux", "x86_64")
PROGRAM = Path("node_modules/@supabase/cli-linux-x64/bin/supabase")


def find() -> Path:
    own = on_path("supabase", besides=paths.tools())
    if own and answer(own, "--version") == pins.SUPABASE:
        return own
    return installed()


def installed() -> Path:
    machine = os.uname()
    if (machine.sysname, machine.machine) != LOCKED_PLATFORM:
        raise ToolchainError(
            f"no Supabase CLI {pins.SUPABASE} on PATH, and toolchain/supabase/package-lock.json holds no hash of the "
            f"one for {machine.sysname} {machine.machine}; install supabase {pins.SUPABASE}, put it on PATH and run: "
            "make setup"
        )
    lock = (paths.SUPABASE_PACKAGE / "package-lock.json").read_bytes()
    folder = paths.cache() / f"supabase-{pins.SUPABASE}-{sha256(lock).hexdigest()[:12]}"
    program = folder / PROGRAM
    if program.exists():
        return program
    with only_one(paths.cache(), folder.name):
        if not program.exists():
            _install(folder)
    return program


def _install(folder: Path) -> None:
    progress = Progress(f"Supabase CLI {pins.SUPABASE}")
    node = runtimes.node()
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="supabase-") as work:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(paths.SUPABASE_PACKAGE / name, work)
        command = [*node.npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        path = os.pathsep.join([str(node.program.parent), os.environ.get("PATH", "")])
        done = subprocess.run(
            command, cwd=work, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ToolchainError(
                f"npm can't install the Supabase CLI {pins.SUPABASE}: {done.stderr.strip()}\n"
                "Mend that (the registry is set by `npm config get registry`) and run: make setup"
            )
        shutil.rmtree(folder, ignore_errors=True)
        shutil.move(work, folder)
        Path(work).mkdir()  # for TemporaryDirectory to remove
    progress.done("installed")
