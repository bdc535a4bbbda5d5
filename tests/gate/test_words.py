"""What a person reads before they approve: every difference is in it, and nothing in it misleads."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from gate.surface import RELEASE_FUNCTIONS, Resource, Surface, entry
from gate.text import plain, quoted, shown
from gate.value_words import noun
from gate.words import ChangeKind, Difference, differences
from tests.bootstrap.test_program import run as foundation
from tests.program.test_program import run

pytestmark = pytest.mark.rows("K5", "K9")

Path = tuple[str | int, ...]
Edit = Callable[[dict[str, Any]], object]

# Printable ASCII, and the arrow and ellipsis of our own words.
HARMLESS = re.compile(r"[ -~→…]*")
HOSTILE = "a\nb\x1b[31mred\x1b[0m\u202egnp.exe\u2028\u200b\r\x00\x07\u0430 → x …"

PREFIX = "urn:pulumi:stack::project::"
KEY = f"{PREFIX}parkerflight:kms:EncryptionKey$aws:kms/key:Key::pii-1"
ALIAS = f"{PREFIX}parkerflight:kms:EncryptionKey$aws:kms/alias:Alias::pii"
ROLE = f"{PREFIX}parkerflight:iam:FunctionAccess$aws:iam/role:Role::functions-role"
ROLE_POLICY = f"{PREFIX}parkerflight:iam:FunctionAccess$aws:iam/rolePolicy:RolePolicy::functions-role"
USER_POLICY = f"{PREFIX}parkerflight:iam:FunctionAccess$aws:iam/userPolicy:UserPolicy::functions-user"
TOPIC_POLICY = f"{PREFIX}parkerflight:sns:Notifications$aws:sns/topicPolicy:TopicPolicy::notifications-level-1"
ALARMS = f"{PREFIX}parkerflight:cloudwatch:Alarms"
ALARM = f"{ALARMS}$aws:cloudwatch/metricAlarm:MetricAlarm::encrypt-data-errors"
RELEASE = f"{PREFIX}parkerflight:supabase:EdgeFunctions$command:local:Command::functions-release"
VARIABLES = f"{PREFIX}parkerflight:supabase:EdgeFunctions$command:local:Command::functions-settings"
PROBE = f"{PREFIX}parkerflight:lambda:Probe$aws:lambda/function:Function::probe"
DEFAULT = f"{PREFIX}pulumi:providers:aws::default"

USE_PII = (
    "kms:Decrypt, kms:Encrypt, kms:GenerateDataKey on this key (*), "
    "if aws:PrincipalArn is the ARN arn:aws:iam::123456789012:role/parker-flight-sandbox-role "
    "and kms:EncryptionContext:application is parker-flight "
    "and kms:EncryptionContext:purpose is user-profile-data"
)


@cache
def _program() -> str:
    recorded = [one for one in run("sandbox").resources.values() if one.custom]
    names = {f"id-of-{one.name}": one.urn for one in recorded if one.type == "aws:kms/key:Key"}
    names |= {f"arn:of:{one.name}": one.urn for one in recorded if one.type == "aws:sns/topic:Topic"}
    entries = [
        entry(Resource(urn=one.urn, type=one.type, inputs=one.inputs, protect=one.protect, provider=DEFAULT), names)
        for one in recorded
    ]
    entries.append(
        entry(Resource(urn=DEFAULT, type="pulumi:providers:aws", inputs={"region": "us-east-1"}), {}),
    )
    hours = {"timeZone": "UTC", "days": ["mon", "tue"], "from": "09:00", "to": "17:00"}
    return json.dumps(Surface.of(entries, {"protectedBranch": "origin/main", "businessHours": hours}).as_json())


def program() -> dict[str, Any]:
    """The surface of the real program, as JSON to edit."""
    return json.loads(_program())


def surface(content: dict[str, Any]) -> Surface:
    return Surface(resources=content["resources"], settings=content["settings"])


def edited(urn: str, edit: Edit) -> list[Difference]:
    """What changes when this resource's document is edited."""
    after = program()
    edit(after["resources"][urn])
    return differences(surface(program()), surface(after))


def sentences(urn: str, edit: Edit) -> list[str]:
    (one,) = edited(urn, edit)
    assert one.kind is ChangeKind.CHANGED
    return list(one.sentences)


def added(urn: str, type_: str, **inputs: Any) -> Difference:
    after = program()
    found = entry(Resource(urn=urn, type=type_, inputs=inputs, provider=DEFAULT), {})
    after["resources"][urn] = found.document
    (one,) = differences(surface(program()), surface(after))
    return one


def statements(document: dict[str, Any], name: str = "policy") -> list[dict[str, Any]]:
    return document["inputs"][name]["policy"]["Statement"]


def test_the_same_surface_has_no_difference() -> None:
    assert differences(surface(program()), surface(program())) == []


# Policy documents.


def test_rights_that_a_role_gains_and_loses_are_said_with_what_they_are_for() -> None:
    def edit(document: dict[str, Any]) -> None:
        statements(document)[3]["Action"] = ["kms:Decrypt"]

    on = (
        "on alias/parker-flight-general-sandbox or alias/parker-flight-payment-sandbox or "
        "alias/parker-flight-pii-sandbox (its keys among arn:aws:kms:us-east-1:123456789012:key/*)"
    )
    assert sentences(ROLE_POLICY, edit) == [
        f"role parker-flight-sandbox-role loses kms:DescribeKey {on} (role policy, statement SeeKeyState)",
        f"role parker-flight-sandbox-role gains kms:Decrypt {on} (role policy, statement SeeKeyState)",
    ]


def test_a_new_statement_is_said_in_full() -> None:
    def edit(document: dict[str, Any]) -> None:
        statements(document).append({"Sid": "All", "Effect": "Allow", "Action": ["*"], "Resource": ["*"]})

    assert sentences(USER_POLICY, edit) == [
        "user parker-flight-sandbox-functions gains every action (*) on everything (*) (user policy, statement All)"
    ]


def test_a_condition_that_goes_is_named() -> None:
    def edit(document: dict[str, Any]) -> None:
        del statements(document)[1]["Condition"]["ArnEquals"]

    assert sentences(KEY, edit) == [
        "the condition aws:PrincipalArn is the ARN arn:aws:iam::123456789012:role/parker-flight-sandbox-role "
        "is gone from key policy, statement Use"
    ]


def test_a_condition_that_is_widened_is_shown_before_and_after() -> None:
    def edit(document: dict[str, Any]) -> None:
        statements(document)[1]["Condition"]["StringEquals"]["kms:EncryptionContext:purpose"].append("x")

    assert sentences(KEY, edit) == [
        "the condition kms:EncryptionContext:purpose is user-profile-data becomes "
        "kms:EncryptionContext:purpose is user-profile-data or x in key policy, statement Use"
    ]


def test_a_principal_of_everyone_is_said_plainly() -> None:
    def edit(document: dict[str, Any]) -> None:
        statements(document)[1]["Principal"]["AWS"] = ["*"]

    assert sentences(KEY, edit) == [
        f"account 123456789012 (root) loses {USE_PII} (key policy, statement Use)",
        f"everyone (AWS: *) gains {USE_PII} (key policy, statement Use)",
    ]


def test_a_key_opened_to_everyone_without_any_condition() -> None:
    def edit(document: dict[str, Any]) -> None:
        statements(document).append({"Effect": "Allow", "Principal": "*", "Action": ["kms:*"], "Resource": ["*"]})

    assert sentences(KEY, edit) == ["everyone (*) gains kms:* on this key (*), without any condition (key policy)"]


def test_a_denial_that_goes_is_a_gain_said_as_such() -> None:
    before, after = program(), program()
    denial = {"Sid": "No", "Effect": "Deny", "Action": ["sts:*"], "NotResource": ["arn:aws:iam::1:role/a"]}
    statements(before["resources"][USER_POLICY]).append(denial)
    (one,) = differences(surface(before), surface(after))
    assert one.sentences == (
        "user parker-flight-sandbox-functions is no longer denied sts:* on everything except arn:aws:iam::1:role/a "
        "(user policy, statement No)",
    )


def test_an_effect_that_turns_is_a_loss_and_a_gain() -> None:
    found = sentences(USER_POLICY, lambda document: statements(document)[0].update(Effect="Deny"))
    assert [sentence.partition(" sts:")[0] for sentence in found] == [
        "user parker-flight-sandbox-functions loses",
        "user parker-flight-sandbox-functions is denied",
    ]


def test_everyone_but_is_not_mistaken_for_somebody() -> None:
    def edit(document: dict[str, Any]) -> None:
        one = statements(document)[1]
        one["NotPrincipal"] = one.pop("Principal")

    assert (
        sentences(KEY, edit)[-1]
        == f"everyone except account 123456789012 (root) gains {USE_PII} (key policy, statement Use)"
    )


def test_a_trust_policy_names_its_role_and_the_provider_who_may_assume_it() -> None:
    def edit(document: dict[str, Any]) -> None:
        one = statements(document, "assumeRolePolicy")[0]
        one["Principal"] = {"Federated": ["arn:aws:iam::123456789012:oidc-provider/x"]}
        one["Condition"] = {"ForAnyValue:StringLike": {"sub": ["repo:*"]}}

    assert sentences(ROLE, edit) == [
        "the condition aws:PrincipalArn is the ARN arn:aws:iam::123456789012:user/parker-flight-sandbox-functions is "
        "gone from trust policy of role parker-flight-sandbox-role, statement FunctionsOfThisProject",
        "the condition sts:ExternalId is sandboxsandboxsandbo is gone from trust policy of role "
        "parker-flight-sandbox-role, statement FunctionsOfThisProject",
        "the condition sub (ForAnyValue:StringLike) repo:* is new in trust policy of role "
        "parker-flight-sandbox-role, statement FunctionsOfThisProject",
        "account 123456789012 (root) loses sts:AssumeRole, if aws:PrincipalArn is the ARN "
        "arn:aws:iam::123456789012:user/parker-flight-sandbox-functions and sts:ExternalId is sandboxsandboxsandbo "
        "(trust policy of role parker-flight-sandbox-role, statement FunctionsOfThisProject)",
        "the identity provider arn:aws:iam::123456789012:oidc-provider/x gains sts:AssumeRole, if sub "
        "(ForAnyValue:StringLike) repo:* (trust policy of role parker-flight-sandbox-role, statement "
        "FunctionsOfThisProject)",
    ]


def test_a_service_that_may_publish_to_a_topic() -> None:
    def edit(document: dict[str, Any]) -> None:
        statements(document)[0]["Principal"]["Service"].append("events.amazonaws.com")
        del statements(document)[0]["Condition"]

    assert sentences(TOPIC_POLICY, edit)[-1] == (
        "the service events.amazonaws.com gains sns:Publish on "
        "arn:aws:sns:us-east-1:123456789012:parker-flight-sandbox-level-1, without any condition "
        "(topic policy, statement AlarmsOfThisAccount)"
    )


def test_statements_without_a_sid_are_followed_by_their_content() -> None:
    before, after = program(), program()
    for content in (before, after):
        for one in statements(content["resources"][ROLE_POLICY]):
            del one["Sid"]
    statements(after["resources"][ROLE_POLICY])[5]["Resource"] = ["*"]
    statements(after["resources"][ROLE_POLICY]).reverse()
    (one,) = differences(surface(before), surface(after))
    assert one.sentences == (
        "role parker-flight-sandbox-role loses logs:CreateLogStream, logs:PutLogEvents on "
        "arn:aws:logs:us-east-1:123456789012:log-group:/parker-flight/sandbox/kms-operations:* (role policy)",
        "role parker-flight-sandbox-role gains logs:CreateLogStream, logs:PutLogEvents on everything (*) (role policy)",
    )


def test_a_statement_that_is_only_renamed_or_moved_gives_nobody_anything() -> None:
    renamed = sentences(USER_POLICY, lambda document: statements(document)[0].update(Sid="Other"))
    assert renamed == ["user policy, statement AssumeTheFunctionsRole, Sid: AssumeTheFunctionsRole → Other"]
    moved = sentences(KEY, lambda document: statements(document).reverse())
    assert moved == ["key policy: its statements stand in another order, each as it was"]


def test_a_policy_is_found_wherever_it_stands() -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}})
    found = added(f"{PREFIX}x:y:Z::new", "x:y:Z", deep=[{"name": "inline", "policy": policy}])
    assert found.sentences == (
        "deep[inline].name: inline",
        "nobody in particular gains s3:* on everything (*), without any condition (policy in deep[inline].policy)",
    )


# Keys and aliases.


def test_an_alias_that_moves_names_both_keys() -> None:
    after = program()
    other = KEY.replace("pii-1", "pii-2")
    after["resources"][other] = copy.deepcopy(after["resources"][KEY])
    after["resources"][ALIAS]["inputs"]["targetKeyId"]["resources"] = [other]
    alias, key = differences(surface(program()), surface(after))
    assert alias.sentences == ("alias/parker-flight-pii-sandbox would point to key pii-2 instead of key pii-1",)
    assert (key.kind, key.title) == (ChangeKind.ADDED, "key pii-2")


def test_an_alias_with_a_literal_key_id_says_that_it_is_one() -> None:
    def edit(document: dict[str, Any]) -> None:
        document["inputs"]["targetKeyId"] = {"resources": [], "literal": ["1234-abcd"]}

    assert sentences(ALIAS, edit) == [
        'alias/parker-flight-pii-sandbox would point to the literal "1234-abcd", which is no resource of this stack '
        "instead of key pii-1"
    ]


def test_two_keys_of_one_name_are_told_apart() -> None:
    other = f"{PREFIX}aws:kms/key:Key::pii-1"
    (sentence,) = sentences(ALIAS, lambda one: one["inputs"]["targetKeyId"].update(resources=[other]))
    assert sentence.endswith(f'would point to key {other} instead of key "{KEY}"')


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (
            {"enableKeyRotation": False},
            "automatic rotation is switched off (enableKeyRotation: true → false)",
        ),
        ({"enableKeyRotation": ...}, "automatic rotation is switched off (enableKeyRotation: true → not set)"),
        ({"rotationPeriodInDays": 2560}, "rotates every 2560 days instead of 365 (rotationPeriodInDays)"),
        (
            {"deletionWindowInDays": 7},
            "a deletion could be stopped for 7 days instead of 30 (deletionWindowInDays)",
        ),
        ({"isEnabled": False}, "isEnabled: false"),
        ({"description": "x y"}, 'description: "parker-flight: personal data" → "x y"'),
    ],
)
def test_what_becomes_of_a_key(edit: dict[str, Any], sentence: str) -> None:
    def apply(document: dict[str, Any]) -> None:
        for name, value in edit.items():
            if value is ...:
                del document["inputs"][name]
            else:
                document["inputs"][name] = value

    assert sentences(KEY, apply) == [sentence]


def test_a_protection_that_goes() -> None:
    assert sentences(KEY, lambda document: document.update(protect=False)) == ["no longer protected from deletion"]


def test_a_key_that_goes_says_what_is_lost() -> None:
    after = program()
    del after["resources"][KEY]
    (one,) = differences(surface(program()), surface(after))
    assert (one.kind, one.title) == (ChangeKind.REMOVED, "key pii-1")
    assert one.sentences[:2] == (
        "the key would go: what it encrypted can't be read any more",
        "it was protected from deletion",
    )


def test_what_goes_is_told_by_who_loses_what_and_the_rest_in_one_sentence() -> None:
    after = program()
    del after["resources"][USER_POLICY], after["resources"][ALARM]
    policy, alarm = differences(surface(program()), surface(after))
    assert policy.sentences == (
        "the user policy would be taken away",
        "it had {name: assume-role, user: parker-flight-sandbox-functions}",
        "user parker-flight-sandbox-functions loses sts:AssumeRole on "
        "arn:aws:iam::123456789012:role/parker-flight-sandbox-role (user policy, statement AssumeTheFunctionsRole)",
    )
    assert alarm.sentences[0] == "the alarm would be taken away"
    assert "threshold: 5, treatMissingData: notBreaching}" in alarm.sentences[1]
    assert alarm.sentences[2:] == (
        "no longer notifies topic notifications-level-1 when it rings (alarmActions)",
        "no longer notifies topic notifications-level-1 when it is over (okActions)",
    )


# What runs, and where.


def test_a_command_is_shown_to_the_letter() -> None:
    create = 'aws iam attach-user-policy \\\n  --user-name "x"'
    found = added(f"{PREFIX}command:local:Command::hello", "command:local:Command", create=create)
    assert found.sentences == (
        "a command that runs on the deploying machine, with that machine's rights",
        r'on creation it runs "aws iam attach-user-policy \\\n  --user-name \"x\""',
    )


def test_a_command_that_changes_shows_both() -> None:
    tool = "${PF_PYTHON:-.venv/bin/python} -m components.functions_release"
    assert sentences(RELEASE, lambda document: document["inputs"].update(update=f"{tool} deploy; id")) == [
        f'on each update it runs "{tool} deploy; id" instead of "{tool} deploy"'
    ]


def test_variables_of_a_command_are_named_with_their_values() -> None:
    def edit(document: dict[str, Any]) -> None:
        environment = document["inputs"]["environment"]
        environment["PF_AWS_REGION"] = "eu-central-1"
        environment["PATH"] = "/tmp/x"
        del environment["PF_EXTERNAL_ID"]

    assert sentences(VARIABLES, edit) == [
        "its variable PATH is /tmp/x",
        "its variable PF_AWS_REGION is eu-central-1 instead of us-east-1",
        "its variable PF_EXTERNAL_ID is gone (was sandboxsandboxsandbo)",
    ]


def test_functions_that_come_and_go_and_those_that_check_no_token() -> None:
    before, after = program(), program()
    lines = "a <content> verify_jwt=true\nb <content> verify_jwt=true"
    before["resources"][RELEASE]["inputs"]["environment"]["PF_RELEASE_FUNCTIONS"] = lines
    lines = "b <content> verify_jwt=false\nc <content> verify_jwt=true"
    after["resources"][RELEASE]["inputs"]["environment"]["PF_RELEASE_FUNCTIONS"] = lines
    (one,) = differences(surface(before), surface(after))
    assert one.sentences == (
        "the edge function a is taken away",
        "the edge function b checks no token: anybody may call it (verify_jwt: true → false)",
        "the edge function c is deployed and checks tokens",
    )


def test_a_provider_of_its_own_shows_where_it_leads() -> None:
    urn = f"{PREFIX}pulumi:providers:aws::other"
    after = program()
    after["resources"][urn] = entry(
        Resource(urn=urn, type="pulumi:providers:aws", inputs={"region": "eu-west-1"}), {}
    ).document
    after["resources"][ROLE]["provider"] = urn
    role, provider = differences(surface(program()), surface(after))
    assert role.sentences == ("managed by provider aws other instead of provider aws default",)
    assert provider.title == "provider aws other"
    assert provider.sentences == (
        "a provider of its own: what it manages goes to the account, region and address that it is given, "
        "with the rights of whoever deploys",
        "region: eu-west-1",
    )


# The rest.


def test_alarms_that_call_nobody_and_that_ring_later() -> None:
    def edit(document: dict[str, Any]) -> None:
        document["inputs"]["alarmActions"] = {"resources": [], "literal": ["arn:aws:sns:us-east-1:1:x"]}
        document["inputs"]["threshold"] = 50
        document["inputs"]["metricQueries"][1]["metric"]["period"] = 3600
        document["inputs"]["treatMissingData"] = "ignore"

    assert sentences(ALARM, edit) == [
        "no longer notifies topic notifications-level-1 when it rings (alarmActions)",
        "notifies the literal arn:aws:sns:us-east-1:1:x, which is no resource of this stack when it rings "
        "(alarmActions)",
        "metricQueries[part].metric.period: 10 → 3600",
        "rings above 50 instead of 5 (threshold)",
        "treatMissingData: notBreaching → ignore",
    ]


def test_lists_show_what_comes_and_what_goes() -> None:
    before, after = program(), program()
    before["resources"][ROLE]["inputs"]["managedPolicyArns"] = ["arn:a", "arn:b"]
    after["resources"][ROLE]["inputs"]["managedPolicyArns"] = ["arn:b", "arn:aws:iam::aws:policy/AdministratorAccess"]
    (one,) = differences(surface(before), surface(after))
    assert one.sentences == (
        "managedPolicyArns: without arn:a",
        "managedPolicyArns: with arn:aws:iam::aws:policy/AdministratorAccess",
    )


def test_the_gates_own_settings() -> None:
    after = program()
    after["settings"] = {
        "protectedBranch": "",
        "businessHours": {"timeZone": "UTC", "days": ["mon", "tue", "sun"], "from": "00:00", "to": "17:00"},
        "repository": "mallory/infrastructure",
    }
    (one,) = differences(surface(program()), surface(after))
    assert one.title == "the gate's own settings"
    assert one.sentences == (
        "no branch is protected (it was origin/main): what is deployed need not have been reviewed",
        "the GitHub repository mallory/infrastructure is asked whether a commit's checks passed",
        "businessHours.days: with sun",
        'businessHours.from: "09:00" → "00:00"',
    )


def test_whatever_the_programs_declare_has_a_plain_word() -> None:
    declared = {
        one.type for program in (run("sandbox"), foundation()) for one in program.resources.values() if one.custom
    }
    assert {type_ for type_ in declared if noun(type_) == type_} == set()


def test_the_dangerous_comes_first() -> None:
    after = program()
    resources = after["resources"]
    resources[ALARM]["inputs"]["threshold"] = 6
    resources[RELEASE]["inputs"]["create"] = "true"
    resources[PROBE]["inputs"]["handler"] = "main.other"
    resources[ROLE_POLICY]["inputs"]["role"] = "x"
    resources[KEY]["protect"] = False
    del resources[f"{PREFIX}parkerflight:logs:OperationsLog$aws:cloudwatch/logGroup:LogGroup::operations"]
    after["settings"]["protectedBranch"] = ""
    assert [one.title for one in differences(surface(program()), surface(after))] == [
        "log group operations",
        "the gate's own settings",
        "key pii-1",
        "role policy functions-role",
        "Lambda function probe",
        "command functions-release",
        "alarm encrypt-data-errors",
    ]


def test_numbers_texts_and_truth_are_not_mistaken_for_each_other() -> None:
    before, after = program(), program()
    before["resources"][ROLE]["inputs"] |= {"a": 1, "b": "true", "c": None, "d": ""}
    after["resources"][ROLE]["inputs"] |= {"a": True, "b": True, "c": "null", "d": None}
    (one,) = differences(surface(before), surface(after))
    assert one.sentences == ("a: 1 → true", 'b: "true" → true', 'c: null → "null"', 'd: "" → null')


# Hostile text.


def test_hostile_text_stands_escaped_in_one_line() -> None:
    found = added(f"{PREFIX}x:y:{HOSTILE}::{HOSTILE}", f"x:y:{HOSTILE}", **{HOSTILE: HOSTILE})
    for text in (found.name, found.type, found.title, *found.sentences):
        assert HARMLESS.fullmatch(text), text
        assert "→" not in text
        assert r"a\nb\x1b[31mred\x1b[0m\u202egnp.exe\u2028\u200b\r\x00\x07\u0430 \u2192 x \u2026" in text


def test_a_backslash_is_not_mistaken_for_an_escape() -> None:
    assert (plain("a\nb"), plain(r"a\nb")) == (r"a\nb", r"a\\nb")
    assert quoted('"') == r'"\""'


def test_a_text_that_runs_on_can_not_pass_for_our_words() -> None:
    assert shown('x", and nothing else changed "') == r'"x\", and nothing else changed \""'
    assert shown("x. Nothing else changed") == '"x. Nothing else changed"'
    assert [shown(text) for text in ("", "12", "true", "-x", "kms:*")] == ['""', '"12"', '"true"', '"-x"', "kms:*"]


def test_very_long_texts_say_what_they_leave_out() -> None:
    found = added(f"{PREFIX}x:y:Z::{'n' * 5000}", "x:y:Z", text="a" * 700 + "!" * 10_000 + "z" * 700)
    (sentence,) = found.sentences
    assert len(sentence) < 1200
    assert "10,400 characters, SHA-256 of all " in sentence
    assert len(found.name) < 200


def test_of_long_texts_the_part_that_differs_is_shown() -> None:
    before, after = program(), program()
    before["resources"][ROLE]["inputs"]["text"] = "a" * 3000 + "one" + "b" * 3000
    after["resources"][ROLE]["inputs"]["text"] = "a" * 3000 + "two" + "b" * 3000
    (one,) = differences(surface(before), surface(after))
    around = ('… 2,970 characters … "' + "a" * 30, "b" * 30 + '" … 2,970 characters …')
    assert one.sentences == (f"text: {around[0]}one{around[1]} → {around[0]}two{around[1]}",)


def test_two_long_items_that_differ_in_the_middle_never_look_the_same() -> None:
    before, after = program(), program()
    before["resources"][ROLE]["inputs"]["list"] = ["a" * 3000 + "one" + "b" * 3000]
    after["resources"][ROLE]["inputs"]["list"] = ["a" * 3000 + "two" + "b" * 3000]
    (one,) = differences(surface(before), surface(after))
    lost, gained = one.sentences
    assert lost.removeprefix("list: without ") != gained.removeprefix("list: with ")


# Nothing is left unsaid.


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from leaves(item, (*path, name))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path


def mappings(value: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict):
        yield path
        for name, item in value.items():
            yield from mappings(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from mappings(item, (*path, index))


def at(content: Any, path: Path) -> Any:
    for step in path:
        content = content[step]
    return content


@cache
def unchanged() -> Surface:
    return surface(program())


def told(before: Surface, after: dict[str, Any], path: Path) -> str:
    """The sentences about the one difference at this path, checked for being harmless."""
    (one,) = differences(before, surface(after))
    assert one.urn == (path[1] if path[0] == "resources" else "settings")
    assert one.sentences
    assert all(HARMLESS.fullmatch(text) for text in (one.name, one.type, *one.sentences))
    return "\n".join(one.sentences)


def each(paths: Iterator[Path]) -> pytest.MarkDecorator:
    """The first path of each shape: all alarms' thresholds have one."""
    shapes: dict[str, Path] = {}
    for path in sorted(paths, key=str):
        where = str(path[1]).split("::")[2] if path[0] == "resources" and len(path) > 1 else ""
        within = ["*" if isinstance(step, int) else step for step in path[2 if where else 0 :]]
        shapes.setdefault(" ".join([where, *within]), path)
    return pytest.mark.parametrize("path", shapes.values(), ids=shapes)


MARK = "zq7731"
each_leaf = each(path for path in leaves(program()) if len(path) > 1 and at(program(), path) != [])
each_mapping = each(path for path in mappings(program()) if len(path) > 1 or path == ("settings",))
NEW_VALUES: dict[str, tuple[Any, str]] = {
    "text": (f"{HOSTILE}{MARK}", MARK),
    "number": (77317731, "77317731"),
    "truth": (True, "true"),
    "null": (None, "null"),
}


@pytest.mark.parametrize("value", NEW_VALUES)
@each_leaf
def test_every_leaf_that_changes_is_in_a_sentence(path: Path, value: str) -> None:
    after = program()
    new, mentions = NEW_VALUES[value]
    if at(after, path) is new:
        new, mentions = False, "false"
    at(after, path[:-1])[path[-1]] = new
    said = told(unchanged(), after, path)
    if path[-1] in ("protect", "enableKeyRotation"):
        mentions = "protect" if path[-1] == "protect" else "rotat"
    elif path == ("settings", "protectedBranch") and value in ("truth", "null"):
        mentions = "branch"
    elif path[-1] == RELEASE_FUNCTIONS and value == "null":
        mentions = "the edge function encrypt-data is taken away"
    assert mentions in said


@each_leaf
def test_every_leaf_that_goes_is_in_a_sentence(path: Path) -> None:
    after = program()
    old = at(after, path)
    del at(after, path[:-1])[path[-1]]
    said = told(unchanged(), after, path)
    if path[-1] in ("protect", "enableKeyRotation") or path == ("settings", "protectedBranch"):
        assert re.search("protect|rotat", said)
    elif "resources" in path[2:] or path[-1] == "provider":
        assert old.rpartition("::")[2] in said
    elif path[-1] == "Effect":
        assert "lose" in said
    elif old == "*":
        assert "(*)" in said
    elif isinstance(old, str) and (account := re.fullmatch(r"arn:aws:iam::(\d+):root", old)):
        assert account[1] in said
    elif path[-1] == RELEASE_FUNCTIONS:
        assert all(line.partition(" ")[0] in said for line in old.splitlines())
    else:
        assert shown(old) in said


@each_mapping
def test_everything_that_is_added_is_in_a_sentence(path: Path) -> None:
    after = program()
    at(after, path)[HOSTILE + MARK] = f"{HOSTILE}zq8842"
    said = told(unchanged(), after, path)
    assert MARK in said
    assert "zq8842" in said


@each_leaf
def test_a_resource_that_comes_or_goes_is_described_to_its_last_leaf(path: Path) -> None:
    """But for a default provider, a missing protection and the usual version of the policy language."""
    before, after = program(), program()
    old = at(after, path)
    if (
        path[0] != "resources"
        or isinstance(old, (bool, dict, list))
        or path[-1] in ("provider", "type", "Version", "Effect")
        or old == "*"
    ):
        return
    del before["resources"][path[1]]
    at(after, path[:-1])[path[-1]] = f"{old}{MARK}"
    assert MARK in told(surface(before), after, path)
    (gone,) = differences(surface(after), surface(before))
    assert gone.kind is ChangeKind.REMOVED
    assert MARK in "\n".join(gone.sentences)
