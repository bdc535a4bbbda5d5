"""Where the toolchain keeps things: per machine (cache) and per clone (state)."""

import os
from pathlib import Path

from platformdirs import user_cache_path

ROOT = Path(__file__).resolve().parent.parent
ENGINE_MODULE = ROOT / "toolchain" / "engine"
SUPABASE_PACKAGE = ROOT / "toolchain" / "supabase"
VENV_BIN = ROOT / ".venv" / "bin"


def cache() -> Path:
    """One folder a machine, so that a second clone builds nothing."""
    chosen = os.environ.get("PF_CACHE")
    return Path(chosen).absolute() if chosen else user_cache_path("parker-flight")


def tools() -> Path:
    """The folder that everybody puts first on PATH."""
    return Path(os.environ.get("PF_STATE") or ROOT / ".state").absolute() / "toolchain" / "bin"
