"""The sandbox as its user meets it: up, status, a crash, down."""

import json

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.e2e.checkout import Checkout, new_checkout

pytestmark = pytest.mark.rows("K7")


def test_a_second_up_reuses_what_runs(checkout: Checkout) -> None:
    before = {process.pid for process in checkout.processes()}
    checkout.pf("sandbox", "up")
    assert before <= {process.pid for process in checkout.processes()}


def test_a_server_that_is_slow_is_not_taken_for_dead(checkout: Checkout) -> None:
    """It holds the keys in memory: starting it anew would lose them."""
    (aws,) = [process for process in checkout.processes() if "sandbox.aws" in process.cmdline()]
    aws.suspend()
    try:
        refused = checkout.pf("sandbox", "up", check=False)
    finally:
        aws.resume()
    assert refused.returncode == 3
    assert "runs and does not answer" in refused.stderr
    assert aws.is_running()
    assert checkout.pf("health").returncode == 0


def test_status_lists_what_is_not_simulated(checkout: Checkout) -> None:
    shown = checkout.pf("sandbox", "status").stdout
    assert "running" in shown
    assert "policies are enforced on the use of keys" in shown


@pytest.mark.rows("M8")
def test_the_inbox_shows_what_was_published_the_newest_last(checkout: Checkout) -> None:
    topic = "parker-flight-sandbox-info"
    for text in ("first", "second"):
        arn = f"arn:aws:sns:us-east-1:123456789012:{topic}"
        checkout.aws("sns").publish(TopicArn=arn, Subject=f"the {text}", Message=f"{text}\u2028message")
    newest = json.loads(checkout.pf("sandbox", "inbox", "--json").stdout)[-2:]
    assert [(one["topic"], one["subject"]) for one in newest] == [(topic, "the first"), (topic, "the second")]
    shown = checkout.pf("sandbox", "inbox").stdout
    assert shown.index("the first") < shown.index("the second")


@pytest.mark.rows("K1", "K4")
def test_kms_that_throttles_is_retried_once_and_then_told_as_unavailable(checkout: Checkout) -> None:
    body, token = {"purpose": "general-data", "plaintext": "text"}, checkout.token("service_role")
    for share, status in (("1", 503), ("0.5", 200), ("0", 200)):
        checkout.pf("sandbox", "faults", "--throttle", share)
        assert checkout.call("encrypt-data", body, token).status_code == status
    assert checkout.pf("sandbox", "faults", "--throttle", "2", check=False).returncode == 64


@pytest.mark.rows("K1")
def test_a_new_role_is_seen_as_late_as_was_asked_for(checkout: Checkout) -> None:
    iam, sts = checkout.aws("iam"), checkout.aws("sts")
    statement = {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    checkout.pf("sandbox", "faults", "--unseen-role", "3600")
    role = iam.create_role(RoleName="late", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    try:
        with pytest.raises(ClientError, match="AccessDenied"):
            sts.assume_role(RoleArn=role, RoleSessionName="session")
        checkout.pf("sandbox", "faults")
        sts.assume_role(RoleArn=role, RoleSessionName="session")
    finally:
        iam.delete_role(RoleName="late")


def test_down_leaves_no_process_and_a_crashed_part_is_named() -> None:
    with new_checkout() as other:
        other.pf("sandbox", "up")
        (server,) = [process for process in other.processes() if "sandbox.supabase" in process.cmdline()]
        server.kill()
        psutil.wait_procs([server], timeout=10)
        restarted = other.pf("sandbox", "up")
        assert "supabase had crashed" in restarted.stderr
        assert other.processes()
        assert "has forgotten the keys" in other.pf("sandbox", "down").stderr
        assert other.processes() == []
        assert other.pf("sandbox", "down").stderr == "nothing runs here\n"
        assert other.pf("sandbox", "status", check=False).returncode == 1
        stays_valid(other)


def stays_valid(other: Checkout) -> None:
    """A shell that has the sandbox's environment goes on working when AWS starts again without its keys."""
    before = other.environment
    stack = other.state / "sandbox/pulumi/.pulumi/stacks/parker-flight/sandbox.json"
    stack.parent.mkdir(parents=True)
    stack.write_text("{}")
    assert "starts empty" in other.pf("sandbox", "up").stderr
    assert not stack.exists()
    assert other.environment == before


def test_the_environment_file_is_closed_to_others(checkout: Checkout) -> None:
    assert (checkout.state / "sandbox.env").stat().st_mode & 0o077 == 0


def test_a_folder_with_a_space_in_its_name_serves_as_well() -> None:
    with new_checkout() as other:
        elsewhere = {"PF_STATE": str(other.state / "with space")}
        other.pf("sandbox", "up", environment=elsewhere)
        try:
            assert "down" not in other.pf("sandbox", "status", environment=elsewhere).stdout.partition("Not as")[0]
        finally:
            other.pf("sandbox", "down", environment=elsewhere)
