"""A person's SSH key, which they sign approvals with."""

import re
import subprocess
from pathlib import Path

from gate import ssh_keygen
from operations.errors import OperationError


def default_key() -> Path:
    """The key that a person signs with when they name none."""
    return Path("~/.ssh/id_ed25519").expanduser()


def fingerprint_of(key: Path) -> str:
    """`SHA256:…` of a private or public key's file; needs no passphrase."""
    if not key.exists():
        raise OperationError(
            f"there is no key {key}",
            "Name yours: --key FILE (private, or public with an agent). On the sandbox its demo people approve: "
            "./pf sandbox approve; their keys are in sandbox/people, in the state folder (.state)",
        )
    done = subprocess.run(
        [ssh_keygen.find(), "-l", "-f", str(key)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    match = re.search(r"SHA256:[A-Za-z0-9+/]{43}", done.stdout)
    if done.returncode or match is None:
        raise OperationError(f"{key} is no SSH key that ssh-keygen can read", "Name yours: --key FILE")
    return match[0]
