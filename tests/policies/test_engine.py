"""The pack under the real engine: each rule denies, nobody lowers one, and what is denied isn't made."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from policies.analyzer import APPROVAL
from sandbox.providers.installation import install
from tests.components.recording import ROOT
from tests.policies.table import ACCOUNT, CONFIG
from tests.policies.test_pack import RULES
from tests.toolchain.conftest import Project, make_project

pytestmark = pytest.mark.rows("K5")

PACK = ROOT / "policies"
IDENTITY = f"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::{ACCOUNT}:root</Arn><UserId>x</UserId><Account>{ACCOUNT}</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""
TEST_KEY = "sk_" + "test_" + "4eC39HqLyjWDarjtT1zdp7dc"
TOKEN = "sbp_" + "0123456789" * 4
GOOD = {**CONFIG, "aws:region": "us-east-1", "aws:allowedAccountIds": [ACCOUNT]}
BAD = {
    **GOOD,
    "parker-flight:environment": "production",
    "parker-flight:stripeKey": TEST_KEY,
    "parker-flight:contacts": "{}",
}

HEAD = """
import json
import pulumi
import pulumi_aws as aws

def document(**statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})

tags = {"Application": "parker-flight", "Environment": "sandbox", "ManagedBy": "pulumi"}
"""
# Each line breaks the rules that its comment names; types that the stand-in doesn't serve are components of that type.
EVERYTHING_WRONG = f"""{HEAD}
import pulumi_command as command

everybody = document(Principal="*", Action="*", Resource="*")
# kms-key-*, kms-encryption-context, kms-no-grants, iam-no-wildcard-action, stack-tags
aws.kms.Key("key", policy=everybody)
# iam-no-wildcard-resource
aws.iam.RolePolicy("policy", role="role", policy=document(Action="s3:GetObject", Resource="*"))
aws.iam.Role("role", assume_role_policy=everybody)  # iam-named-principals
pulumi.ComponentResource(  # iam-listed-managed-policy
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment", "attachment",
    {{"policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}},
)
# iam-oidc-subject, iam-oidc-boundary
federated = document(Principal={{"Federated": "x"}}, Action="sts:AssumeRoleWithWebIdentity")
aws.iam.Role("oidc", assume_role_policy=federated)
# iam-boundary
aws.iam.Policy("boundary", path="/boundaries/", policy=document(Action="s3:GetObject", Resource="arn:aws:s3:::x"))
# s3-*
aws.s3.Bucket("bucket", bucket="unprotected")
aws.s3.BucketVersioning("other", bucket="x", versioning_configuration={{"status": "Suspended"}})
aws.s3.BucketServerSideEncryptionConfiguration("other", bucket="x", rules=[])
aws.s3.BucketPublicAccessBlock("other", bucket="x")
aws.s3.BucketPolicy("other", bucket="x", policy=document(Principal="*", Action="*", Resource="*"))
# iam-confused-deputy
aws.iam.Role("deputy", assume_role_policy=document(Principal={{"AWS": "210987654321"}}, Action="sts:AssumeRole"))
pulumi.ComponentResource("aws:iam/accessKey:AccessKey", "credential", {{}})  # iam-no-long-lived-credential
# alarm-has-action, alarm-missing-data, alarm-metric-published
aws.cloudwatch.MetricAlarm(
    "alarm", comparison_operator="LessThanThreshold", threshold=1, evaluation_periods=1, period=60, statistic="Sum",
    namespace="Nobody", metric_name="Nothing",
)
aws.sns.Topic("topic")  # sns-topic-encrypted
aws.cloudwatch.LogGroup("log")  # log-group-retention
# function-verify-jwt, command-no-secret
command.local.Command(
    "release", create="python -m components.functions_release deploy",
    environment={{"TOKEN": {TOKEN!r}, "PF_RELEASE_FUNCTIONS": "hook " + "0" * 64 + " verify_jwt=false"}},
)
aws.Provider("provider", region="eu-west-1")  # stack-region, stack-account
"""
# No ARN is known before its key is there: another key's policy and an alarm's metric are built from it.
UNKNOWNS = f"""{HEAD}
administration = document(
    Principal={{"AWS": "arn:aws:iam::{ACCOUNT}:root"}}, Action="kms:PutKeyPolicy", Resource="*"
)
kept = pulumi.ResourceOptions(protect=True)
good = {{"enable_key_rotation": True, "rotation_period_in_days": 365, "deletion_window_in_days": 30, "tags": tags}}
known = aws.kms.Key("known", policy=administration, **good, opts=kept)
aws.kms.Key("unknown", policy=known.arn.apply(lambda arn: administration), **good, opts=kept)
aws.cloudwatch.MetricAlarm(
    "alarm", comparison_operator="LessThanThreshold", threshold=1, evaluation_periods=1, period=60, statistic="Sum",
    namespace="ParkerFlight/KMS", metric_name=known.arn, treat_missing_data="breaching", alarm_actions=["x"], tags=tags,
)
"""
ONE_KEY = f'{HEAD}\naws.kms.Key("key", policy=document(Principal="*", Action="*", Resource="*"))\n'


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A stack of its own with the stand-in providers, and an AWS that knows who is calling and nothing else."""

    project: Project
    asked: list[str]

    def run(
        self, verb: str, program: str, config: dict[str, Any], *arguments: str, **environment: str
    ) -> tuple[int, str]:
        self.asked.clear()
        self.project.program(program)
        file = self.project.folder / "Pulumi.test.yaml"
        salt = yaml.safe_load(file.read_text())["encryptionsalt"]
        file.write_text(yaml.safe_dump({"encryptionsalt": salt, "config": config}))
        project = replace(self.project, environment=self.project.environment | environment)
        ended = project.pulumi(verb, "--policy-pack", str(PACK), *arguments)
        said = ended.stdout + ended.stderr
        assert "exited prematurely" not in said
        assert "Traceback" not in said
        return ended.returncode, said


def denied(said: str) -> set[str]:
    """Without the approval gate, which denies everything here, where nobody is a signer; tests/e2e holds it."""
    return {rule for rule in RULES if f"[mandatory]  {rule} " in said} - {APPROVAL}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("engine")
    project = make_project(folder)
    (project.folder / ".venv").symlink_to(ROOT / ".venv")
    install(folder / "home")
    asked: list[str] = []

    def answer(request: Request) -> Response:
        action = str(request.form.get("Action") or request.headers.get("X-Amz-Target"))
        asked.append(action)
        known = action == "GetCallerIdentity"
        return Response(IDENTITY if known else "not here", status=200 if known else 500, content_type="text/xml")

    with HTTPServer() as aws:
        aws.expect_request("/").respond_with_handler(answer)
        environment = {
            "AWS_ENDPOINT_URL": aws.url_for("").rstrip("/"),
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
        }
        yield Engine(project=replace(project, environment=project.environment | environment), asked=asked)


def test_every_rule_denies_what_it_is_for_and_no_secret_is_repeated(engine: Engine) -> None:
    code, said = engine.run("preview", EVERYTHING_WRONG, BAD)
    assert code != 0
    assert denied(said) == set(RULES) - {APPROVAL}
    assert TEST_KEY not in said
    assert said.count(TOKEN) == 0


def test_an_unknown_value_is_denied_with_its_resource_and_property(engine: Engine) -> None:
    code, said = engine.run("preview", UNKNOWNS, GOOD)
    assert code != 0
    assert "unknown: `policy` is not known before the deployment" in said
    assert "alarm: `metricName` is not known before the deployment" in said
    assert "can't run policy" not in said
    assert denied(said) == {
        "kms-key-principals",
        "kms-key-no-lockout",
        "kms-key-separation",
        "kms-encryption-context",
        "kms-no-grants",
        "iam-no-wildcard-action",
        "iam-no-wildcard-resource",
        "alarm-metric-published",
    }


def test_what_is_denied_is_not_made(engine: Engine) -> None:
    code, _ = engine.run("up", ONE_KEY, GOOD, "--yes", "--skip-preview")
    assert code != 0
    assert set(engine.asked) <= {"GetCallerIdentity"}


@pytest.mark.parametrize(("rule", "level"), [("kms-key-rotation", "advisory"), ("all", "disabled")])
def test_no_configuration_lowers_a_rule(engine: Engine, tmp_path: Path, rule: str, level: str) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({rule: level}))
    code, said = engine.run("preview", ONE_KEY, GOOD, PULUMI_OPTION_POLICY_PACK_CONFIG=str(config))
    assert code != 0
    assert f"kms-key-rotation to {level}" in said
    assert "the rules of this pack are mandatory" in said
    assert not engine.asked


def test_the_pack_ends_at_once_when_it_is_told_to(tmp_path: Path) -> None:
    """The engine waits 5 s for a pack that doesn't, at the end of every run."""
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(PACK)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as pack:
        assert pack.stdout is not None
        assert pack.stderr is not None
        assert pack.stdout.readline().strip().isdigit()
        told = time.monotonic()
        pack.send_signal(signal.SIGINT)
        assert pack.wait(5) == 0
        assert time.monotonic() - told < 0.2
        assert pack.stderr.read() == ""


def test_a_waiver_that_has_expired_keeps_the_pack_from_starting(engine: Engine, tmp_path: Path) -> None:
    pack = tmp_path / "policies"
    pack.mkdir()
    for file in PACK.glob("*.*"):
        text = file.read_text().replace("2027-05-31", "2026-05-31") if file.name == "waivers.yaml" else file.read_text()
        (pack / file.name).write_text(text)
    for name in (".venv", "gate", "releases"):
        (tmp_path / name).symlink_to(ROOT / name)
    engine.project.program(ONE_KEY)
    preview = engine.project.pulumi("preview", "--policy-pack", str(pack))
    said = preview.stdout + preview.stderr
    assert preview.returncode != 0
    assert "waiver 1 of waivers.yaml: it expired on 2026-05-31" in said
    assert "Traceback" not in said
