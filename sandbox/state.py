"""Where the sandbox keeps things, and which ports it took."""

import hashlib
import json
import os
import socket
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

ROOT = Path(__file__).resolve().parent.parent
# Below the range from which systems hand out ports for outgoing connections, so that a remembered port stays free.
PORTS = range(20000, 30000)
Port = Annotated[int, Field(gt=0, lt=2**16)]


class SandboxError(Exception):
    """What went wrong, where, and the command that mends it, in one message."""


class Ports(BaseModel):
    """A port for each server of ours."""

    aws: Port
    supabase: Port


@dataclass(frozen=True, kw_only=True)
class State:
    """The folders of one sandbox."""

    root: Path

    @classmethod
    def here(cls) -> "State":
        """`$PF_STATE`, or `.state` in the project's root."""
        return cls(root=Path(os.environ.get("PF_STATE") or ROOT / ".state").resolve())

    def exists(self) -> bool:
        """Whether a sandbox was ever started here."""
        return (self.sandbox / "ports.json").exists()

    def has_stacks(self) -> bool:
        """Whether the engine keeps a stack whose resources stand in the sandbox's AWS."""
        return any((self.sandbox / "pulumi").glob(".pulumi/stacks/**/*.json"))

    @property
    def sandbox(self) -> Path:
        return self.root / "sandbox"

    @property
    def environment_file(self) -> Path:
        return self.root / "sandbox.env"

    def folder(self, part: str) -> Path:
        """The part's own folder, made on first use, closed to other users (it holds keys and tokens)."""
        folder = self.sandbox / part
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    @cached_property
    def ports(self) -> dict[str, int]:
        """Chosen free the first time, the same ever after (`up --new-ports` forgets them).

        Raises:
            SandboxError: the file that remembers them is damaged.
        """
        file = self.sandbox / "ports.json"
        if not file.exists():
            self.sandbox.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Each folder begins elsewhere: two sandboxes that start at once, or one that is down, keep theirs.
            first = int.from_bytes(hashlib.sha256(str(self.root).encode()).digest()) % len(PORTS)
            free = (port for port in (*PORTS[first:], *PORTS[:first]) if port_is_free(port))
            temporary = file.with_suffix(".new")
            temporary.write_text(json.dumps({server: next(free) for server in Ports.model_fields}))
            temporary.rename(file)
        try:
            return Ports.model_validate_json(file.read_bytes()).model_dump()
        except ValidationError:
            raise SandboxError(f"{file} is damaged.\n  Let ports be chosen anew: ./pf sandbox down, then up") from None

    def forget_ports(self) -> None:
        """The next reading of `ports` chooses anew."""
        (self.sandbox / "ports.json").unlink(missing_ok=True)
        self.__dict__.pop("ports", None)

    def url(self, server: str) -> str:
        return f"http://127.0.0.1:{self.ports[server]}"


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
