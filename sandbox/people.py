"""Demo people who may approve, so that the gate can be seen at work: one for each role, with a key on this machine.

Their keys are worth nothing elsewhere: no other stack's signers name them.
"""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from sandbox.state import ROOT, SandboxError, State

ROLES = ("security", "devops", "devops-lead", "incident-commander")


def folder(state: State) -> Path:
    """Where the sandbox's signers and approvals are."""
    return state.folder("approvals")


def key(state: State, role: str) -> Path:
    return state.folder("people") / role


def ensure(state: State) -> None:
    """Make the people's keys and the list of signers, where they aren't there."""
    for role in ROLES:
        if not key(state, role).exists():
            _make_key(key(state, role), address(role))
    lines = [f'{address(role)} namespaces="{role}@parker-flight" {_public(key(state, role))}\n' for role in ROLES]
    _write(folder(state) / "allowed_signers", "".join(lines))
    _write(folder(state) / "revoked_keys", "# Nobody's key is revoked.\n")


def approve(state: State, reason: str, say: Callable[[str], None]) -> bool:
    """Approve what this checkout would change, as the people would: each looks, then signs. False if nobody has to."""
    if not state.environment_file.exists():
        raise SandboxError("There is no sandbox here yet.\n  Make one: ./pf sandbox up")
    _pf("signers", "confirm", "--confirm", "sandbox")
    asked = json.loads(_pf("approvals", "--json"))
    if asked["allowed"]:
        return False
    for problem in asked["problems"]:
        say(f"denied: {problem}")
    digest = (asked["release"] if asked["kind"] == "hotfix" else asked["surface"])[:12]
    for missing in asked["missing"]:
        role = missing["role"]
        say(f"{address(role)} looks at it and signs as {role}")
        _pf("approve", "--key", str(key(state, role)), "--role", role, "--reason", reason, "--confirm", digest)
    return True


def _pf(*arguments: str) -> str:
    """As a person types it, on this stack."""
    done = subprocess.run(
        [str(ROOT / "pf"), *arguments, "--stack", "sandbox"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SandboxError(f"`pf {' '.join(arguments[:2])}` says: {done.stderr.strip()}")
    return done.stdout


def address(role: str) -> str:
    return f"{role}@example.com"


def _public(file: Path) -> str:
    return " ".join(file.with_suffix(".pub").read_text().split()[:2])


def _make_key(file: Path, comment: str) -> None:
    try:
        done = subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(file)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise SandboxError(
            "ssh-keygen is not on PATH: approvals are signed with it.\n  Install OpenSSH, then: ./pf sandbox up"
        ) from None
    if done.returncode:
        raise SandboxError(f"ssh-keygen can't make a key in {file.parent}: {done.stderr.strip()}")


def _write(file: Path, text: str) -> None:
    if not file.exists() or file.read_text() != text:
        file.write_text(text)
