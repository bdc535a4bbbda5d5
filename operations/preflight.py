"""Looking before leaping: everything that would fail in the middle of a deployment is asked first, all at once."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from components.function_source import FUNCTIONS, LOCK_CHANGES
from gate.commits import Commits, GitError
from operations import drift
from operations.engine import Engine
from operations.environment import CALLS_THE_GATEWAY, RUNS_THE_ENGINE, SEES_SUPABASE
from operations.errors import OperationError, together
from operations.green_checks import refuse_unchecked
from operations.processes import PS_CURE
from operations.stack import Stack
from operations.state import State
from operations.supabase import ManagementApi
from settings import SettingsError, content_of, file_name, stacks

NEEDS = (*SEES_SUPABASE, *CALLS_THE_GATEWAY, "AWS", *RUNS_THE_ENGINE)
PASSPHRASES = frozenset({"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"})
CHECK_SECONDS = 120  # the first type check downloads the functions' packages
TOOLS = {
    "pulumi": "the Pulumi engine",
    "pulumi-language-python": "the engine's Python language host",
    "supabase": "the Supabase CLI",
    "deno": "Deno",
}


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """What the deployment goes on with."""

    state: State
    release: str
    moved: Sequence[str]  # URNs of what was changed beside Pulumi; not asked where an interrupted update is open


def tools(stack: Stack) -> None:
    path = stack.variables["PATH"]
    missing = [f"{what} ({tool})" for tool, what in TOOLS.items() if shutil.which(tool, path=path) is None]
    if missing:
        raise OperationError(f"not on PATH: {', '.join(missing)}", "Install it: make setup")
    if shutil.which("ps", path=path) is None:  # a recovery asks it who still runs, and the gate which update this is
        raise OperationError("`ps` is not on PATH", PS_CURE)


def passphrase(stack: Stack) -> None:
    """A passphrase (an empty one is one, too) encrypts the stack, unless a provider of its own or a service does."""
    file = file_name(stack.name)
    content = _content(stack.root, stack.name)
    if PASSPHRASES & stack.variables.keys():
        return
    if "encryptionsalt" in content:
        raise OperationError(
            f"PULUMI_CONFIG_PASSPHRASE is not set: {file} is encrypted with a passphrase",
            "Export it, or name a file with it in PULUMI_CONFIG_PASSPHRASE_FILE.",
        )
    if "secretsprovider" not in content and not stack.environment.pulumi_backend_url.startswith("http"):
        raise OperationError(
            f"PULUMI_CONFIG_PASSPHRASE is not set: the first deployment of {stack.name} encrypts {file} with it",
            "Choose one, keep it where your team finds it, and export it. Or have a key of AWS KMS do it:\n"
            f'    eval "$(./pf env{stack.command})"\n'
            f"    pulumi stack init {stack.name} --secrets-provider 'awskms://alias/NAME?region={stack.settings.aws_region}'\n"
            f"  Either way commit what that writes to {file}.",
        )


def alone(stack: Stack) -> None:
    """Refuses two stacks that would overwrite each other's functions or names, each believing that it owns them."""
    mine = stack.settings
    for other in stacks(stack.root):
        config = _content(stack.root, other).get("config")
        if other == stack.name or not isinstance(config, dict):
            continue
        theirs = {str(key).rpartition(":")[2]: value for key, value in cast("dict[str, object]", config).items()}
        if theirs.get("supabaseProjectRef") == mine.supabase_project_ref:
            shared = f"the Supabase project {mine.supabase_project_ref} (parker-flight:supabaseProjectRef)"
        elif (theirs.get("environment"), str(theirs.get("awsAccountId"))) == (mine.environment, mine.aws_account_id):
            shared = f"the environment {mine.environment} of account {mine.aws_account_id} (parker-flight:environment)"
        else:
            continue
        raise OperationError(
            f"{file_name(stack.name)} and {file_name(other)} both name {shared}: each would overwrite the other's",
            "Give one of the stacks its own, or take the file of the one that isn't used away.",
        )


def _content(root: Path, stack: str) -> dict[str, object]:
    """A stack's file as it is; empty where it can't be read."""
    try:
        return content_of(stack, root)
    except SettingsError:
        return {}


def tree(stack: Stack) -> None:
    """A stack with a protected branch is deployed from a commit that others can see (a hotfix branch's, too)."""
    if not stack.settings.protected_branch:
        return
    commits = Commits(folder=stack.root)
    try:
        head, dirty, pushed = commits.head(), commits.is_dirty(), commits.is_pushed()
    except GitError as error:
        raise OperationError(str(error)) from error
    if not head:
        raise OperationError(
            f"{stack.root} is no git repository: {stack.name} is deployed from a commit", "git clone it"
        )
    if dirty:
        raise OperationError(f"there are uncommitted changes, and {stack.name} is deployed from a commit", "git status")
    if not pushed:
        raise OperationError(f"the commit {head[:12]} is on no branch of a remote", "git push -u origin HEAD")


def account(stack: Stack) -> None:
    from operations.aws import Aws, AwsError, explained

    try:
        identity = Aws(stack, seconds=8, attempts=2).sts.get_caller_identity()
    except AwsError as error:
        raise explained(error, stack, "asking AWS who we are") from error
    if identity["Account"] != stack.settings.aws_account_id:
        raise OperationError(
            f"these AWS credentials belong to account {identity['Account']}, "
            f"the stack {stack.name} to {stack.settings.aws_account_id}",
            f"Use credentials of that account, or another --stack; the setting is in {file_name(stack.name)}.",
        )


def limits(stack: Stack) -> None:
    """What the stack's roles must carry has to be there before them."""
    from operations.aws import Aws, AwsError, code_of, explained

    if (boundary := stack.settings.site.workload_boundary) is None:
        return
    try:
        Aws(stack, seconds=8, attempts=2).iam.get_policy(PolicyArn=boundary)
    except AwsError as error:
        if code_of(error) != "NoSuchEntity":
            raise explained(error, stack, "looking for the boundary of the stack's roles") from error
        raise OperationError(
            f"the roles of {stack.name} must carry {boundary}, which isn't there",
            f"Whoever administers the account makes it: ./pf bootstrap --stack {stack.name} --repository OWNER/NAME\n"
            f"  (or take parker-flight:permissionsBoundary out of {file_name(stack.name)}: then nothing limits them)",
        ) from error


def project(stack: Stack) -> None:
    ManagementApi(stack).project_status()


def functions(stack: Stack) -> str:
    """The release in the source, type-checked: the CLI would switch the good functions even if one doesn't bundle."""
    release = stack.release
    deno = shutil.which("deno", path=stack.variables["PATH"])
    if deno is None or not release.functions:
        return release.digest
    entries = [str(one.entry.relative_to(FUNCTIONS)) for one in release.functions.values()]
    try:
        done = subprocess.run(
            [deno, "check", "--frozen", *entries],  # else it would write deno.lock
            cwd=stack.root / FUNCTIONS,
            env={**stack.variables, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=CHECK_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise OperationError(
            f"`deno check` did not end within {CHECK_SECONDS} s", "Is the npm registry reachable?"
        ) from error
    if done.returncode:
        said = done.stdout.replace(f"file://{stack.root}/", "").partition(LOCK_CHANGES)[0].strip()
        raise OperationError(
            f"the edge functions don't pass `deno check`:\n{said}", f"Mend that (in {FUNCTIONS}), then deploy again."
        )
    return release.digest


def moved(engine: Engine, state: Future[State], whose: Future[None]) -> list[str]:
    """Asked of the stack's own account alone. Another answer's error is that answer's to tell."""
    if whose.exception() or state.exception() or state.result().pending_operations:
        return []
    return drift.moved(engine) if state.result().resources else []


def preflight(stack: Stack, engine: Engine, read_state: Callable[[], State], *, checked: bool = True) -> Preflight:
    """`checked`: the commit's checks have to be green.

    Raises: OperationError with every problem at once; nothing has been changed.
    """
    tools(stack)
    passphrase(stack)
    questions: Sequence[Callable[[], object]] = (
        lambda: alone(stack),
        lambda: tree(stack),
        engine.refuse_while_locked,
        lambda: project(stack),
        lambda: limits(stack),
        *((lambda: refuse_unchecked(stack),) if checked else ()),
    )
    with ThreadPoolExecutor() as pool:
        release = pool.submit(functions, stack)
        state, whose = pool.submit(read_state), pool.submit(account, stack)
        questioned = [pool.submit(question) for question in questions]
        changed = pool.submit(moved, engine, state, whose)
        asked = [*questioned, whose, release, state, changed]
    problems = [error for one in asked if isinstance(error := one.exception(), OperationError)]
    if not problems:
        for one in asked:
            one.result()  # a bug comes out here
        return Preflight(state=state.result(), release=release.result(), moved=changed.result())
    raise together(problems)
