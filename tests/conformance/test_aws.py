"""The AWS provider: what it refuses before anything is made, and what becomes of what stands."""

import json
from typing import Any

import httpx
import psutil
import pytest

from sandbox.aws.faults import FAULTS
from sandbox.processes import wait_for
from tests.conformance.project import Project
from tests.sandbox_aws.server import Aws

pytestmark = [pytest.mark.drill, pytest.mark.rows("K1", "K2", "K7")]

HEAD = "import json, pulumi, pulumi_aws as aws\n"
RAW = """
from importlib.metadata import version
def raw(type_, inputs):
    pulumi.CustomResource(type_, "raw", inputs, pulumi.ResourceOptions(version=version("pulumi-aws")))
"""
GROUP = "aws.cloudwatch.LogGroup('group', name='/conformance/{0}'{1})\n"


def group(project: Project, name: str, more: str = "") -> None:
    """A program of one log group."""
    project.program(HEAD + GROUP.format(name, f", {more}" if more else ""))


@pytest.fixture
def logs(aws: Aws) -> Any:
    return aws.client("logs")


def retention(logs: Any, name: str) -> int | None:
    """In days; None where it keeps everything."""
    (found,) = logs.describe_log_groups(logGroupNamePrefix=f"/conformance/{name}")["logGroups"]
    return found.get("retentionInDays")


def stands(logs: Any, name: str) -> bool:
    return bool(logs.describe_log_groups(logGroupNamePrefix=f"/conformance/{name}")["logGroups"])


@pytest.mark.parametrize(
    ("program", "named"),
    [
        # The SDK's own refusals.
        ("aws.kms.Key('one', enabel_key_rotation=True)", ["enabel_key_rotation"]),
        ("aws.kms.Alias('one', name='alias/one')", ["Missing required property", "target_key_id"]),
        # The plugin's.
        ("aws.kms.Key('one', enable_key_rotation=True, rotation_period_in_days=30)", ["one", "90", "2560", "30"]),
        ("aws.kms.Key('one', key_usage='ENCRYPT')", ["one", "expected", "ENCRYPT_DECRYPT", "ENCRYPT"]),
        ("aws.kms.Key('one', deletion_window_in_days=1)", ["one", "7", "30", "1"]),
        ("aws.kms.Key('one', rotation_period_in_days='often')", ["one", "often"]),
        ("aws.kms.Key('one', policy='{')", ["one", "JSON"]),
        ("aws.kms.Alias('one', name='one', target_key_id='k')", ["one", "alias/"]),
        ("aws.iam.Role('one', name='x' * 65, assume_role_policy='{}')", ["one", "64"]),
        ("aws.iam.Role('one', max_session_duration=1, assume_role_policy='{}')", ["one", "3600", "43200"]),
        ("aws.cloudwatch.LogGroup('one', retention_in_days=31)", ["one", "expected", "30", "31"]),
        (
            "aws.cloudwatch.MetricAlarm('one', comparison_operator='>', evaluation_periods=1, metric_name='m')",
            ["one", "expected", "GreaterThanThreshold", ">"],
        ),
        (
            "aws.cloudwatch.MetricAlarm('one', comparison_operator='GreaterThanThreshold', evaluation_periods=1, "
            "metric_queries=[{'id': 'a', 'return_data': 'perhaps'}])",
            ["one", "perhaps"],
        ),
        ("aws.sns.TopicSubscription('one', topic='t', protocol='pigeon', endpoint='e')", ["one", "expected", "pigeon"]),
        ("raw('aws:kms/key:Key', {'enabelKeyRotation': True})", ["raw", "enabelKeyRotation"]),
        ("raw('aws:kms/alias:Alias', {'name': 'alias/one'})", ["raw", "Missing required argument", "targetKeyId"]),
        ("raw('aws:kms/nothing:Nothing', {})", ["aws:kms/nothing:Nothing"]),
    ],
)
def test_what_is_wrong_is_refused_at_preview_and_named(
    aws_project: Project, aws: Aws, program: str, named: list[str]
) -> None:
    aws_project.program(f"{HEAD}{RAW}{program}\n")
    before = len(operations(aws))
    said = aws_project.failing_preview()
    assert [one for one in named if one not in said] == [], said
    assert "grpc" not in said, "no traceback of the plugin's own"
    assert operations(aws)[before:] == []


def test_a_version_of_the_plugin_that_is_not_there_is_named(aws_project: Project) -> None:
    aws_project.program(HEAD + "aws.sns.Topic('one', opts=pulumi.ResourceOptions(version='0.0.1'))\n")
    assert "0.0.1" in aws_project.failing_preview()


def test_a_missing_region_is_said(aws_project: Project) -> None:
    aws_project.pulumi("config", "rm", "aws:region")
    group(aws_project, "nowhere")
    assert "region" in aws_project.failing_preview().lower()


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_region_may_come_from_the_environment(aws_project: Project, variable: str) -> None:
    aws_project.well("config", "rm", "aws:region")
    aws_project.program(HEAD + "pulumi.export('arn', aws.sns.Topic('one').arn)\n")
    done = aws_project.pulumi("up", "--yes", "--skip-preview", **{variable: "us-west-2"})
    assert done.returncode == 0, done.stdout
    assert ":us-west-2:" in aws_project.outputs()["arn"]


def test_a_provider_may_be_given_its_region_and_tags_in_the_program(aws_project: Project) -> None:
    aws_project.program(
        HEAD + "west = aws.Provider('west', region='us-west-2', default_tags={'tags': {'Side': 'west', 'Number': 1}})\n"
        "one = aws.sns.Topic('one')\n"
        "two = aws.sns.Topic('two', opts=pulumi.ResourceOptions(provider=west))\n"
        "pulumi.export('seen', [one.arn, one.tags_all, two.arn, two.tags_all])\n"
    )
    aws_project.up()
    one, of_one, two, of_two = aws_project.outputs()["seen"]
    assert (":us-east-1:" in one, of_one) == (True, {})
    assert (":us-west-2:" in two, of_two) == (True, {"Side": "west", "Number": "1"})
    aws_project.preview("--expect-no-changes")


@pytest.mark.parametrize(
    ("key", "value"),
    [("regoin", "us-east-1"), ("allowedAccountIds", "[1,"), ("defaultTags", "owner"), ("maxRetries", "lots")],
)
def test_config_that_the_provider_cannot_use_is_refused_by_its_key(aws_project: Project, key: str, value: str) -> None:
    aws_project.config(f"aws:{key}", value)
    aws_project.program(HEAD + "aws.sns.Topic('one')\n")
    said = aws_project.failing_preview()
    assert key in said
    assert "pulumi:providers:aws" in said


def test_credentials_of_another_account_are_refused(aws_project: Project, logs: Any) -> None:
    aws_project.config("aws:allowedAccountIds[0]", "999999999999", "--path")
    group(aws_project, "foreign")
    assert "AWS account ID not allowed: 123456789012".lower() in aws_project.failing_preview().lower()
    assert not stands(logs, "foreign")


def test_a_resource_is_made_changed_in_place_replaced_and_removed(aws_project: Project, logs: Any) -> None:
    group(aws_project, "life", "retention_in_days=7")
    assert "+ 1 to create" in aws_project.preview().replace("+ 2 to create", "+ 1 to create")
    assert not stands(logs, "life")
    aws_project.up()
    assert retention(logs, "life") == 7
    assert "2 unchanged" in aws_project.preview("--expect-no-changes")
    group(aws_project, "life", "retention_in_days=30")
    assert "~ 1 updated" in aws_project.up()
    assert retention(logs, "life") == 30
    group(aws_project, "other-life", "retention_in_days=30")
    assert "replaced" in aws_project.up()
    assert (stands(logs, "life"), stands(logs, "other-life")) == (False, True)
    aws_project.destroy()
    assert not stands(logs, "other-life")


def test_a_name_that_nobody_gave_is_made_up_and_kept(aws_project: Project) -> None:
    aws_project.program(HEAD + "pulumi.export('name', aws.sns.Topic('topic').name)\n")
    aws_project.up()
    name = aws_project.outputs()["name"]
    assert name.startswith("topic-")
    assert len(name) == len("topic-") + 7
    aws_project.preview("--expect-no-changes")


def test_default_tags_are_on_everything_and_no_difference(aws_project: Project, logs: Any) -> None:
    aws_project.config("aws:defaultTags.tags.Owner", "platform", "--path")
    group(aws_project, "tagged", "tags={'Own': 'one'}")
    aws_project.up()
    assert logs.list_tags_log_group(logGroupName="/conformance/tagged")["tags"] == {"Owner": "platform", "Own": "one"}
    aws_project.preview("--expect-no-changes")
    aws_project.refresh()
    aws_project.preview("--expect-no-changes")


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("put_retention_policy", {"retentionInDays": 1}),
        ("tag_log_group", {"tags": {"by": "hand"}}),
        ("delete_log_group", {}),
    ],
)
def test_a_refresh_sees_what_was_changed_by_hand_and_an_update_mends_it(
    aws_project: Project, logs: Any, call: str, arguments: dict[str, Any]
) -> None:
    group(aws_project, "drift", "retention_in_days=7, tags={'a': 'b'}")
    aws_project.up()
    getattr(logs, call)(logGroupName="/conformance/drift", **arguments)
    aws_project.preview("--expect-no-changes")  # the state alone is looked at
    aws_project.ill("refresh", "--preview-only", "--expect-no-changes")
    aws_project.refresh()
    aws_project.up()
    assert retention(logs, "drift") == 7
    assert logs.list_tags_log_group(logGroupName="/conformance/drift")["tags"] == {"a": "b"}
    aws_project.destroy()


def test_ignored_changes_are_left_alone(aws_project: Project, logs: Any) -> None:
    group(aws_project, "ignored", "retention_in_days=7")
    aws_project.up()
    ignoring = "opts=pulumi.ResourceOptions(ignore_changes=['retentionInDays'])"
    group(aws_project, "ignored", f"retention_in_days=30, {ignoring}")
    aws_project.preview("--expect-no-changes")
    aws_project.up()
    assert retention(logs, "ignored") == 7


def test_what_is_protected_is_not_deleted(aws_project: Project, logs: Any) -> None:
    group(aws_project, "protected", "opts=pulumi.ResourceOptions(protect=True)")
    aws_project.up()
    assert "protect" in aws_project.ill("destroy", "--yes", "--skip-preview")
    aws_project.program("")
    assert "protect" in aws_project.failing_up()
    assert stands(logs, "protected")


def test_what_is_retained_leaves_the_state_and_stands(aws_project: Project, logs: Any) -> None:
    group(aws_project, "retained", "opts=pulumi.ResourceOptions(retain_on_delete=True)")
    aws_project.up()
    aws_project.destroy()
    assert aws_project.resources() == {}
    assert stands(logs, "retained")


def test_what_stands_is_imported_and_brought_to_what_the_program_says(aws_project: Project, logs: Any) -> None:
    logs.create_log_group(logGroupName="/conformance/found", tags={"a": "b"})
    logs.put_retention_policy(logGroupName="/conformance/found", retentionInDays=7)
    imported = "tags={'a': 'b'}, opts=pulumi.ResourceOptions(import_='/conformance/found')"
    group(aws_project, "found", f"retention_in_days=30, {imported}")
    said = aws_project.up()
    assert "= 1 imported" in said
    assert "~ 1 updated" in said
    assert retention(logs, "found") == 30
    aws_project.preview("--expect-no-changes")
    group(aws_project, "missing", "opts=pulumi.ResourceOptions(import_='/conformance/missing')")
    assert "does not exist" in aws_project.failing_up()


def test_what_depends_on_another_goes_before_it(aws_project: Project, aws: Aws) -> None:
    aws_project.program(
        HEAD + "key = aws.kms.Key('key')\naws.kms.Alias('alias', name='alias/ordered', target_key_id=key.key_id)\n"
    )
    aws_project.up()
    before = len(operations(aws))
    aws_project.destroy()
    removed = [one for one in operations(aws)[before:] if one in ("DeleteAlias", "ScheduleKeyDeletion")]
    assert removed == ["DeleteAlias", "ScheduleKeyDeletion"]


def operations(aws: Aws) -> list[str]:
    return [json.loads(line)["operation"] for line in (aws.folder / "requests.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("stands", "call"), [(False, "CreateKey"), (True, "EnableKeyRotation")])
def test_a_plugin_that_dies_in_mid_update_leaves_a_state_that_the_next_update_goes_on_from(
    aws_project: Project, aws: Aws, stands: bool, call: str
) -> None:
    """It dies while it waits for a KMS that throttles. What is made and not told the engine is for `pf recover`."""
    program = f"aws.kms.Key('key', enable_key_rotation={{0}}, tags={{{{'while': '{call}'}}}})\naws.sns.Topic('topic')\n"
    aws_project.program(HEAD + program.format(False))
    if stands:
        aws_project.up()
    aws_project.program(HEAD + program.format(True))
    before = len(operations(aws))
    httpx.post(f"{aws.url}{FAULTS}", json={"throttled_share": 1}).raise_for_status()
    update = aws_project.start("up", "--yes", "--skip-preview")
    try:
        assert wait_for(lambda: call in operations(aws)[before:], 60, alive=lambda: update.poll() is None)
        (plugin,) = (one for one in psutil.Process(update.pid).children(recursive=True) if is_plugin(one))
        plugin.kill()
        said, _ = update.communicate(timeout=60)
    finally:
        update.kill()
        httpx.post(f"{aws.url}{FAULTS}", json={}).raise_for_status()
    assert "pulumi-resource-aws exited prematurely" in said
    assert "aws:kms:Key (key):\n    error: " in said
    assert "Traceback" not in said
    assert ("key" in aws_project.resources()) == stands

    aws_project.up()

    aws_project.preview("--expect-no-changes")
    aws_project.well("refresh", "--preview-only", "--expect-no-changes")
    kms = aws.client("kms")
    tags = [kms.list_resource_tags(KeyId=key["KeyId"])["Tags"] for key in kms.list_keys()["Keys"]]
    assert tags.count([{"TagKey": "while", "TagValue": call}]) == 1


def is_plugin(process: psutil.Process) -> bool:
    """The official one by its executable, ours by its module."""
    return any(part == "sandbox.providers.aws" or part.endswith("pulumi-resource-aws") for part in process.cmdline())


def test_a_secret_input_is_secret_in_the_state(aws_project: Project) -> None:
    aws_project.program(HEAD + "aws.sns.Topic('topic', display_name=pulumi.Output.secret('hidden-name'))\n")
    assert "hidden-name" not in aws_project.up()
    assert "hidden-name" not in json.dumps(aws_project.resources())


def test_the_same_policy_in_other_words_is_no_change(aws_project: Project) -> None:
    def role(document: object, indent: int | None) -> str:
        text = json.dumps(document, indent=indent)
        return f"{HEAD}aws.iam.Role('role', name='worded', assume_role_policy={text!r})\n"

    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
    aws_project.program(role({"Version": "2012-10-17", "Statement": [statement]}, None))
    aws_project.up()
    aws_project.program(role({"Statement": [statement], "Version": "2012-10-17"}, 2))
    aws_project.preview("--expect-no-changes")


def test_what_is_known_only_afterwards_is_taken_for_right_in_a_preview(aws_project: Project) -> None:
    program = (
        "from pulumi_command import local\n"
        "late = local.Command('late', create='echo somebody@example.com {0}').stdout.apply(lambda text: text.split())\n"
        "topic = aws.sns.Topic('topic', name='late', tags=late.apply(lambda found: {{'number': found[1]}}))\n"
        "aws.sns.TopicSubscription('mail', topic=topic.arn, protocol='email', endpoint=late[0])\n"
    )
    aws_project.program(HEAD + program.format(1))
    aws_project.preview()
    aws_project.up()
    aws_project.program(HEAD + program.format(2))
    assert "~ 2 to update" in aws_project.preview()
    aws_project.up()
    assert aws_project.resources()["topic"]["outputs"]["tags"] == {"number": "2"}


def test_an_error_of_aws_names_the_resource_and_keeps_its_code(aws_project: Project) -> None:
    aws_project.program(HEAD + "aws.kms.Alias('alias', name='alias/lost', target_key_id='no-such-key')\n")
    said = aws_project.failing_up()
    assert "alias" in said
    assert "NotFoundException" in said
    assert aws_project.resources() == {}


def test_the_caller_is_who_the_credentials_say(aws_project: Project) -> None:
    aws_project.program(HEAD + "pulumi.export('account', aws.get_caller_identity().account_id)\n")
    aws_project.up()
    assert aws_project.outputs()["account"] == "123456789012"


@pytest.mark.differs("the audiences of an identity provider change in place; here they can't, moto has no call for it")
def test_audiences_of_an_identity_provider_change_in_place(aws_project: Project) -> None:
    program = HEAD + "aws.iam.OpenIdConnectProvider('one', url='https://issuer.example.com', client_id_lists={0})\n"
    aws_project.program(program.format(["a"]))
    aws_project.up()
    aws_project.program(program.format(["a", "b"]))
    assert "~ 1 updated" in aws_project.up()


@pytest.mark.differs("a resource may stand in another region than its provider; here `region` is no input")
def test_a_resource_may_name_its_region(aws_project: Project) -> None:
    aws_project.program(HEAD + "pulumi.export('arn', aws.sns.Topic('one', region='us-west-2').arn)\n")
    aws_project.up()
    assert ":us-west-2:" in aws_project.outputs()["arn"]


@pytest.mark.differs(
    "what the provider fills in stands in the inputs, `__defaults` names it; here inputs stay as given"
)
def test_what_is_filled_in_stands_in_the_inputs(aws_project: Project) -> None:
    """Policies see it so: one that wants something said mustn't be content with a default."""
    aws_project.program(HEAD + "aws.iam.User('one', name='filled-in')\n")
    aws_project.up()
    inputs = aws_project.resources()["one"]["inputs"]
    assert inputs["path"] == "/"
    assert "path" in inputs["__defaults"]


@pytest.mark.differs("IAM's policies may be given as objects; here as JSON alone")
def test_a_policy_may_be_an_object(aws_project: Project) -> None:
    aws_project.program(
        HEAD + "aws.iam.Role('one', assume_role_policy={'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', "
        "'Action': 'sts:AssumeRole', 'Principal': {'Service': 'lambda.amazonaws.com'}}]})\n"
    )
    aws_project.up()
