"""When the verifier itself fails, nothing is approved: every way to have no ssh-keygen, or a wrong one."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gate import ssh_keygen
from gate.signature import Signature, VerifierError, verify
from operations.processes import is_program
from tests.gate.conftest import AT, NOTHING_REVOKED, People

pytestmark = pytest.mark.rows("K5", "C2")

MESSAGE = b"{}"
YES = 'Good \\"security@parker-flight\\" signature for {principal} with ED25519 key {fingerprint}'

Ask = Callable[[], Signature]


@pytest.fixture
def ask(people: People) -> Ask:
    signature = people.alice.signs(MESSAGE, "security@parker-flight")  # before PATH is changed
    _ = people.alice.fingerprint
    trusted = people.signers
    return lambda: verify(MESSAGE, signature, signers=trusted, revoked=NOTHING_REVOKED, role="security", at=AT)


@pytest.fixture
def instead(tmp_path: Path, people: People, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    yes = YES.format(principal=people.alice.principal, fingerprint=people.alice.fingerprint)

    def install(script: str) -> Path:
        program = tmp_path / "bin/ssh-keygen"
        program.parent.mkdir()
        program.write_text(script.replace("YES", f'echo "{yes}"'))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        return program

    return install


def test_no_ssh_keygen_on_path_is_a_denial_that_says_what_to_install(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(VerifierError, match=r"not on PATH.*Install OpenSSH 9\.1 or newer"):
        ask()


def test_one_that_lies_where_one_stands_is_not_run(
    ask: Ask, instead: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = instead("#!/bin/sh\nYES\n")
    monkeypatch.chdir(program.parent)
    monkeypatch.setenv("PATH", ".:/usr/bin:/bin")
    with pytest.raises(VerifierError, match="by the folder one stands in"):
        ask()


FAKES = {
    "silent": ("#!/bin/sh\n", r"ended with code 0 and said 'nothing', which is neither a yes nor a no"),
    "yes to everything": ("#!/bin/sh\nYES\n", "accepts a signature over another message too"),
    "yes and a failure": ("#!/bin/sh\nYES\nexit 255\n", "ended with code 255 and said 'Good"),
    "yes and more": ("#!/bin/sh\nYES\nYES\n", "neither a yes nor a no for alice@"),
    "another person": ("#!/bin/sh\nYES | sed s/alice/bob/\n", r"said 'Good .* for bob@.*neither"),
    "another key": ("#!/bin/sh\nYES | sed s/SHA256:./SHA256:_/\n", "neither a yes nor a no"),
    "another role": ("#!/bin/sh\nYES | sed s/security@/devops@/\n", "neither a yes nor a no"),
    "a no and success": ('#!/bin/sh\necho "Could not verify signature."\n', "ended with code 0 and said 'Could not"),
    "an error of usage": ("#!/bin/sh\necho unknown option >&2\nexit 1\n", r"code 1 and said 'unknown option'.*9\.1"),
    "another program's no": ("#!/bin/sh\nexit 255\n", "code 255 and said 'nothing'"),
    "a crash": ("#!/bin/sh\nkill -9 $$\n", "ended with code -9"),
    "no program": ("hello", "can't be started"),
    "a missing interpreter": ("#!/nowhere/sh\n", "can't be started"),
    "escapes for the terminal": ("#!/bin/sh\nprintf '\\033[2Jall good'\n", r"said '\\x1b\[2Jall good'"),
}


@pytest.mark.parametrize("case", FAKES)
def test_a_program_that_is_no_ssh_keygen_is_a_denial(case: str, ask: Ask, instead: Callable[[str], Path]) -> None:
    script, said = FAKES[case]
    instead(script)
    with pytest.raises(VerifierError, match=said):
        ask()


def test_one_that_hangs_is_ended_with_what_it_started(
    ask: Ask, instead: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_keygen, "VERIFY_SECONDS", 1.0)
    instead(f"#!/bin/sh\nsleep 100 &\necho $! > {tmp_path}/child\nwait\n")
    start = time.monotonic()
    with pytest.raises(VerifierError, match=r"gave no answer in 1 seconds, and was ended"):
        ask()
    assert time.monotonic() - start < 30
    child = int((tmp_path / "child").read_text())
    while is_program(child, "sleep"):
        assert time.monotonic() - start < 30
        time.sleep(0.01)


def test_the_time_limit_is_five_seconds() -> None:
    assert ssh_keygen.VERIFY_SECONDS == 5


def test_nothing_of_ones_own_environment_reaches_it(
    ask: Ask, instead: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SSH_ASKPASS", "SSH_AUTH_SOCK", "SSH_SK_PROVIDER", "LD_LIBRARY_PATH", "HOME", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "/inherited")
    instead(f"#!/bin/sh\nenv > {tmp_path}/seen\n")
    with pytest.raises(VerifierError):
        ask()
    names = {line.partition("=")[0] for line in (tmp_path / "seen").read_text().splitlines()}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {"PATH", "LC_ALL", "TZ"}  # the former are the shell's own


def test_the_files_that_it_reads_are_private_and_gone_afterwards(
    ask: Ask, instead: Callable[[str], Path], tmp_path: Path, people: People
) -> None:
    instead(f"#!/bin/sh\nls -ld . > {tmp_path}/mode\npwd > {tmp_path}/where\ncat allowed_signers > {tmp_path}/lines\n")
    with pytest.raises(VerifierError):
        ask()
    assert (tmp_path / "mode").read_text().startswith("drwx------")
    assert not Path((tmp_path / "where").read_text().strip()).exists()
    assert (tmp_path / "lines").read_text() == people.alice.line("security") + "\n"  # the one line that is asked about


def test_no_place_for_those_files_is_a_denial(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(VerifierError, match="files for ssh-keygen can't be written"):
        ask()
