"""One form for a value, whoever sends it: the engine on the wire, or the state as `pulumi stack export` prints it.

Numbers arrive as floats on the wire and as integers from the state; secrets, assets and unknown values are marked each
in their own way; policy documents are texts in which order means nothing in some places. All of that ends here.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import rfc8785

from gate.assets import ARCHIVE, ASSET, SIGNATURE, OpaqueError, archive_digests, asset_digest

# How the engine's protocol marks special values (pulumi sdk, resource/properties.go and plugin/rpc.go).
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 a protocol constant
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
UNKNOWN = frozenset(
    {
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
    }
)
UNKNOWN_MARK = "<unknown>"
SECRET_MARK = "<secret>"  # noqa: S105
OPAQUE_MARK = "<opaque>"

# What the forms made here look like; a program's own mapping of that shape is set apart from them.
FORMS = frozenset({"archive", "asset", "literal", "policy", "resource"})

# Lists in a policy statement whose order AWS ignores, and which may also be a single text.
UNORDERED = ("Action", "NotAction", "Resource", "NotResource")
PRINCIPALS = ("Principal", "NotPrincipal")


def digest(value: object) -> str:
    """SHA-256, in hex, of the value's RFC 8785 form.

    Raises: rfc8785.CanonicalizationError for what JSON can't hold on every machine (NaN, integers beyond 2^53).
    """
    return hashlib.sha256(rfc8785.dumps(cast("Any", value))).hexdigest()


@dataclass
class Canonical:
    """Turns values into their one form and notes where a secret or an unknown value stands, by property path.

    `opaque`: where code stands whose content can't be vouched for.
    """

    secrets: list[str] = field(default_factory=list[str])
    unknown: list[str] = field(default_factory=list[str])
    opaque: list[str] = field(default_factory=list[str])

    def value(self, value: object, path: str) -> Any:
        if isinstance(value, Mapping):
            return self._mapping(cast("Mapping[str, object]", value), path)
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [self.value(item, f"{path}[{index}]") for index, item in enumerate(cast("Sequence[object]", value))]
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, str):
            return self._text(value, path)
        return value

    def _mapping(self, value: Mapping[str, object], path: str) -> Any:
        mark = value.get(SIGNATURE)
        if mark is None:
            plain = {name: self.value(item, f"{path}.{name}" if path else name) for name, item in value.items()}
            return {"literal": plain} if len(plain) == 1 and plain.keys() <= FORMS else plain
        if mark == SECRET:
            self.secrets.append(path)
            return SECRET_MARK
        if mark in (ASSET, ARCHIVE):
            try:
                return {"asset": asset_digest(value)} if mark == ASSET else {"archive": archive_digests(value)}
            except OpaqueError:
                self.opaque.append(path)
                return OPAQUE_MARK
        if mark == OUTPUT and "value" in value and not value.get("secret"):
            return self.value(value["value"], path)
        if mark == RESOURCE and value.get("urn"):
            return {"resource": value["urn"]}
        # A mark of a later protocol: nothing that could be vouched for.
        self.unknown.append(path)
        return UNKNOWN_MARK

    def _text(self, value: str, path: str) -> Any:
        if value in UNKNOWN:
            self.unknown.append(path)
            return UNKNOWN_MARK
        document = policy_document(value)
        return value if document is None else {"policy": document}


def policy_document(text: str) -> dict[str, Any] | None:
    """The policy document that a text holds, in its one form; None where it isn't one, or says a key twice."""
    if '"Statement"' not in text:
        return None
    try:
        parsed: object = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict) or "Statement" not in parsed:
        return None
    document = cast("dict[str, Any]", parsed)
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    return document | {"Statement": [_statement(one) for one in cast("list[object]", statements)]}


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _statement(statement: object) -> object:
    if not isinstance(statement, dict):
        return statement
    done = dict(cast("dict[str, Any]", statement))
    for name in UNORDERED:
        if name in done:
            done[name] = _unordered(done[name])
    for name in PRINCIPALS:
        if isinstance(done.get(name), dict):
            done[name] = {kind: _unordered(values) for kind, values in done[name].items()}
    if isinstance(done.get("Condition"), dict):
        done["Condition"] = {
            operator: {key: _unordered(values) for key, values in keys.items()} if isinstance(keys, dict) else keys
            for operator, keys in done["Condition"].items()
        }
    return done


def _unordered(values: object) -> list[object]:
    """As a set, written as a sorted list."""
    items = cast("list[object]", values) if isinstance(values, list) else [values]
    return [json.loads(text) for text in sorted({json.dumps(item, sort_keys=True) for item in items})]
