"""The provider's own config: region, accounts, default tags; and its end."""

import signal
from pathlib import Path

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from sandbox.providers.aws.provider import TYPES
from sandbox.providers.wire import decode, encode
from tests.sandbox_providers.plugin import NONE, Plugin, started

pytestmark = pytest.mark.rows("K7")


@pytest.mark.parametrize("allowed", ['["999999999999"]', "[999999999999]"])
def test_credentials_of_another_account_are_refused(
    aws_environment: dict[str, str], tmp_path: Path, allowed: str
) -> None:
    with started("aws", tmp_path, aws_environment) as plugin, pytest.raises(grpc.RpcError) as refusal:
        plugin.configure(region="us-east-1", allowedAccountIds=allowed)
    assert "AWS Account ID not allowed: 123456789012" in str(refusal.value)


def test_a_missing_region_is_refused_with_its_cure(aws_environment: dict[str, str], tmp_path: Path) -> None:
    with started("aws", tmp_path, aws_environment) as plugin, pytest.raises(grpc.RpcError) as refusal:
        plugin.configure()
    assert "pulumi config set aws:region" in str(refusal.value)


@pytest.mark.parametrize("key", ["forbiddenAccountIds", "assumeRoles", "profile", "accessKey", "ignoreTags", "regoin"])
def test_what_would_do_nothing_here_is_refused_by_its_name(aws: Plugin, key: str) -> None:
    news = encode({"region": "us-east-1", key: "[]"})
    answer = aws.stub.CheckConfig(
        provider_pb2.CheckRequest(urn="urn:pulumi:test::project::pulumi:providers:aws::one", news=news)
    )
    assert [failure.property for failure in answer.failures] == [key]
    assert f"aws:{key}" in answer.failures[0].reason


@pytest.mark.parametrize("type_name", [name for name, one in TYPES.items() if one.id_form])
def test_an_id_of_another_form_is_refused_with_the_one_that_is_needed(aws: Plugin, type_name: str) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        aws.read(type_name, "none")
    assert f"unexpected format of ID (none), expected {TYPES[type_name].id_form}" in str(refusal.value)


def test_default_tags_come_with_every_resource_and_are_no_drift(
    aws_environment: dict[str, str], tmp_path: Path
) -> None:
    with started("aws", tmp_path, aws_environment) as plugin:
        plugin.configure(region="us-east-1", defaultTags='{"tags": {"team": "platform"}}')
        inputs = {"name": "tagged", "tags": {"own": "tag"}}
        id_, outputs = plugin.create("aws:sns/topic:Topic", inputs)
        assert outputs["tagsAll"] == {"team": "platform", "own": "tag"}
        _, _, read_inputs = plugin.read("aws:sns/topic:Topic", id_, inputs)
        assert read_inputs == inputs
        assert plugin.diff("aws:sns/topic:Topic", outputs, inputs, inputs).changes == NONE


def test_the_caller_identity_is_answered(aws: Plugin) -> None:
    token = "aws:index/getCallerIdentity:getCallerIdentity"
    answer = aws.stub.Invoke(provider_pb2.InvokeRequest(tok=token, args=encode({})))
    assert decode(getattr(answer, "return"))["accountId"] == "123456789012"


@pytest.mark.parametrize("name", ["aws", "command"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_plugin_ends_when_told_to(
    aws_environment: dict[str, str], tmp_path: Path, name: str, number: signal.Signals
) -> None:
    with started(name, tmp_path, aws_environment) as plugin:
        plugin.process.send_signal(number)
        assert plugin.process.wait(timeout=5) == 0


@pytest.mark.parametrize("name", ["aws", "command"])
def test_a_plugin_ends_with_its_engine(aws_environment: dict[str, str], tmp_path: Path, name: str) -> None:
    with started(name, tmp_path, aws_environment) as plugin:
        assert plugin.process.stdin is not None
        plugin.process.stdin.close()
        assert plugin.process.wait(timeout=5) == 0
