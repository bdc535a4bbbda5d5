"""Looking before leaping: everything that would fail in the middle of a deployment is asked first, all at once."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

import yaml

from components.function_source import FUNCTIONS
from operations.engine import Engine
from operations.environment import CALLS_THE_GATEWAY, RUNS_THE_ENGINE, SEES_SUPABASE
from operations.errors import OperationError
from operations.recover import State, read_state
from operations.stack import Stack
from operations.supabase import ManagementApi
from settings import file_name

NEEDS = (*SEES_SUPABASE, *CALLS_THE_GATEWAY, "AWS", *RUNS_THE_ENGINE)
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


def tools(stack: Stack) -> None:
    path = stack.variables["PATH"]
    missing = [f"{what} ({tool})" for tool, what in TOOLS.items() if shutil.which(tool, path=path) is None]
    if missing:
        raise OperationError(f"not on PATH: {', '.join(missing)}", "Install it: make setup")


def passphrase(stack: Stack) -> None:
    """A stack with an encryption salt can't be opened without its passphrase, which may be empty."""
    content: object = yaml.safe_load((stack.root / file_name(stack.name)).read_text())
    salted = isinstance(content, dict) and "encryptionsalt" in cast("dict[str, object]", content)
    given = {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & stack.variables.keys()
    if salted and not given:
        raise OperationError(
            f"PULUMI_CONFIG_PASSPHRASE is not set: {file_name(stack.name)} is encrypted with a passphrase",
            "Export it, or name a file with it in PULUMI_CONFIG_PASSPHRASE_FILE.",
        )


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
            [deno, "check", *entries],
            cwd=stack.root / FUNCTIONS,
            env={**stack.variables, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=CHECK_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise OperationError(
            f"`deno check` did not end within {CHECK_SECONDS} s", "Is the npm registry reachable?"
        ) from error
    if done.returncode:
        said = done.stdout.replace(f"file://{stack.root}/", "").strip()
        raise OperationError(f"the edge functions don't pass `deno check`:\n{said}", "Mend that, then deploy again.")
    return release.digest


def preflight(stack: Stack, engine: Engine) -> Preflight:
    """Raises: OperationError with every problem at once; nothing has been changed."""
    tools(stack)
    passphrase(stack)
    questions: Sequence[Callable[[], object]] = (lambda: account(stack), lambda: project(stack))
    with ThreadPoolExecutor() as pool:
        release = pool.submit(functions, stack)
        state = pool.submit(read_state, engine)
        asked = [*(pool.submit(question) for question in questions), release, state]
    problems = [error for one in asked if isinstance(error := one.exception(), OperationError)]
    if not problems:
        for one in asked:
            one.result()  # a bug comes out here
        return Preflight(state=state.result(), release=release.result())
    if len(problems) == 1:
        raise OperationError(problems[0].message, problems[0].cure)
    raise OperationError("\n".join(["several things are in the way:", *(f"- {problem}" for problem in problems)]))
