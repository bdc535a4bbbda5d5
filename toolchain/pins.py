"""Versions that are installed, and the least that is accepted of what a machine already has."""

import re

from toolchain.paths import ENGINE_MODULE

PULUMI = "3.259.0"
SUPABASE = "3.1.0"
NODE_MINIMUM = "20"


def go_minimum() -> str:
    """The engine's module says which Go it needs; GOTOOLCHAIN=local keeps Go from fetching another."""
    found = re.search(r"^go ([0-9.]+)$", (ENGINE_MODULE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise ValueError("toolchain/engine/go.mod has no go line")
    return found.group(1)
