"""How Deno is started for a function's source."""

import os
import sys
from pathlib import Path

DENO = Path(sys.executable).with_name("deno")
# Nothing else of this machine's environment reaches a function: above all no credentials of its owner.
PASSED_ON = ("PATH", "HOME", "DENO_DIR", "NPM_CONFIG_REGISTRY", "DENO_CERT", "SSL_CERT_FILE", "DENO_TLS_CA_STORE")


def deno_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {"NO_COLOR": "1"}


def source_options(folder: Path, import_map_path: str) -> list[str]:
    """Only what was uploaded counts: no config, lock file or node_modules of a folder above."""
    options = ["--no-lock", "--node-modules-dir=none"]
    if not import_map_path:
        return [*options, "--no-config"]
    path = folder / import_map_path
    if path.name in ("deno.json", "deno.jsonc"):
        return [*options, f"--config={path}"]
    return [*options, "--no-config", f"--import-map={path}"]
