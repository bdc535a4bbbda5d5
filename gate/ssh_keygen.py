"""The program that decides: OpenSSH's own `ssh-keygen`, never second-guessed in a signer's favour.

Each call gets an environment of its own, a private folder and a time limit. A yes counts only with its exit code and
the exact line that names namespace, principal and key, and only if the same question about another message gets a no:
a program that accepts everything is no verifier. Source: ssh-keygen(1), -Y verify and -Y sign.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

VERIFY_SECONDS = 5.0
SIGN_SECONDS = 60.0  # without a terminal; with one, people take the time they need
_KINDS = {"ssh-ed25519": "ED25519", "sk-ssh-ed25519@openssh.com": "ED25519-SK"}
# What signing needs of a person's session. Not SSH_ASKPASS, DISPLAY: a dialogue that nobody sees would be a hang.
_SESSION = ("HOME", "USER", "LOGNAME", "TERM", "SSH_AUTH_SOCK", "SSH_SK_PROVIDER")


class VerifierError(Exception):
    """ssh-keygen is missing, hangs, crashes or can't be understood: nothing was verified, so nothing is approved."""


class SigningError(Exception):
    """No signature was made; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """Whether this signer, in this namespace, at this time, made the signature. Each part as ssh-keygen takes it."""

    principal: str
    key_type: str
    fingerprint: str
    line: str
    revoked: str
    namespace: str
    signature: bytes
    at: datetime

    @property
    def yes(self) -> bytes:
        kind = _KINDS[self.key_type]
        return f'Good "{self.namespace}" signature for {self.principal} with {kind} key {self.fingerprint}\n'.encode()


_NO = b"Could not verify signature.\n"


def verify(message: bytes, question: Question) -> str:
    """Why ssh-keygen refuses, in its own words; empty if it accepts.

    Raises: VerifierError.
    """
    program = find()
    with _private_folder() as folder:
        (folder / "allowed_signers").write_text(question.line + "\n")
        (folder / "revoked_keys").write_text(question.revoked)
        (folder / "signature").write_bytes(question.signature)
        command = [program, "-Y", "verify", "-f", "allowed_signers", "-I", question.principal]
        command += ["-n", question.namespace, "-s", "signature", "-r", "revoked_keys"]
        command += ["-O", f"verify-time={question.at.astimezone(UTC):%Y%m%d%H%M%SZ}"]
        refusal = _answer(command, folder, message, question)
        if not refusal and not _answer(command, folder, message + b"\0", question):
            raise VerifierError(
                f"{program} accepts a signature over another message too: it is not OpenSSH's ssh-keygen. "
                "Look at what stands first on PATH."
            )
    return refusal


def sign(message: bytes, key: Path, namespace: str, *, terminal: bool) -> bytes:
    """The armoured signature, by a private key's file, or by the agent or security key that a public one names.

    Raises: SigningError, VerifierError.
    """
    program = find()
    session = {name: os.environ[name] for name in _SESSION if name in os.environ}
    with _private_folder() as folder:
        file = folder / "statement"
        file.write_bytes(message)
        command = [program, "-q", "-Y", "sign", "-f", str(key.absolute()), "-n", namespace, str(file)]
        session["SSH_ASKPASS_REQUIRE"] = "never"
        if terminal:
            done = _run_on_terminal(command, folder, session)
        else:
            done = _run(command, folder, stdin=b"", environment=session, seconds=SIGN_SECONDS)
        if done.code == 0:
            with contextlib.suppress(OSError):
                return file.with_name("statement.sig").read_bytes()
    raise SigningError(_why_not_signed(key, done))


def find() -> str:
    """Raises: VerifierError where there is none."""
    program = shutil.which("ssh-keygen")
    if program is None:
        raise VerifierError("ssh-keygen is not on PATH, and only it verifies signatures. Install OpenSSH 9.1 or newer.")
    if not Path(program).is_absolute():
        raise VerifierError(f"PATH finds ssh-keygen as {program!r}, by the folder one stands in. Clean up PATH.")
    return program


@dataclass(frozen=True, kw_only=True)
class _Done:
    code: int
    output: bytes
    errors: str


def _answer(command: Sequence[str], folder: Path, message: bytes, question: Question) -> str:
    done = _run(command, folder, stdin=message, environment={}, seconds=VERIFY_SECONDS)
    if done.code == 0 and done.output == question.yes:
        return ""
    if done.code == 255 and done.output == _NO:
        return done.errors or "no reason given"
    said = ascii((done.output[:200].decode(errors="replace") + done.errors).strip() or "nothing")
    raise VerifierError(
        f"{command[0]} ended with code {done.code} and said {said}, which is neither a yes nor a no for "
        f"{question.principal}. It must be OpenSSH's ssh-keygen, 9.1 or newer (`ssh -V`)."
    )


@contextlib.contextmanager
def _private_folder() -> Generator[Path]:
    try:
        with tempfile.TemporaryDirectory(prefix="parker-flight-") as folder:
            yield Path(folder)
    except OSError as error:
        raise VerifierError(f"the files for ssh-keygen can't be written: {error}") from error


def _run(
    command: Sequence[str],
    folder: Path,
    *,
    stdin: bytes,
    environment: Mapping[str, str],
    seconds: float,
) -> _Done:
    """In a session of its own: it can ask nobody, and a time-out ends its children too."""
    with _start(command, folder, environment, pipe=subprocess.PIPE) as process:
        try:
            output, errors = process.communicate(stdin, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise VerifierError(f"{command[0]} gave no answer in {seconds:g} seconds, and was ended.") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    return _Done(code=process.returncode, output=output, errors=errors.decode(errors="replace").strip())


def _run_on_terminal(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> _Done:
    """With the terminal passed through: ssh-keygen asks on it for passphrase, PIN and touch, and says what fails."""
    with _start(command, folder, environment, pipe=None) as process:
        return _Done(code=process.wait(), output=b"", errors="")


def _start(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], *, pipe: int | None
) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC", **environment},
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            start_new_session=pipe is not None,
        )
    except OSError as error:
        raise VerifierError(f"{command[0]} can't be started: {error}") from error


def _why_not_signed(key: Path, done: _Done) -> str:
    if "incorrect passphrase" in done.errors:
        return (
            f"{key} is protected by a passphrase, and there is no terminal to ask for it. Run this in a terminal, or "
            f"give the key to your agent (`ssh-add {key}`) and name its public half, {key}.pub."
        )
    return f"ssh-keygen made no signature with {key}: {done.errors or 'it says above why'}"
