"""`./pf` as a shell sees it: exit codes, data on standard output, talk on standard error, never a traceback."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import typer
import yaml
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from operations.cli import deploy, main
from operations.health import Check, HealthReport, Status
from operations.stack import Stack
from tests.operations.conftest import ROOT, all_well, self_check

pytestmark = pytest.mark.rows("E1", "R3")


def pf(
    *arguments: str, state: Path, program: Path = ROOT / "pf", folder: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [str(program), *arguments],
        cwd=folder,
        env=kept | {"PF_STATE": str(state), "NO_COLOR": "1", "COLUMNS": "80"} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


@pytest.fixture
def state(tmp_path: Path, variables: dict[str, str]) -> Path:
    """A state folder whose environment leads to the test's servers."""
    folder = tmp_path / "state"
    folder.mkdir()
    write_environment(folder / "sandbox.env", variables)
    return folder


def any_function(request: Request) -> Response:
    return Response(json.dumps(self_check(request.path.rpartition("/")[2])))


@pytest.mark.usefixtures("deployed")
def test_a_proxy_is_not_asked_for_this_machine(state: Path, httpserver: HTTPServer) -> None:
    httpserver.expect_request(re.compile("/functions/v1/.+")).respond_with_handler(any_function)
    all_well(httpserver)
    nowhere = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    path = f"{state.parent / 'tools'}:{os.environ['PATH']}"
    assert pf("health", state=state, PATH=path, NO_PROXY="example.com", **nowhere).returncode == 0


def test_a_socks_proxy_is_named_with_the_cure(state: Path) -> None:
    refused = pf("health", state=state, ALL_PROXY="socks5://127.0.0.1:9")
    assert refused.returncode == 3
    assert "SOCKS" in refused.stderr
    assert "unset ALL_PROXY" in refused.stderr


@pytest.mark.usefixtures("deployed")
def test_health_answers_machines_on_standard_output_alone(state: Path, httpserver: HTTPServer) -> None:
    httpserver.expect_request(re.compile("/functions/v1/.+")).respond_with_handler(any_function)
    all_well(httpserver)
    done = pf("health", "--json", state=state, PATH=f"{state.parent / 'tools'}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["status"] == "healthy"
    assert done.stderr == ""


def test_a_stack_that_is_down_exits_2_and_fits_a_narrow_terminal(state: Path, httpserver: HTTPServer) -> None:
    all_well(httpserver)
    done = pf("health", state=state)  # there are no keys
    assert done.returncode == 2
    assert "key general" in done.stdout
    assert "down" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("health", "--nonsense"), 64), (("nonsense",), 64), (("health", "--stack", "nowhere"), 3), (("--help",), 0)],
)
def test_the_exit_code_says_whose_fault_it_is(state: Path, arguments: tuple[str, ...], code: int) -> None:
    assert pf(*arguments, state=state).returncode == code


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ("rollback", "a rollback needs a reason: --reason WHY"),
        ("rollback --emergency --version 1", "a rollback needs a reason: --reason WHY"),
        ("deploy --hotfix", "a hotfix needs a reason: --reason WHY"),
        ("deploy --emergency", "an emergency needs a reason: --reason WHY"),
        ("unblock 5", "Missing option '--reason'"),
    ],
)
def test_a_reason_that_is_not_given_is_wrong_usage_that_names_the_option(
    state: Path, arguments: str, option: str
) -> None:
    done = pf(*arguments.split(), state=state)
    assert done.returncode == 64
    assert option in done.stderr


def test_a_rehearsal_of_a_rollback_needs_no_reason(state: Path) -> None:
    assert "has no version yet" in pf("rollback", "--dry-run", state=state).stderr


@pytest.mark.parametrize(
    "verb",
    [
        *("health", "preview", "deploy", "destroy", "recover", "doctor", "env"),
        *("signers list", "signers confirm", "withdraw 12345678 --reason x", "incident open --reason x"),
    ],
)
def test_without_a_sandbox_each_verb_says_how_to_start_it(tmp_path: Path, verb: str) -> None:
    done = pf(*verb.split(), state=tmp_path)
    assert done.returncode == 3
    assert "./pf sandbox up" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "verb",
    [
        *("history", "history show 1", "rollback --reason x", "rollback --reason x --wait 1s", "unblock 1 --reason x"),
        *("diagnose rollback", "unlock"),
    ],
)
def test_a_mistyped_stack_is_named_by_the_verbs_that_do_without_its_settings(state: Path, verb: str) -> None:
    done = pf(*verb.split(), "--stack", "sandbx", state=state)
    assert done.returncode == 3
    assert done.stderr == (
        "error: Pulumi.sandbx.yaml is not there, so there is no stack 'sandbx'; there is: production, sandbox\n"
    )


def test_a_stack_whose_settings_are_gone_is_still_known_by_its_environment(state: Path) -> None:
    write_environment(state / "gone.env", {"PULUMI_BACKEND_URL": f"file://{state.parent}"})
    done = pf("rollback", "--reason", "x", "--stack", "gone", state=state)
    assert "gone has no version yet" in done.stderr


@pytest.mark.parametrize("verb", ["approvals", "approve"])
def test_whoever_approves_needs_no_key_to_customer_data(tmp_path: Path, variables: dict[str, str], verb: str) -> None:
    """The service role's decrypts; who only looks at a change and signs it has no use for it."""
    kept = {name: value for name, value in variables.items() if not name.startswith("SUPABASE_")}
    write_environment(tmp_path / "sandbox.env", kept)
    done = pf(verb, state=tmp_path, PATH="/usr/bin:/bin")
    assert "`pulumi` is not on PATH" in done.stderr  # it has come as far as the engine


def test_destroy_asks_for_the_name_where_nobody_can_be_asked(state: Path) -> None:
    done = pf("destroy", state=state)
    assert done.returncode == 3
    assert "--confirm sandbox" in done.stderr
    assert pf("destroy", "--confirm", "production", state=state).returncode == 3


def test_the_environment_survives_the_shell(state: Path, variables: dict[str, str]) -> None:
    with (state / "sandbox.env").open("a") as file:
        file.write("AWS_PROFILE=it's $HOME `here`\n")
    printed = pf("env", state=state).stdout
    show = 'eval "$1"; printf "%s\\n%s" "$AWS_PROFILE" "$SUPABASE_URL"'
    evaluated = subprocess.run(["sh", "-c", show, "sh", printed], capture_output=True, text=True, check=True).stdout
    assert evaluated.splitlines() == ["it's $HOME `here`", variables["SUPABASE_URL"]]
    assert all(line.startswith("export ") for line in printed.splitlines() if shlex.split(line))


def test_a_shell_that_holds_an_environment_serves_that_stack_and_clone_alone(state: Path) -> None:
    verbs = ("health", "env", "destroy", "signers list")
    show = 'eval "$(./pf env)"; for verb in ' + " ".join(f"'{verb}'" for verb in verbs)
    show += "; do ./pf $verb --stack production || echo $?; done"
    done = subprocess.run(
        ["sh", "-c", show],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PF_STATE": str(state)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["3"] * len(verbs)
    assert done.stderr.count("this shell holds the environment of the stack sandbox") == len(verbs)


def clone(folder: Path, variables: dict[str, str]) -> Path:
    """As much of a clone that is set up as `pf` needs."""
    (folder / ".state").mkdir(parents=True)
    for name in ("pf", "settings.py", "environment.template", "Pulumi.sandbox.yaml", "Pulumi.production.yaml"):
        shutil.copy(ROOT / name, folder)
    for name in ("operations", "checks", "components", "gate", "releases", "reports", "terminal"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    write_environment(folder / ".state/sandbox.env", variables)
    return folder


def write_environment(file: Path, variables: dict[str, str]) -> None:
    file.write_text("".join(f"{name}={value}\n" for name, value in variables.items() if name != "PATH"))
    file.chmod(0o600)


def test_the_shell_of_one_clone_leaves_another_clone_alone(tmp_path: Path, variables: dict[str, str]) -> None:
    clones = [clone(tmp_path / name, variables) for name in ("a", "b")]
    show = 'cd "$1"; eval "$(./pf env)"; cd "$2"; echo "${PF_STATE-unset}"; ./pf health'
    done = subprocess.run(
        ["sh", "-c", show, "sh", *map(str, clones)],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["unset"]
    assert done.returncode == 3
    assert f"another clone ({clones[0]}" in done.stderr
    assert str(clones[1]) in done.stderr


def test_the_cures_for_production_can_be_followed_in_a_fresh_shell(
    tmp_path: Path,
    variables: dict[str, str],
    httpserver: HTTPServer,
    tool: Callable[[str, str], Path],
    client: Callable[[str], Any],
) -> None:
    root = clone(tmp_path / "clone", variables)

    def doctor() -> subprocess.CompletedProcess[str]:
        shell = {"PATH": f"{tmp_path / 'tools'}:{os.environ['PATH']}"}
        command = ["./pf", "doctor", "--stack", "production"]
        return subprocess.run(command, cwd=root, env=shell, capture_output=True, text=True, check=False)

    file = root / "Pulumi.production.yaml"
    content = yaml.safe_load(file.read_text())
    for where, line in re.findall(r"(\S+) is not set\n +(.+)", doctor().stderr):
        section = content["config"]
        for step in where.split(".")[:-1]:
            section = section[step]
        line = line.replace("<12 digits>", "123456789012").replace("<address>", "me@example.com")
        section |= yaml.safe_load(line)
    file.write_text(yaml.safe_dump(content))

    refused = doctor()
    assert refused.returncode == 3
    assert "environment.template" in refused.stderr
    for name in re.findall(r"([A-Z_]+) is not set", refused.stderr):
        assert name in variables
    write_environment(root / ".state/production.env", variables | {"PULUMI_CONFIG_PASSPHRASE": ""})

    for name in ("pulumi-language-python", "supabase", "deno"):
        tool(name, "exit 0")
    tool("pulumi", "echo \"error: no stack named 'production' found\" >&2; exit 255")
    refused = doctor()
    assert refused.returncode == 3
    assert "PULUMI_CONFIG_PASSPHRASE is not set" in refused.stderr
    write_environment(root / ".state/production.env", variables)

    (root / "supabase/functions").mkdir(parents=True)
    reference = content["config"]["parker-flight:supabaseProjectRef"]
    httpserver.expect_request(f"/v1/projects/{reference}").respond_with_json({"status": "ACTIVE_HEALTHY"})
    refused = doctor()
    assert "is no git repository" in refused.stderr
    git = ["git", "-C", str(root), "-c", "user.name=Dev", "-c", "user.email=dev@example.com"]
    (root / ".gitignore").write_text("/.state\n/.venv\n__pycache__\n")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "production"]):
        subprocess.run([*git, *command], check=True)
    assert "git push -u origin HEAD" in doctor().stderr
    subprocess.run([*git, "update-ref", "refs/remotes/origin/main", "HEAD"], check=True)
    (root / "new.py").touch()
    assert "uncommitted changes" in doctor().stderr
    (root / "new.py").unlink()
    assert "./pf bootstrap --stack production --repository OWNER/NAME" in doctor().stderr
    boundary = "parker-flight-production-workload-boundary"
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    client("iam").create_policy(PolicyName=boundary, Path="/boundaries/", PolicyDocument=json.dumps(document))
    passed = doctor()
    assert passed.returncode == 0, passed.stderr
    assert "production can be deployed" in passed.stderr


def test_pf_works_from_any_folder_and_through_a_link(tmp_path: Path, state: Path) -> None:
    (tmp_path / "operations").mkdir()
    (tmp_path / "operations/__init__.py").write_text("raise SystemExit('the wrong operations')")
    link = tmp_path / "link"
    link.symlink_to(ROOT / "pf")
    done = pf("version", "--json", state=state, program=link, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["python"]


def test_without_an_environment_pf_names_setup(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pf", tmp_path / "pf")
    done = pf("health", state=tmp_path, program=tmp_path / "pf")
    assert done.returncode == 3
    assert "make setup" in done.stderr


def test_a_bug_is_one_line_and_a_log(state: Path, tmp_path: Path, variables: dict[str, str]) -> None:
    root = clone(tmp_path / "clone", variables)
    source = root / "operations/health.py"
    source.write_text(f"{source.read_text()}\n\ndef health(stack: object) -> None:\n    1 / 0\n")
    done = pf("health", state=state, program=root / "pf")
    assert done.returncode == 70
    assert "a bug of pf" in done.stderr
    assert "Traceback" in (state / "pf.log").read_text()


def added(file: Path, text: str) -> int:
    """The number of the file's last line then."""
    with file.open("a") as source:
        source.write(f"{text}\n")
    return len(file.read_text().splitlines())


@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("components/naming.py", "preview"),  # which a verb imports as it begins
        ("settings.py", "status"),
        ("operations/cli.py", "version"),
        ("sandbox/lifecycle.py", "sandbox status"),
    ],
)
def test_a_source_that_python_can_not_read_is_named_by_its_line(
    state: Path, tmp_path: Path, variables: dict[str, str], file: str, command: str
) -> None:
    root = clone(tmp_path / "clone", variables)
    shutil.copytree(ROOT / "sandbox", root / "sandbox")
    line = added(root / file, "\ndef unfinished(")
    done = pf(*command.split(), state=state, program=root / "pf")
    assert done.returncode == 3
    assert f"{root / file}, line {line}: '(' was never closed" in done.stderr
    assert "git stash" in done.stderr


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("import no_such_package", "settings.py, line {line}: ModuleNotFoundError: No module named 'no_such_package'"),
        ("def f():\n    raise RuntimeError('boom')\nf()", "settings.py, line {line}: RuntimeError: boom"),
        ("\0", "`from settings import SettingsError, file_of`: source code string cannot contain null bytes"),
        ("del file_of", "cannot import name 'file_of'"),
    ],
)
def test_a_checkout_that_does_not_load_is_no_bug_of_pf(
    state: Path, tmp_path: Path, variables: dict[str, str], text: str, problem: str
) -> None:
    root = clone(tmp_path / "clone", variables)
    line = added(root / "settings.py", text) - ("boom" in text)
    done = pf("history", state=state, program=root / "pf")
    assert done.returncode == 3
    assert problem.format(line=line) in done.stderr
    assert str(root) in done.stderr
    assert "git stash" in done.stderr
    assert ("make setup" in done.stderr) == ("package" in text)


@pytest.mark.parametrize("file", ["settings.py", "operations/history.py", "operations/cli.py"])
def test_a_source_that_is_gone_is_no_bug_of_pf(
    state: Path, tmp_path: Path, variables: dict[str, str], file: str
) -> None:
    root = clone(tmp_path / "clone", variables)
    (root / file).unlink()
    done = pf("history", state=state, program=root / "pf")
    assert done.returncode == 3
    assert f"No module named '{file.removesuffix('.py').replace('/', '.')}'" in done.stderr


def test_a_full_disk_is_one_message(state: Path) -> None:
    for command in ("./pf env", "./pf health --json", "./pf sandbox --help"):
        shell = {"PATH": os.environ["PATH"], "PF_STATE": str(state)}
        run = ["sh", "-c", f"{command} >/dev/full"]
        done = subprocess.run(run, cwd=ROOT, env=shell, capture_output=True, text=True, check=False)
        assert done.returncode in (3, 4)
        assert done.stderr == "error: standard output can't be written: No space left on device\n"


@pytest.mark.parametrize(("command", "code"), [("health --json", 2), ("destroy", 3), ("sandbox --help", 0)])
def test_closed_streams_change_no_exit_code(state: Path, httpserver: HTTPServer, command: str, code: int) -> None:
    all_well(httpserver)
    for closed in (">&-", "<&- >&- 2>&-"):
        shell = {"PATH": os.environ["PATH"], "PF_STATE": str(state)}
        done = subprocess.run(["sh", "-c", f"./pf {command} {closed}"], cwd=ROOT, env=shell, check=False)
        assert done.returncode == code, closed


@pytest.mark.parametrize(("command", "code"), [("destroy", 3), ("unknown", 64), ("sandbox unknown", 64)])
def test_talk_that_nobody_reads_changes_no_exit_code(state: Path, command: str, code: int) -> None:
    shell = {"PATH": os.environ["PATH"], "PF_STATE": str(state)}
    reader, gone = os.pipe()
    os.close(reader)
    with os.fdopen(gone, "wb") as pipe, Path("/dev/full").open("wb") as full:
        for unread in (pipe, full):
            run = ["./pf", *command.split()]
            done = subprocess.run(run, cwd=ROOT, env=shell, stderr=unread, check=False)
            assert done.returncode == code, unread


def test_ctrl_c_during_the_imports_ends_quietly(tmp_path: Path, variables: dict[str, str]) -> None:
    root = clone(tmp_path / "clone", variables)
    (root / "operations/cli.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = subprocess.run([str(root / "pf"), "health"], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGINT  # a shell says 130
    assert done.stdout + done.stderr == ""


@pytest.fixture
def main_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `main` replaces of its process is put back."""
    monkeypatch.setattr("operations.cli.open_output", Mock())
    monkeypatch.setattr("threading.excepthook", threading.excepthook)


def hit_by(number: signal.Signals) -> Callable[..., None]:
    def app(**_: str) -> None:
        signal.raise_signal(number)

    return app


@pytest.mark.usefixtures("main_here", "signals_of_a_terminal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_ctrl_c_before_a_verb_is_at_work_is_one_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    """So is a terminal that closes, or `kill`."""
    monkeypatch.setattr("operations.cli.app", hit_by(number))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.usefixtures("main_here", "signals_of_a_terminal")
def test_a_terminal_that_closes_is_heard_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell's signal comes as well, while what was begun is tidied up."""
    tidied: list[str] = []

    def at_work(**_: str) -> None:
        try:
            signal.raise_signal(signal.SIGHUP)
        finally:
            signal.raise_signal(signal.SIGHUP)
            tidied.append("up")

    monkeypatch.setattr("operations.cli.app", at_work)
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, tidied) == (130, ["up"])


@pytest.mark.usefixtures("main_here", "signals_of_a_terminal")
def test_nohup_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    monkeypatch.setattr("operations.cli.app", hit_by(signal.SIGHUP))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0


@pytest.mark.usefixtures("deployed")
def test_a_reader_that_goes_away_changes_no_exit_code(state: Path, httpserver: HTTPServer) -> None:
    httpserver.expect_request(re.compile("/functions/v1/.+")).respond_with_handler(any_function)
    all_well(httpserver)
    with subprocess.Popen(
        ["./pf", "health"],
        cwd=ROOT,
        env={"PATH": f"{state.parent / 'tools'}:{os.environ['PATH']}", "PF_STATE": str(state)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr
        assert process.stderr.read() == b""


def test_the_list_of_commands_is_whole_and_names_the_sandbox(state: Path) -> None:
    shown = pf("--help", state=state).stdout.partition("Commands:")[2].partition("Exit codes")[0]
    assert "..." not in shown
    assert "./pf sandbox --help" in shown
    assert re.search(r"^python +3", pf("--version", state=state).stdout, re.MULTILINE)


@pytest.mark.parametrize("arguments", [("nonsense",), ("token", "--user", "ada")])
def test_wrong_usage_of_the_sandbox_is_told_from_a_failure(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert pf("sandbox", *arguments, state=tmp_path).returncode == 64
    assert pf("sandbox", "token", state=tmp_path).returncode == 3
    assert "64 wrong usage" in pf("sandbox", "--help", state=tmp_path).stdout


def test_reset_wants_a_word_where_nobody_can_be_asked(tmp_path: Path) -> None:
    file = tmp_path / "sandbox/people/security"
    file.parent.mkdir(parents=True)
    file.touch()
    refused = pf("sandbox", "reset", state=tmp_path)
    assert refused.returncode == 3
    assert "./pf sandbox reset --yes" in refused.stderr
    assert file.exists()
    assert "tokens" in pf("sandbox", "reset", "--yes", state=tmp_path).stderr
    assert not file.exists()
    assert "nothing to forget" in pf("sandbox", "reset", state=tmp_path).stderr


def test_down_sets_nothing_up_on_a_clone_that_never_was(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    done = subprocess.run(["make", "down"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "nothing runs" in done.stdout
    assert [file.name for file in tmp_path.iterdir()] == ["Makefile"]


def test_make_help_names_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
    assert [line.split()[0] for line in shown.splitlines() if not line.startswith("make")] == targets


@pytest.mark.parametrize(
    ("status", "said", "unsaid"),
    [(Status.DOWN, "./pf health", "gateway  "), (Status.HEALTHY, "gateway  ", "./pf health")],
)
def test_a_deployment_that_ends_unwell_says_what_to_do_next(
    stack: Stack,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: Status,
    said: str,
    unsaid: str,
) -> None:
    report = HealthReport(
        stack="sandbox",
        environment="sandbox",
        status=status,
        checked_at=datetime.now(UTC),
        seconds=1,
        checks=[Check(name="rest", status=status, detail="a select")],
    )

    def load(*_: object) -> Stack:
        return stack

    def bring(*_: object, **__: object) -> HealthReport:
        return report

    monkeypatch.setattr("operations.cli._load", load)
    monkeypatch.setattr("operations.deploy.deploy", bring)
    with pytest.raises(typer.Exit) as ended:
        deploy()
    assert ended.value.exit_code == status.code
    shown = "".join(capsys.readouterr())
    assert said in shown
    assert unsaid not in shown


def test_no_engine_library_is_imported() -> None:
    """The library costs most of a second; the engine is run as a program."""
    code = (
        "import operations.cli, operations.deploy, operations.destroy, operations.health, operations.recover, sys;"
        "print([name for name in sys.modules if name.split('.')[0] in ('pulumi', 'sandbox', 'toolchain')])"
    )
    python = [str(ROOT / ".venv/bin/python"), "-c", code]
    shown = subprocess.run(python, cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.rows("K3")
def test_bootstrap_refuses_before_it_makes_anything(
    tmp_path: Path, variables: dict[str, str], client: Callable[[str], Any]
) -> None:
    root = clone(tmp_path / "clone", variables)
    shutil.copytree(ROOT / "bootstrap", root / "bootstrap", ignore=shutil.ignore_patterns("Pulumi.*.yaml"))

    def refused(*arguments: str, **environment: str) -> str:
        done = pf("bootstrap", *arguments, state=root / ".state", program=root / "pf", folder=root, **environment)
        assert done.returncode == (64 if "--json" in arguments else 3), done.stderr
        return done.stderr

    assert "--json goes with --check" in refused("--json")
    assert "AWS_ACCESS_KEY_ID is not set" in refused(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert "./pf bootstrap --repository OWNER/NAME" in refused()
    role = "arn:aws:iam::210987654321:role/operator"
    session = client("sts").assume_role(RoleArn=role, RoleSessionName="one")["Credentials"]
    elsewhere = {
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
    }
    said = refused("--repository", "example/parker-flight", **elsewhere)
    assert "these AWS credentials belong to account 210987654321" in said
    assert client("s3").list_buckets()["Buckets"] == []
    assert client("kms").list_keys()["Keys"] == []
    assert not (root / "bootstrap/Pulumi.sandbox.yaml").exists()
