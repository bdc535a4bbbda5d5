"""Runs Pulumi code against mocks and keeps what was registered, as the engine would have received it."""

import asyncio
import contextvars
import os
import runpy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from google.protobuf.json_format import MessageToDict
from pulumi.runtime import mocks, run_in_stack, set_mocks
from pulumi.runtime.config import set_all_config
from pulumi.runtime.settings import set_root_resource
from typing_extensions import override

ROOT = Path(__file__).resolve().parents[2]
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # how the engine's protocol spells a value that a preview can't know


@dataclass(frozen=True, kw_only=True)
class Registered:
    """One resource as it was registered. Inputs are camelCase, and numbers come back as floats."""

    type: str
    name: str
    urn: str
    custom: bool
    inputs: dict[str, Any]
    protect: bool
    retain_on_delete: bool
    import_id: str
    depends_on: tuple[str, ...]


@dataclass(kw_only=True)
class Recording:
    """What one run registered."""

    resources: dict[tuple[str, str], Registered] = field(default_factory=dict[tuple[str, str], Registered])
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def one(self, type_: str, name: str) -> Registered:
        return self.resources[type_, name]

    def all(self, type_: str) -> list[Registered]:
        return [resource for (found, _), resource in sorted(self.resources.items()) if found == type_]

    def names(self) -> dict[str, list[str]]:
        """Logical names by type."""
        found: dict[str, list[str]] = {}
        for type_, name in sorted(self.resources):
            found.setdefault(type_, []).append(name)
        return found


# Pulumi looks for the thread's current loop, which another test's `asyncio.run` takes away when it ends.
_LOOP = asyncio.new_event_loop()


class _Cloud(mocks.Mocks):
    """Answers with what a provider adds once a resource exists: an ARN, a key id, a command's output."""

    def __init__(self, *, exists: bool) -> None:
        self.exists = exists

    @override
    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        state = dict(args.inputs)
        if self.exists:
            state |= {"arn": f"arn:of:{args.name}", "keyId": f"id-of-{args.name}", "stdout": "{}"}
        return f"id-of-{args.name}", state

    @override
    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"the program asked the cloud: {args.token}")


class _Monitor(mocks.MockMonitor):
    def __init__(self, recording: Recording, *, exists: bool) -> None:
        super().__init__(_Cloud(exists=exists))
        self.recording = recording

    @override
    def RegisterResource(self, request: Any) -> Any:
        answer = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            self.recording.resources[request.type, request.name] = Registered(
                type=request.type,
                name=request.name,
                urn=answer.urn,
                custom=request.custom,
                inputs=MessageToDict(request.object),
                protect=request.protect,
                retain_on_delete=request.retainOnDelete,
                import_id=request.importId,
                depends_on=tuple(request.dependencies),
            )
        return answer

    @override
    def RegisterResourceOutputs(self, request: Any) -> Any:
        self.recording.outputs[request.urn] = MessageToDict(request.outputs)
        return super().RegisterResourceOutputs(request)


def record(
    program: Callable[[], object],
    *,
    stack: str = "sandbox",
    config: Mapping[str, str] | None = None,
    first_preview: bool = False,
) -> Recording:
    """Run `program` as an update, or as the preview of a stack where nothing exists yet."""
    recording = Recording()

    def run() -> None:
        asyncio.set_event_loop(_LOOP)
        monitor = _Monitor(recording, exists=not first_preview)
        set_mocks(monitor.mocks, project="parker-flight", stack=stack, preview=first_preview, monitor=monitor)
        set_all_config(dict(config or {}))

        def awaited() -> None:
            program()

        set_root_resource(None)  # pyright: ignore[reportArgumentType] (that of the mocks takes no program)
        _LOOP.run_until_complete(run_in_stack(awaited))

    contextvars.copy_context().run(run)
    return recording


def record_program(*, stack: str, config: Mapping[str, str], first_preview: bool = False) -> Recording:
    """Run the whole program, as `pf` does: a protected stack asks for its policy pack."""
    with mock.patch.dict(os.environ, {"PULUMI_OPTION_POLICY_PACK": str(ROOT / "policies")}):
        return record(
            lambda: runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__"),
            stack=stack,
            config=config,
            first_preview=first_preview,
        )
