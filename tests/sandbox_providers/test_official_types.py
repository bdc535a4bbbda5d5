"""What the stand-in takes and gives is what the installed `pulumi_aws` has: what runs here is accepted there."""

from collections.abc import Iterator, Mapping

import pytest

from sandbox.providers.aws.configuration import KEYS
from sandbox.providers.aws.provider import TYPES
from sandbox.providers.resource import Property
from tests.bootstrap.test_program import run as bootstrap_program
from tests.conformance import fidelity
from tests.program.test_program import run as root_program
from tests.sandbox_providers.official import Input, official, official_configuration

pytestmark = pytest.mark.rows("K7")

KINDS = {"document": "string", "json": "string"}


def pairs(ours: Mapping[str, Property], theirs: Mapping[str, Input]) -> Iterator[tuple[str, Property, Input]]:
    """(path, our rule, theirs) of every property that both have, however deep."""
    for name in ours.keys() & theirs.keys():
        yield name, ours[name], theirs[name]
        for path, rule, input_ in pairs(ours[name].fields, theirs[name].fields):
            yield f"{name}.{path}", rule, input_


def strange(ours: Mapping[str, Property], theirs: Mapping[str, Input]) -> Iterator[str]:
    """What we have and the package doesn't, and what it demands and we don't know."""
    yield from ours.keys() - theirs.keys()
    yield from (name for name, one in theirs.items() if one.required and name not in ours)
    for name in ours.keys() & theirs.keys():
        yield from (f"{name}.{one}" for one in strange(ours[name].fields, theirs[name].fields))


@pytest.mark.parametrize("type_name", TYPES)
def test_a_type_has_no_property_that_the_package_lacks(type_name: str) -> None:
    theirs = official(type_name)
    assert [*strange(TYPES[type_name].properties, theirs.inputs)] == []
    assert {*TYPES[type_name].computed} <= theirs.outputs


@pytest.mark.parametrize("type_name", TYPES)
def test_a_property_is_of_the_packages_kind_and_needed_where_it_is(type_name: str) -> None:
    for path, ours, theirs in pairs(TYPES[type_name].properties, official(type_name).inputs):
        assert KINDS.get(ours.kind, ours.kind) == theirs.kind, path
        assert ours.required or not theirs.required, path
        assert bool(ours.fields) == bool(theirs.fields), path


@pytest.mark.parametrize("type_name", TYPES)
def test_defaults_and_choices_are_those_that_the_package_documents(type_name: str) -> None:
    for path, ours, theirs in pairs(TYPES[type_name].properties, official(type_name).inputs):
        # Where AWS fills a value in, or it only steers the provider, nothing here depends on the default.
        if theirs.default is not None and not ours.write_only and not ours.filled_in and not ours.required:
            assert str(ours.default).lower() == theirs.default.lower(), path
        if theirs.quoted and all(isinstance(one, str) for one in ours.choices):
            assert {*ours.choices} <= theirs.quoted, path


def test_the_providers_configuration_is_the_packages() -> None:
    theirs = official_configuration()
    assert [*strange(KEYS, theirs)] == []
    assert [path for path, ours, input_ in pairs(KEYS, theirs) if ours.kind != input_.kind] == []


def test_no_output_that_the_sdk_marks_as_secret_is_known_here() -> None:
    """The stand-in leaves secrets to the engine; a type that makes some would need more."""
    assert {name: official(name).secrets for name in TYPES if official(name).secrets} == {}


def test_exactly_the_types_that_the_two_programs_use_are_served() -> None:
    used = {*root_program("production").names(), *bootstrap_program().names()}
    assert {name for name in used if name.startswith("aws:")} == {*TYPES}


def test_the_document_says_what_the_suites_say() -> None:
    assert fidelity.FILE.read_text() == fidelity.page(), "run: .venv/bin/python -m tests.conformance.fidelity"
