"""`./pf sandbox`: AWS, Supabase and PostgreSQL on this machine."""

import json
import sys
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import httpx
import typer

from sandbox import aws_limits, inbox, lifecycle, people, supabase
from sandbox.aws.faults import FAULTS
from sandbox.state import SandboxError, State
from sandbox.supabase.credentials import Credentials
from terminal.streams import OutputError, open_output
from terminal.tables import show, table

LOG_LINES = 20
FORGOTTEN = "the sandbox's keys, data, functions, tokens and ports, Pulumi's state, the demo people and their approvals"
DEMO_USER = UUID("00000000-0000-4000-8000-000000000001")

NOT_RUNNING, REFUSED, USAGE, BUG, INTERRUPTED = 1, 3, 64, 70, 130
EXIT_CODES = (
    "Exit codes: 0 done, 1 (`status` alone) not everything runs, 3 refused or failed: the message says what mends it; "
    "64 wrong usage, 70 a bug, 130 interrupted."
)

app = typer.Typer(
    help=__doc__,
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Role(StrEnum):
    anon = "anon"
    authenticated = "authenticated"
    service_role = "service_role"


def say(message: str) -> None:
    typer.echo(message, err=True)


@app.command()
def up(
    new_ports: Annotated[bool, typer.Option(help="Choose other ports, where a remembered one is taken.")] = False,
) -> None:
    """Start what does not run yet, and say where it is."""
    state = State.here()
    lifecycle.up(state, say, new_ports=new_ports)
    _show(state)


@app.command()
def down() -> None:
    """End every process of the sandbox. Its AWS forgets all keys, so the next `up` starts empty."""
    if not lifecycle.down(State.here()):
        say("nothing runs here")
        return
    say(
        "The sandbox is down. Its AWS has forgotten the keys, so nothing can read any more what they encrypted:\n"
        "  lost    where a stack was deployed: rows, functions and Pulumi's state, which the next `up` clears\n"
        "  kept    tokens, ports, the demo people, what they approved and the incidents that they opened"
    )


@app.command()
def status() -> None:
    """What runs and where, and what the sandbox cannot do. Exits 1 unless everything runs."""
    state = State.here()
    running = _show(state)
    typer.echo("\nNot as in the real services:")
    for limit in (*aws_limits.NOT_SIMULATED, *supabase.NOT_SIMULATED):
        typer.echo(f"- {limit}")
    if not running:
        say("\nStart it: ./pf sandbox up")
        raise typer.Exit(NOT_RUNNING)


@app.command()
def logs() -> None:
    """The last lines of each part's log, and where the whole of it is."""
    state = State.here()
    if not state.exists():
        raise SandboxError("There is no sandbox here yet.\n  Make one: ./pf sandbox up")
    for log in sorted(state.sandbox.glob("*/*.log")):
        typer.echo(f"==> {log}")
        typer.echo("\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:]))


@app.command("inbox")
def show_inbox(
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """What subscribers of the notifications have received, the newest last. Nothing is really sent from here."""
    messages = inbox.read(State.here().sandbox / "aws" / inbox.INBOX)
    if as_json:
        typer.echo(json.dumps([message.model_dump(mode="json") for message in messages], indent=2))
        return
    for message in messages:
        typer.echo(
            f"{message.time:%Y-%m-%d %H:%M:%S}  {message.topic}\n{message.subject}\n\n{message.message.strip()}\n"
        )
    if not messages:
        say("nothing has been sent")


@app.command()
def faults(
    throttle: Annotated[float, typer.Option(min=0, max=1, help="The share of calls to KMS that it throttles.")] = 0,
    unseen_role: Annotated[float, typer.Option(min=0, help="Seconds until others than IAM see a new role.")] = 0,
) -> None:
    """Switch faults of AWS on, as long as it runs; without options all are off."""
    state = State.here()
    if not state.exists():
        raise SandboxError("There is no sandbox here yet.\n  Make one: ./pf sandbox up")
    on = {"throttled_share": throttle, "unseen_role_seconds": unseen_role}
    try:
        httpx.post(f"{state.url('aws')}{FAULTS}", json=on, timeout=10, trust_env=False).raise_for_status()
    except httpx.HTTPError as error:
        raise SandboxError(f"AWS took no faults: {error}\n  Start it: ./pf sandbox up") from None


@app.command()
def reset(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nobody.")] = False,
) -> None:
    """End every process and forget everything, tokens and approvals too: `up` then starts as on the first day.

    Asks first, on a terminal; elsewhere it wants --yes.
    """
    state = State.here()
    if not state.sandbox.exists():
        say("nothing to forget: there is no sandbox here")
        return
    if not yes and not (sys.stdin.isatty() and typer.confirm(f"Forget {FORGOTTEN}?", err=True)):
        raise SandboxError("Nothing was forgotten.\n  Without being asked: ./pf sandbox reset --yes")
    lifecycle.reset(state)
    say(f"Forgotten: {FORGOTTEN}.\n  A new one, with other tokens (so in a new shell): ./pf sandbox up")


@app.command()
def approve(
    reason: Annotated[str, typer.Option(help="Why, as the approval says.")] = "a change on the sandbox",
) -> None:
    """Let the sandbox's demo people approve what this checkout would change."""
    if not people.approve(State.here(), reason, say):
        say("nothing needs approval")


@app.command()
def token(
    role: Annotated[Role, typer.Option(help="Whose token.")] = Role.authenticated,
    user: Annotated[UUID, typer.Option(help="The user's id, for the role authenticated.")] = DEMO_USER,
) -> None:
    """Print a token with which a call through the gateway is let in."""
    state = State.here()
    if not state.environment_file.exists():
        raise SandboxError("There is no sandbox here yet.\n  Make one: ./pf sandbox up")
    credentials = Credentials.load_or_create(state.folder("supabase"))
    tokens = {
        Role.anon: credentials.anon_key,
        Role.service_role: credentials.service_role_key,
        Role.authenticated: credentials.user_token(str(user)),
    }
    typer.echo(tokens[role])


def _show(state: State) -> bool:
    parts = lifecycle.parts(state)
    rows = [(part.name, "running" if part.running else "down", part.address) for part in parts]
    show(table(("part", "state", "address"), rows))
    return all(part.running for part in parts)


def main() -> None:
    open_output()
    try:
        sys.exit(_run())
    except OutputError as error:
        say(f"error: {error}")
        sys.exit(REFUSED)


def _run() -> int:
    """The exit code, once all that was printed is written."""
    code = 0
    try:
        app(prog_name="pf sandbox")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else BUG
        code = USAGE if code == 2 else code  # this tool's own parser says 2
        if code == INTERRUPTED:  # the parser turns it into an exit without a word
            say("interrupted")
    except SandboxError as error:
        say(f"error: {error}")
        code = REFUSED
    except OSError as error:
        say(
            f"error: {error.filename or State.here().root}: {error.strerror}\n"
            "  Free space there or mend its rights, then type it again. PF_STATE names another folder for the state."
        )
        code = REFUSED
    sys.stdout.flush()
    return code
