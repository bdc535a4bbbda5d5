"""What a resource type is: its properties with their rules, and the calls that make, read, change and remove it."""

import difflib
import json
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Literal

from sandbox.providers.archives import is_archive
from sandbox.providers.wire import UNKNOWN, Values

Kind = Literal[
    "string",
    "boolean",
    "integer",
    "number",
    "list",
    "strings",
    "map",
    "object",
    "objects",
    "document",
    "json",
    "archive",
]
LONGEST_SHOWN = 200


@dataclass(frozen=True, kw_only=True)
class Property:
    """An input property. Names are the SDK's camelCase ones; the rules are those of AWS or the official provider."""

    kind: Kind = "string"
    required: bool = False
    default: Any = None
    """What AWS has when the program says nothing; another live value counts as drift."""
    filled_in: bool = False
    """AWS chooses a value when the program says nothing: then no live value is drift."""
    replaces: bool = False
    """A change makes a new resource."""
    write_only: bool = False
    """Steers the provider or cannot be read back."""
    choices: tuple[Any, ...] = ()
    between: tuple[float, float] | None = None
    longest: int | None = None
    """Characters of a string, of a document without its blanks; entries of a list or a map."""
    pattern: str = ""
    fields: Mapping[str, "Property"] = field(default_factory=dict[str, "Property"])
    """Of an object, or of each in a list of objects."""

    def failure(self, value: Any) -> str:
        """Why this value is refused; empty when it is fine, or not known yet."""
        if value is None or value == UNKNOWN:
            return ""
        if not _is_kind(self.kind, value):
            return f"expected {_KIND_WORDS[self.kind]}, got {_shown(value)}"
        if self.fields:
            entries = [value] if self.kind == "object" else value
            return next((reason for entry in entries for _, reason in failures(self.fields, entry)), "")
        if self.choices and value not in self.choices:
            return f"expected one of {', '.join(map(str, self.choices))}, got {json.dumps(value)}"
        if self.between and not self.between[0] <= value <= self.between[1]:
            return f"expected a number from {self.between[0]:g} to {self.between[1]:g}, got {value:g}"
        if self.longest is not None and (length := _length(self.kind, value)) > self.longest:
            return f"AWS takes {self.longest} {_LENGTH_WORDS.get(self.kind, 'characters')}, got {length}"
        if self.pattern and not re.fullmatch(self.pattern, value):
            return f"{json.dumps(value)} does not match {self.pattern}"
        return ""

    def same(self, one: Any, other: Any) -> bool:
        """Whether two values mean the same to AWS."""
        return self._normal(one) == self._normal(other)

    def _normal(self, value: Any) -> Any:
        value = self.default if value is None else value
        if self.kind == "document" and value and value != UNKNOWN:
            return _normal_document(json.loads(value))
        if self.kind == "json" and value and value != UNKNOWN:
            return json.loads(value)
        if self.kind == "archive" and isinstance(value, dict):
            return value.get("hash")  # the engine's, over the content; paths may differ
        if self.kind in ("strings", "map", "object", "objects") and not value:
            return None
        if self.kind == "strings" and isinstance(value, list):
            return sorted(value)
        if self.kind in ("object", "objects"):
            return _without_empty(value)
        return value


TAGS = Property(kind="map", longest=50)


class Resource(ABC):
    """One resource type. `aws` is the provider's clients; ids are those of the official provider."""

    type_name: ClassVar[str]
    label: ClassVar[str]
    """As the official provider names it in its errors."""
    properties: ClassVar[Mapping[str, Property]]
    computed: ClassVar[tuple[str, ...]] = ()
    """Outputs that are known only afterwards."""
    autonamed: ClassVar[str] = "name"
    """The property that is filled in from the resource's name; empty where there is none."""
    imported_by: ClassVar[tuple[str, ...]] = ()
    """Where the id alone doesn't say which it is: the properties that do. `import` and `read` take them as `a/b`."""
    id_form: ClassVar[str] = ""
    """Of what it is imported by, where not every text will do; in capitals what varies."""

    @abstractmethod
    def create(self, aws: Any, inputs: Values) -> str:
        """Make it and return its id. May raise IncompleteError where it stands but is not finished."""

    @abstractmethod
    def read(self, aws: Any, id_: str) -> Values | None:
        """Every output as it is now; None when there is no such thing (any more). `id_` is that of `lookup`."""

    @abstractmethod
    def update(self, aws: Any, id_: str, old: Values, new: Values) -> None:
        """Make it what `new` says; only called for changes that don't replace."""

    @abstractmethod
    def delete(self, aws: Any, id_: str, state: Values) -> None:
        """Remove it; that it is gone already is fine."""

    def lookup(self, id_: str, known: Values) -> str:
        """What `read` finds it by: its id, or where that is not enough, what it is imported by."""
        parts = [known.get(key) for key in self.imported_by]
        return "/".join(map(str, parts)) if parts and all(parts) else id_

    def may_be(self, found: str) -> bool:
        """Whether it could be imported by this."""
        return not self.id_form or fnmatchcase(found, re.sub("[A-Z]+", "?*", self.id_form))

    def id_of(self, found: str, live: Values) -> str:
        """The official provider's id of what `read` found."""
        del live
        return found

    def check(self, inputs: Values, old: Values, name: str) -> tuple[Values, list[tuple[str, str]]]:
        """The inputs to use, and (property, reason) of every failure."""
        checked = dict(inputs)
        if self.autonamed and self.autonamed not in checked:
            checked[self.autonamed] = old.get(self.autonamed) or f"{name}-{secrets.token_hex(4)[:7]}"
        return checked, [*failures(self.properties, checked)] or [*self.combined_failures(checked)]

    def combined_failures(self, inputs: Values) -> Iterator[tuple[str, str]]:
        """Rules over several properties, each of which is fine by itself or not known yet."""
        del inputs
        yield from ()

    def changes(self, old: Values, new: Values) -> list[str]:
        """The names of the properties that differ; saying nothing of what AWS fills in leaves it as it is."""
        return [
            key
            for key, rule in self.properties.items()
            if (key in new or (key in old and not rule.filled_in)) and not rule.same(old.get(key), new.get(key))
        ]

    def inputs_of(self, live: Values, known: Values) -> Values:
        """The inputs that this live state amounts to, in the words of `known` where they mean the same.

        What `known` doesn't speak of appears only where it differs from what AWS has by default.
        """
        inputs: Values = {key: known[key] for key in known if self._write_only(key)}
        for key, rule in self.properties.items():
            if rule.write_only:
                continue
            value = live.get(key)
            if key in known:
                value = known[key] if rule.same(known[key], value) else value
            elif rule.same(None, value) or (known and rule.filled_in):
                continue
            if value is not None:
                inputs[key] = value
        return inputs

    def outputs(self, live: Values, inputs: Values) -> Values:
        """The live state in the words of the inputs where they mean the same."""
        said = {
            key: inputs[key]
            for key, rule in self.properties.items()
            if key in inputs and (rule.write_only or rule.same(inputs[key], live.get(key)))
        }
        return live | said

    def _write_only(self, key: str) -> bool:
        return key in self.properties and self.properties[key].write_only


def failures(rules: Mapping[str, Property], given: Values) -> Iterator[tuple[str, str]]:
    """(property, reason) of everything that is missing, unknown or wrong."""
    for key, rule in rules.items():
        if rule.required and given.get(key) is None:
            yield key, f"Missing required argument: the property {key!r} is required"
    for key, value in given.items():
        if key not in rules:
            yield key, f"unknown property {key!r}{_nearest(key, rules)}"
        elif reason := rules[key].failure(value):
            yield key, f"{key}: {reason}"


class IncompleteError(Exception):
    """It exists, under this id, and a later step failed: the engine must remember it."""

    def __init__(self, id_: str, reason: str) -> None:
        super().__init__(reason)
        self.id = id_


_KIND_WORDS: Mapping[Kind, str] = {
    "string": "a string",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "list": "a list",
    "strings": "a list of strings",
    "map": "an object of strings",
    "object": "an object",
    "objects": "a list of objects",
    "document": "a policy document in JSON",
    "json": "an object in JSON",
    "archive": "an archive of assets, of a folder or of a .zip file",
}


_LENGTH_WORDS: Mapping[Kind, str] = {
    "strings": "entries",
    "map": "entries",
    "objects": "entries",
    "document": "characters without blanks",
}


def _length(kind: Kind, value: Any) -> int:
    return len(json.dumps(json.loads(value), separators=(",", ":"))) if kind == "document" else len(value)


def _is_kind(kind: Kind, value: Any) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "list":
            return isinstance(value, list)
        case "strings":
            return isinstance(value, list) and all(isinstance(one, str) for one in value)
        case "map":
            return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
        case "object":
            return isinstance(value, dict)
        case "objects":
            return isinstance(value, list) and all(isinstance(one, dict) for one in value)
        case "document" | "json":
            return isinstance(value, str) and _is_json_object(value)
        case "archive":
            return is_archive(value)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except json.JSONDecodeError:
        return False


def _normal_document(value: Any) -> Any:
    """A policy document without what IAM ignores: order of lists, and a list of one against its element."""
    if isinstance(value, dict):
        return {key: _normal_document(one) for key, one in value.items()}
    if isinstance(value, list):
        items = [_normal_document(one) for one in value]
        return items[0] if len(items) == 1 else sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
    return value


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: kept for key, one in value.items() if (kept := _without_empty(one)) not in (None, "", [], {}, False)
        }
    if isinstance(value, list):
        return [_without_empty(one) for one in value]
    return value


def _nearest(key: str, known: Mapping[str, Property]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
