"""What a stack stands on, held against what `bootstrap/` says: what is missing, and what was loosened since."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from bootstrap.foundation import REPORTS_KEPT_DAYS, STATE_KEPT_DAYS
from components import boundaries, rights
from components.bucket import bucket_policy
from components.ci_role import AUDIENCE, SESSION_SECONDS, trust_policy
from components.kept_key import ROTATION_DAYS, buckets_key_policy, secrets_key_policy
from components.naming import GITHUB
from gate.canonical import policy_document
from operations import ci_settings
from operations.aws import Aws, AwsError, code_of, explained
from operations.bootstrap import Ground
from operations.github import GitHub
from operations.health import Check, HealthReport, Status, worst
from operations.rules_check import rule_checks

# What AWS says of something that isn't there.
GONE = frozenset(
    {
        *("404", "NoSuchBucket", "NoSuchBucketPolicy", "NoSuchEntity", "NoSuchPublicAccessBlockConfiguration"),
        *("NoSuchLifecycleConfiguration", "NoSuchTagSet", "NotFoundException"),
        "ServerSideEncryptionConfigurationNotFoundError",
    }
)
BLOCKS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


def check(ground: Ground) -> HealthReport:
    """Asks AWS, and GitHub where a token for it is there. Changes nothing, and prints no value of a setting.

    Raises: OperationError where one of them can't be asked.
    """
    start = time.monotonic()
    try:
        aws = Aws(ground.stack)
        checks = [*_keys(ground, aws), *_buckets(ground, aws), *_roles(ground, aws)]
    except AwsError as error:
        raise explained(error, ground.stack, "asking for what the stack stands on") from error
    checks += _github(ground)
    return HealthReport(
        stack=ground.stack.name,
        environment=ground.site.environment,
        status=worst(one.status for one in checks),
        checked_at=datetime.now(UTC),
        seconds=round(time.monotonic() - start, 3),
        checks=checks,
    )


def _judged(name: str, wrong: Sequence[str], cure: str) -> Check:
    if not wrong:
        return Check(name=name, status=Status.HEALTHY, detail="as it was made")
    return Check(name=name, status=Status.DOWN, detail="; ".join(wrong), cure=cure)


def _asked(call: Callable[..., Any], **arguments: Any) -> Any:
    """The answer; None where there is no such thing."""
    try:
        return call(**arguments)
    except AwsError as error:
        if code_of(error) not in GONE:
            raise
        return None


def _same(one: str, other: str) -> bool:
    """Whether two policy documents say the same."""
    return policy_document(one) is not None and policy_document(one) == policy_document(other)


def _keys(ground: Ground, aws: Aws) -> Iterator[Check]:
    site, operators = ground.site, ground.foundation.operators
    for alias, policy in (
        (site.bucket_alias, buckets_key_policy(site, operators)),
        (site.secrets_alias, secrets_key_policy(site, operators)),
    ):
        found = _asked(aws.kms.describe_key, KeyId=alias)
        if found is None:
            yield _judged(alias, ["it is missing"], ground.command)
            continue
        key = found["KeyMetadata"]
        wrong = [] if key["KeyState"] == "Enabled" else [f"the key is {key['KeyState']}"]
        rotation = aws.kms.get_key_rotation_status(KeyId=key["KeyId"])
        if not rotation["KeyRotationEnabled"]:
            wrong.append("the key doesn't rotate any more")
        elif (days := rotation.get("RotationPeriodInDays")) != ROTATION_DAYS:
            wrong.append(f"the key rotates every {days} days")
        if not _same(aws.kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"], policy):
            wrong.append("its policy was changed")
        yield _judged(alias, wrong, ground.command)


def _buckets(ground: Ground, aws: Aws) -> Iterator[Check]:
    site = ground.site
    for name, once, days in (
        (site.state_bucket, False, STATE_KEPT_DAYS),
        (site.report_bucket, True, REPORTS_KEPT_DAYS),
    ):
        tags = _asked(aws.s3.get_bucket_tagging, Bucket=name) if _asked(aws.s3.head_bucket, Bucket=name) else None
        if tags is None or not site.tags.items() <= {one["Key"]: one["Value"] for one in tags["TagSet"]}.items():
            yield _judged(name, ["it is missing, or not ours"], ground.command)
            continue
        wrong = [*_loosened(aws, name, site.arn("kms", site.bucket_alias), written_once=once)]
        yield _judged(name, [*wrong, *_deleting(aws, name, kept_days=days)], ground.command)


def _deleting(aws: Aws, name: str, *, kept_days: int) -> Iterator[str]:
    rules: list[Any] = (_asked(aws.s3.get_bucket_lifecycle_configuration, Bucket=name) or {}).get("Rules", [])
    if any(one.get("Expiration", {}).keys() & {"Date", "Days"} for one in rules):
        yield "its lifecycle deletes what is in it"
    kept = [days for one in rules if (days := one.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays"))]
    if min(kept, default=kept_days) < kept_days:
        yield f"its lifecycle deletes replaced versions after {min(kept)} days"


def _loosened(aws: Aws, name: str, key: str, *, written_once: bool) -> Iterator[str]:
    if aws.s3.get_bucket_versioning(Bucket=name).get("Status") != "Enabled":
        yield "versioning is off"
    block = _asked(aws.s3.get_public_access_block, Bucket=name) or {}
    if not all(block.get("PublicAccessBlockConfiguration", {}).get(each) for each in BLOCKS):
        yield "public access isn't blocked any more"
    policy = _asked(aws.s3.get_bucket_policy, Bucket=name)
    if policy is None or not _same(policy["Policy"], bucket_policy(name, written_once=written_once)):
        yield "its policy was changed, which denies what comes without TLS, and deletions for good"
    encryption = _asked(aws.s3.get_bucket_encryption, Bucket=name) or {}
    rules: list[Any] = encryption.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    used = [one.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID") for one in rules]
    if used != [key]:
        yield "it encrypts with another key, or none"


def _roles(ground: Ground, aws: Aws) -> Iterator[Check]:
    site = ground.site
    found = _asked(aws.iam.get_open_id_connect_provider, OpenIDConnectProviderArn=site.identity_provider_arn)
    wrong = ["it is missing"] if found is None else [*_audiences(ground, found["ClientIDList"])]
    yield _judged(f"identity provider {GITHUB}", wrong, ground.command)
    for what, policy in (("ci", boundaries.of_ci(site)), ("workload", boundaries.of_workloads(site))):
        yield _judged(
            f"{site.policy(what)}-boundary", list(_changed(aws, site.boundary_arn(what), policy)), ground.command
        )
    for job, subject in ground.foundation.subjects.items():
        wrong = list(_widened(ground, aws, job, trust_policy(site, subject)))
        yield _judged(site.ci_role(job), wrong, ground.command)


def _audiences(ground: Ground, taken: Sequence[str]) -> Iterator[str]:
    """A provider that other projects use as well may take theirs."""
    if AUDIENCE not in taken:
        yield f"it doesn't take the audience {AUDIENCE}"
    if not ground.foundation.shared_identity_provider and (more := sorted({*taken} - {AUDIENCE})):
        yield f"it takes other audiences: {', '.join(more)}"


def _changed(aws: Aws, arn: str, policy: str) -> Iterator[str]:
    found = _asked(aws.iam.get_policy, PolicyArn=arn)
    if found is None:
        yield "it is missing"
        return
    version = found["Policy"]["DefaultVersionId"]
    live: Any = aws.iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]
    if not _same(json.dumps(live["Document"]), policy):
        yield "what it says was changed"


def _widened(ground: Ground, aws: Aws, job: str, trust: str) -> Iterator[str]:
    site = ground.site
    role: Any = _asked(aws.iam.get_role, RoleName=(name := site.ci_role(job)))
    if role is None:
        yield "it is missing"
        return
    if not _same(json.dumps(role["Role"]["AssumeRolePolicyDocument"]), trust):
        yield "whom it trusts was changed"
    if role["Role"].get("PermissionsBoundary", {}).get("PermissionsBoundaryArn") != site.boundary_arn("ci"):
        yield "its boundary was taken off"
    if (seconds := role["Role"].get("MaxSessionDuration")) != SESSION_SECONDS:
        yield f"its sessions last {seconds} s"
    wanted = {
        site.policy_arn(f"{job}-{part}"): policy
        for part, policy in rights.documents(site, changing=job == "deploy").items()
    }
    attached = {
        one.get("PolicyArn", "") for one in aws.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    }
    inline = aws.iam.list_role_policies(RoleName=name)["PolicyNames"]
    # The bootstrap project knows nothing of them, so it takes none away.
    for more in sorted(attached - wanted.keys()):
        yield f"it was given {more} (aws iam detach-role-policy --role-name {name} --policy-arn {more})"
    for more in inline:
        yield f"it was given {more} (aws iam delete-role-policy --role-name {name} --policy-name {more})"
    if less := sorted(wanted.keys() - attached):
        yield f"it lacks {', '.join(arn.rpartition('/')[2] for arn in less)}"
    for arn, policy in wanted.items():
        for wrong in _changed(aws, arn, policy):
            yield f"{arn.rpartition('/')[2]}: {wrong}"


def ci_needs(ground: Ground) -> Sequence[ci_settings.Setting]:
    site = ground.site
    return ci_settings.settings(
        backend_url=ground.url,
        reports=ground.reports_url,
        preview_role=site.ci_role_arn("preview"),
        deploy_role=site.ci_role_arn("deploy"),
        check_role=site.ci_role_arn("check"),
        supabase_url=str(ground.stack.environment.supabase_url or ""),
    )


def _github(ground: Ground) -> Iterator[Check]:
    """Settings by name: what GitHub keeps, nobody reads back."""
    wanted, repository = ci_needs(ground), ground.foundation.repository
    if not ground.stack.environment.github_token.get_secret_value():
        said = (
            f"not asked for {len(wanted)} settings of the jobs and the rules of {repository}: GITHUB_TOKEN is not set"
        )
        yield Check(name="github", status=Status.DEGRADED, detail=said, cure='export GITHUB_TOKEN="$(gh auth token)"')
        return
    github = GitHub.of(ground.stack, repository)
    lacking = ci_settings.missing(wanted, github)
    for one in wanted:
        if one in lacking:
            detail, cure = f"it is missing ({one.source})", one.command(repository)
            yield Check(name=one.title, status=Status.DOWN, detail=detail, cure=cure)
        else:
            yield Check(name=one.title, status=Status.HEALTHY, detail=f"{repository} has it")
    yield from rule_checks(github, repository, ground.branch)
