"""What the CI jobs' roles may do, decided as IAM would: the table of docs/security.md, row by row."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from components import boundaries, function_access, probe, rights
from components.kept_key import buckets_key_policy, secrets_key_policy
from components.naming import ENVIRONMENT, Site
from policies.access import EXCEPTIONS
from policies.documents import has_wildcard, parse
from policies.foundation import ADDED
from tests.bootstrap.iam import allows
from tests.program.test_program import run

pytestmark = pytest.mark.rows("K3")

SITE = Site(environment="production", account_id="210987654321", region="us-east-1")
CI, WORKLOAD = boundaries.of_ci(SITE), boundaries.of_workloads(SITE)
DEPLOY = list(rights.documents(SITE, changing=True).values())
PREVIEW = list(rights.documents(SITE, changing=False).values())
KEY = SITE.arn("kms", "key/1")
DATA: dict[str, Any] = {"kms__ResourceAliases": ["alias/parker-flight-pii-production"]}
OURS: dict[str, Any] = {
    "aws__ResourceTag/Application": "parker-flight",
    "aws__ResourceTag/Environment": "production",
}
NEW: dict[str, Any] = {
    "aws__RequestTag/Application": "parker-flight",
    "aws__RequestTag/Environment": "production",
}
BOUNDED: dict[str, Any] = {"iam__PermissionsBoundary": SITE.boundary_arn("workload")}
STATE = f"arn:aws:s3:::{SITE.state_bucket}"
REPORTS = f"arn:aws:s3:::{SITE.report_bucket}"
BUCKETS_KEY: dict[str, Any] = {
    "kms__ResourceAliases": [SITE.bucket_alias],
    "kms__ViaService": "s3.us-east-1.amazonaws.com",
    "kms__EncryptionContext__aws__s3__arn": STATE,
}
SECRETS_KEY: dict[str, Any] = {
    "kms__ResourceAliases": [SITE.secrets_alias],
    "kms__EncryptionContext__application": "parker-flight",
    "kms__EncryptionContext__purpose": "pulumi-secrets",
}
CONTEXT: dict[str, Any] = {
    "kms__EncryptionContext__application": "parker-flight",
    "kms__EncryptionContext__purpose": "user-profile-data",
}
PROBE_KEY = SITE.arn("ssm", "parameter/parker-flight/production/probe/service-role-key")

# action, resource, conditions of the request, whether a deployment may, whether a preview may
TABLE: list[tuple[str, str, dict[str, Any], bool, bool]] = [
    ("kms:CreateKey", "*", NEW, True, False),
    ("kms:CreateKey", "*", {}, False, False),
    ("kms:TagResource", KEY, NEW, True, False),
    ("kms:TagResource", KEY, NEW | {"kms__ResourceAliases": ["alias/of-another"]}, False, False),
    ("kms:EnableKeyRotation", KEY, OURS, True, False),
    ("kms:PutKeyPolicy", KEY, OURS, False, False),
    ("kms:PutKeyPolicy", KEY, DATA, True, False),
    ("kms:PutKeyPolicy", KEY, {"kms__ResourceAliases": ["alias/of-another"]}, False, False),
    ("kms:PutKeyPolicy", KEY, BUCKETS_KEY, False, False),
    ("kms:PutKeyPolicy", KEY, SECRETS_KEY | OURS, False, False),
    ("kms:GetKeyPolicy", KEY, DATA, True, True),
    ("kms:Decrypt", KEY, DATA | CONTEXT, False, False),
    ("kms:GenerateDataKey", KEY, DATA | CONTEXT, False, False),
    ("kms:CreateGrant", KEY, DATA, False, False),
    ("kms:ScheduleKeyDeletion", KEY, DATA, False, False),
    ("kms:DisableKey", KEY, DATA, False, False),
    ("kms:UpdateAlias", SITE.arn("kms", "alias/parker-flight-pii-production"), {}, True, False),
    ("kms:UpdateAlias", SITE.arn("kms", "alias/of-another"), {}, False, False),
    ("kms:Decrypt", KEY, SECRETS_KEY, True, True),
    ("kms:Encrypt", KEY, SECRETS_KEY, True, False),
    ("kms:Decrypt", KEY, {"kms__ResourceAliases": [SITE.secrets_alias]}, False, False),
    ("kms:Decrypt", KEY, BUCKETS_KEY, True, True),
    ("kms:GenerateDataKey", KEY, BUCKETS_KEY, True, False),
    ("iam:CreateRole", SITE.role_arn, BOUNDED, True, False),
    ("iam:CreateRole", SITE.role_arn, {}, False, False),
    ("iam:CreateRole", SITE.role_arn, {"iam__PermissionsBoundary": SITE.boundary_arn("ci")}, False, False),
    ("iam:PutRolePolicy", SITE.probe_role_arn, BOUNDED, True, False),
    ("iam:PutRolePolicy", SITE.probe_role_arn, {}, False, False),
    ("iam:CreateRole", SITE.role_arn.replace("production", "staging"), BOUNDED, False, False),
    ("iam:PutRolePolicy", SITE.ci_role_arn("deploy"), BOUNDED, False, False),
    ("iam:UpdateAssumeRolePolicy", SITE.ci_role_arn("preview"), {}, False, False),
    ("iam:UpdateAssumeRolePolicy", SITE.role_arn, {}, True, False),
    ("iam:DeleteRolePermissionsBoundary", SITE.role_arn, BOUNDED, False, False),
    ("iam:CreatePolicyVersion", SITE.boundary_arn("ci"), {}, False, False),
    ("iam:CreatePolicyVersion", SITE.policy_arn("deploy-keys"), {}, False, False),
    (
        "iam:DeleteOpenIDConnectProvider",
        SITE.identity_provider_arn,
        {},
        False,
        False,
    ),
    ("iam:GetRole", SITE.ci_role_arn("deploy"), {}, True, True),
    ("iam:GetPolicyVersion", SITE.boundary_arn("ci"), {}, True, True),
    ("kms:GetKeyPolicy", KEY, SECRETS_KEY, True, True),
    ("s3:GetBucketPolicy", STATE, {}, True, True),
    ("iam:CreateAccessKey", SITE.function_user_arn, {}, True, False),
    ("iam:PassRole", SITE.probe_role_arn, {"iam__PassedToService": "lambda.amazonaws.com"}, True, False),
    ("iam:PassRole", SITE.probe_role_arn, {"iam__PassedToService": "ec2.amazonaws.com"}, False, False),
    ("iam:PassRole", SITE.ci_role_arn("deploy"), {"iam__PassedToService": "lambda.amazonaws.com"}, False, False),
    ("lambda:UpdateFunctionCode", SITE.probe_arn, {}, True, False),
    ("lambda:UpdateFunctionCode", SITE.arn("lambda", "function:another"), {}, False, False),
    ("ssm:GetParameters", PROBE_KEY, {}, True, False),
    ("ssm:PutParameter", PROBE_KEY, {}, True, False),
    ("cloudwatch:PutMetricAlarm", SITE.arn("cloudwatch", "alarm:parker-flight-production-rest-down"), {}, True, False),
    ("cloudwatch:PutMetricAlarm", SITE.arn("cloudwatch", "alarm:parker-flight-staging-rest-down"), {}, False, False),
    ("sns:Publish", SITE.arn("sns", SITE.topic("info")), {}, True, False),
    ("events:PutRule", SITE.arn("events", f"rule/{SITE.rule('key-disabled')}"), {}, True, False),
    ("logs:CreateLogGroup", SITE.arn("logs", f"log-group:{SITE.log_group}"), {}, True, False),
    ("cloudwatch:DescribeAlarms", "*", {}, True, True),
    ("s3:GetObject", f"{STATE}/.pulumi/stacks/parker-flight/production.json", {}, True, True),
    ("s3:PutObject", f"{STATE}/.pulumi/stacks/parker-flight/production.json", {}, True, False),
    ("s3:DeleteObject", f"{STATE}/.pulumi/locks/one.json", {}, True, False),
    ("s3:DeleteObjectVersion", f"{STATE}/.pulumi/stacks/parker-flight/production.json", {}, False, False),
    ("s3:PutBucketVersioning", STATE, {}, False, False),
    ("s3:PutBucketPolicy", STATE, {}, False, False),
    ("s3:PutObject", f"{REPORTS}/production/report.json", {}, True, False),
    ("s3:GetObject", f"{REPORTS}/production/report.json", {}, True, False),
    ("s3:DeleteObject", f"{REPORTS}/production/report.json", {}, False, False),
    ("sts:AssumeRole", SITE.role_arn, {}, False, False),
]


@pytest.mark.parametrize(("action", "resource", "context", "deploy", "preview"), TABLE)
def test_the_jobs_may_do_this_and_no_more(
    action: str, resource: str, context: dict[str, Any], deploy: bool, preview: bool
) -> None:
    assert allows(DEPLOY, CI, action, resource, **context) is deploy
    assert allows(PREVIEW, CI, action, resource, **context) is preview


ANYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


@pytest.mark.parametrize("job", rights.JOBS)
def test_whatever_a_job_is_given_one_day_it_changes_neither_itself_nor_another_job(job: str) -> None:
    for action, resource in (
        ("iam:UpdateAssumeRolePolicy", SITE.ci_role_arn(job)),
        ("iam:DeleteRolePolicy", SITE.ci_role_arn(job)),
        ("iam:CreatePolicyVersion", SITE.policy_arn(f"{job}-keys")),
        ("iam:SetDefaultPolicyVersion", SITE.policy_arn(f"{job}-state")),
        ("iam:CreatePolicyVersion", SITE.boundary_arn("ci")),
        ("iam:UpdateOpenIDConnectProviderThumbprint", SITE.identity_provider_arn),
    ):
        assert not allows([ANYTHING], CI, action, resource), (action, resource)


@pytest.mark.parametrize("aliases", [[], ["alias/parker-flight-pii-production"], ["alias/of-another"]])
@pytest.mark.parametrize("action", ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:CreateGrant"])
def test_whatever_a_job_is_given_it_uses_no_key_but_those_of_the_state(action: str, aliases: list[str]) -> None:
    """Nor one from which it has moved the alias, having written itself into the key's policy before."""
    assert not allows([ANYTHING], CI, action, KEY, kms__ResourceAliases=aliases)


def test_what_a_service_encrypts_for_a_job_it_encrypts_all_the_same() -> None:
    """The parameters of the probe, with the key that AWS manages."""
    through = {"kms__ResourceAliases": ["alias/aws/ssm"], "kms__ViaService": "ssm.us-east-1.amazonaws.com"}
    assert allows([ANYTHING], CI, "kms:Decrypt", KEY, **through)


def test_a_preview_changes_nothing_and_reads_no_secret() -> None:
    actions = {action for document in PREVIEW for one in parse(document) for action in one.actions}
    verbs = {action.partition(":")[2] for action in actions}
    assert all(verb.startswith(("Describe", "Get", "List")) or verb == "Decrypt" for verb in verbs)
    assert not [action for action in actions if action.startswith(("ssm:", "sts:", "secretsmanager:"))]


@pytest.mark.parametrize("document", [*DEPLOY, *PREVIEW, CI, WORKLOAD])
def test_iam_takes_each_document(document: str) -> None:
    assert len(document) <= rights.LONGEST
    sids = [statement["Sid"] for statement in json.loads(document)["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(sid.isalnum() for sid in sids)


@settings(max_examples=30)
@given(st.from_regex(ENVIRONMENT, fullmatch=True), st.sampled_from(["-eu", "eu", "2", "-2", "s"]))
def test_no_right_reaches_what_another_environment_has(name: str, more: str) -> None:
    other = name + more
    assume(re.fullmatch(ENVIRONMENT, other))
    neighbour = replace(SITE, environment=other)
    documents = rights.documents(replace(SITE, environment=name), changing=True).values()
    for action, arn in (
        ("cloudwatch:DeleteAlarms", neighbour.arn("cloudwatch", f"alarm:{neighbour.alarm('rest-down')}")),
        ("events:DisableRule", neighbour.arn("events", f"rule/{neighbour.rule('key-disabled')}")),
        ("sns:Subscribe", neighbour.arn("sns", neighbour.topic("level-1"))),
    ):
        assert not allows(documents, ANYTHING, action, arn), action


def test_every_type_of_the_program_has_its_rights_and_no_right_is_left_over() -> None:
    served = {type_ for grant in rights.grants(SITE) for type_ in grant.serves}
    assert served == {type_ for type_ in run("production").names() if type_.startswith("aws:")}


@pytest.mark.parametrize(
    "document", [function_access.role_policy(SITE), function_access.user_policy(SITE), probe.role_policy(SITE)]
)
def test_the_boundary_of_what_a_deployment_makes_lets_through_what_the_program_gives(document: str) -> None:
    """By actions and resources; of conditions, the aliases of keys alone narrow the boundary."""
    for one in parse(document):
        for action in one.actions:
            for resource in one.resources:
                asked = resource.replace("*", "x")
                assert allows([WORKLOAD], WORKLOAD, action, asked, **DATA), (action, resource)


def test_the_boundary_of_what_a_deployment_makes_keeps_it_from_everything_else() -> None:
    for action, resource, context in (
        ("iam:CreateUser", f"arn:aws:iam::{SITE.account_id}:user/another", {}),
        ("kms:Decrypt", KEY, {"kms__ResourceAliases": ["alias/of-another"]}),
        ("kms:PutKeyPolicy", KEY, DATA),
        ("sts:AssumeRole", SITE.ci_role_arn("deploy"), {}),
        ("s3:GetObject", f"{STATE}/.pulumi/stacks/parker-flight/production.json", {}),
        ("ssm:GetParameters", SITE.arn("ssm", "parameter/another"), {}),
    ):
        assert not allows([ANYTHING], WORKLOAD, action, resource, **context), action


@pytest.mark.parametrize(("policy", "context"), [(buckets_key_policy, BUCKETS_KEY), (secrets_key_policy, SECRETS_KEY)])
def test_the_keys_of_the_state_serve_the_jobs_and_the_operators_and_nobody_else(
    policy: Any, context: dict[str, Any]
) -> None:
    operator = f"arn:aws:iam::{SITE.account_id}:role/operator"
    document = policy(SITE, [operator])

    def may(action: str, who: str) -> bool:
        return allows([document], document, action, "*", aws__PrincipalArn=who, **context)

    assert may("kms:Decrypt", operator)
    for reader in ("check", "preview"):
        assert may("kms:Decrypt", SITE.ci_role_arn(reader))
        assert not may("kms:Encrypt", SITE.ci_role_arn(reader))
        assert not may("kms:GenerateDataKey", SITE.ci_role_arn(reader))
    assert not may("kms:Decrypt", SITE.role_arn)
    assert not may("kms:ScheduleKeyDeletion", operator)


def test_every_wildcard_that_the_bootstrap_project_needs_is_listed_with_a_reason_and_no_other_is() -> None:
    wildcards = [
        (statement, resource)
        for document in [*DEPLOY, *PREVIEW]
        for statement in parse(document)
        for resource in statement.resources
        if has_wildcard(resource)
    ]
    for statement, resource in wildcards:
        assert any(one.holds(statement, resource) for one in (*EXCEPTIONS, *ADDED)), (statement.label, resource)
    for one in ADDED:
        assert one.reason
        assert any(one.holds(statement, resource) for statement, resource in wildcards), one.reason
