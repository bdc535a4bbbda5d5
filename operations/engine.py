"""The Pulumi engine, run as a program: its output passes through, its lock is judged, Ctrl-C is honoured."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Self

from gate.evidence import VERSION
from gate.receipt import run_of
from gate.state import written
from operations.engine_display import COLOUR, Display
from operations.errors import ExitCode, OperationError
from operations.locks import Holder, holders, locks
from operations.output import say
from operations.stack import PROJECT, Stack
from settings import content_of, file_name

READ_SECONDS = 60
KEPT_LINES = 400
ACKNOWLEDGED = "^C received"
ACKNOWLEDGE_SECONDS = 0.7
LOCK_INTERVAL_SECONDS = 1.0
# As nohup does it; Apple's own refuses where there is no console, in tmux for one.
DEAF_TO_HANGUPS = ("sh", "-c", 'trap "" HUP; exec "$@"', "sh")

Handler = Callable[[int, FrameType | None], Any] | int | None

BACKEND_CURE = (
    "Is PULUMI_BACKEND_URL right (file://FOLDER or s3://BUCKET?region=REGION), there, and open to these credentials?"
)
_APPROVAL = "security-approval"  # the policy's name
_DENIAL = re.compile(r"^ *- \[mandatory\] +(\S+)", re.MULTILINE)
_PROTECTED = re.compile(
    r'resource "\S+::(\S+)"\s+(?:cannot be deleted\s+because it is|as it is currently marked for) protect'
)
_UNJUDGED = re.compile(r"The approval gate can't judge this change, so it is denied: (.+)")
_QUARANTINE = re.compile(r"\./pf unblock (\d+)")
_EXISTS = re.compile("already ?exists", re.IGNORECASE)  # AWS refuses to make it twice
_LOCKED = "currently locked by"
# What AWS, Supabase and the network say when it is worth trying again.
_TRANSIENT = re.compile(
    r"Throttl|Rate exceeded|ServiceUnavailable|RequestTimeout|connection re(set|fused)|i/o timeout|did not end within"
    r"|does not answer|answered (429|5\d\d)|StatusCode: (429|5\d\d)",
    re.IGNORECASE,
)


class EngineError(OperationError):
    """The engine's own error; what it said has been shown already. `transient`: trying again may do."""

    transient = False


class StackMissingError(OperationError):
    """The backend has no such stack yet."""


class InterruptedEngineError(OperationError):
    """Ctrl-C while the engine worked; it has ended and saved what it had done."""


class Engine:
    """`pulumi` for one stack. `wait`: for how many seconds the lock of another update is waited for.

    `resume`: what goes on with an update that failed.
    """

    def __init__(self, stack: Stack, *, seconds: float = READ_SECONDS, wait: float = 0, resume: str = "deploy") -> None:
        self.stack = stack
        self._resume = resume
        self.seconds = seconds  # for what only reads
        self.run = ""  # the last preview or change, as the gate knows it
        self._patience = time.monotonic() + wait
        self._waited_for = ""
        self.colour = "always" if sys.stderr.isatty() and not os.environ.get("NO_COLOR") else "never"

    def _command(self, arguments: Sequence[str]) -> list[str]:
        pulumi = shutil.which("pulumi", path=self.stack.variables["PATH"])
        if pulumi is None:
            raise OperationError("the Pulumi engine is not on PATH", "Install it: make setup")
        return [pulumi, *arguments, "--stack", self.stack.name, "--non-interactive", "--color", self.colour]

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run what only reads; that it fails is an answer as well."""
        try:
            return subprocess.run(
                self._command(arguments),
                cwd=self.stack.root,
                env=self.stack.variables,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=self.seconds,
            )
        except subprocess.TimeoutExpired as error:
            raise EngineError(
                f"`pulumi {arguments[0]}` did not end within {self.seconds:.0f} s",
                BACKEND_CURE,
                ExitCode.FAILED,
            ) from error

    def read(self, *arguments: str) -> str:
        """Run what only reads, and return what it printed."""
        done = self.ask(*arguments)
        if done.returncode == 0:
            return done.stdout
        said = _plain(done.stderr or done.stdout)
        if "no stack named" in said:
            raise StackMissingError(f"the backend has no stack {self.stack.name}", f"./pf deploy{self.stack.command}")
        raise EngineError(
            f"`pulumi {' '.join(arguments)}` failed: {said.removeprefix('error: ')}",
            backend_cure(self.stack, said) if arguments[0] == "stack" else encryption_cure(self.stack, said),
            ExitCode.REFUSED,
        )

    def ensure_stack(self) -> None:
        """Make the stack where the backend has none yet, encrypted as its file says.

        The engine would take a passphrase, and write it over what the file says. The current stack is whose environment
        it is: PULUMI_STACK.
        """
        if written(self.stack.project, self.stack.name, self.stack.variables) is not None:
            return
        code, said = self._select()
        if code and "already exists" in said:  # another first deployment has just made it
            code, said = self._select()
        if code:
            message = f"the stack {self.stack.name} can't be opened: {said.removeprefix('error: ')}"
            raise EngineError(message, backend_cure(self.stack, said))

    def _select(self) -> tuple[int, str]:
        pulumi = self._command(())[0]
        encryption = content_of(self.stack.name, self.stack.root).get("secretsprovider") or "default"
        how = ("--create", f"--secrets-provider={encryption}", "--non-interactive", "--color", "never")
        done = subprocess.run(
            [pulumi, "stack", "select", self.stack.name, *how],
            cwd=self.stack.root,
            env=self.stack.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=READ_SECONDS,
        )
        return done.returncode, _plain(done.stderr)

    def change(
        self,
        *arguments: str,
        started: Callable[[int], None] | None = None,
        began: Callable[[], bool] = lambda: False,
    ) -> None:
        """Run what changes the stack, its output passed on as it comes. `started` hears the engine's process number.

        `began`: whether it came as far as changing something, asked where it failed.
        A lock that a dead process of this machine left is freed; any other is respected, and waited for.

        Raises: InterruptedEngineError, EngineError.
        """
        code, output = self._stream(arguments, started=started)
        while code and _LOCKED in output:
            self.free(output)
            code, output = self._stream(arguments, started=started)
        if code < 0:
            raise self._killed(arguments[0], signal.Signals(-code), "a part of it may be applied")
        if code:
            raise self._why(arguments[0], output, part=began())

    def _killed(self, verb: str, number: signal.Signals, left: str) -> EngineError:
        memory = "Did the machine run out of memory? " if number is signal.SIGKILL else ""
        return EngineError(
            f"the engine was killed ({number.name}) during `pulumi {verb}`; {left}",
            f"{memory}Go on (what was begun is found again, nothing is made twice): {self._again(verb)}",
            ExitCode.FAILED,
        )

    def _why(self, verb: str, output: str, *, part: bool) -> EngineError:
        """The reason that has to be mended first: what is protected, no approval sets free."""
        left = "a part of it may be applied" if part else "nothing was changed"
        ended = ExitCode.FAILED if part else ExitCode.REFUSED
        again = f"Mend the cause, then go on: {self._again(verb)}"
        if names := sorted(set(_PROTECTED.findall(output))):
            return EngineError(
                f"this change would delete or replace what is protected ({', '.join(names)}); {left}",
                "Don't unprotect it, as the engine suggests: what it has encrypted could be lost. "
                f"Undo that part of the change, then: ./pf deploy{self.stack.command}",
                ended,
            )
        denials = set(_DENIAL.findall(output))
        if others := sorted(denials - {_APPROVAL}):
            return EngineError(
                f"the policy pack denied this change ({', '.join(others)}); {left}",
                f"docs/policies.md says what each rule wants. {again}",
                ended,
            )
        if left_version := _QUARANTINE.search(output):
            return EngineError(
                f"this would bring back version {left_version[1]}, which is in quarantine; {left}",
                f"Revert the change in the source, or lift it: ./pf unblock {left_version[1]} --stack "
                f"{self.stack.name} --reason WHY",
                ended,
            )
        if unjudged := _UNJUDGED.search(output):  # there may be nothing to approve
            return EngineError(f"the approval gate can't judge this change; {left}: {unjudged[1]}", again, ended)
        if denials:
            return EngineError(
                f"the policy pack denied this change; {left}",
                f"What is missing, and who may give it: ./pf approvals{self.stack.command}"
                + (f" --version {version}" if (version := self.stack.variables.get(VERSION)) else ""),
                ended,
            )
        cure = again
        if _EXISTS.search(output):
            cure = (
                f"Did an update of {self.stack.name} break off, that made it? ./pf recover{self.stack.command}\n"
                "  What was made by hand is named in the settings: adoptRole, adoptUser, adoptLogGroup, existingKeyIds."
            )
        error = EngineError(f"`pulumi {verb}` failed; its messages stand above", cure, ExitCode.FAILED)
        error.transient = bool(_TRANSIENT.search(output))
        return error

    def preview(self, *arguments: str, quiet: bool) -> tuple[int, str]:
        """Run a preview; that it fails is an answer as well. `quiet`: nothing is passed on, all of it is returned.

        Raises: InterruptedEngineError, EngineError where it was killed.
        """
        code, said = self._stream(("preview", *arguments), quiet=quiet)
        if code < 0:
            raise self._killed("preview", signal.Signals(-code), "nothing was changed")
        return code, said

    def free(self, output: str) -> None:
        """Free the lock if its holder is dead for sure; else wait, as long as was asked for."""
        found = holders(output)
        living = [holder for holder in found if not holder.is_dead]
        if living or not found:
            self._wait_for(living)
            return
        say(f"freeing the lock of an update that died: {'; '.join(map(str, found))}")
        self.read("cancel", "--yes")

    def refuse_while_locked(self) -> None:
        """Before anything else is said of a stack that is being updated.

        Raises: OperationError.
        """
        while found := [one for one in locks(self.stack) if not one.is_dead]:
            if damaged := [one.name for one in found if one.holder is None]:
                raise OperationError(
                    f"the lock of {self.stack.name} is damaged, and nobody can tell who holds it: {', '.join(damaged)}",
                    self._unlock,
                )
            self._wait_for([one.holder for one in found if one.holder])

    def _wait_for(self, living: Sequence[Holder]) -> None:
        """Raises: OperationError where there is no time left to wait."""
        if time.monotonic() >= self._patience:
            raise self._at_work(living)
        holder = "; ".join(map(str, living)) or "someone unknown"
        if holder.partition(", for")[0] != self._waited_for:
            self._waited_for = holder.partition(", for")[0]
            say(f"waiting for another update of {self.stack.name}: {holder}")
        time.sleep(LOCK_INTERVAL_SECONDS)

    def _at_work(self, living: Sequence[Holder]) -> OperationError:
        name = self.stack.name
        return OperationError(
            f"another update of {name} is at work: {'; '.join(map(str, living)) or 'someone unknown'}",
            f"Wait for it{' (--wait 5m)' if self.stack.project == PROJECT else ''}. "
            f"If you know that it is dead (a process of another machine): {self._unlock}",
        )

    @property
    def _unlock(self) -> str:
        return f"./pf unlock{'' if self.stack.project == PROJECT else ' --bootstrap'}{self.stack.command}"

    def _again(self, verb: str) -> str:
        return f"./pf {'destroy' if verb == 'destroy' else self._resume}{self.stack.command}"

    def _stream(
        self, arguments: Sequence[str], *, quiet: bool = False, started: Callable[[int], None] | None = None
    ) -> tuple[int, str]:
        kept: deque[str] = deque(maxlen=None if quiet else KEPT_LINES)
        display = Display()
        # The engine stays in our process group: what ends us ends it, and it gets the terminal's Ctrl-C by itself.
        # A terminal that closes would end it at once, and leave its lock: so we alone hear of that, and pass Ctrl-C on.
        with _Interruption() as interruption:
            interruption.process = process = subprocess.Popen(
                [*DEAF_TO_HANGUPS, *self._command(arguments)],
                cwd=self.stack.root,
                env=self.stack.variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                bufsize=1,
            )
            with process:
                self.run = run_of(process.pid)
                try:
                    if started:
                        started(process.pid)
                except BaseException:  # nobody would read what it says, and it would go on by itself
                    process.send_signal(signal.SIGINT)
                    process.communicate()
                    raise
                for line in process.stdout or ():
                    interruption.acknowledged |= ACKNOWLEDGED in line
                    kept.append(line)
                    quiet |= _LOCKED in line  # `change` says it, with our own cure
                    if not quiet:
                        sys.stderr.write(display.passed(line))
                        sys.stderr.flush()
            code = process.returncode
        if interruption.happened:
            raise InterruptedEngineError(
                f"interrupted: the engine has ended and saved what was done in {self.stack.name}",
                f"Go on (what was begun is found again, nothing is made twice): {self._again(arguments[0])}",
                ExitCode.INTERRUPTED,
            )
        return code, _plain("".join(kept))


class _Interruption:
    """Ctrl-C reaches the engine once: from the terminal, or from us if the signal came to this process alone.

    A terminal that closes, and `kill`, count as one. Caught from before the engine starts until it has ended, so that
    no moment is left in which it would end us alone.
    """

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.happened = False
        self.acknowledged = False
        self._before: dict[signal.Signals, Handler] = {}
        self._heard: set[int] = set()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            numbers = [signal.SIGINT, signal.SIGTERM]
            if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # it is under nohup, whose caller wants no end
                numbers.append(signal.SIGHUP)
            self._before = {number: signal.signal(number, self._handle) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            again = number in self._heard and number != signal.SIGINT  # the shell and the terminal send one each
            signal.signal(number, signal.SIG_IGN if again else handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self._heard.add(number)
        if not self.happened:
            self.happened = True
            timer = threading.Timer(ACKNOWLEDGE_SECONDS, self._pass_on)
            timer.daemon = True
            timer.start()

    def _pass_on(self) -> None:
        if self.process and self.process.poll() is None and not self.acknowledged:
            self.process.send_signal(signal.SIGINT)


def encryption_cure(stack: Stack, said: str) -> str:
    """What to do where the engine can't use what encrypts a stack; nothing where it failed for another reason."""
    if "incorrect passphrase" in said:
        return f"PULUMI_CONFIG_PASSPHRASE is not that of {stack.name}: {stack.own('PULUMI_CONFIG_PASSPHRASE')}"
    if "secrets manager" in said and "operation error KMS: " in said:
        if stack.start_hint and "connection refused" in said:
            return stack.start_hint
        return (
            f"The key that encrypts {stack.name} is named in {file_name(stack.name)} (secretsprovider): "
            "AWS has to answer, and to let you use it."
        )
    return ""


def backend_cure(stack: Stack, said: str) -> str:
    """What to do where the engine can't read a stack, for the reason that it said."""
    if cure := encryption_cure(stack, said):
        return cure
    if "passphrase" in said:
        return ""
    if "checkpoint: EOF" in said:  # the engine was killed while it wrote; the state itself is replaced at one stroke
        return (
            "A file of the state is empty. If it is the .json.attrs beside the state, remove it: it holds no state\n"
            "  (file://FOLDER?metadata=skip as PULUMI_BACKEND_URL makes none). If it is the state itself, copy its\n"
            "  .json.bak over it: that is the state before."
        )
    if "checkpoint" in said:
        return "The state is damaged. Beside it the backend keeps the one before, as .json.bak: copy that over it."
    return BACKEND_CURE


def _plain(text: str) -> str:
    """Without colours and the space around."""
    return COLOUR.sub("", text).strip()
