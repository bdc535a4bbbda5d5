"""People with real keys, made once, and what they sign with the real ssh-keygen."""

import base64
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gate.signers import Revoked, Role, Signers, namespace_of
from gate.statement import Approval

AT = datetime(2026, 8, 3, 12, tzinfo=UTC)
NOTHING_REVOKED = Revoked.parse(b"# none\n")


@dataclass(frozen=True)
class Person:
    """Somebody with a key; its public half as it stands in a .pub file, without the comment."""

    principal: str
    key: Path
    public: str

    def line(self, *roles: Role, options: str = "") -> str:
        namespaces = ",".join(map(namespace_of, roles))
        return f'{self.principal} namespaces="{namespaces}"{options} {self.public}'

    @property
    def blob(self) -> bytes:
        return base64.b64decode(self.public.split()[1])

    @property
    def fingerprint(self) -> str:
        shown = ssh_keygen("-l", "-f", str(self.key.with_suffix(".pub")))
        return shown.split()[1].decode()

    def signs(self, message: bytes, namespace: str, *options: str) -> bytes:
        """Made without any of our code."""
        return _signed(self.key, message, namespace, options)


@cache
def _signed(key: Path, message: bytes, namespace: str, options: tuple[str, ...]) -> bytes:
    return ssh_keygen("-Y", "sign", "-f", str(key), "-n", namespace, *options, message=message)


def ssh_keygen(*arguments: str, message: bytes = b"") -> bytes:
    environment = {"PATH": os.environ["PATH"], "SSH_ASKPASS_REQUIRE": "never"}
    done = subprocess.run(
        ["ssh-keygen", *arguments], input=message, capture_output=True, check=True, env=environment, timeout=30
    )
    return done.stdout


@dataclass(frozen=True)
class People:
    """Alice is of security, Bob of DevOps, Carol leads it, Ivan commands incidents, Mallory is nobody."""

    alice: Person
    bob: Person
    carol: Person
    ivan: Person
    mallory: Person

    @property
    def signers(self) -> Signers:
        return signers(
            self.alice.line("security"),
            self.bob.line("devops"),
            self.carol.line("devops-lead", "devops"),
            self.ivan.line("incident-commander"),
        )


MakePerson = Callable[..., Person]


@pytest.fixture(scope="session")
def person(tmp_path_factory: pytest.TempPathFactory) -> MakePerson:
    def make(name: str, *options: str, passphrase: str = "") -> Person:
        key = tmp_path_factory.mktemp("keys") / name
        ssh_keygen("-q", *(options or ("-t", "ed25519")), "-N", passphrase, "-C", "", "-f", str(key))
        return Person(f"{name}@parker-flight.com", key, key.with_suffix(".pub").read_text().strip())

    return make


@pytest.fixture(scope="session")
def people(person: MakePerson) -> People:
    return People(*(person(name) for name in ("alice", "bob", "carol", "ivan", "mallory")))


@pytest.fixture(autouse=True)
def no_agent(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """A developer's own agent has no part in these tests."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def signers(*lines: str) -> Signers:
    return Signers.parse("\n".join(lines).encode())


def revoked(*people: Person) -> Revoked:
    return Revoked.parse("".join(f"{person.public}\n" for person in people).encode())


def approval(**changed: Any) -> Approval:
    given: dict[str, Any] = {
        "project": "parker-flight",
        "stack": "production",
        "account": "123456789012",
        "region": "us-east-1",
        "supabase_ref": "abcdefghijklmnopqrst",
        "kind": "infrastructure",
        "surface": "a1" * 32,
        "base": "b2" * 32,
        "signers": "c3" * 32,
        "release": "d4" * 32,
        "pack": "1.0.0",
        "requester": "dave",
        "reason": "The payment function reads its own key",
        "not_before": AT - timedelta(hours=1),
        "expires": AT + timedelta(days=7),
        "nonce": "0123456789abcdef",
    }
    return Approval(**(given | changed))
