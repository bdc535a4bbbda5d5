"""The stack's state as the engine exports it, as far as a deployment and its recovery read it."""

import json
import threading
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from gate.state import written
from operations.engine import Engine, StackMissingError


class Recorded(BaseModel):
    """A resource as the engine's state has it."""

    model_config = ConfigDict(extra="ignore")

    urn: str
    type: str
    custom: bool = False
    id: str = ""
    parent: str = ""
    provider: str = ""
    inputs: dict[str, Any] = Field(default_factory=dict)
    outputs: dict[str, Any] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]


class Pending(BaseModel):
    """An operation that was begun."""

    resource: Recorded
    type: str


class State(BaseModel):
    """The part of `pulumi stack export` that a recovery reads."""

    resources: list[Recorded] = Field(default_factory=list[Recorded])
    pending_operations: list[Pending] = Field(default_factory=list[Pending])

    @classmethod
    def of_export(cls, exported: Mapping[str, Any]) -> Self:
        return cls.model_validate(exported.get("deployment") or {})

    @property
    def all_ids(self) -> set[str]:
        return {resource.id for resource in self.resources if resource.id}

    def ids(self, kind: str) -> set[str]:
        return {resource.id for resource in self.resources if resource.type == kind}


def read_state(engine: Engine) -> State:
    """Empty where the stack isn't there yet."""
    found = written(engine.stack.project, engine.stack.name, engine.stack.variables)
    if found is not None:
        return State.model_validate(found)
    try:
        return State.of_export(json.loads(engine.read("stack", "export")))
    except StackMissingError:
        return State()


def read_once(engine: Engine) -> Callable[[], State]:
    """The state as it is when first asked for, and the same for all who ask."""
    reading, lock = cache(partial(read_state, engine)), threading.Lock()

    def read() -> State:
        with lock:
            return reading()

    return read
