"""What somebody changed beside Pulumi: functions that Supabase no longer has as the last deployment left them.

The engine can't see it: a command has no way to be read. What it can see (keys, roles, alarms) `pulumi refresh` finds.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, Field, ValidationError

from operations.stack import Stack
from operations.state import State
from operations.supabase import ManagementApi

RELEASE = "functions-release"


class Left(BaseModel):
    """What a deployment left live for one function (components.functions_release)."""

    content: str


class Release(BaseModel):
    """The standard output of the command that deploys the functions."""

    functions: Mapping[str, Left] = Field(default_factory=dict[str, Left])


@dataclass(frozen=True, kw_only=True)
class Drift:
    """The functions that are gone or were replaced, and the resource that brings them back."""

    functions: tuple[str, ...] = ()
    urn: str = ""


def functions_drift(stack: Stack, state: State) -> Drift:
    """Empty where nothing has been deployed yet."""
    release = next((one for one in state.resources if one.name == RELEASE and one.custom), None)
    if release is None:
        return Drift()
    try:
        left = Release.model_validate(json.loads(str(release.outputs.get("stdout") or "{}")))
    except (ValueError, ValidationError):
        return Drift()  # of a program that deployed them in another way
    live = ManagementApi(stack).function_contents()
    names = tuple(name for name, was in sorted(left.functions.items()) if live.get(name) != was.content)
    return Drift(functions=names, urn=release.urn)
