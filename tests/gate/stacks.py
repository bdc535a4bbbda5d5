"""The real program's resources, as the engine sends them to a policy pack and as the state has them afterwards."""

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, cast

from gate.canonical import SECRET, SIGNATURE, UNKNOWN
from gate.state import State
from gate.surface import IDENTITIES, REFERENCES, Entry, Resource, Surface, entry
from tests.components.recording import Registered
from tests.program.test_program import run

PREFIX = "urn:pulumi:stack::project::"  # as the SDK's mocks name things
PROVIDER = "pulumi:providers:aws"
SETTINGS = {"protectedBranch": "", "businessHours": {"timeZone": "UTC"}}
SOME_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def secret(value: str) -> dict[str, str]:
    return {SIGNATURE: SECRET, "value": value}


def provider_urn(package: str, version: str = "7_51_1") -> str:
    return f"{PREFIX}pulumi:providers:{package}::default_{version}"


@cache
def _recorded(*, first_preview: bool) -> tuple[Registered, ...]:
    return tuple(run("sandbox", first_preview=first_preview).resources.values())


def _providers(version: str = "7_51_1") -> list[Resource]:
    config = {"region": "us-east-1", "allowedAccountIds": '["123456789012"]', "version": version.replace("_", ".")}
    return [
        Resource(urn=provider_urn(package, version), type=f"pulumi:providers:{package}", inputs=config)
        for package in ("aws", "command")
    ]


def wire(*, first_preview: bool = False, version: str = "7_51_1") -> list[Resource]:
    """What the pack sees: numbers as floats, and in a first preview unknown references with what they depend on."""
    depends = {one.urn: _depends(one) for one in _recorded(first_preview=False)} if first_preview else {}
    return _providers(version) + [
        Resource(
            urn=one.urn,
            type=one.type,
            inputs=one.inputs,
            protect=one.protect,
            provider=provider_urn(one.type.partition(":")[0], version) if one.custom else "",
            depends=depends.get(one.urn, {}),
        )
        for one in _recorded(first_preview=first_preview)
    ]


def _depends(one: Registered) -> dict[str, list[str]]:
    """As the SDK tells the engine: whose outputs a property was made from."""
    found: dict[str, list[str]] = {}
    for name in REFERENCES.get(one.type, ()):
        values = one.inputs.get(name, [])
        items = cast("list[object]", values) if isinstance(values, list) else [values]
        found[name] = [ids[str(item)] for item in items if str(item) in (ids := identities())]
    return found


@cache
def identities() -> dict[str, str]:
    return exported().identities


def export(resources: Iterable[Resource] | None = None) -> dict[str, Any]:
    """As `pulumi stack export` prints it: integers, outputs, and more than the surface is made of."""
    return {
        "version": 3,
        "deployment": {
            "resources": [
                {
                    "urn": one.urn,
                    "type": one.type,
                    "inputs": {"__defaults": ["x"], **_integers(one.inputs)},
                    "outputs": _outputs(one),
                    "protect": one.protect,
                    "provider": f"{one.provider}::5a3e" if one.provider else "",
                }
                for one in (wire() if resources is None else resources)
            ]
        },
    }


def with_environment(resource: Resource, **variables: object) -> Resource:
    """The same command with other variables."""
    return replace(resource, inputs={**resource.inputs, "environment": {**resource.inputs["environment"], **variables}})


def _outputs(one: Resource) -> dict[str, str]:
    """What the recording's cloud answers with."""
    return {"arn": f"arn:of:{one.name}", "keyId": f"id-of-{one.name}"} if one.type in IDENTITIES else {}


def _integers(value: Any) -> Any:
    text = json.dumps(value)
    return json.loads(
        text, parse_float=lambda number: int(float(number)) if float(number).is_integer() else float(number)
    )


def exported(resources: Iterable[Resource] | None = None) -> State:
    return State.of_export(json.loads(json.dumps(export(resources))))


def entries(resources: Iterable[Resource], known: Mapping[str, str] | None = None) -> list[Entry]:
    known = identities() if known is None else known
    return [entry(one, known) for one in resources if not one.is_harmless]


def surface(resources: Iterable[Resource], known: Mapping[str, str] | None = None) -> Surface:
    return Surface.of(entries(resources, known), SETTINGS)


def shuffled(value: Any, order: random.Random) -> Any:
    """The same, with every mapping in another order."""
    if isinstance(value, Mapping):
        items = list(cast("Mapping[str, Any]", value).items())
        order.shuffle(items)
        return {name: shuffled(item, order) for name, item in items}
    if isinstance(value, list):
        return [shuffled(item, order) for item in cast("list[Any]", value)]
    return value


def shuffled_resources(resources: Iterable[Resource], seed: int) -> list[Resource]:
    order = random.Random(seed)  # noqa: S311 no secret
    found = [replace(one, inputs=shuffled(one.inputs, order)) for one in resources]
    order.shuffle(found)
    return found


def is_unknown(value: object) -> bool:
    return isinstance(value, str) and value in UNKNOWN
