"""The bootstrap project: which resources it has, whom its roles trust, and that its pack agrees."""

import json
import runpy
import sys
from typing import Any
from unittest import mock

import pytest

from bootstrap.foundation import Foundation, FoundationError
from components.naming import GITHUB
from components.rights import PARTS
from policies.analyzer import APPROVAL
from policies.foundation import CONTACTS, policies
from policies.rules import all_policies
from tests.components.recording import ROOT, Recording, record

pytestmark = pytest.mark.rows("K3")

ACCOUNT = "210987654321"
CONFIG: dict[str, str] = {
    "aws:region": "us-east-1",
    "aws:allowedAccountIds": json.dumps([ACCOUNT]),
    "parker-flight:environment": "production",
    "parker-flight:awsAccountId": ACCOUNT,
    "parker-flight-bootstrap:repository": "parker/flight",
    "parker-flight-bootstrap:operators": json.dumps([f"arn:aws:iam::{ACCOUNT}:role/operator"]),
}
ROLE = "aws:iam/role:Role"
BUCKET = "aws:s3/bucket:Bucket"
PROVIDER = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
OF_A_BUCKET = (
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "aws:s3/bucketPolicy:BucketPolicy",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketVersioning:BucketVersioning",
)
POLICY = "aws:s3/bucketPolicy:BucketPolicy"


def run(**changes: str) -> Recording:
    config = CONFIG | {f"parker-flight-bootstrap:{key}": value for key, value in changes.items()}
    with mock.patch.object(sys, "path", [str(ROOT), *sys.path]):
        return record(
            lambda: runpy.run_path(str(ROOT / "bootstrap/__main__.py"), run_name="__main__"),
            stack="production",
            config=config,
            first_preview=True,
        )


def test_it_has_exactly_these_resources() -> None:
    of_jobs = [f"{job}-{part}" for job in ("check", "deploy", "preview") for part in sorted(PARTS)]
    assert run().names() == {
        "aws:iam/policy:Policy": sorted(["ci", "workload", *of_jobs]),
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment": of_jobs,
        "aws:kms/alias:Alias": ["buckets", "secrets"],
        "aws:kms/key:Key": ["buckets", "secrets"],
        "parkerflight:iam:Boundary": ["ci", "workload"],
        "parkerflight:iam:CIRole": ["check", "deploy", "preview"],
        "parkerflight:kms:KeptKey": ["buckets", "secrets"],
        "parkerflight:s3:Bucket": ["reports", "state"],
        **{type_: ["reports", "state"] for type_ in (BUCKET, *OF_A_BUCKET)},
        PROVIDER: ["github"],
        ROLE: ["check", "deploy", "preview"],
    }


@pytest.mark.parametrize(
    ("job", "claim"),
    [("check", "environment:operations"), ("deploy", "environment:production"), ("preview", "pull_request")],
)
def test_a_role_trusts_one_kind_of_job_of_one_repository(job: str, claim: str) -> None:
    role = run().one(ROLE, job)
    (statement,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Principal"] == {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"}
    assert statement["Condition"] == {
        "StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:sub": f"repo:parker/flight:{claim}"}
    }
    assert role.inputs["permissionsBoundary"].endswith(":policy/boundaries/parker-flight-production-ci-boundary")


def test_what_the_state_stands_on_is_never_taken_away() -> None:
    recorded = run()
    for type_ in (BUCKET, "aws:kms/key:Key", "aws:kms/alias:Alias"):
        for resource in recorded.all(type_):
            assert resource.protect, resource.name
            assert resource.retain_on_delete, resource.name


def test_a_report_is_neither_replaced_nor_deleted_and_the_state_is_both() -> None:
    recorded = run()
    denied = {
        bucket: {one["Sid"] for one in json.loads(recorded.one(POLICY, bucket).inputs["policy"])["Statement"]}
        for bucket in ("reports", "state")
    }
    assert denied["state"] == {"TLSOnly", "NothingIsDeletedForGood"}
    assert denied["reports"] == {*denied["state"], "NothingIsReplaced", "NothingIsDeleted"}


def test_an_identity_provider_that_others_use_as_well_is_not_made() -> None:
    assert PROVIDER not in run(sharedIdentityProvider="true").names()


def test_it_is_held_to_every_rule_but_those_that_it_cannot_meet() -> None:
    every = [one.name for one in all_policies() if one.name not in (APPROVAL, CONTACTS)]
    assert [one.name for one in policies()] == every


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("parker-flight-bootstrap:repository", ""),
        ("parker-flight-bootstrap:repository", "parker/flight/more"),
        ("parker-flight-bootstrap:repository", "parker/*"),
        ("parker-flight-bootstrap:operators", "[]"),
        ("parker-flight-bootstrap:operators", json.dumps(["arn:aws:iam::210987654321:root"])),
        ("parker-flight-bootstrap:operators", json.dumps(["arn:aws:iam::210987654321:role/*"])),
        ("parker-flight-bootstrap:operators", json.dumps([f"arn:aws:iam::{ACCOUNT}:role/operator"] * 2)),
        ("parker-flight-bootstrap:repositroy", "parker/flight"),
        ("parker-flight:environment", "prod-eu"),
    ],
)
def test_settings_that_cannot_be_right_are_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(FoundationError, match=key):
        Foundation.from_config(CONFIG | {key: value})
