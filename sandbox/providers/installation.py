"""The engine's home in the sandbox: the stand-ins where it looks for plugins, and no log of its own."""

import shlex
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ("aws", "command")


def forgo_log(pulumi_home: Path) -> None:
    """Where the engine can make no folder for it, it goes without its log of every step, and has no setting for that.

    Packing and encrypting it takes two fifths of the engine's time in a preview, for the `pulumi logs` that nobody asks
    of a sandbox.
    """
    log = pulumi_home / "logs"
    if log.is_dir():
        shutil.rmtree(log)
    log.touch()


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
