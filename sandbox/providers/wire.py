"""Property values as the engine sends them (protobuf structs) and as Python has them.

The marks are those of the Pulumi SDKs: a secret is an object that carries a signature, an unknown is a string.
"""

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import json_format, struct_pb2

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRETS_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"
UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Values = dict[str, Any]


def decode(struct: struct_pb2.Struct) -> Values:
    """Plain values; whole numbers as int; secrets opened; an unknown stays the UNKNOWN string."""
    return {name: _plain(value) for name, value in json_format.MessageToDict(struct).items()}


def encode(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """None is left out: the engine reads a null as a value."""
    struct = struct_pb2.Struct()
    struct.update({name: value for name, value in values.items() if value is not None})
    return struct


def holds_secret(struct: struct_pb2.Struct) -> bool:
    """Whether any value, however deep, is secret."""
    return _has_signature(json_format.MessageToDict(struct), SECRETS_SIGNATURE)


def secret(value: Any) -> Values:
    return {SIGNATURE: SECRETS_SIGNATURE, "value": value}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRETS_SIGNATURE:
            return _plain(value["value"])
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _has_signature(value: Any, signature: str) -> bool:
    if isinstance(value, dict):
        return value.get(SIGNATURE) == signature or any(_has_signature(one, signature) for one in value.values())
    return isinstance(value, list) and any(_has_signature(one, signature) for one in value)
