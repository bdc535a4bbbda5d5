"""The engine's messages without the SDK around them: importing all of `pulumi` costs a plugin 0.7 s at every start."""

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType


def skip_the_sdk() -> None:
    """Stand-ins for the two packages above `pulumi.runtime.proto`. To be called before anything imports from there."""
    spec = find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("the Pulumi SDK is not in this environment; run: make setup")
    folder = Path(spec.submodule_search_locations[0])
    for name, location in (("pulumi", folder), ("pulumi.runtime", folder / "runtime")):
        module = ModuleType(name)
        module.__path__ = [str(location)]
        sys.modules[name] = module
