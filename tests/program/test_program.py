"""The whole program: which resources each stack has, and what holds for all of them."""

import json
import re
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from tests.components.recording import ROOT, UNKNOWN, Recording, record_program

pytestmark = pytest.mark.rows("K1", "K2", "K3", "K4", "K7")

FILLED_IN = {
    "aws:allowedAccountIds": ["210987654321"],
    "parker-flight:awsAccountId": "210987654321",
    "parker-flight:contacts": {
        role: {"name": role, "email": f"{role}@example.com"}
        for role in ("devops", "devops-lead", "incident-commander", "security")
    },
}


def config(stack: str, **changes: Any) -> dict[str, str]:
    """The stack's file as the engine hands it to the program."""
    values: dict[str, Any] = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    values |= {key.replace("__", ":"): value for key, value in changes.items()}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


def run(stack: str, *, first_preview: bool = False) -> Recording:
    filled_in = FILLED_IN if stack == "production" else {}
    values = config(stack) | {k: v if isinstance(v, str) else json.dumps(v) for k, v in filled_in.items()}
    return record_program(stack=stack, config=values, first_preview=first_preview)


FUNCTIONS = ["create-payment-method", "encrypt-data"]
OF_A_FUNCTION = ("down", "error-rate", "errors", "kms-failures", "kms-latency", "latency", "slow", "unpublished")
METRIC_ALARMS = sorted(
    [
        *(f"{function}-{what}" for function in FUNCTIONS for what in OF_A_FUNCTION),
        *(f"database-{what}" for what in ("connections", "connections-share", "resources", "unwatched")),
        *(f"{endpoint}-slower" for endpoint in ("rest", *FUNCTIONS)),
        *("access-key-old", "probe-silent", "rest-down", "rest-latency", "rest-slow", "throughput"),
        *(
            f"slo-{objective}-{window}"
            for objective in ("availability", "errors")
            for window in ("14.4x-1h", "14.4x-5m", "1x-3d", "1x-6h", "3x-1d", "3x-2h", "6x-30m", "6x-6h")
        ),
    ]
)
SUBSCRIPTIONS = [
    "notifications-info-email-devops@example.com",
    "notifications-level-1-email-devops@example.com",
    "notifications-level-2-email-devops-lead@example.com",
    *(f"notifications-level-3-email-{role}@example.com" for role in ("devops-lead", "incident-commander", "security")),
    "notifications-warning-email-devops@example.com",
]
RULES = [
    *("alarms-silenced", "alias-changed", "key-deletion-scheduled", "key-disabled"),
    *("key-policy-changed", "key-rotation-disabled", "probe"),
]
COMPOSITE_ALARMS = [
    *("functions-down", "level-1-unresolved", "level-2-budget-unresolved", "level-2-unresolved", "never"),
    *(f"slo-{objective}-{kind}" for objective in ("availability", "errors") for kind in ("page", "ticket")),
]


@pytest.mark.parametrize("stack", ["sandbox", "production"])
def test_each_stack_has_exactly_these_resources(stack: str) -> None:
    topics = ["info", "level-1", "level-2", "level-3", "warning"]
    assert run(stack).names() == {
        "aws:cloudwatch/dashboard:Dashboard": ["dashboard"],
        "aws:cloudwatch/logGroup:LogGroup": ["operations", "probe"],
        "aws:lambda/function:Function": ["probe"],
        "aws:lambda/permission:Permission": ["probe"],
        "aws:cloudwatch/compositeAlarm:CompositeAlarm": COMPOSITE_ALARMS,
        "aws:cloudwatch/metricAlarm:MetricAlarm": METRIC_ALARMS,
        "aws:cloudwatch/eventRule:EventRule": RULES,
        "aws:cloudwatch/eventTarget:EventTarget": RULES,
        "aws:iam/role:Role": ["functions-role", "probe"],
        "aws:iam/rolePolicy:RolePolicy": ["functions-role", "probe"],
        "aws:iam/user:User": ["functions-user"],
        "aws:iam/userPolicy:UserPolicy": ["functions-user"],
        "aws:kms/alias:Alias": ["general", "payment", "pii"],
        "aws:kms/key:Key": ["general-1", "payment-1", "pii-1"],
        "aws:sns/topic:Topic": [f"notifications-{topic}" for topic in topics],
        "aws:sns/topicPolicy:TopicPolicy": [f"notifications-{topic}" for topic in topics],
        "aws:sns/topicSubscription:TopicSubscription": SUBSCRIPTIONS,
        "command:local:Command": ["functions-release", "functions-settings"],
        "parkerflight:cloudwatch:Alarms": ["alarms"],
        "parkerflight:cloudwatch:Dashboard": ["dashboard"],
        "parkerflight:events:SecurityEvents": ["security-events"],
        "parkerflight:iam:FunctionAccess": ["functions"],
        "parkerflight:kms:EncryptionKey": ["general", "payment", "pii"],
        "parkerflight:lambda:Probe": ["probe"],
        "parkerflight:logs:OperationsLog": ["operations"],
        "parkerflight:monitoring:Monitoring": ["monitoring"],
        "parkerflight:sns:Notifications": ["notifications"],
        "parkerflight:supabase:EdgeFunctions": ["functions"],
    }


@pytest.mark.parametrize("stack", ["sandbox", "production"])
def test_every_physical_name_carries_its_stack(stack: str) -> None:
    for resource in run(stack).resources.values():
        name = resource.inputs.get("name")
        if resource.custom and isinstance(name, str) and "Policy" not in resource.type:
            assert f"parker-flight-{stack}" in name or f"-{stack}" in name or f"/{stack}/" in name, name


def test_every_component_registers_its_outputs_and_owns_what_it_makes() -> None:
    recorded = run("sandbox")
    for resource in recorded.resources.values():
        if not resource.custom:
            assert recorded.outputs[resource.urn], resource.urn
        else:
            assert "parkerflight:" in resource.urn, f"{resource.urn} belongs to no component"


def test_every_policy_document_is_known_before_anything_exists() -> None:
    found = 0
    for resource in run("sandbox", first_preview=True).resources.values():
        for name in ("policy", "assumeRolePolicy"):
            if document := resource.inputs.get(name):
                found += 1
                assert UNKNOWN not in document
                assert json.loads(document)["Version"] == "2012-10-17"
    assert found == 3 + 3 + 2 + 5, "keys; role with its trust, role and user policies; the probe's role; topics"


def test_only_references_to_new_resources_are_unknown_at_the_first_preview() -> None:
    unknown = {
        f"{resource.type} {name}"
        for resource in run("sandbox", first_preview=True).resources.values()
        for name, value in resource.inputs.items()
        if UNKNOWN in json.dumps(value)
    }
    assert unknown == {
        "aws:cloudwatch/compositeAlarm:CompositeAlarm alarmActions",
        "aws:cloudwatch/compositeAlarm:CompositeAlarm okActions",
        "aws:cloudwatch/metricAlarm:MetricAlarm alarmActions",
        "aws:cloudwatch/metricAlarm:MetricAlarm okActions",
        "aws:kms/alias:Alias targetKeyId",
        "aws:sns/topicPolicy:TopicPolicy arn",
        "aws:sns/topicSubscription:TopicSubscription topic",
    }


def test_everything_that_tells_somebody_leads_to_a_heading_of_the_runbook() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).strip().replace(" ", "-")
        for line in (ROOT / "docs/runbook.md").read_text().splitlines()
        if line.startswith("#")
    }
    told = {
        resource.name: resource.inputs["tags"]["Runbook"]
        for resource in run("sandbox").resources.values()
        if "Runbook" in resource.inputs.get("tags", {})
    }
    assert len(told) == len(METRIC_ALARMS) + len(COMPOSITE_ALARMS) - 1 + len(RULES) - 1, "all but `never` and the probe"
    for name, heading in told.items():
        assert heading in headings, name


def test_everything_that_can_be_tagged_says_whose_it_is() -> None:
    tagged = 0
    for resource in run("sandbox").resources.values():
        if tags := resource.inputs.get("tags"):
            tagged += 1
            assert {"Application", "Environment", "ManagedBy"} <= set(tags)
    assert tagged == 3 + 2 + 2 + 1 + 1 + 5 + len(RULES) + len(METRIC_ALARMS) + len(COMPOSITE_ALARMS)


def test_the_functions_are_released_after_what_they_need() -> None:
    recorded = run("sandbox")
    needed = recorded.one("command:local:Command", "functions-release").depends_on
    for type_ in ("aws:kms/alias:Alias", "aws:iam/rolePolicy:RolePolicy", "aws:iam/userPolicy:UserPolicy"):
        ours = [one for one in recorded.all(type_) if ":Probe$" not in one.urn]
        assert ours
        for resource in ours:
            assert resource.urn in needed, resource.urn


def test_the_functions_learn_every_setting_and_no_secret() -> None:
    settings = run("sandbox").one("command:local:Command", "functions-settings").inputs["environment"]
    assert settings == {
        "PF_PROJECT_REF": "sandboxsandboxsandbo",
        "PF_ENVIRONMENT": "sandbox",
        "PF_AWS_REGION": "us-east-1",
        "PF_ROLE_ARN": "arn:aws:iam::123456789012:role/parker-flight-sandbox-role",
        "PF_EXTERNAL_ID": "sandboxsandboxsandbo",
        "PF_KEY_ALIAS_GENERAL": "alias/parker-flight-general-sandbox",
        "PF_KEY_ALIAS_PII": "alias/parker-flight-pii-sandbox",
        "PF_KEY_ALIAS_PAYMENT": "alias/parker-flight-payment-sandbox",
    }


def test_existing_keys_are_imported() -> None:
    key_id = "1234abcd-12ab-34cd-56ef-1234567890ab"
    values = config("sandbox") | {"parker-flight:existingKeyIds": json.dumps({"pii": key_id})}
    recorded = record_program(stack="sandbox", config=values)
    assert {key.name: key.import_id for key in recorded.all("aws:kms/key:Key")} == {
        "general-1": "",
        "payment-1": "",
        f"pii-{key_id}": key_id,
    }


def test_wrong_settings_end_the_program_with_one_message() -> None:
    values = config("sandbox") | {"parker-flight:keyRotationDay": "365"}
    with pytest.raises(
        pulumi.RunError, match=r"Pulumi\.sandbox\.yaml can't be used\. Edit it:\n.*keyRotationDay is not known"
    ):
        record_program(stack="sandbox", config=values)


def test_the_program_can_be_read_at_one_sight() -> None:
    assert len(Path(ROOT / "__main__.py").read_text().splitlines()) < 90


@pytest.mark.rows("K3")
def test_what_production_makes_carries_the_boundary_that_its_deploying_role_demands() -> None:
    boundary = "arn:aws:iam::210987654321:policy/boundaries/parker-flight-production-workload-boundary"
    for stack, expected in (("production", boundary), ("sandbox", None)):
        made = [*run(stack).all("aws:iam/role:Role"), *run(stack).all("aws:iam/user:User")]
        assert {one.inputs.get("permissionsBoundary") for one in made} == {expected}
