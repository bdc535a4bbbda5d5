"""The security surface: what a stack's resources are, in one form, so that people can approve it by its digest.

Every resource is part of it unless it is listed here as harmless, so that a new type, a command or a second provider is
seen without anybody having thought of it. A reference to another resource of the stack counts as that resource's URN:
its id is unknown in the first preview and random afterwards. Only the properties listed here may be such references;
whatever else is unknown can't be approved.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self, cast

from gate.canonical import UNKNOWN, Canonical, digest

STACK = "pulumi:pulumi:Stack"
COMPONENTS = "parkerflight:"  # group resources and have no inputs; a real resource of that name would have a provider
HARMLESS = frozenset({"aws:cloudwatch/dashboard:Dashboard"})

# Properties that may name another resource of the stack.
REFERENCES: Mapping[str, frozenset[str]] = {
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": frozenset({"alarmActions", "okActions"}),
    "aws:cloudwatch/metricAlarm:MetricAlarm": frozenset({"alarmActions", "okActions"}),
    "aws:kms/alias:Alias": frozenset({"targetKeyId"}),
    "aws:sns/topicPolicy:TopicPolicy": frozenset({"arn"}),
    "aws:sns/topicSubscription:TopicSubscription": frozenset({"topic"}),
}
# What names a resource, among its outputs. By type: a topic's policy has the topic's ARN as well.
IDENTITIES: Mapping[str, tuple[str, ...]] = {
    "aws:kms/key:Key": ("arn", "keyId"),
    "aws:sns/topic:Topic": ("arn",),
}

# The content of the edge functions changes with every feature and isn't part of the surface; which functions there are,
# how they are deployed and whether they check tokens is.
FUNCTIONS_RELEASE = re.compile(r"parkerflight:supabase:EdgeFunctions\$command:local:Command::[\w-]+-release$")
RELEASE, RELEASE_FUNCTIONS = "PF_RELEASE", "PF_RELEASE_FUNCTIONS"
RELEASE_DIGEST = re.compile(r"[0-9a-f]{16}")
FUNCTION_LINE = re.compile(r"(?P<name>[\w-]+) (?P<digest>[0-9a-f]{64})(?P<rest>( verify_jwt=(true|false))?)")
CONTENT = "<content>"

DEFAULT_PROVIDER = re.compile(r"(::pulumi:providers:[\w-]+::default)_[0-9_a-z-]+$")
# Resources whose code stands in an input that the engine shows no policy pack.
DYNAMIC = re.compile(r"pulumi-\w+:dynamic\b")


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource as the engine has it: on its way to a provider, or in the state."""

    urn: str
    type: str
    inputs: Mapping[str, Any]
    protect: bool = False
    provider: str = ""  # its URN
    depends: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])  # URNs by property
    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]

    @property
    def is_harmless(self) -> bool:
        return self.type == STACK or self.type in HARMLESS or (self.type.startswith(COMPONENTS) and not self.provider)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One resource's part of the surface. `unknown`, `secrets`, `opaque`: paths of what can't be approved, and why."""

    urn: str
    document: Mapping[str, Any]
    unknown: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        return digest(self.document)


def stable_urn(urn: str) -> str:
    """The default provider's name carries its version; a new version alone is not another provider."""
    return DEFAULT_PROVIDER.sub(r"\1", urn)


def entry(resource: Resource, identities: Mapping[str, str]) -> Entry:
    """`identities` leads from the ids and ARNs of the stack's own resources to their URNs."""
    canonical = Canonical()
    inputs: dict[str, Any] = {}
    for name, value in resource.inputs.items():
        if name == "__defaults" or (name == "__internal" and not value):
            continue  # which inputs the provider filled in: they stand there themselves
        if name == "version" and DEFAULT_PROVIDER.search(resource.urn):
            continue
        if name in REFERENCES.get(resource.type, ()):
            inputs[name] = _references(canonical, name, value, resource.depends.get(name, ()), identities)
        else:
            inputs[name] = canonical.value(value, name)
    if DYNAMIC.match(resource.type):
        canonical.unknown.append("__provider")
    if FUNCTIONS_RELEASE.search(resource.urn):
        inputs = _without_content(inputs)
    return Entry(
        urn=stable_urn(resource.urn),
        document={
            "type": resource.type,
            "protect": resource.protect,
            "provider": stable_urn(resource.provider),
            "inputs": inputs,
        },
        unknown=tuple(canonical.unknown),
        secrets=tuple(canonical.secrets),
        opaque=tuple(canonical.opaque),
    )


def _references(
    canonical: Canonical, name: str, value: object, depends: Sequence[str], identities: Mapping[str, str]
) -> dict[str, Any]:
    """As sets: which of a list's unknown items is which can't be told before they exist."""
    resources: set[str] = set()
    literal: list[Any] = []
    for item in cast("list[object]", value) if isinstance(value, list) else [value]:
        if isinstance(item, str) and item in UNKNOWN and depends and all(map(_has_identity, depends)):
            resources.update(depends)
        elif isinstance(item, str) and item in identities:
            resources.add(identities[item])
        else:
            literal.append(canonical.value(item, name))
    return {
        "resources": sorted(resources),
        "literal": sorted(literal, key=lambda item: json.dumps(item, sort_keys=True)),
    }


def _has_identity(urn: str) -> bool:
    return urn.split("::")[2].rpartition("$")[2] in IDENTITIES


def _without_content(inputs: dict[str, Any]) -> dict[str, Any]:
    given = inputs.get("environment")
    if not isinstance(given, dict):
        return inputs
    environment = cast("dict[str, object]", given)
    done = dict(environment)
    if RELEASE_DIGEST.fullmatch(str(environment.get(RELEASE, ""))):
        done[RELEASE] = CONTENT
    if isinstance(functions := environment.get(RELEASE_FUNCTIONS), str):
        done[RELEASE_FUNCTIONS] = "\n".join(
            f"{match['name']} {CONTENT}{match['rest']}" if (match := FUNCTION_LINE.fullmatch(line)) else line
            for line in functions.split("\n")
        )
    return inputs | {"environment": done}


def functions_of(resources: Iterable[Resource]) -> tuple[str, ...]:
    """What the edge functions' releases hold: a line for each function with its content's digest."""
    return tuple(
        sorted(
            line
            for resource in resources
            if FUNCTIONS_RELEASE.search(resource.urn)
            for line in function_lines(resource.inputs)
        )
    )


def function_lines(inputs: Mapping[str, object]) -> list[str]:
    """A line for each function, of the inputs of the command that deploys them."""
    environment = inputs.get("environment")
    given = cast("dict[str, object]", environment) if isinstance(environment, dict) else {}
    functions = given.get(RELEASE_FUNCTIONS)
    return functions.split("\n") if isinstance(functions, str) and functions else []


def identities(resources: Iterable[Resource]) -> dict[str, str]:
    """From the ids and ARNs of the resources to their URNs. What two resources claim to be is neither."""
    found: dict[str, set[str]] = {}
    for resource in resources:
        for name in IDENTITIES.get(resource.type, ()):
            value = resource.outputs.get(name)
            if isinstance(value, str) and value and value not in UNKNOWN:
                found.setdefault(value, set()).add(resource.urn)
    return {value: urn for value, (urn, *others) in found.items() if not others}


class SurfaceError(Exception):
    """Resources that can't be told apart, or a stored surface that is not what its digest says."""


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A stack's security surface: the documents of its sensitive resources by URN, and the gate's own settings."""

    resources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def of(cls, entries: Iterable[Entry], settings: Mapping[str, Any]) -> Self:
        resources: dict[str, Mapping[str, Any]] = {}
        for one in entries:
            if one.urn in resources:
                raise SurfaceError(f"two resources would be approved as one: {one.urn}")
            resources[one.urn] = one.document
        return cls(resources=resources, settings=settings)

    @cached_property
    def digests(self) -> dict[str, str]:
        """By URN, what each resource is checked against when its turn comes."""
        return {urn: digest(document) for urn, document in self.resources.items()}

    @cached_property
    def digest(self) -> str:
        """What people sign. Empty for a stack without anything in it."""
        if not self.resources:
            return ""
        return digest({"resources": self.digests, "settings": self.settings})

    @cached_property
    def resources_digest(self) -> str:
        """Without the gate's settings."""
        return digest({"resources": self.digests})

    def moved(self, other: "Surface") -> list[str]:
        """The URNs of the resources that differ in `other`, sorted; `settings` where the gate's settings do."""
        urns = sorted(
            urn for urn in self.digests.keys() | other.digests.keys() if self.digests.get(urn) != other.digests.get(urn)
        )
        return urns if self.settings == other.settings else [*urns, "settings"]

    def as_json(self) -> dict[str, Any]:
        return {"resources": dict(self.resources), "settings": dict(self.settings)}

    @classmethod
    def from_json(cls, document: object, expected: str) -> Self:
        """Raises: SurfaceError unless it is the surface of that digest."""
        match document:
            case {"resources": dict() as resources, "settings": dict() as settings}:
                found = cls(resources=cast("Any", resources), settings=cast("Any", settings))
            case _:
                raise SurfaceError("no surface: `resources` and `settings` are missing")
        if found.digest != expected:
            raise SurfaceError(f"the surface's digest is {found.digest or 'empty'}, not {expected}")
        return found
