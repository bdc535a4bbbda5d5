"""The programs that check and run workflows, built from their pinned Go modules where the machine hasn't built them."""

import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

from toolchain import paths, runtimes
from toolchain.engine import go_environment
from toolchain.locking import only_one

MODULE = Path(__file__).parent / "tools"
PACKAGES = {"act": "github.com/nektos/act", "actionlint": "github.com/rhysd/actionlint/cmd/actionlint"}


def built(name: str) -> Path:
    """The program, from the machine's cache; minutes the first time."""
    digest = sha256((MODULE / "go.sum").read_bytes()).hexdigest()[:12]
    program = paths.cache() / f"workflow-tools-{digest}" / name
    if program.exists():
        return program
    with only_one(paths.cache(), f"workflow-tools-{digest}"):
        if not program.exists():
            program.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=program.parent, prefix="build-") as folder:
                unfinished = Path(folder) / name
                command = [runtimes.go(), "build", "-buildvcs=false", "-ldflags", "-s -w", "-o", unfinished]
                subprocess.run([*command, PACKAGES[name]], cwd=MODULE, env=go_environment(), check=True)
                unfinished.replace(program)
    return program
