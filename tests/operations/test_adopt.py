"""What is live already is found by its name, and whatever could be meant otherwise is refused; nothing is changed."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from components.naming import DATA_CLASSES, GENERAL
from operations.adopt import AdoptionReport, adopt
from operations.adopt_text import show_adoption
from operations.adoptable import Finding, Plan, lost
from operations.adoptable_keys import key_problem
from operations.adoptable_parts import find_functions
from operations.errors import ExitCode, OperationError
from operations.stack import Stack
from operations.supabase import Secret
from settings import Settings
from tests.operations.conftest import PROJECT, exported, live, secrets

pytestmark = pytest.mark.rows("K1", "K3", "K7")

Client = Callable[[str], Any]
MakeStack = Callable[..., Stack]
Tool = Callable[[str, str], Path]
ACCOUNT, ALIAS = "123456789012", "alias/parker-flight-general-sandbox"
KEY, OTHER = "1234abcd-12ab-34cd-56ef-1234567890ab", "00000000-0000-0000-0000-000000000001"
ROLE, USER, LOG_GROUP = (
    "parker-flight-sandbox-role",
    "parker-flight-sandbox-functions",
    "/parker-flight/sandbox/kms-operations",
)
DOCUMENT = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]}
)


@pytest.fixture(autouse=True)
def tools(tool: Tool) -> None:
    """An engine that has no such stack, and whatever else a deployment needs."""
    tool("pulumi", "echo \"error: no stack named 'sandbox' found\" >&2; exit 1")
    for name in ("pulumi-language-python", "supabase", "deno"):
        tool(name, "exit 0")


@pytest.fixture
def empty(httpserver: HTTPServer) -> HTTPServer:
    """A project with nothing in it."""
    httpserver.expect_request(f"{PROJECT}/functions", method="GET").respond_with_json([])
    httpserver.expect_request(f"{PROJECT}/secrets", method="GET").respond_with_json([])
    return httpserver


def found(report: AdoptionReport, what: str) -> list[Finding]:
    return [one for one in report.findings if one.what == what]


def with_config(stack: Stack, make_stack: MakeStack, lines: str) -> Stack:
    file = stack.root / "Pulumi.sandbox.yaml"
    file.write_text(file.read_text().replace("config:\n", f"config:\n{lines}", 1))
    return make_stack()


def metadata(**changed: Any) -> dict[str, Any]:
    key = {"KeyId": KEY, "Arn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{KEY}", "KeyState": "Enabled"}
    return key | {"KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT", "Origin": "AWS_KMS"} | changed


@pytest.mark.parametrize(
    ("key", "tagged", "named", "said", "cure"),
    [
        (None, [], None, "", ""),
        (metadata(), [], None, "", ""),
        (metadata(), [KEY], KEY, "", ""),
        (metadata(MultiRegionConfiguration={"MultiRegionKeyType": "PRIMARY"}), [], None, "", ""),
        (
            metadata(Arn=f"arn:aws:kms:us-east-1:210987654321:key/{KEY}"),
            [],
            None,
            f"of account 210987654321; the stack belongs to {ACCOUNT}",
            "parker-flight:awsAccountId",
        ),
        (metadata(KeyState="PendingDeletion"), [], None, "scheduled for deletion", "kms cancel-key-deletion --key-id"),
        (metadata(KeyState="Disabled"), [], None, "is disabled", f"aws kms enable-key --key-id {KEY}"),
        (metadata(KeyState="Unavailable"), [], None, "its state is Unavailable", "describe-key"),
        (metadata(KeySpec="RSA_2048"), [], None, "of another kind (RSA_2048", f"update-alias --alias-name {ALIAS}"),
        (metadata(KeyUsage="SIGN_VERIFY"), [], None, "for SIGN_VERIFY", "update-alias"),
        (metadata(Origin="EXTERNAL"), [], None, "KMS can't rotate it", "update-alias"),
        (
            metadata(MultiRegionConfiguration={"MultiRegionKeyType": "REPLICA"}),
            [],
            None,
            "is a replica",
            "update-alias",
        ),
        (metadata(), [KEY, OTHER], None, f"two keys could be meant for general: {ALIAS}", f"--key-id {OTHER} --tag"),
        (metadata(), [], OTHER, f"the config names the key {OTHER} for general", f"--target-key-id {OTHER}"),
        (None, [], OTHER, f"AWS has no {ALIAS}", f"create-alias --alias-name {ALIAS} --target-key-id {OTHER}"),
        (None, [KEY, OTHER], None, f"carry this stack's tags for it: {KEY}, {OTHER}", "create-alias"),
    ],
)  # fmt: skip
def test_a_key_that_cannot_be_taken_over_is_refused_with_what_mends_it(
    key: dict[str, Any] | None, tagged: list[str], named: str | None, said: str, cure: str
) -> None:
    problem = key_problem(GENERAL, ALIAS, key, tagged, named, ACCOUNT)
    assert (problem is not None) == bool(said)
    if problem:
        assert said in problem.message
        assert cure in problem.cure


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, []),
        ({"AWS": ["kept", ACCOUNT]}, []),
        ({"AWS": ["b", "a"], "Service": "c"}, ["lost: a, b, c"]),
        ("*", ["lost: *"]),
    ],
)
def test_whoever_a_policy_names_and_the_programs_does_not_is_said(principal: object, expected: list[str]) -> None:
    for statements in ([{"Principal": principal}, {}], {"Principal": principal}):
        assert lost("lost", {"Statement": statements}, ACCOUNT, "kept") == expected


def test_a_name_that_somebody_gave_a_secret_runs_nothing_and_paints_nothing(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "X; touch owned\x1b[2J\n$(id)"
    found = find_functions(stack, {}, {hostile: Secret(name=hostile, value="")})
    (command,) = (one.command for one in found.findings if one.command)
    assert shlex.split(command)[:4] == ["supabase", "secrets", "unset", hostile]
    show_adoption(
        AdoptionReport(
            stack="s",
            environment="e",
            file="f",
            findings=found.findings,
            settings={},
            missing={},
            written=False,
            then="",
        )
    )
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert r"supabase secrets unset 'X; touch owned\x1b[2J\n$(id)' --project-ref" in shown


@pytest.mark.usefixtures("empty")
def test_where_nothing_is_live_all_is_made_and_nothing_written(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    report = adopt(stack, write=True)
    assert {one.plan for one in report.findings} == {Plan.MAKE}
    assert (report.settings, report.missing, report.written) == ({}, {}, False)
    show_adoption(report)
    assert capsys.readouterr().err.endswith("make it: ./pf deploy\n")


@pytest.mark.usefixtures("empty")
def test_found_keys_are_written_once_and_the_second_run_writes_nothing(
    stack: Stack, make_stack: MakeStack, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    kms = client("kms")
    keys = {one.name: kms.create_key()["KeyMetadata"]["KeyId"] for one in DATA_CLASSES}
    for name, key in keys.items():
        kms.create_alias(AliasName=f"alias/parker-flight-{name}-sandbox", TargetKeyId=key)
    kms.enable_key_rotation(KeyId=keys["pii"], RotationPeriodInDays=180)
    kms.create_grant(KeyId=keys["pii"], GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:role/old", Operations=["Decrypt"])
    file = stack.root / "Pulumi.sandbox.yaml"
    before = file.read_text()

    looked = adopt(stack)

    general, pii = found(looked, "key general")[0], found(looked, "key pii")[0]
    assert general.name == keys["general"]
    assert "rotation is turned on, every 365 days" in general.changes
    assert "rotates every 365 days instead of 180" in pii.changes
    assert pii.advice == "grants let others use the key pii: 1"
    assert (looked.missing, looked.written, looked.then) == ({"existingKeyIds": keys}, False, "./pf adopt --write")
    assert file.read_text() == before

    written = adopt(stack, write=True)

    assert (written.missing, written.written, written.then) == ({"existingKeyIds": keys}, True, "./pf preview")
    show_adoption(written)
    assert "written to Pulumi.sandbox.yaml. Commit it; then see the import" in capsys.readouterr().err
    assert Settings.from_file("sandbox", stack.root).existing_key_ids.model_dump() == keys
    after = file.read_bytes()
    again = adopt(make_stack(), write=True)
    assert (again.missing, again.written, again.then) == ({}, False, "./pf preview")
    assert file.read_bytes() == after


@pytest.mark.usefixtures("empty")
def test_a_key_that_would_be_new_beside_others_is_pointed_out(
    stack: Stack, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    kms = client("kms")
    kms.create_alias(AliasName=ALIAS, TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    report = adopt(stack)
    assert found(report, "key general")[0].advice == ""
    show_adoption(report)
    shown = capsys.readouterr().out
    for name in ("pii", "payment"):
        assert found(report, f"key {name}")[0].plan is Plan.MAKE
        assert f"create-alias --alias-name alias/parker-flight-{name}-sandbox --target-key-id <key id>\n" in shown


@pytest.mark.usefixtures("empty")
def test_a_role_with_more_rights_is_named_with_what_takes_them_away(stack: Stack, client: Client) -> None:
    iam = client("iam")
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]
    }
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(trust), PermissionsBoundary=boundary)
    for name in ("functions", "more"):
        iam.put_role_policy(RoleName=ROLE, PolicyName=name, PolicyDocument=DOCUMENT)
    attached = iam.create_policy(PolicyName="attached", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=ROLE, PolicyArn=attached)

    report = adopt(stack)

    (role,) = found(report, "role")
    assert role.plan is Plan.IMPORT
    assert "may not assume it any more: ec2.amazonaws.com" in role.changes
    assert f"its permissions boundary is taken away: {boundary}" in role.changes
    ours, more, managed = found(report, "policy of the role")
    assert (ours.name, ours.plan) == ("functions", Plan.REPLACE)
    assert more.plan is managed.plan is Plan.LEAVE
    assert more.command == (f"aws iam delete-role-policy --role-name {ROLE} --policy-name more")
    assert managed.command == (f"aws iam detach-role-policy --role-name {ROLE} --policy-arn {attached}")
    assert report.settings == {"adoptRole": True}


def test_the_user_is_found_with_its_groups_and_the_key_that_would_be_deleted(
    stack: Stack, client: Client, httpserver: HTTPServer
) -> None:
    iam = client("iam")
    iam.create_user(UserName=USER)
    iam.create_group(GroupName="admins")
    iam.add_user_to_group(GroupName="admins", UserName=USER)
    held, lost_key = (iam.create_access_key(UserName=USER)["AccessKey"]["AccessKeyId"] for _ in range(2))
    listed = secrets(PF_AWS_ACCESS_KEY_ID=held, STRIPE_KEY="x", SUPABASE_URL="y")
    httpserver.expect_request(f"{PROJECT}/secrets", method="GET").respond_with_json(listed)
    functions = [live("encrypt-data", verify_jwt=False), live("forgotten")]
    httpserver.expect_request(f"{PROJECT}/functions", method="GET").respond_with_json(functions)

    report = adopt(stack)

    (user,) = found(report, "user")
    assert (user.plan, user.changes) == (Plan.IMPORT, [])
    (group,) = found(report, "group of the user")
    assert "remove-user-from-group" in group.command
    plans = {one.name: one.plan for one in found(report, "access key")}
    assert plans == {held: Plan.LEAVE, lost_key: Plan.REPLACE}
    made, replaced, left = found(report, "function")
    assert [(one.name, one.plan) for one in (made, replaced, left)] == [
        ("create-payment-method", Plan.MAKE),
        ("encrypt-data", Plan.REPLACE),
        ("forgotten", Plan.LEAVE),
    ]
    assert replaced.changes == ["verify_jwt becomes true"]
    assert "supabase functions delete forgotten" in left.command
    assert {one.name for one in found(report, "setting")} == {"PF_ENVIRONMENT", "PF_RELEASE", "PF_ROLE_ARN"}
    assert [one.name for one in found(report, "secret")] == ["STRIPE_KEY"]
    assert report.settings == {"adoptUser": True}


@pytest.mark.usefixtures("empty")
def test_the_boundary_that_the_settings_demand_takes_the_place_of_another(
    stack: Stack, make_stack: MakeStack, client: Client
) -> None:
    iam = client("iam")
    stack = with_config(stack, make_stack, "  parker-flight:permissionsBoundary: true\n")
    wanted = stack.settings.site.workload_boundary
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=DOCUMENT)
    assert found(adopt(stack), "role")[0].changes[-1] == f"its permissions boundary becomes {wanted}"
    other = iam.create_policy(PolicyName="other", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=ROLE, PermissionsBoundary=other)
    assert found(adopt(stack), "role")[0].changes[-1] == f"its permissions boundary becomes {wanted} instead of {other}"


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize(
    ("days", "said"),
    [
        (None, ["kept for 365 days instead of ever: what is older goes"]),
        (731, ["kept for 365 days instead of 731: what is older goes"]),
        (30, ["kept for 365 days instead of 30"]),
        (365, []),
    ],
)
def test_a_log_group_says_what_its_retention_costs(
    stack: Stack, client: Client, days: int | None, said: list[str]
) -> None:
    logs = client("logs")
    logs.create_log_group(logGroupName=f"{LOG_GROUP}-of-another")
    logs.create_log_group(logGroupName=LOG_GROUP)
    if days:
        logs.put_retention_policy(logGroupName=LOG_GROUP, retentionInDays=days)
    (group,) = found(adopt(stack), "log group")
    assert (group.name, group.plan, group.changes) == (LOG_GROUP, Plan.IMPORT, said)


@pytest.mark.usefixtures("empty")
def test_everything_in_the_way_is_said_at_once_and_nothing_written(
    stack: Stack, make_stack: MakeStack, client: Client
) -> None:
    kms, iam = client("kms"), client("iam")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for name in ("general", "pii"):
        kms.create_alias(AliasName=f"alias/parker-flight-{name}-sandbox", TargetKeyId=key)
    tags = stack.settings.site.tags | {"DataClass": "payment"}
    stray = kms.create_key(Tags=[{"TagKey": name, "TagValue": value} for name, value in tags.items()])
    going = kms.create_key(Tags=[{"TagKey": name, "TagValue": value} for name, value in tags.items()])
    kms.schedule_key_deletion(KeyId=going["KeyMetadata"]["KeyId"])
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=DOCUMENT, Path="/service-role/")
    iam.create_user(UserName=USER, Path="/old/")
    stack = with_config(stack, make_stack, "  parker-flight:adoptLogGroup: true\n")
    before = (stack.root / "Pulumi.sandbox.yaml").read_bytes()

    with pytest.raises(OperationError) as caught:
        adopt(stack, write=True)

    said = caught.value.message
    assert caught.value.code is ExitCode.REFUSED
    assert "general-sandbox and alias/parker-flight-pii-sandbox point at the same key" in said
    assert f"carry this stack's tags for it: {stray['KeyMetadata']['KeyId']}\n" in said
    assert "is in the path /service-role/" in said
    assert f"AWS has no log group {LOG_GROUP}" in said
    assert f"aws iam update-user --user-name {USER} --new-path /" in said
    assert (stack.root / "Pulumi.sandbox.yaml").read_bytes() == before


@pytest.mark.usefixtures("empty")
def test_a_stack_that_is_deployed_is_refused(stack: Stack, keys: dict[str, str], tool: Tool) -> None:
    key = {"urn": "urn:pulumi:s::p::aws:kms/key:Key::pii-1", "type": "aws:kms/key:Key", "id": keys["pii"]}
    state = exported({})
    state["deployment"]["resources"].append(key)
    tool("pulumi", f"cat <<'END'\n{json.dumps(state)}\nEND")
    with pytest.raises(OperationError, match="its state holds the keys pii-1"):
        adopt(stack, write=True)


def test_another_account_or_a_cloud_that_does_not_answer_is_one_message(
    stack: Stack, make_stack: MakeStack, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(f"{PROJECT}/functions", method="GET").respond_with_json({}, status=403)
    httpserver.expect_request(f"{PROJECT}/secrets", method="GET").respond_with_json({}, status=403)
    with pytest.raises(OperationError, match="answered 403") as caught:
        adopt(stack)
    assert "SUPABASE_ACCESS_TOKEN" in caught.value.cure
    with pytest.raises(OperationError, match="does not answer"):
        adopt(make_stack(AWS_ENDPOINT_URL="http://127.0.0.1:9"))
    file = stack.root / "Pulumi.sandbox.yaml"
    file.write_text(file.read_text().replace(ACCOUNT, "210987654321"))
    with pytest.raises(OperationError, match=f"belong to account {ACCOUNT}"):
        adopt(make_stack())


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("denied", ["DescribeKey", "GetRole", "ListAccessKeys", "DescribeLogGroups"])
def test_what_aws_does_not_let_us_see_is_no_reason_to_go_on(
    stack: Stack, client: Client, monkeypatch: pytest.MonkeyPatch, denied: str
) -> None:
    from botocore.client import BaseClient
    from botocore.exceptions import ClientError

    client("iam").create_user(UserName=USER)
    call = BaseClient._make_api_call  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]

    def refusing(self: Any, operation: str, arguments: Any) -> Any:
        if operation == denied:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)
        return call(self, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", refusing)
    with pytest.raises(OperationError, match="AWS said AccessDenied") as caught:
        adopt(stack, write=True)
    assert "somebody who administers the account" in caught.value.cure
    assert "adopt" not in (stack.root / "Pulumi.sandbox.yaml").read_text()
