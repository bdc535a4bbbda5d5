"""What the installed `pulumi_aws` says of a resource type: its inputs, their kinds and documented rules, its outputs.

Which changes replace a resource stands nowhere in the package; that is for `make conformance` with the official plugin.
"""

import importlib
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin

from pulumi._types import input_type_py_to_pulumi_names, input_type_types, is_input_type, resource_py_to_pulumi_names

_DEFAULT = re.compile(r"[Dd]efault(?:s to| value is| is)\s+`([^`]*)`")
_PARAMETER = re.compile(r":param [^:]*?(\w+): (.*?)(?=\n\s*:param|\Z)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Input:
    """One input; of an object, or of each in a list of objects, its `fields`."""

    kind: str
    """By the words of `sandbox.providers.resource.Kind`, as far as a Python type tells them apart."""
    required: bool
    quoted: frozenset[str]
    """What its documentation quotes, or the values of its enum: every value that it takes, where it lists them."""
    default: str | None
    fields: Mapping[str, "Input"]


@dataclass(frozen=True, kw_only=True)
class Type:
    """A resource type, with names as they travel."""

    inputs: Mapping[str, Input]
    outputs: frozenset[str]
    secrets: frozenset[str]
    """Outputs that the SDK marks as secret."""


@cache
def official(type_name: str) -> Type:
    module_name, _, rest = type_name.removeprefix("aws:").partition("/")
    name = rest.rpartition(":")[2]
    module = importlib.import_module(f"pulumi_aws.{module_name}".replace(".lambda", ".lambda_"))
    resource = getattr(module, name)
    # Where a resource and one of its properties share a name, the resource's arguments are `…InitArgs`.
    arguments = getattr(module, f"{name}InitArgs", None) or getattr(module, f"{name}Args")
    marked = re.findall(r"additional_secret_outputs=\[(.*?)\]", inspect.getsource(resource))
    return Type(
        inputs=_inputs(arguments),
        outputs=frozenset(resource_py_to_pulumi_names(resource).values()),
        secrets=frozenset(re.findall(r'"(\w+)"', " ".join(marked))),
    )


@cache
def official_configuration() -> Mapping[str, Input]:
    """What the provider itself takes."""
    return _inputs(importlib.import_module("pulumi_aws").ProviderArgs)


def _inputs(arguments: type) -> dict[str, Input]:
    names, types = input_type_py_to_pulumi_names(arguments), input_type_types(arguments)
    described = dict(_PARAMETER.findall(inspect.getdoc(arguments.__init__) or ""))
    parameters = inspect.signature(arguments.__init__).parameters
    found: dict[str, Input] = {}
    for python, name in names.items():
        text = described.get(python, "")
        default = _DEFAULT.search(text)
        kind, nested, enum = _kind(types[name])
        found[name] = Input(
            kind=kind,
            required=parameters[python].default is inspect.Parameter.empty,
            quoted=enum or frozenset(re.findall(r'`"?([^`]+?)"?`', text)),
            default=default[1] if default else None,
            fields=_inputs(nested) if nested else {},
        )
    return found


def _kind(of: Any) -> tuple[str, type | None, frozenset[str]]:
    """(kind, the class of what is nested in it, the values of its enum)."""
    plain = {str: "string", bool: "boolean", int: "integer", float: "number"}
    none: frozenset[str] = frozenset()
    if of in plain:
        return plain[of], None, none
    if get_origin(of) is Union:
        enums = [one for one in get_args(of) if isinstance(one, type) and issubclass(one, Enum)]
        return "string", None, frozenset(str(one.value) for enum in enums for one in enum)
    if get_origin(of) is not None:
        item = get_args(of)[-1]
        nested = next((one for one in (item, *get_args(item)) if isinstance(one, type) and is_input_type(one)), None)
        if issubclass(get_origin(of), Mapping):
            return "map", None, none
        return ("objects" if nested else "strings"), nested, none
    if is_input_type(of):
        return "object", of, none
    return of.__name__.lower(), None, none
