"""Installing the stand-ins where the engine looks for plugins."""

import shlex
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ("aws", "command")


def install(pulumi_home: Path) -> None:
    """Write each plugin's executable into PULUMI_HOME: a few lines of shell that lead to this checkout.

    The versions are those of the installed SDK packages, because the program asks the engine for exactly these.
    """
    for plugin in PLUGINS:
        release = version(f"pulumi-{plugin}")
        folder = pulumi_home / "plugins" / f"resource-{plugin}-v{release}"
        folder.mkdir(parents=True, exist_ok=True)
        executable = folder / f"pulumi-resource-{plugin}"
        # The plugin keeps the engine's working folder: a command runs in the program's.
        executable.write_text(
            "#!/bin/sh\n"
            f"export PYTHONPATH={shlex.quote(str(ROOT))}\n"
            f"exec {shlex.quote(sys.executable)} -P -m sandbox.providers.{plugin} {release}\n"
        )
        executable.chmod(0o755)
