"""What a stack stands on, made in an empty account, interrupted, loosened, mended; and a stack that lives on it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.checkout import Checkout, new_checkout

REPOSITORY = ("--repository", "example/parker-flight")
STATE = "parker-flight-sandbox-state-123456789012"
REPORTS = "parker-flight-sandbox-reports-123456789012"
ROLE, CHECK = "parker-flight-sandbox-deploy", "parker-flight-sandbox-check"
ALIASES = ("alias/parker-flight-buckets-sandbox", "alias/parker-flight-pulumi-sandbox")
PROVIDER = "identity provider token.actions.githubusercontent.com"
MORE = "arn:aws:iam::123456789012:policy/parker-flight-sandbox-deploy-keys"


@pytest.fixture(scope="module")
def empty() -> Iterator[Checkout]:
    with new_checkout() as checkout:
        checkout.pf("sandbox", "up")
        yield checkout


def url(checkout: Checkout) -> str:
    endpoint = checkout.environment["AWS_ENDPOINT_URL"].removeprefix("http://")
    return f"s3://{STATE}?region=us-east-1&endpoint={endpoint}&s3ForcePathStyle=true&disableSSL=true"


def made(checkout: Checkout) -> dict[str, list[str]]:
    """By name; each thing is there once."""
    iam, kms = checkout.aws("iam"), checkout.aws("kms")
    return {
        "buckets": [one["Name"] for one in checkout.aws("s3").list_buckets()["Buckets"]],
        "keys": [one["KeyId"] for one in kms.list_keys()["Keys"]],
        "policies": sorted(one["PolicyName"] for one in iam.list_policies(Scope="Local")["Policies"]),
        "roles": sorted(one["RoleName"] for one in iam.list_roles()["Roles"]),
    }


def checked(checkout: Checkout) -> dict[str, str]:
    """What isn't as it was made, and what is said of it; of GitHub nothing is asked here."""
    done = checkout.pf("bootstrap", "--check", "--json", check=False)
    report: dict[str, Any] = json.loads(done.stdout)
    found = {one["name"]: one["detail"] for one in report["checks"] if one["status"] == "down"}
    assert done.returncode == (2 if found else 1)
    return found


@pytest.mark.rows("K3", "K7")
def test_its_state_ends_up_in_the_bucket_that_it_made_and_it_says_what_to_do_next(empty: Checkout) -> None:
    done = empty.pf("bootstrap", *REPOSITORY, "--yes")
    assert len(made(empty)["keys"]) == 2
    assert not (empty.state / "bootstrap/sandbox").exists()
    assert f"export PULUMI_BACKEND_URL='{url(empty)}'" in done.stdout
    assert "gh variable set AWS_DEPLOY_ROLE_ARN --repo example/parker-flight --env production" in done.stdout
    assert "gh secret set SUPABASE_ACCESS_TOKEN" in done.stdout
    assert empty.environment["SUPABASE_ACCESS_TOKEN"] not in done.stdout + done.stderr
    assert "signers confirm" not in done.stdout, "they are confirmed"
    assert checked(empty) == {}


@pytest.mark.rows("K3")
def test_what_is_loosened_is_named_and_the_next_run_puts_it_back(empty: Checkout) -> None:
    s3, iam, kms = empty.aws("s3"), empty.aws("iam"), empty.aws("kms")
    before = made(empty)
    s3.put_bucket_versioning(Bucket=STATE, VersioningConfiguration={"Status": "Suspended"})
    s3.delete_public_access_block(Bucket=STATE)
    s3.delete_bucket_policy(Bucket=STATE)
    s3.delete_bucket_encryption(Bucket=STATE)
    rule: Any = {"ID": "gone", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    rule |= {"NoncurrentVersionExpiration": {"NoncurrentDays": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=REPORTS, LifecycleConfiguration={"Rules": [rule]})
    buckets_key, secrets_key = (kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"] for alias in ALIASES)
    kms.disable_key_rotation(KeyId=buckets_key)
    kms.enable_key_rotation(KeyId=secrets_key, RotationPeriodInDays=2560)
    iam.delete_role_permissions_boundary(RoleName=ROLE)
    trust = iam.get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"]
    trust["Statement"][0]["Condition"] = {
        "StringLike": {"token.actions.githubusercontent.com:sub": "repo:example/parker-flight:*"}
    }
    iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(trust))
    iam.update_role(RoleName=CHECK, MaxSessionDuration=43200)
    iam.attach_role_policy(RoleName=CHECK, PolicyArn=MORE)
    all_of_it = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    inline = json.dumps({"Version": "2012-10-17", "Statement": [all_of_it]})
    iam.put_role_policy(RoleName=CHECK, PolicyName="more", PolicyDocument=inline)
    (provider,) = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"])
    url = "https://token.actions.githubusercontent.com"
    iam.create_open_id_connect_provider(Url=url, ClientIDList=["sts.amazonaws.com", "of-another"])

    found = checked(empty)

    assert found.keys() == {STATE, REPORTS, ROLE, CHECK, *ALIASES, PROVIDER}
    for wrong in ("versioning is off", "public access", "its policy was changed", "encrypts with another key"):
        assert wrong in found[STATE]
    assert "whom it trusts was changed" in found[ROLE]
    assert "its boundary was taken off" in found[ROLE]
    assert "it takes other audiences: of-another" in found[PROVIDER]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"])
    assert "it is missing" in checked(empty)[PROVIDER]
    assert "its lifecycle deletes what is in it; its lifecycle deletes replaced versions after 1 days" in found[REPORTS]
    take_off = f"aws iam detach-role-policy --role-name {CHECK} --policy-arn {MORE}"
    for wrong in ("sessions last 43200 s", take_off, f"delete-role-policy --role-name {CHECK} --policy-name more"):
        assert wrong in found[CHECK]
    assert "doesn't rotate" in found[ALIASES[0]]
    assert "rotates every 2560 days" in found[ALIASES[1]]

    empty.pf("bootstrap")

    # What the program doesn't declare stays, and is named until somebody takes it off.
    assert checked(empty).keys() == {CHECK}
    iam.detach_role_policy(RoleName=CHECK, PolicyArn=MORE)
    iam.delete_role_policy(RoleName=CHECK, PolicyName="more")
    assert checked(empty) == {}
    assert made(empty) == before


@pytest.mark.drill
@pytest.mark.rows("K7")
def test_both_projects_live_in_the_bucket_and_a_preview_of_either_finds_nothing_to_do(empty: Checkout) -> None:
    empty.pf("bootstrap", *REPOSITORY, "--yes")
    in_bucket = {"PULUMI_BACKEND_URL": url(empty), "PF_REPORTS": f"s3://{REPORTS}?region=us-east-1"}
    empty.pf("sandbox", "approve", "--reason", "a test", environment=in_bucket)
    empty.pf("deploy", environment=in_bucket)
    preview = "exec pulumi preview --stack sandbox --expect-no-changes"
    for go_there in ("cd .", 'cd bootstrap && PULUMI_OPTION_POLICY_PACK="$PWD/policies"'):
        empty.run("sh", "-euc", f'eval "$(./pf env)"; {go_there}; {preview}', environment=in_bucket)
    keys = [one["Key"] for one in empty.aws("s3").list_objects_v2(Bucket=STATE)["Contents"]]
    assert {
        f".pulumi/stacks/{project}/sandbox.json" for project in ("parker-flight", "parker-flight-bootstrap")
    } <= set(keys)
    assert ".parker-flight/parker-flight/sandbox/versions/1.json" in keys
    (report,) = empty.aws("s3").list_objects_v2(Bucket=REPORTS)["Contents"]
    assert report["Key"].startswith("sandbox/deployment-report-")


@pytest.mark.drill
@pytest.mark.rows("K3", "K7")
def test_it_goes_on_from_wherever_it_broke_off() -> None:
    with new_checkout() as checkout:
        checkout.pf("sandbox", "up")
        iam, s3 = checkout.aws("iam"), checkout.aws("s3")
        s3.create_bucket(Bucket=STATE)
        before = made(checkout)
        refused = checkout.pf("bootstrap", *REPOSITORY, check=False)
        assert refused.returncode == 3
        assert f"the bucket {STATE} is there, and isn't this project's" in refused.stderr
        assert made(checkout) == before
        s3.delete_bucket(Bucket=STATE)

        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument="{}")  # somebody else's: AWS makes no second one
        broken = checkout.pf("bootstrap", *REPOSITORY, check=False)
        assert broken.returncode == 4, broken.stderr
        keys = made(checkout)["keys"]
        assert keys
        iam.delete_role(RoleName=ROLE)
        checkout.pf("bootstrap", "--yes")
        assert set(made(checkout)["keys"]) >= set(keys)
        assert len(made(checkout)["keys"]) == 2
        assert checked(checkout) == {}

        # All of its state is lost: what stands is taken over by its names and tags.
        found = made(checkout)
        for version in s3.list_object_versions(Bucket=STATE).get("Versions", []):
            s3.delete_object(Bucket=STATE, Key=version["Key"], VersionId=version["VersionId"])
        checkout.pf("bootstrap", "--yes")
        assert made(checkout) == found
        assert checked(checkout) == {}
