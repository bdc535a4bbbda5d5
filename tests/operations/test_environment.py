"""The environment: what is missing is named with its cure, and the template names what the code reads."""

import re
import subprocess
from pathlib import Path

import pytest

from operations.environment import MARKER, Environment, exported, exports, load, marker, read_file
from operations.errors import OperationError
from operations.preflight import NEEDS
from settings import Settings
from tests.operations.conftest import ROOT, TOKEN

pytestmark = pytest.mark.rows("R3")

TEMPLATE = (ROOT / "environment.template").read_text()
READ = re.compile(r"""(?:environ|environment|variables)(?:\.get\(|\[)\s*["']([A-Z][A-Z0-9_]+)["']""")
# What the program hands to its own commands, or every system has; nobody sets it for us.
NOT_OURS = frozenset({"PATH", "HOME", "NO_COLOR", "PULUMI_COMMAND_STDOUT", "PF_PROJECT_REF", "PF_RELEASE"})


def write(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o600)


def given(variables: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name != "PATH"}


def test_the_template_names_exactly_what_the_code_knows() -> None:
    named = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", TEMPLATE, re.MULTILINE))
    assert named == {name.upper() for name in Environment.model_fields}


def test_the_code_reads_nothing_that_the_template_leaves_out() -> None:
    files = [ROOT / "__main__.py", *(ROOT / "operations").glob("*.py"), *(ROOT / "components").glob("*.py")]
    read = {name for file in files for name in READ.findall(file.read_text())}
    assert read
    assert read - NOT_OURS <= {name.upper() for name in Environment.model_fields}


def test_the_template_says_of_each_variable_what_it_is() -> None:
    comments = " ".join(line for line in TEMPLATE.splitlines() if line.startswith("# "))
    assert [name for name in map(str.upper, Environment.model_fields) if name not in comments] == []


def test_the_template_names_every_setting_of_a_stack() -> None:
    missing = [field.alias for field in Settings.model_fields.values() if str(field.alias) not in TEMPLATE]
    assert missing == []


def test_the_template_holds_no_value() -> None:
    assert re.findall(r"^#?[A-Z][A-Z0-9_]+=.+$", TEMPLATE, re.MULTILINE) == []


def test_everything_that_lacks_is_named_at_once_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(OperationError) as caught:
        load("sandbox", tmp_path, {}, NEEDS)
    message = str(caught.value)
    for name in (*(name for name in NEEDS if name != "AWS"), "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert name in message
    assert "./pf sandbox up" in message


def test_production_is_told_where_the_values_come_from(tmp_path: Path) -> None:
    with pytest.raises(OperationError, match=r"environment\.template"):
        load("production", tmp_path, {}, NEEDS)


def test_the_process_wins_over_the_file_even_when_it_says_nothing(tmp_path: Path, variables: dict[str, str]) -> None:
    lines = "".join(f"{name}={value}\n" for name, value in variables.items())
    write(tmp_path / "sandbox.env", lines)
    assert load("sandbox", tmp_path, {}, NEEDS).settings.supabase_anon_key.get_secret_value() == "anon-key"
    other = load("sandbox", tmp_path, {"SUPABASE_ANON_KEY": "mine"}, NEEDS)
    assert other.settings.supabase_anon_key.get_secret_value() == "mine"
    with pytest.raises(OperationError, match="SUPABASE_ANON_KEY is not set") as caught:
        load("sandbox", tmp_path, {"SUPABASE_ANON_KEY": ""}, NEEDS)
    assert "unset" in caught.value.cure


@pytest.mark.parametrize(
    "identity",
    [
        {"AWS_PROFILE": "production"},
        {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/ci", "AWS_WEB_IDENTITY_TOKEN_FILE": "token"},
    ],
)
def test_aws_is_satisfied_by_any_one_identity(tmp_path: Path, identity: dict[str, str]) -> None:
    assert load("production", tmp_path, identity, ("AWS",)).variables.items() >= identity.items()


@pytest.mark.parametrize("token", ["sbp_short", "eyJhbGciOi", "sbp_" + "G" * 40])
def test_a_malformed_token_is_named_and_never_shown(tmp_path: Path, variables: dict[str, str], token: str) -> None:
    with pytest.raises(OperationError, match="SUPABASE_ACCESS_TOKEN is malformed") as caught:
        load("sandbox", tmp_path, variables | {"SUPABASE_ACCESS_TOKEN": token}, NEEDS)
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:80",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:0",
        "http://127.0.0.1:abc",
        "http://[::1",
        "http://[zz]",
        "http://:80",
        "http://a_b",
        "http://ex\N{LATIN SMALL LETTER A WITH DIAERESIS}mple.com",
        "http://a b",
        "http://" + "a" * 64,
    ],
)
@pytest.mark.parametrize("name", ["SUPABASE_URL", "SUPABASE_API_URL", "AWS_ENDPOINT_URL"])
def test_an_address_that_cannot_be_called_is_malformed(tmp_path: Path, name: str, url: str) -> None:
    with pytest.raises(OperationError, match=f"{name} is malformed"):
        load("sandbox", tmp_path, {name: url}, ())


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:20000", "http://[::1]:80", "https://a-b.supabase.co/path", "http://a"]
)
def test_addresses_of_all_forms_are_taken(tmp_path: Path, url: str) -> None:
    assert load("sandbox", tmp_path, {"SUPABASE_URL": url}, ()).settings.supabase_url == url


@pytest.mark.parametrize("value", ["cl\xe9", "a\nb", "a b", "\udcff"])
@pytest.mark.parametrize("name", ["SUPABASE_ANON_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
def test_a_key_that_no_header_can_carry_is_malformed(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(OperationError, match=f"{name} is malformed"):
        load("sandbox", tmp_path, {name: value}, ())


def test_no_option_of_the_engine_comes_in_from_outside(tmp_path: Path) -> None:
    process = {"PULUMI_OPTION_IGNORE_PROTECT": "true", "PULUMI_OPTION_POLICY_PACK": "", "PULUMI_SKIP_CHECKPOINTS": "1"}
    handed = load("sandbox", tmp_path, process, ()).variables
    assert {name: handed[name] for name in handed.keys() & process.keys()} == {
        "PULUMI_OPTION_POLICY_PACK": str(ROOT / "policies")
    }


def test_the_tools_of_the_project_come_first(tmp_path: Path) -> None:
    assert load("sandbox", tmp_path, {"PATH": "/usr/bin"}, ()).variables["PATH"] == f"{tmp_path}/toolchain/bin:/usr/bin"


def test_secrets_hide_in_every_representation(tmp_path: Path, variables: dict[str, str]) -> None:
    loaded = load("sandbox", tmp_path, variables, NEEDS)
    assert TOKEN not in repr(loaded)
    assert TOKEN not in str(loaded.settings)


def test_only_what_is_ours_is_exported(tmp_path: Path, variables: dict[str, str]) -> None:
    handed = exports(load("sandbox", tmp_path, variables | {"SECRET_OF_ANOTHER": "x"}, ()).variables)
    assert given(handed).items() >= given(variables).items()
    assert "SECRET_OF_ANOTHER" not in handed


def test_a_line_that_is_none_is_named_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "staging.env"
    write(file, "# comment\nexport A='1'\nB=\nC=x=y\n")
    assert read_file(file) == {"A": "1", "C": "x=y"}
    file.write_text("A=1\nnonsense\n")
    with pytest.raises(OperationError, match=r"staging\.env, line 2"):
        read_file(file)
    file.write_text("A=1\nB=a\0b\n")
    with pytest.raises(OperationError, match=r"staging\.env, line 2"):
        read_file(file)
    file.write_bytes(b"A=caf\xe9\n")
    with pytest.raises(OperationError, match=r"staging\.env is no text in UTF-8") as caught:
        read_file(file)
    assert "environment.template" in caught.value.cure


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_file_that_others_may_read_is_refused_with_the_command_that_closes_it(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "it's.env"
    file.write_text("A=1\n")
    file.chmod(mode)
    with pytest.raises(OperationError, match="others") as caught:
        read_file(file)
    subprocess.run(["sh", "-euc", caught.value.cure], check=True)
    assert read_file(file) == {"A": "1"}


@pytest.mark.parametrize("needs", [NEEDS, ()])
def test_a_shell_that_holds_another_stack_is_refused(
    tmp_path: Path, variables: dict[str, str], needs: tuple[str, ...]
) -> None:
    shell = variables | {MARKER: marker("production", tmp_path)}
    with pytest.raises(OperationError, match="stack production, asked for is the stack sandbox") as caught:
        load("sandbox", tmp_path, shell, needs)
    assert "new shell" in caught.value.cure
    assert load("production", tmp_path, shell, needs).settings.pf_loaded


def test_a_shell_that_holds_another_clone_is_refused(tmp_path: Path, variables: dict[str, str]) -> None:
    shell = variables | {MARKER: f"sandbox of {tmp_path} in /another/clone"}
    with pytest.raises(OperationError, match=f"another clone .*/another/clone.*{re.escape(str(ROOT))}"):
        load("sandbox", tmp_path, shell, ())


def test_loading_the_environment_again_takes_what_the_file_says_now(tmp_path: Path, variables: dict[str, str]) -> None:
    lines = "".join(f"{name}={value}\n" for name, value in given(variables).items())
    write(tmp_path / "sandbox.env", lines)
    shell = exported("sandbox", tmp_path, {"PATH": "/usr/bin"})
    write(tmp_path / "sandbox.env", lines.replace(TOKEN, "sbp_" + "b2" * 20))
    assert load("sandbox", tmp_path, shell, NEEDS).settings.supabase_access_token.get_secret_value() == TOKEN
    assert exported("sandbox", tmp_path, shell)["SUPABASE_ACCESS_TOKEN"] == "sbp_" + "b2" * 20


def test_the_clone_s_own_state_folder_is_not_handed_to_the_shell(tmp_path: Path, variables: dict[str, str]) -> None:
    assert "PF_STATE" not in exported("sandbox", tmp_path, variables)
    assert exported("sandbox", tmp_path, variables | {"PF_STATE": str(tmp_path)})["PF_STATE"] == str(tmp_path)


def test_what_the_shell_sets_wrongly_over_the_file_is_unset_there(tmp_path: Path, variables: dict[str, str]) -> None:
    write(tmp_path / "sandbox.env", "".join(f"{name}={value}\n" for name, value in given(variables).items()))
    with pytest.raises(OperationError, match="malformed") as caught:
        load("sandbox", tmp_path, {"SUPABASE_ACCESS_TOKEN": "foo"}, NEEDS)
    assert caught.value.cure.endswith("unset SUPABASE_ACCESS_TOKEN")


@pytest.mark.parametrize("stack", ["sandbox", "production"])
def test_a_shell_gets_no_environment_that_lacks_what_the_engine_needs(tmp_path: Path, stack: str) -> None:
    with pytest.raises(OperationError, match="PULUMI_BACKEND_URL is not set"):
        exported(stack, tmp_path, {})
