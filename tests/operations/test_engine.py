"""The engine as a program: locks of the dead and of the living, Ctrl-C, what passes through."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gate.evidence import VERSION
from operations.cli import doctor
from operations.engine import Engine, EngineError, InterruptedEngineError, StackMissingError
from operations.errors import ExitCode, OperationError
from operations.locks import Holder, holders
from operations.preflight import Preflight, preflight
from operations.recover import recover
from operations.stack import Stack
from operations.state import Pending, Recorded, State, read_once
from sandbox.processes import wait_for
from terminal.streams import open_output

pytestmark = pytest.mark.rows("K7", "D2")

Tool = Callable[[str, str], Path]
Capture = pytest.CaptureFixture[str]


def locked_by(pid: int, host: str = "") -> str:
    """The engine's own message."""
    return (
        "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete "
        "the lock file with `pulumi cancel`.\n  file:///state/lock.json: created by "
        f"ada@{host or socket.gethostname()} (pid {pid}) at 2026-11-24T12:00:00Z"
    )


def dead_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def lockable(tool: Tool, tmp_path: Path, message: str) -> Path:
    """An engine whose stack is locked until `cancel`; returns the log of its calls."""
    log = tmp_path / "calls"
    tool(
        "pulumi",
        f"""echo "$1" >> {log}
case $1 in
cancel) touch {tmp_path}/freed ;;
*) [ -e {tmp_path}/freed ] || {{ cat <<'END'
{message}
END
exit 255; }} ;;
esac""",
    )
    return log


def test_the_lock_of_a_dead_process_is_freed_and_the_work_goes_on(stack: Stack, tool: Tool, tmp_path: Path) -> None:
    log = lockable(tool, tmp_path, locked_by(dead_process()))
    Engine(stack).change("up", "--yes")
    assert log.read_text().split() == ["up", "cancel", "up"]


def test_a_lock_of_another_machine_is_respected_and_its_holder_named(stack: Stack, tool: Tool, tmp_path: Path) -> None:
    log = lockable(tool, tmp_path, locked_by(dead_process(), "ci-runner"))
    with pytest.raises(OperationError, match="ada@ci-runner") as caught:
        Engine(stack).change("up", "--yes")
    assert log.read_text().split() == ["up"]
    assert "./pf unlock" in caught.value.cure


def test_a_living_engine_keeps_its_lock_and_only_our_message_is_shown(
    stack: Stack, tool: Tool, tmp_path: Path, living: int, capfd: pytest.CaptureFixture[str]
) -> None:
    log = lockable(tool, tmp_path, locked_by(living))
    with pytest.raises(OperationError, match=f"process {living}"):
        Engine(stack).change("up", "--yes")
    assert log.read_text().split() == ["up"]
    assert "".join(capfd.readouterr()) == ""


def lock(tmp_path: Path, pid: int) -> None:
    """As the engine's backend of files writes it."""
    file = tmp_path / ".pulumi/locks/organization/parker-flight/sandbox/1.json"
    file.parent.mkdir(parents=True)
    holder = {"pid": pid, "username": "ada", "hostname": socket.gethostname(), "timestamp": "2026-11-24T12:00:00.7163Z"}
    file.write_text(json.dumps(holder))


def look(stack: Stack, engine: Engine) -> Preflight:
    return preflight(stack, engine, read_once(engine))


@pytest.mark.parametrize("verb", [recover, look])
def test_an_update_at_work_is_no_interrupted_one(
    stack: Stack,
    tool: Tool,
    tmp_path: Path,
    living: int,
    capfd: pytest.CaptureFixture[str],
    verb: Callable[[Stack, Engine], object],
) -> None:
    for name in ("pulumi-language-python", "supabase", "deno"):
        tool(name, "exit 0")
    pending = {"resource": {"urn": "a", "type": "b"}, "type": "creating"}
    tool("pulumi", f"echo '{json.dumps({'deployment': {'pending_operations': [pending]}})}'")
    lock(tmp_path, living)
    with pytest.raises(OperationError, match=rf"another update of sandbox is at work: ada@.*process {living}"):
        verb(stack, Engine(stack))
    assert "operations" not in capfd.readouterr().err


def test_a_dead_updates_lock_is_not_in_the_way(stack: Stack, tmp_path: Path) -> None:
    lock(tmp_path, dead_process())
    Engine(stack).refuse_while_locked()


def test_the_doctor_shows_a_lock_that_a_dead_update_left_and_what_was_changed_by_hand(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def found(*_: object, **_more: object) -> Preflight:
        moved = ["urn:pulumi:s::p::aws:sns/topic:Topic::t"]
        opened = Pending(resource=Recorded(urn=moved[0], type="aws:sns/topic:Topic"), type="creating")
        return Preflight(state=State(pending_operations=[opened]), release="0123456789abcdef", moved=moved)

    monkeypatch.setenv("PF_STACK", "production")  # so that the stack at hand has to be named

    def load(*_: object) -> Stack:
        return stack

    monkeypatch.setattr("operations.cli._load", load)
    monkeypatch.setattr("operations.doctor.preflight", found)
    lock(tmp_path, pid := dead_process())
    doctor()
    said = capsys.readouterr().err
    assert f"ada@{socket.gethostname()}, process {pid}" in said
    assert "changed beside Pulumi: Topic t\n  Put it back: ./pf deploy --stack sandbox\n" in said
    assert "1 operations of an interrupted update are open: ./pf recover --stack sandbox\n" in said
    doctor(as_json=True)
    for_machines = json.loads(capsys.readouterr().out)
    assert for_machines["moved"] == ["urn:pulumi:s::p::aws:sns/topic:Topic::t"]
    assert (for_machines["open_operations"], len(for_machines["dead_locks"])) == (1, 1)


def test_a_backend_that_is_not_there_is_named_by_its_variable(stack: Stack, tool: Tool) -> None:
    tool("pulumi", "echo 'error: unable to open state directory' >&2; exit 255")
    for opening in (lambda: Engine(stack).read("stack", "export"), Engine(stack).ensure_stack):
        with pytest.raises(EngineError, match="unable to open state directory") as caught:
            opening()
        assert "PULUMI_BACKEND_URL" in caught.value.cure


@pytest.mark.parametrize(
    ("said", "cures"),
    [("EOF", [".json.attrs", "metadata=skip", ".json.bak"]), ("invalid character 'x'", [".json.bak"])],
)
def test_a_damaged_state_is_mended_by_the_file_beside_it(stack: Stack, tool: Tool, said: str, cures: list[str]) -> None:
    tool("pulumi", f"""echo "error: failed to load checkpoint: {said}" >&2; exit 255""")
    with pytest.raises(EngineError) as caught:
        Engine(stack).read("stack", "export")
    assert [cure for cure in cures if cure in caught.value.cure] == cures


def test_a_pid_that_went_to_another_program_counts_as_dead() -> None:
    holder = Holder(user="ada", host=socket.gethostname(), pid=os.getpid(), since=datetime.now(UTC))
    assert holder.is_dead


def test_a_damaged_lock_message_frees_nothing(stack: Stack, tool: Tool, tmp_path: Path) -> None:
    log = lockable(tool, tmp_path, "error: the stack is currently locked by 1 lock(s)")
    with pytest.raises(OperationError, match="someone unknown"):
        Engine(stack).change("up")
    assert log.read_text().split() == ["up"]


def test_a_holders_name_may_have_spaces() -> None:
    message = locked_by(7).replace("ada@", "CORP\\Ada von Lovelace@")
    assert [(holder.user, holder.pid) for holder in holders(message)] == [("CORP\\Ada von Lovelace", 7)]


def test_a_stack_that_another_first_deployment_has_just_made_is_opened(
    stack: Stack, tool: Tool, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    tool(
        "pulumi", f"[ -e {made} ] || {{ touch {made}; echo \"error: stack 'sandbox' already exists\" >&2; exit 255; }}"
    )
    Engine(stack).ensure_stack()


def test_a_new_stack_is_encrypted_as_its_file_says(stack: Stack, tool: Tool, tmp_path: Path) -> None:
    """By itself the engine takes a passphrase, and writes that over what the file says."""
    calls = tmp_path / "calls"
    tool("pulumi", f'echo "$@" >> {calls}')
    Engine(stack).ensure_stack()
    (stack.root / "Pulumi.sandbox.yaml").write_text("config: {}\n")
    Engine(stack).ensure_stack()
    by_key, by_default = calls.read_text().splitlines()
    assert "--create --secrets-provider=awskms://" in by_key
    assert "--create --secrets-provider=default" in by_default


def test_what_aws_refuses_to_make_twice_leads_to_the_recovery(stack: Stack, tool: Tool) -> None:
    tool("pulumi", "echo 'error: creating IAM Role (x): EntityAlreadyExists: it is there' >&2; exit 255")
    with pytest.raises(EngineError) as caught:
        Engine(stack).change("up")
    assert "./pf recover" in caught.value.cure
    assert "adoptRole" in caught.value.cure


def test_every_holder_is_read() -> None:
    assert [holder.pid for holder in holders(locked_by(7) + "\n" + locked_by(8, "other"))] == [7, 8]


def test_what_the_engine_says_passes_through_and_its_failure_is_ours(
    stack: Stack, tool: Tool, capfd: pytest.CaptureFixture[str]
) -> None:
    tool("pulumi", "echo 'aws:kms:Key general creating'; echo 'error: no' >&2; exit 255")
    with pytest.raises(EngineError) as caught:
        Engine(stack).change("up")
    assert caught.value.code is ExitCode.FAILED
    assert "./pf deploy" in caught.value.cure
    shown = capfd.readouterr()
    assert "general creating" in shown.err
    assert "error: no" in shown.err
    assert shown.out == ""


APPROVAL = "        - [mandatory]  security-approval  (pulumi:pulumi:Stack: sandbox)"
UNJUDGED = "          The approval gate can't judge this change, so it is denied: 4.json can't be written: No space"
ROTATION = "        - [mandatory]  kms-key-rotation  (aws:kms:Key: general)"
REPLACED = (
    'error: unable to replace resource "urn:a::b::c$d::payment"\n    as it is currently marked for protection. To'
)
DELETED = 'error: Preview failed: resource "urn:a::b::c$d::pii" cannot be deleted\n    because it is protected. To'


@pytest.mark.parametrize(
    ("said", "message", "cure", "code"),
    [
        ((APPROVAL,), "denied this change; nothing was changed", "./pf approvals", ExitCode.REFUSED),
        (
            (APPROVAL, ROTATION),
            r"denied this change \(kms-key-rotation\); nothing",
            "docs/policies.md",
            ExitCode.REFUSED,
        ),
        (
            (APPROVAL, UNJUDGED),
            "can't judge this change; nothing was changed: 4.json can't be written: No space",
            "Mend the cause",
            ExitCode.REFUSED,
        ),
        ((APPROVAL, REPLACED), r"protected \(payment\); nothing was changed", "Don't unprotect", ExitCode.REFUSED),
        ((DELETED, REPLACED), r"protected \(payment, pii\); nothing", "Don't unprotect", ExitCode.REFUSED),
        (("- [advisory]  security-approval",), "`pulumi up` failed", "Mend the cause", ExitCode.FAILED),
    ],
)
def test_the_end_names_the_reason_that_has_to_be_mended_first(
    stack: Stack, tool: Tool, said: tuple[str, ...], message: str, cure: str, code: ExitCode
) -> None:
    text = "\n".join(said)
    tool("pulumi", f"cat <<'END'\n{text}\nEND\nexit 255")
    with pytest.raises(EngineError, match=message) as caught:
        Engine(stack).change("up")
    assert cure in caught.value.cure
    assert caught.value.code is code


def test_a_denied_return_names_the_version_that_is_to_be_approved(stack: Stack, tool: Tool) -> None:
    tool("pulumi", f"echo '{APPROVAL}'; exit 255")
    with pytest.raises(EngineError) as caught:
        Engine(replace(stack, variables={**stack.variables, VERSION: "7"})).change("up")
    assert caught.value.cure.endswith(": ./pf approvals --version 7")


@pytest.mark.parametrize(
    ("began", "message", "code"),
    [
        (False, "denied this change; nothing was changed", ExitCode.REFUSED),
        (True, "denied this change; a part of it may be applied", ExitCode.FAILED),
    ],
)
def test_whether_a_part_may_be_applied_is_not_told_by_what_the_engine_prints(
    stack: Stack, tool: Tool, began: bool, message: str, code: ExitCode
) -> None:
    """An update without a preview looks the same, and a long one scrolls past."""
    text = "\n".join(["Updating (sandbox):", APPROVAL])
    tool("pulumi", f"cat <<'END'\n{text}\nEND\nexit 255")
    with pytest.raises(EngineError, match=message) as caught:
        Engine(stack).change("up", began=lambda: began)
    assert caught.value.code is code


@pytest.mark.usefixtures("signals_of_a_terminal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_reaches_the_engine_once_and_waits_for_it(
    stack: Stack, tool: Tool, tmp_path: Path, number: signal.Signals
) -> None:
    log = tmp_path / "signals"
    tool(
        "pulumi",
        f"""trap 'echo "^C received; cancelling"; echo INT >> {log}; exit 255' INT
kill -{int(number)} $PPID
i=0; while [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done""",
    )
    before = signal.getsignal(number)
    with pytest.raises(InterruptedEngineError) as caught:
        Engine(stack).change("up")
    after = signal.getsignal(number)
    assert caught.value.code is ExitCode.INTERRUPTED
    assert "./pf deploy" in caught.value.cure
    assert log.read_text().split() == ["INT"]
    assert after is (before if number is signal.SIGINT else signal.SIG_IGN)  # the shell sends a second one


@pytest.mark.parametrize(
    ("number", "cure"),
    [(signal.SIGKILL, "Did the machine run out of memory? Go on"), (signal.SIGSEGV, "Go on")],
)
def test_an_engine_that_was_killed_is_told_from_one_that_failed(
    stack: Stack, tool: Tool, number: signal.Signals, cure: str
) -> None:
    tool("pulumi", f"kill -{int(number)} $$")
    with pytest.raises(EngineError, match=rf"killed \({number.name}\) during `pulumi up`; a part of it") as caught:
        Engine(stack, resume="diagnose rollback").change("up")
    assert caught.value.cure.startswith(cure)
    assert caught.value.cure.endswith(": ./pf diagnose rollback")
    assert caught.value.code is ExitCode.FAILED


@pytest.mark.usefixtures("signals_of_a_terminal")
def test_a_terminal_that_closes_does_not_end_the_engine_by_itself(stack: Stack, tool: Tool) -> None:
    tool("pulumi", "kill -HUP $$")
    Engine(stack).change("up")


@pytest.mark.usefixtures("signals_of_a_terminal")
def test_under_nohup_a_terminal_that_closes_interrupts_nothing(stack: Stack, tool: Tool) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    tool("pulumi", "kill -HUP $PPID")
    Engine(stack).change("up")


def test_an_update_whose_reader_goes_away_ends_as_if_it_was_read(
    stack: Stack, tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool("pulumi", f"seq 20000 && echo done > {tmp_path}/done")
    reader, gone = os.pipe()
    os.close(reader)
    with os.fdopen(gone, "w") as pipe, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", pipe)
        patched.setattr(sys, "stderr", pipe)
        open_output()
        Engine(stack).change("up")
    assert (tmp_path / "done").exists()


def test_talk_waits_for_a_reader_who_is_slow_and_shares_a_pipe_that_does_not_block(
    stack: Stack, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool("pulumi", "seq 40000")
    reader, pipe = os.pipe()
    os.set_blocking(pipe, False)
    with ThreadPoolExecutor(1) as beside, os.fdopen(reader) as slow, monkeypatch.context() as patched:
        with os.fdopen(pipe, "w") as talk:
            patched.setattr(sys, "stdout", talk)
            patched.setattr(sys, "stderr", talk)
            open_output()
            said = beside.submit(slow.read)
            Engine(stack).change("up")
            sys.stdout.close()
            sys.stderr.close()
        assert said.result().splitlines()[-1] == "40000"


def test_a_stack_that_is_not_there_is_told_from_other_failures(stack: Stack, tool: Tool) -> None:
    tool("pulumi", "echo \"error: no stack named 'sandbox' found\" >&2; exit 255")
    with pytest.raises(StackMissingError):
        Engine(stack).read("stack", "export")
    tool("pulumi", "echo 'error: incorrect passphrase' >&2; exit 255")
    with pytest.raises(EngineError, match="incorrect passphrase"):
        Engine(stack).read("stack", "export")


def test_without_an_engine_the_cure_is_setup(make_stack: Callable[..., Stack]) -> None:
    with pytest.raises(OperationError, match="make setup"):
        Engine(make_stack(PATH="/nowhere")).read("version")


# Waiting for a lock


class Clock:
    """Time passes only while somebody waits; a test says what happens then."""

    def __init__(self, happens: Callable[[float], object]) -> None:
        self.now = 0.0
        self.happens = happens

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.happens(self.now)


def unlocked_after(seconds: float, file: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(lambda now: file.touch() if now >= seconds else None)
    monkeypatch.setattr("operations.engine.time", clock)
    return clock


def test_a_lock_is_waited_for_and_its_holder_said_once(
    stack: Stack, tool: Tool, tmp_path: Path, living: int, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    log = lockable(tool, tmp_path, locked_by(living))
    clock = unlocked_after(3, tmp_path / "freed", monkeypatch)
    Engine(stack, wait=300).change("up", "--yes")
    assert log.read_text().split() == ["up"] * 4
    assert clock.now == 3
    assert capsys.readouterr().err.count(f"waiting for another update of sandbox: ada@{socket.gethostname()}") == 1


def test_patience_has_an_end_and_frees_nothing(
    stack: Stack, tool: Tool, tmp_path: Path, living: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = lockable(tool, tmp_path, locked_by(living))
    clock = unlocked_after(99, tmp_path / "freed", monkeypatch)
    with pytest.raises(OperationError, match=f"is at work: ada@.*process {living}") as caught:
        Engine(stack, wait=5).change("up", "--yes")
    assert clock.now == 5
    assert "cancel" not in log.read_text()
    assert caught.value.code is ExitCode.REFUSED


def test_a_holder_that_dies_while_it_is_waited_for_is_freed_at_once(
    stack: Stack, tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pulumi"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "60"]) as engine:
        log = lockable(tool, tmp_path, locked_by(engine.pid))

        def dies(_: float) -> None:
            engine.kill()
            engine.wait()

        monkeypatch.setattr("operations.engine.time", Clock(dies))
        Engine(stack, wait=300).change("up", "--yes")
    assert log.read_text().split() == ["up", "up", "cancel", "up"]


def test_a_filed_lock_is_waited_for_before_anything_is_asked(
    stack: Stack, tmp_path: Path, living: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock(tmp_path, living)
    (file,) = tmp_path.glob(".pulumi/locks/**/*.json")
    monkeypatch.setattr("operations.engine.time", Clock(lambda _: file.unlink(missing_ok=True)))
    Engine(stack, wait=300).refuse_while_locked()
    assert not file.exists()


def test_what_hears_of_the_engine_and_fails_leaves_no_engine_behind(stack: Stack, tool: Tool, tmp_path: Path) -> None:
    log = tmp_path / "log"
    tool("pulumi", f"trap 'echo ended >> {log}; exit 1' INT; echo begun > {log}; while :; do sleep 0.1; done")

    def fails(_: int) -> None:
        assert wait_for(log.exists, 10)
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        Engine(stack).change("up", started=fails)
    assert log.read_text().split() == ["begun", "ended"]


def test_what_goes_on_with_a_failed_update_is_said_by_whoever_runs_it(stack: Stack, tool: Tool) -> None:
    tool("pulumi", "echo failed; exit 1")
    for resume, said in (("deploy", "./pf deploy"), ("diagnose rollback", "./pf diagnose rollback")):
        with pytest.raises(EngineError) as caught:
            Engine(stack, resume=resume).change("up")
        assert caught.value.cure.endswith(said)


def test_the_state_is_read_once_for_all_who_ask(stack: Stack, tool: Tool, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    tool("pulumi", f"echo x >> {asked}; echo '{{}}'")
    state = read_once(Engine(stack))
    with ThreadPoolExecutor(3) as pool:
        assert [one.result() for one in [pool.submit(state) for _ in range(3)]] == [State()] * 3
    assert asked.read_text() == "x\n"
