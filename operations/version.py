"""What runs here: this project's commit, and the tools that it works with."""

import platform
import subprocess
from pathlib import Path

from pydantic import BaseModel

from operations.places import ROOT


class Version(BaseModel):
    """`pf version --json`."""

    commit: str
    modified: bool
    python: str
    pulumi: str
    supabase: str
    deno: str


def _said(*command: str, folder: Path = ROOT) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=10)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _tool(*command: str) -> str:
    words = [word.removeprefix("v") for word in _said(*command).split()[:2]]
    return next((word for word in words if word[:1].isdigit()), "not installed")


def version() -> Version:
    return Version(
        commit=_said("git", "rev-parse", "--short=12", "HEAD") or "unknown",
        modified=bool(_said("git", "status", "--porcelain", "--untracked-files=no")),
        python=platform.python_version(),
        pulumi=_tool("pulumi", "version"),
        supabase=_tool("supabase", "--version"),
        deno=_tool("deno", "--version"),
    )


def show_version(found: Version) -> None:
    for name, value in found.model_dump().items():
        print(f"{name:<9} {value}")
