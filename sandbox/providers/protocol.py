"""The engine's messages, without the SDK around them: importing all of `pulumi` costs a plugin 0.7 s at every start."""

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType


def _skip_the_sdk() -> None:
    if "pulumi" in sys.modules:
        return
    spec = find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("the Pulumi SDK is not in this environment; run: make setup")
    folder = Path(spec.submodule_search_locations[0])
    for name, location in (("pulumi", folder), ("pulumi.runtime", folder / "runtime")):
        module = ModuleType(name)
        module.__path__ = [str(location)]
        sys.modules[name] = module


_skip_the_sdk()

from pulumi.runtime.proto import (  # noqa: E402
    engine_pb2,
    engine_pb2_grpc,
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
    status_pb2,
)

__all__ = ["engine_pb2", "engine_pb2_grpc", "plugin_pb2", "provider_pb2", "provider_pb2_grpc", "status_pb2"]
