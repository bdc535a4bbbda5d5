"""Bad input: one clear message with the cure, an exit code, and nothing changed."""

import shutil
import socket
from collections.abc import Generator
from contextlib import contextmanager

import pytest
import yaml

from tests.e2e.checkout import Checkout, new_checkout


def writes(checkout: Checkout) -> list[str]:
    """Operations that change something in AWS."""
    reading = ("Describe", "Get", "List", "AssumeRole", "/", "Encrypt", "Decrypt", "GenerateDataKey", "PutMetricData")
    reading += ("Publish",)  # what was refused is told, too
    return [operation for operation in checkout.aws_operations() if not operation.startswith(reading)]


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
    before = writes(checkout)
    with config(checkout, key, value):
        by_pf = checkout.pf("deploy", check=False)
        by_engine = checkout.pulumi("up", "--yes", "--non-interactive", check=False)
    for refused in (by_pf, by_engine):
        message = refused.stdout + refused.stderr
        assert refused.returncode != 0
        assert named in message
        assert "Traceback" not in message
    assert "Pulumi.sandbox.yaml" in by_pf.stderr
    assert writes(checkout) == before


@pytest.mark.rows("K7", "R3")
@pytest.mark.parametrize("name", ["SUPABASE_ACCESS_TOKEN", "AWS_ACCESS_KEY_ID"])
def test_a_missing_setting_is_named(checkout: Checkout, name: str) -> None:
    before = writes(checkout)
    refused = checkout.pf("deploy", check=False, environment={name: ""})
    assert refused.returncode != 0
    assert name in refused.stderr
    assert "Traceback" not in refused.stderr
    assert writes(checkout) == before


@pytest.mark.rows("K4")
def test_a_wrong_token_is_refused_before_anything_is_written(checkout: Checkout) -> None:
    before = writes(checkout)
    refused = checkout.pf("deploy", check=False, environment={"SUPABASE_ACCESS_TOKEN": "sbp_" + "0" * 40})
    assert refused.returncode != 0
    assert "SUPABASE_ACCESS_TOKEN" in refused.stderr
    assert writes(checkout) == before


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
