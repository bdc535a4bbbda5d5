"""The engine's locks on a stack: who holds them since when, and whether that process still lives.

They are files (objects of a bucket) of the backend. The engine never asks whether a lock's process lives, and its
`cancel` frees all of them: so a lock is judged here, before anything is freed.
"""

import re
import socket
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import AwareDatetime, BaseModel, ValidationError

from gate.store import StoreError, in_backend
from operations.errors import OperationError
from operations.processes import is_program
from operations.stack import Stack

ENGINE = "pulumi"
_HOLDER = re.compile(r"created by (?P<user>.+)@(?P<host>[^\s@]+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds a stack's lock, as the backend wrote it down."""

    user: str
    host: str
    pid: int
    since: datetime

    @property
    def is_here(self) -> bool:
        return self.host == socket.gethostname()

    @property
    def is_dead(self) -> bool:
        """Certain only for a process of this machine: on another one it may live."""
        return self.is_here and not is_program(self.pid, ENGINE)

    def __str__(self) -> str:
        minutes, seconds = divmod(max(0, int((datetime.now(UTC) - self.since).total_seconds())), 60)
        age = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
        return f"{self.user}@{self.host}, process {self.pid}, for {age}"


@dataclass(frozen=True, kw_only=True)
class Lock:
    """`holder` is None for one that can't be read: the engine refuses such a stack without saying why."""

    name: str
    holder: Holder | None

    @property
    def is_dead(self) -> bool:
        return self.holder is not None and self.holder.is_dead

    def __str__(self) -> str:
        return f"the lock of {self.holder}" if self.holder else f"the damaged lock {self.name}"


class _Content(BaseModel):
    """What the engine writes into a lock."""

    pid: int
    username: str
    hostname: str
    timestamp: AwareDatetime


def locks(stack: Stack) -> list[Lock]:
    """All that there are.

    Raises: OperationError where the backend can't be asked.
    """
    backend = stack.variables.get("PULUMI_BACKEND_URL", "")
    try:
        store = in_backend(backend, f".pulumi/locks/organization/{stack.project}/{stack.name}", stack.variables)
        contents = {name: store.get(name) for name in store.names() if name.endswith(".json")}
    except StoreError as error:
        raise OperationError(str(error)) from error
    # One without content was freed meanwhile.
    return [Lock(name=name, holder=_holder(content)) for name, content in contents.items() if content is not None]


def _holder(content: bytes) -> Holder | None:
    try:
        lock = _Content.model_validate_json(content)
    except ValidationError:
        return None
    return Holder(user=lock.username, host=lock.hostname, pid=lock.pid, since=lock.timestamp)


def holders(output: str) -> list[Holder]:
    """The locks that the engine named when it refused."""
    return [
        Holder(
            user=match["user"],
            host=match["host"],
            pid=int(match["pid"]),
            since=datetime.fromisoformat(match["since"]),
        )
        for match in _HOLDER.finditer(output)
    ]
