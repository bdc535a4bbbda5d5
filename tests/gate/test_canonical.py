"""One form for a value, whoever sends it; and nothing that differs in meaning gets the same one."""

import json
import math
import random
from collections.abc import Mapping
from typing import Any, cast

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from gate.canonical import OUTPUT, RESOURCE, SECRET, SIGNATURE, UNKNOWN, Canonical, digest, policy_document
from tests.gate.stacks import SOME_UNKNOWN, secret, shuffled
from tests.gate.test_assets import archive_of, digest_of, text_asset

pytestmark = pytest.mark.rows("K5")

TEXTS = st.text(max_size=8)
LEAVES = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=12
)


def form(value: object) -> Any:
    return Canonical().value(value, "it")


def found(value: object) -> tuple[list[str], list[str]]:
    canonical = Canonical()
    canonical.value(value, "it")
    return canonical.unknown, canonical.secrets


def document(*statements: object, **more: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **more})


def statement(**more: object) -> dict[str, object]:
    return {"Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*", **more}


def same(one: object, other: object) -> bool:
    return digest(form(one)) == digest(form(other))


def on_the_wire(value: object) -> object:
    """Protobuf knows floats only."""
    if isinstance(value, Mapping):
        return {name: on_the_wire(item) for name, item in cast("Mapping[str, object]", value).items()}
    if isinstance(value, list):
        return [on_the_wire(item) for item in cast("list[object]", value)]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@given(VALUES)
def test_the_wire_and_the_state_give_one_form(value: object) -> None:
    assert same(on_the_wire(value), json.loads(json.dumps(value)))


@given(VALUES, st.integers())
def test_the_order_of_properties_means_nothing(value: object, seed: int) -> None:
    assert same(value, shuffled(value, random.Random(seed)))  # noqa: S311 no secret


@given(VALUES, VALUES)
def test_different_values_have_different_digests(one: object, other: object) -> None:
    assert same(one, other) == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, "1"), (1, True), (0, False), (None, "null"), (None, ""), ([], {}), (["a"], "a"), ([1, 2], [2, 1]), (1.5, 1)],
)
def test_values_of_other_kinds_are_not_the_same(one: object, other: object) -> None:
    assert not same(one, other)


def test_a_whole_float_is_the_integer_that_it_is() -> None:
    assert form(365.0) == 365
    assert type(form(365.0)) is int
    assert same(-0.0, 0)


@pytest.mark.parametrize("value", [math.nan, math.inf, 2.0**53 + 2, 2**60, 1e300])
def test_a_number_that_is_not_the_same_everywhere_has_no_digest(value: float) -> None:
    with pytest.raises(rfc8785.CanonicalizationError):
        digest(form(value))


def test_half_a_character_has_no_digest() -> None:
    with pytest.raises(rfc8785.CanonicalizationError):
        digest(form("\ud800"))


@pytest.mark.parametrize("unknown", sorted(UNKNOWN))
def test_every_marker_of_an_unknown_value_is_found_with_its_path(unknown: str) -> None:
    assert found({"rules": [{"id": "a"}, {"id": unknown}]}) == (["it.rules[1].id"], [])


def test_a_literal_that_equals_a_marker_counts_as_unknown() -> None:
    """The engine would take it for one as well, and show nobody what is going to stand there."""
    assert found(SOME_UNKNOWN)[0] == ["it"]
    assert found(f" {SOME_UNKNOWN}")[0] == []


def test_every_marker_that_the_sdk_knows_is_known() -> None:
    from pulumi_policy import proxy

    assert {value for name, value in vars(proxy).items() if name.startswith("UNKNOWN_")} <= UNKNOWN


def test_a_secret_is_found_with_its_path_and_its_value_is_nowhere() -> None:
    canonical = Canonical()
    done = canonical.value({"password": [secret("hunter2")]}, "")
    assert canonical.secrets == ["password[0]"]
    assert "hunter2" not in json.dumps(done)


def test_a_secret_of_the_state_and_one_on_the_wire_have_one_form() -> None:
    assert form({SIGNATURE: SECRET, "ciphertext": "v1:abc"}) == form(secret("x"))


def test_an_output_is_the_value_in_it_unless_it_is_secret_or_unknown() -> None:
    assert form({SIGNATURE: OUTPUT, "value": 3.0, "dependencies": []}) == 3
    assert found({SIGNATURE: OUTPUT, "value": "x", "secret": True})[0] == ["it"]
    assert found({SIGNATURE: OUTPUT, "dependencies": []})[0] == ["it"]
    assert found({SIGNATURE: OUTPUT, "value": secret("x")})[1] == ["it"]


@pytest.mark.parametrize(
    "value",
    [
        {SIGNATURE: RESOURCE},
        {SIGNATURE: "of a later protocol", "value": 1},
        {SIGNATURE: ["no", "text"]},
        {SIGNATURE: 1.0},
        {SIGNATURE: {}},
    ],
)
def test_what_nobody_can_vouch_for_is_unknown(value: object) -> None:
    assert found([value]) == (["it[0]"], [])


URN = "urn:pulumi:s::p::aws:kms/key:Key::k"
A_DOCUMENT = document(statement())


@pytest.mark.parametrize(
    ("ours", "programs"),
    [
        (A_DOCUMENT, {"policy": (policy_document(A_DOCUMENT))}),
        (text_asset("x"), {"asset": digest_of("x")}),
        (archive_of(a="x"), {"archive": {"a": digest_of("x")}}),
        ({SIGNATURE: RESOURCE, "urn": URN}, {"resource": URN}),
        ({"asset": "ab12"}, {"literal": {"asset": "ab12"}}),
    ],
)
def test_a_programs_own_mapping_passes_for_none_of_our_forms(ours: object, programs: object) -> None:
    assert not same(ours, programs)


# Policy documents


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"Action": ["a", "b"]}, {"Action": ["b", "a"]}),
        ({"Action": ["a", "a"]}, {"Action": "a"}),
        ({"Action": "a"}, {"Action": ["a"]}),
        ({"NotAction": ["a", "b"]}, {"NotAction": ["b", "a"]}),
        ({"Resource": ["x", "y"]}, {"Resource": ["y", "x"]}),
        ({"NotResource": "x"}, {"NotResource": ["x"]}),
        ({"Principal": {"AWS": ["x", "y"]}}, {"Principal": {"AWS": ["y", "x"]}}),
        ({"Principal": {"AWS": "x"}}, {"Principal": {"AWS": ["x"]}}),
        ({"NotPrincipal": {"AWS": ["x", "y"]}}, {"NotPrincipal": {"AWS": ["y", "x"]}}),
        (
            {"Condition": {"StringEquals": {"k": ["a", "b"], "l": "c"}}},
            {"Condition": {"StringEquals": {"l": ["c"], "k": ["b", "a"]}}},
        ),
    ],
)
def test_order_means_nothing_where_aws_gives_it_no_meaning(one: dict[str, object], other: dict[str, object]) -> None:
    assert same(document(statement(**one)), document(statement(**other)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"Action": ["a", "b"]}, {"Action": ["a"]}),
        ({"Action": "a"}, {"NotAction": "a"}),
        ({"Action": "kms:*"}, {"Action": "kms:Encrypt"}),
        ({"Effect": "Allow"}, {"Effect": "Deny"}),
        ({"Principal": "*"}, {"Principal": {"AWS": "*"}}),
        ({"Principal": {"AWS": "x"}}, {"Principal": {"Service": "x"}}),
        ({"Principal": {"AWS": "x"}}, {"NotPrincipal": {"AWS": "x"}}),
        ({"Condition": {"StringEquals": {"k": "a"}}}, {"Condition": {"StringLike": {"k": "a"}}}),
        ({"Condition": {"StringEquals": {"k": ["a", "b"]}}}, {"Condition": {"StringEquals": {"k": "a,b"}}}),
        ({"Condition": {"Bool": {"k": True}}}, {"Condition": {"Bool": {"k": "true"}}}),
        ({"Condition": {}}, {}),
        ({"Sid": "a"}, {"Sid": "b"}),
    ],
)
def test_every_content_of_a_statement_counts(one: dict[str, object], other: dict[str, object]) -> None:
    assert not same(document(statement(**one)), document(statement(**other)))


def test_the_order_of_statements_counts_and_their_number() -> None:
    one, other = statement(Sid="one"), statement(Sid="other")
    assert not same(document(one, other), document(other, one))
    assert not same(document(one), document(one, one))


def test_one_statement_may_stand_without_a_list() -> None:
    assert same(json.dumps({"Statement": statement()}), json.dumps({"Statement": [statement()]}))


def test_the_way_of_writing_a_document_means_nothing() -> None:
    parsed = json.loads(A_DOCUMENT)
    assert same(A_DOCUMENT, json.dumps(parsed, indent=4, sort_keys=True))
    assert same(A_DOCUMENT, json.dumps(parsed, separators=(",", ":")))


def test_the_version_and_id_of_a_document_count() -> None:
    assert not same(document(statement()), document(statement(), Version="2008-10-17"))
    assert not same(document(statement()), document(statement(), Id="x"))


@pytest.mark.parametrize(
    "text",
    [
        '{"Statement": [], "Statement": []}',
        '{"Statement": [{"Effect": "Deny", "Effect": "Allow"}]}',
        '{"Statement": [{"Condition": {"StringEquals": {"k": "a", "k": "b"}}}]}',
        '{"Statement": []} ',
        '{"Statement": [',
        '["Statement"]',
        '"Statement"',
        "{'Statement': []}",
    ],
)
def test_what_is_no_plain_document_counts_letter_by_letter(text: str) -> None:
    """A key that stands twice has no meaning that everybody agrees on, so its text is what is approved."""
    if policy_document(text) is None:
        assert form(text) == text
    assert not same(text, text.replace("Statement", "Statements"))


@pytest.mark.parametrize("text", ['{"Statement": [], "Statement": []}', '{"Statement": [{"Sid": "a", "Sid": "a"}]}'])
def test_a_document_that_says_a_key_twice_is_a_text(text: str) -> None:
    assert policy_document(text) is None
    assert not same(text, f"{text} ")


def test_a_document_too_deep_to_read_is_a_text() -> None:
    text = '{"Statement": ' + "[" * 100_000 + "]" * 100_000 + "}"
    assert form(text) == text


STATEMENTS = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": st.lists(st.sampled_from("abcd"), min_size=1)},
    optional={
        "Resource": st.lists(st.sampled_from("wxyz"), min_size=1),
        "Principal": st.just("*") | st.dictionaries(st.sampled_from(["AWS", "Service"]), st.lists(TEXTS)),
        "Condition": st.dictionaries(
            st.sampled_from(["StringEquals", "Bool"]), st.dictionaries(TEXTS, st.lists(TEXTS), max_size=2), max_size=2
        ),
    },
)


@given(st.lists(STATEMENTS, max_size=3), st.integers())
def test_a_document_in_any_order_has_one_form(statements: list[dict[str, Any]], seed: int) -> None:
    order = random.Random(seed)  # noqa: S311 no secret

    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: turned(item) for name, item in cast("dict[str, Any]", value).items()}
        if isinstance(value, list):
            items = list(cast("list[Any]", value))
            order.shuffle(items)
            return items
        return value

    others = [shuffled(turned(one), order) for one in statements]
    assert same(document(*statements), document(*others))


@given(st.lists(STATEMENTS, min_size=1, max_size=2), st.data())
def test_any_other_action_is_another_document(statements: list[dict[str, Any]], data: st.DataObject) -> None:
    changed = json.loads(json.dumps(statements))
    one = data.draw(st.sampled_from(changed))
    one["Action"] = [*one["Action"], "kms:ScheduleKeyDeletion"]
    assert not same(document(*statements), document(*changed))
