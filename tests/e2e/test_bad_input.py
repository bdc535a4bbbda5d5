"""Bad input: one clear message with the cure, an exit code, and nothing changed."""

import shutil
import socket
from collections.abc import Generator
from contextlib import contextmanager

import pytest
import yaml

from gate.stack_file import release_part
from tests.e2e.checkout import Checkout, new_checkout
from tests.operations.conftest import PASSPHRASES


@contextmanager
def config(checkout: Checkout, key: str, value: object) -> Generator[None]:
    file = checkout.root / "Pulumi.sandbox.yaml"
    before = file.read_text()
    stack = yaml.safe_load(before)
    stack["config"][key] = value
    file.write_text(yaml.safe_dump(stack))
    try:
        yield
    finally:
        file.write_text(before)


@pytest.mark.rows("K7")
@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("parker-flight:keyRotationDay", 365, "keyRotationDays"),
        ("parker-flight:keyRotationDays", "yearly", "keyRotationDays"),
        ("parker-flight:keyRotationDays", 30, "keyRotationDays"),
        ("parker-flight:supabaseProjectRef", "too-short", "supabaseProjectRef"),
        ("parker-flight:awsAccountId", "123", "awsAccountId"),
    ],
)
def test_a_wrong_config_is_named_with_its_file_and_changes_nothing(
    checkout: Checkout, key: str, value: object, named: str
) -> None:
    before = checkout.standing()
    with config(checkout, key, value):
        by_pf = checkout.pf("deploy", check=False)
        by_engine = checkout.pulumi("up", "--yes", "--non-interactive", check=False)
    for refused in (by_pf, by_engine):
        message = refused.stdout + refused.stderr
        assert refused.returncode != 0
        assert named in message
        assert "Traceback" not in message
    assert "Pulumi.sandbox.yaml" in by_pf.stderr
    assert checkout.standing() == before


@pytest.mark.rows("K7", "R3")
@pytest.mark.parametrize("name", ["SUPABASE_ACCESS_TOKEN", "AWS_ACCESS_KEY_ID"])
def test_a_missing_setting_is_named(checkout: Checkout, name: str) -> None:
    before = checkout.standing()
    refused = checkout.pf("deploy", check=False, environment={name: ""})
    assert refused.returncode != 0
    assert name in refused.stderr
    assert "Traceback" not in refused.stderr
    assert checkout.standing() == before


@pytest.mark.rows("K4")
def test_a_wrong_token_is_refused_before_anything_is_written(checkout: Checkout) -> None:
    before = checkout.standing()
    refused = checkout.pf("deploy", check=False, environment={"SUPABASE_ACCESS_TOKEN": "sbp_" + "0" * 40})
    assert refused.returncode != 0
    assert "SUPABASE_ACCESS_TOKEN" in refused.stderr
    assert checkout.standing() == before


@pytest.mark.rows("D2", "D4")
@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (("--hotfix", "--reason", " "), {}, "the reason is empty"),
        (("--reason", "two\nlines"), {}, "more than one line"),
        (("--emergency", "--reason", "x" * 10_000), {}, "10000 characters"),
        ((), {"PF_REPORTS": "file:///dev/null/reports"}, "reports can't be written to"),
    ],
)
def test_a_deployment_that_cannot_be_done_as_asked_changes_nothing(
    checkout: Checkout, arguments: tuple[str, ...], environment: dict[str, str], message: str
) -> None:
    before = checkout.standing()
    refused = checkout.pf("deploy", *arguments, check=False, environment=environment)
    assert refused.returncode == 3
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr
    assert checkout.standing() == before


@pytest.mark.rows("D2", "R3")
def test_a_wrong_passphrase_changes_nothing(checkout: Checkout) -> None:
    """Of a stack that one encrypts; the sandbox's own is encrypted by a key."""
    file = checkout.root / "Pulumi.sandbox.yaml"
    committed = file.read_bytes()
    file.write_bytes(release_part(committed) + PASSPHRASES.encode())
    try:
        before = checkout.standing()
        refused = checkout.pf("deploy", check=False, environment={"PULUMI_CONFIG_PASSPHRASE": "wrong"})
        assert refused.returncode == 3
        assert "PULUMI_CONFIG_PASSPHRASE is not that of sandbox" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert checkout.standing() == before
    finally:
        file.write_bytes(committed)


@pytest.mark.rows("D2", "K8")
def test_a_damaged_lock_or_state_is_named_and_left_as_it_is(checkout: Checkout) -> None:
    lock = checkout.state / "sandbox/pulumi/.pulumi/locks/organization/parker-flight/sandbox/damaged.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text("{")
    whole = checkout.state_file.read_bytes()
    try:
        before = checkout.standing()
        refused = checkout.pf("deploy", check=False)
        assert (refused.returncode, checkout.standing()) == (3, before)
        assert "the lock of sandbox is damaged" in refused.stderr
        assert refused.stderr.endswith("./pf unlock\n")
        lock.unlink()

        checkout.state_file.write_bytes(whole[:5000])
        before = checkout.standing()
        for command in (("deploy",), ("rollback", "--reason", "x")):
            refused = checkout.pf(*command, check=False)
            assert (refused.returncode, checkout.standing()) == (3, before)
            assert ".json.bak: copy that over it" in refused.stderr
    finally:
        lock.unlink(missing_ok=True)
        checkout.state_file.write_bytes(whole)


@pytest.mark.rows("K4")
def test_a_missing_supabase_cli_is_named_with_its_cure(checkout: Checkout) -> None:
    with new_checkout() as other:
        (other.state / "toolchain").unlink()
        (other.state / "toolchain/bin").mkdir(parents=True)
        for tool in ("pulumi", "pulumi-language-python", "deno"):
            (other.state / "toolchain/bin" / tool).symlink_to((checkout.state / "toolchain/bin" / tool).resolve())
        shutil.copy(checkout.state / "sandbox.env", other.state / "sandbox.env")
        refused = other.pf("deploy", check=False)
    assert refused.returncode != 0
    assert "supabase" in refused.stderr.lower()
    assert "make setup" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.rows("E1", "K7")
def test_without_a_sandbox_every_command_says_how_to_start_it() -> None:
    with new_checkout() as empty:
        for verb in ("deploy", "health"):
            refused = empty.pf(verb, check=False)
            assert refused.returncode != 0
            assert "./pf sandbox up" in refused.stderr
            assert "Traceback" not in refused.stderr


@pytest.mark.rows("K7")
def test_a_taken_port_is_named_with_its_holder_and_other_ports_can_be_chosen() -> None:
    with new_checkout() as other:
        other.pf("sandbox", "up")
        port = int(other.environment["SUPABASE_URL"].rpartition(":")[2])
        other.pf("sandbox", "down")
        with socket.create_server(("127.0.0.1", port)):
            refused = other.pf("sandbox", "up", check=False)
            assert refused.returncode == 3
            assert str(port) in refused.stderr
            assert "--new-ports" in refused.stderr
            assert "Traceback" not in refused.stderr
            other.pf("sandbox", "up", "--new-ports")
        assert str(port) not in other.environment["SUPABASE_URL"]
