"""What a stack stands on and may not change: its state, the keys of that, and the roles of the jobs that deploy it."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the components are the stacks' own

import pulumi  # noqa: E402
import pulumi_aws as aws  # noqa: E402
from pulumi.runtime.config import CONFIG, get_config_env  # noqa: E402

from bootstrap.foundation import REPORTS_KEPT_DAYS, STATE_KEPT_DAYS, Foundation, FoundationError  # noqa: E402
from components import boundaries, rights  # noqa: E402
from components.boundary import Boundary, BoundaryArgs  # noqa: E402
from components.bucket import Bucket, BucketArgs  # noqa: E402
from components.ci_role import AUDIENCE, CIRole, CIRoleArgs  # noqa: E402
from components.kept_key import KeptKey, KeptKeyArgs, buckets_key_policy, secrets_key_policy  # noqa: E402
from components.naming import GITHUB  # noqa: E402

try:
    foundation = Foundation.from_config({**get_config_env(), **CONFIG.get()})
except FoundationError as error:
    raise pulumi.RunError(f"bootstrap/Pulumi.{pulumi.get_stack()}.yaml can't be used:\n{error}") from None
site = foundation.site

buckets_key = KeptKey(
    "buckets",
    KeptKeyArgs(
        site=site,
        alias=site.bucket_alias,
        description="parker-flight: state and reports",
        policy=buckets_key_policy(site, foundation.operators),
    ),
)
secrets_key = KeptKey(
    "secrets",
    KeptKeyArgs(
        site=site,
        alias=site.secrets_alias,
        description="parker-flight: the engine's own, for what a stack's state would hold secret",
        policy=secrets_key_policy(site, foundation.operators),
    ),
)
encrypted = pulumi.ResourceOptions(depends_on=[buckets_key])
state = Bucket("state", BucketArgs(site=site, bucket=site.state_bucket, kept_days=STATE_KEPT_DAYS), encrypted)
reports = Bucket(
    "reports",
    BucketArgs(site=site, bucket=site.report_bucket, kept_days=REPORTS_KEPT_DAYS, written_once=True),
    encrypted,
)
limits = [
    Boundary(
        "ci",
        BoundaryArgs(
            site=site,
            what="ci",
            policy=boundaries.of_ci(site),
            description="What no job of Parker Flight's CI may do",
        ),
    ),
    Boundary(
        "workload",
        BoundaryArgs(
            site=site,
            what="workload",
            policy=boundaries.of_workloads(site),
            description="The most that roles of Parker Flight's stack may do",
        ),
    ),
]
if not foundation.shared_identity_provider:
    aws.iam.OpenIdConnectProvider(
        "github",
        url=f"https://{GITHUB}",
        client_id_lists=[AUDIENCE],
        tags=site.tags,
        opts=pulumi.ResourceOptions(protect=True),
    )
roles = {
    what: CIRole(
        what,
        CIRoleArgs(site=site, what=what, subject=subject, policies=rights.documents(site, changing=what == "deploy")),
        pulumi.ResourceOptions(depends_on=limits),
    )
    for what, subject in foundation.subjects.items()
}

pulumi.export("stateBucket", state.name)
pulumi.export("reportBucket", reports.name)
pulumi.export("secretsKey", secrets_key.alias_name)
pulumi.export("roles", {what: role.arn for what, role in roles.items()})
