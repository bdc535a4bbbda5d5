"""How Deno is started for a function's source."""

import os
import sys
from pathlib import Path

from sandbox.processes import MARK

DENO = Path(sys.executable).with_name("deno")
# Nothing else of this machine's environment reaches a running function: above all no credentials of its owner.
RUNNING = ("PATH", "HOME", "DENO_DIR", "XDG_CACHE_HOME", MARK)
# Where and how this machine reaches the npm registry.
DOWNLOADING = ("DENO_", "NPM_CONFIG_", "NODE_EXTRA_CA_CERTS", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def running_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in RUNNING if name in os.environ} | {"NO_COLOR": "1"}


def bundling_environment() -> dict[str, str]:
    found = {name: value for name, value in os.environ.items() if name.upper().startswith(DOWNLOADING)}
    return running_environment() | found


def source_options(folder: Path, import_map_path: str) -> list[str]:
    """Only what was uploaded counts: no config, lock file or node_modules of a folder above."""
    options = ["--no-lock", "--node-modules-dir=none"]
    if not import_map_path:
        return [*options, "--no-config"]
    path = folder / import_map_path
    if path.name in ("deno.json", "deno.jsonc"):
        return [*options, f"--config={path}"]
    return [*options, "--no-config", f"--import-map={path}"]
