"""The command line over the verbs: options, confirmation, exit codes. A verb's module is imported when it is called."""

import logging
import os
import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from operations.errors import ExitCode, OperationError
from operations.places import state_folder
from terminal.sources import refuse_to_start
from terminal.streams import OutputError, open_output

if TYPE_CHECKING:
    from pydantic import BaseModel

    from operations.stack import Stack

EXIT_CODES = (
    "Exit codes: 0 healthy, 1 degraded, 2 down; 3 refused (a setting, a tool, a lock: nothing was changed), "
    "4 failed on the way, 64 wrong usage, 70 a bug of pf, 130 interrupted. "
    "A reader that closes the pipe early (`| head -1`) changes none of them."
)
SHOWN = (
    "Exit codes: 0 shown; 3 refused (no such version, a store that doesn't answer), 4 failed on the way, "
    "64 wrong usage, 70 a bug of pf, 130 interrupted."
)
DONE = "Exit codes: 0 done; 3 refused, 4 failed on the way, 64 wrong usage, 70 a bug of pf, 130 interrupted."
LOG = "pf.log"
LISTED = 20  # entries of the history

_PLAIN: dict[str, Any] = {
    "no_args_is_help": True,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}
app = typer.Typer(
    name="pf",
    help="Deploy Parker Flight's infrastructure and look after it.",
    epilog=EXIT_CODES,
    **_PLAIN,
)

StackOption = Annotated[
    str | None,
    typer.Option("--stack", "-s", help="The stack, as in Pulumi.<stack>.yaml.  [default: $PF_STACK, else sandbox]"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="For machines.")]
KeyOption = Annotated[
    Path | None, typer.Option(help="Your SSH key, private or public with an agent.  [default: ~/.ssh/id_ed25519]")
]
WatchOption = Annotated[
    str, typer.Option("--watch", metavar="TIME", help="How long it is watched, like 90s or 5m.  [default: the setting]")
]
WaitOption = Annotated[
    str, typer.Option("--wait", metavar="TIME", help="Wait that long for another update to end, like 5m.")
]
ReturnOption = Annotated[
    int | None, typer.Option("--version", help="Not of this checkout: of bringing that version back.", min=1)
]
NumberArgument = Annotated[int, typer.Argument(help="Its number: pf history.", min=1)]
ConfirmOption = Annotated[str, typer.Option(help="The stack's name, where nobody can be asked.")]

# Set once a verb is at work: an exit code 2 before that is wrong usage, after it a stack that is down.
_AT_WORK = threading.Event()


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _end(code: ExitCode) -> NoReturn:
    raise typer.Exit(int(code))


@contextmanager
def _verb() -> Generator[None]:
    """Known errors end a verb with their message and code; a bug is left to `main`."""
    _AT_WORK.set()
    try:
        yield
    except OperationError as error:
        _say(f"error: {error}")
        _end(error.code)
    except KeyboardInterrupt:
        _say("interrupted")
        _end(ExitCode.INTERRUPTED)


def _print(found: "BaseModel | Sequence[BaseModel]", show: Callable[[Any], None], *, as_json: bool) -> None:
    """For machines, or for people."""
    if not as_json:
        show(found)
    elif isinstance(found, Sequence):
        import json

        print(json.dumps([one.model_dump(mode="json") for one in found], indent=2))
    else:
        print(found.model_dump_json(indent=2, ensure_ascii=True))


def _require_reason(given: str, what: str) -> None:
    """Raises: OperationError. Typer could not say it: what else is asked for decides whether a reason is needed."""
    if not given:
        raise OperationError(f"{what} needs a reason: --reason WHY", code=ExitCode.USAGE)


def _load(name: str | None, needs: Iterable[str]) -> "Stack":
    from operations.stack import Stack, default_stack

    return Stack.load(name or default_stack(), needs=needs)


@contextmanager
def _change(name: str | None, version: int | None) -> Generator["Stack"]:
    """The stack as this checkout would change it, or as bringing a version back would."""
    from operations.preview import NEEDS

    if version is None:
        yield _load(name, NEEDS)
        return
    from operations.rollback import Wish, planned
    from operations.stack import default_stack

    with planned(name or default_stack(), Wish(reason="an approval", number=version)) as plan:
        yield plan.stack


def _show_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def pf(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="The same as `pf version`.")
    ] = False,
) -> None: ...


@app.command(short_help="Ask every part how it is; changes nothing.", epilog=EXIT_CODES)
def health(stack: StackOption = None, as_json: JsonOption = False) -> None:
    """Ask every part how it is: functions, REST, database, Supabase, keys. Changes nothing, answers within 5 s.

    A part is down when its users get no service (a function that can't encrypt and decrypt, REST that doesn't answer, a
    key that is disabled); degraded when it serves but isn't as it should be (rotation off, functions of different
    releases, slower than 2 s) or couldn't be asked. The stack is as bad as its worst part.

    The part `drift` holds functions, their settings and access key, and the keys' aliases against what the last
    deployment left. Policies, roles and alarms take longer to compare: pf deploy does, before it updates.

    Example: pf health --stack production --json
    """
    with _verb():
        from operations.health import NEEDS
        from operations.health import health as ask
        from operations.output import show_health

        report = ask(_load(stack, NEEDS))
        _print(report, show_health, as_json=as_json)
        _end(report.status.code)


@app.command(
    short_help="What is live, what rings, where to look, whom to call.",
    epilog="Exit codes: 0 no alarm rings, 1 one that can wait does, or something could not be asked, 2 one that wakes "
    "people; 3 refused, 4 failed on the way, 64 wrong usage, 70 a bug of pf, 130 interrupted.",
)
def status(stack: StackOption = None, as_json: JsonOption = False) -> None:
    """Say what is known of the stack, on one screen: the version that is live and what was done last, open incidents,
    the alarms that ring, links to the dashboards, and who is told of what.

    Changes nothing, and asks none of the parts themselves: pf health does.

    Examples: pf status --stack production; pf status --json | jq .ringing
    """
    with _verb():
        from operations.status import NEEDS
        from operations.status import status as look
        from operations.status_text import show_status

        report = look(_load(stack, NEEDS))
        _print(report, show_status, as_json=as_json)
        _end(report.code)


@app.command(
    short_help="What this checkout would change, and whether it may.",
    epilog="Exit codes: 0 allowed; 1 approvals are missing; 3 refused by another policy or an error, or it could not "
    "be previewed; 4 the engine's log is unreadable, 64 wrong usage, 70 a bug of pf, 130 interrupted.",
)
def preview(
    stack: StackOption = None,
    as_json: JsonOption = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="For a comment on a pull request.")] = False,
    program: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Another checkout, judged by this one's policies and run by its tools."),
    ] = None,
    merged: Annotated[
        bool, typer.Option("--merged", help="Judge the commit as if it were merged, and not as a hotfix.")
    ] = False,
) -> None:
    """Show what this checkout would change, what the policies say, and which approvals are there and missing.

    Changes nothing. Replacements and deletions stand first; what approvals are about stands in words.

    Examples: pf preview --stack production; pf preview --merged --program ../their-change
    """
    with _verb():
        if as_json and as_markdown:
            raise OperationError("--json and --markdown exclude each other", code=ExitCode.USAGE)
        from operations.preview import NEEDS
        from operations.preview import preview as look
        from operations.preview_text import show_preview
        from operations.releases import checked_out
        from operations.stack import default_stack

        loaded = checked_out(stack or default_stack(), program, NEEDS) if program else _load(stack, NEEDS)
        report = look(loaded, quiet=as_json or as_markdown, as_merged=merged)
        if as_markdown:
            from operations.preview_markdown import markdown

            print(markdown(report))
        else:
            if not as_json:
                _say("")  # after what the engine said
            _print(report, show_preview, as_json=as_json)
        _end(report.outcome.code)


@app.command(short_help="Bring the stack to what the source says, verify it, watch it.", epilog=EXIT_CODES)
def deploy(
    stack: StackOption = None,
    message: Annotated[str, typer.Option("--message", "-m", help="What it brings, for the history.")] = "",
    hotfix: Annotated[
        bool, typer.Option("--hotfix", help="From a hotfix branch: needs a --reason, is watched twice as long.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why; a hotfix and an emergency need it.")] = "",
    emergency: Annotated[
        bool, typer.Option("--emergency", help="An open incident takes the place of approvals: pf incident open.")
    ] = False,
    watch: WatchOption = "",
    wait: WaitOption = "0s",
) -> None:
    """Bring the stack to what the source says, verify it, and watch it: one command, from nothing or from any state.

    Looks first (settings, tools, account, project, functions), finishes what an interrupted update left, previews and
    updates, gives the functions their access key, and asks every part how it is. What has become unwell by it goes back
    to the last verified version by itself, also when the watch afterwards sees it fail. A report says what was done.

    What was changed by hand is named and, once the update itself has passed, put back: resources of the stack in AWS
    that are gone or differ, functions that are gone or differ, their settings, their access key. Only named, by the
    health at the end: a function that the release doesn't have. Refused: to replace a key whose deletion is scheduled.

    Ctrl-C once ends it cleanly and says what state things are in.

    Examples: pf deploy --stack sandbox; pf deploy --hotfix --reason "card numbers are cut off" --watch 5m
    """
    with _verb():
        from operations.deploy import Request, addresses
        from operations.deploy import deploy as bring
        from operations.durations import seconds_of
        from operations.output import show_health
        from operations.preflight import NEEDS

        if hotfix or emergency:
            _require_reason(reason, "an emergency" if emergency else "a hotfix")
        loaded = _load(stack, NEEDS)
        request = Request(
            emergency=emergency,
            hotfix=hotfix,
            message=message,
            reason=reason,
            watch_seconds=seconds_of(watch, "--watch") if watch else loaded.settings.watch_seconds(hotfix=hotfix),
            wait_seconds=seconds_of(wait, "--wait"),
        )
        report = bring(loaded, request)
        print()
        show_health(report)
        if report.unwell:
            unwell = ", ".join(check.name for check in report.unwell)
            _say(
                f"\nEverything is deployed, but not all of it is well: {unwell}.\n"
                "  Each line above says what is wrong; docs/runbook.md says what to do. "
                f"Then: ./pf health{loaded.command}"
            )
        else:
            print(f"\n{addresses(loaded)}")
        _end(report.status.code)


@app.command(short_help="Watch the last deployment, where it ended without that.", epilog=EXIT_CODES)
def watch(
    stack: StackOption = None,
    seconds: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long, like 90s or 5m.", show_default="the setting")
    ] = "",
) -> None:
    """Watch what the last deployment brought, and go back to the verified version before if it fails.

    For a deployment with --watch 0s, from any machine. It is judged by what that deployment found before it began. A
    newer deployment ends the watch.

    Example: pf watch --stack production
    """
    with _verb():
        from operations.durations import seconds_of
        from operations.live_watch import watch_live
        from operations.output import show_health
        from operations.preflight import NEEDS

        report = watch_live(_load(stack, NEEDS), seconds_of(seconds, "--for") if seconds else None)
        show_health(report)
        _end(report.status.code)


@app.command(short_help="Bring a version back that was live before.", epilog=EXIT_CODES)
def rollback(
    reason: Annotated[
        str, typer.Option(help="Why; it goes into the history and the report. Only --dry-run needs none.")
    ] = "",
    stack: StackOption = None,
    version: Annotated[int | None, typer.Option("--version", help="Its number: pf history.", min=1)] = None,
    target: Annotated[str, typer.Option("--target", metavar="COMMIT", help="The commit that it was made from.")] = "",
    emergency: Annotated[
        bool, typer.Option("--emergency", help="No preview; the incident commander's word instead of approvals.")
    ] = False,
    key: Annotated[
        Path | None, typer.Option(help="An incident commander's SSH key: opens the incident on the spot.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it would do, by a real preview.")] = False,
    wait: WaitOption = "0s",
) -> None:
    """Bring a version back that was live before: the newest verified one that is not live, unless you name another.

    Its own program, functions and config run again, judged by today's policy pack; keys stay as they are. It lands as a
    new version and is verified. The version that is left is refused from then on, until pf unblock.

    Examples: pf rollback --reason "payments fail"; pf rollback --version 7 --dry-run
    """
    with _verb():
        from operations.durations import seconds_of
        from operations.rollback import Wish, planned
        from operations.rollback import rollback as bring_back
        from operations.stack import default_stack

        if not dry_run:
            _require_reason(reason, "a rollback")
        name = stack or default_stack()
        wish = Wish(
            reason=reason,
            number=version,
            commit=target,
            emergency=emergency,
            key=key,
            wait_seconds=seconds_of(wait, "--wait"),
        )
        if dry_run:
            from operations.rollback_plan import show_plan

            with planned(name, wish) as plan:
                _end(show_plan(plan))
        from operations.output import show_health

        report = bring_back(name, wish)
        print()
        show_health(report)
        _end(report.status.code)


@app.command(short_help="Let a version that a rollback left be deployed again.", epilog=EXIT_CODES)
def unblock(
    version: NumberArgument,
    reason: Annotated[str, typer.Option(help="Why it may come back.")],
    stack: StackOption = None,
) -> None:
    """Let a version that a rollback left be deployed again.

    Example: pf unblock 8 --reason "the database was the cause, not the release"
    """
    with _verb():
        from operations.stack import default_stack
        from operations.unblock import unblock as lift

        lift(stack or default_stack(), version, reason)
        _say(f"version {version} may be deployed again")


@app.command(short_help="Take the stack away, except its keys and their aliases.", epilog=EXIT_CODES)
def destroy(
    stack: StackOption = None,
    confirm: Annotated[str, typer.Option(help="The stack's name, where nobody can be asked.")] = "",
) -> None:
    """Take the stack away, except its keys and their aliases: those stay, and the next deployment finds them again.

    Example: pf destroy --stack sandbox
    """
    with _verb():
        from operations.confirmation import confirmed
        from operations.destroy import destroy as take_away
        from operations.preflight import NEEDS

        loaded = _load(stack, NEEDS)
        if not confirm:
            _say(f"This takes away everything of the stack {loaded.name} but its keys and aliases.")
        confirmed(loaded.name, confirm, f"Type the stack's name ({loaded.name}) to go on: ")
        take_away(loaded)


@app.command(short_help="Take into the state what an update that broke off has made.", epilog=EXIT_CODES)
def recover(stack: StackOption = None) -> None:
    """Bring state and cloud together after an update broke off; nothing is made or changed in the cloud.

    Finishes what a killed update has left open, which `pf deploy` does by itself. Then takes over what the next
    deployment would make and what stands already under its name and with this stack's tags: a provider that died left
    it, or the state was lost. A key that an update adopted before it was denied goes out of the state; AWS keeps it.

    Example: pf recover --stack production
    """
    with _verb():
        from operations.preflight import NEEDS
        from operations.recover import let_go, next_command, take_over
        from operations.recover import recover as bring_together

        loaded = _load(stack, NEEDS)
        opened, dropped, taken = bring_together(loaded), let_go(loaded), take_over(loaded)
        done = {
            "recovered of what was left open": opened,
            "keys let go": dropped,
            "resources taken over": taken,
        }
        said = ", ".join(f"{count} {what}" for what, count in done.items() if count)
        _say(f"{said}; go on: {next_command(loaded)}" if said else "nothing was left")


@app.command(
    short_help="Find what is live already, and have the config take it over.",
    epilog="Exit codes: 0 shown, or written; 3 refused (something stands in the way: nothing was changed), 4 AWS or "
    "Supabase did not say, 64 wrong usage, 70 a bug of pf, 130 interrupted.",
)
def adopt(
    stack: StackOption = None,
    write: Annotated[bool, typer.Option("--write", help="Write the settings into Pulumi.<stack>.yaml.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Before the first deployment: find what was made by hand (keys by their aliases, role, user, log group, functions,
    settings), and say what a deployment would do with each. Changes nothing in AWS or Supabase.

    With --write the stack's file names what is to be imported; all else in it stays as it is. Then look at the import
    by pf preview, have it approved, and deploy: keys keep their ids, and what they encrypted can be read.

    Examples: pf adopt --stack production; pf adopt --write --stack production
    """
    with _verb():
        from operations.adopt import NEEDS
        from operations.adopt import adopt as look
        from operations.adopt_text import show_adoption

        _print(look(_load(stack, NEEDS), write=write), show_adoption, as_json=as_json)


@app.command(short_help="Free the stack of a lock that a dead process left.", epilog=EXIT_CODES)
def unlock(
    stack: StackOption = None,
    confirm: ConfirmOption = "",
    bootstrap: Annotated[
        bool, typer.Option("--bootstrap", help="What the stack stands on: a lock that pf bootstrap left.")
    ] = False,
) -> None:
    """Free the stack of what a dead process left: the engine's lock, the mark of a deployment or rollback at work.

    A process of this machine that lives keeps its lock. One of another machine may live, and a lock that is damaged
    names nobody: they are freed once you type the stack's name. A killed operation gets its report.

    Examples: pf unlock; pf unlock --stack production --confirm production; pf unlock --bootstrap
    """
    with _verb():
        from operations.releases import at_hand
        from operations.stack import default_stack
        from operations.unlock import free
        from operations.unlock import unlock as free_stack

        if bootstrap:
            from operations.bootstrap import NEEDS, Ground

            ground = Ground.of(_load(stack, NEEDS))
            _say(
                f"What it had begun goes on: {ground.command}" if free(ground.engines, confirm) else "nothing is locked"
            )
            return
        with at_hand(stack or default_stack()) as found:
            if free_stack(found, confirm):
                _say(f"What it had begun, and what to type next: ./pf diagnose rollback{found.command}")
            else:
                _say("nothing is locked")


@app.command(short_help="Show what this checkout would change, and sign it.", epilog=EXIT_CODES)
def approve(
    stack: StackOption = None,
    key: KeyOption = None,
    reason: Annotated[str, typer.Option(help="Why the change is made; the first to approve says it.")] = "",
    role: Annotated[str, typer.Option(help="The role to sign in, where you hold several.")] = "",
    days: Annotated[int, typer.Option(help="For how many days it may be applied.", min=1, max=14)] = 7,
    requester: Annotated[str, typer.Option(help="Who asks for it.  [default: the change's author]")] = "",
    hotfix: Annotated[bool, typer.Option("--hotfix", help="Approve exactly this release, not yet merged.")] = False,
    confirm: Annotated[str, typer.Option(help="The digest shown, where nobody can be asked.")] = "",
    check: Annotated[bool, typer.Option("--check", help="Sign nothing; exit 1 while approvals are missing.")] = False,
    version: ReturnOption = None,
) -> None:
    """Show what this checkout would change, in words, and sign it with your SSH key.

    Examples: pf approve --stack production --reason "rotate sooner"; pf approve --check
    """
    with _verb(), _change(stack, version) as loaded:
        if check:
            from operations.approvals import check as ask

            _end(ExitCode.HEALTHY if ask(loaded) else ExitCode.DEGRADED)
        from operations.approve import approve as sign
        from operations.keys import default_key

        file = sign(
            loaded,
            key=key or default_key(),
            reason=reason,
            role=role,
            confirm=confirm,
            days=days,
            requester=requester,
            hotfix=hotfix,
        )
        _say(f"signed: {file}")


@app.command(short_help="What the change needs, what is signed, what is missing.", epilog=EXIT_CODES)
def approvals(stack: StackOption = None, as_json: JsonOption = False, version: ReturnOption = None) -> None:
    """What this checkout's change needs, what is signed, what is missing and who may give it.

    Example: pf approvals --stack production
    """
    with _verb(), _change(stack, version) as loaded:
        from operations.approvals import approvals as ask
        from operations.output import show_approvals

        _print(ask(loaded), show_approvals, as_json=as_json)


@app.command(short_help="Take an approval back.", epilog=EXIT_CODES)
def withdraw(
    digest: Annotated[str, typer.Argument(help="A surface's or release's digest, 8 characters or more.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    stack: StackOption = None,
) -> None:
    """Take an approval back: that surface or release is denied from now on, whoever signed it.

    Example: pf withdraw 3f2a9c01 --reason "opens the key to everyone"
    """
    with _verb():
        import getpass

        from operations.withdraw import NEEDS
        from operations.withdraw import withdraw as take_back

        _say(f"withdrawn: {take_back(_load(stack, NEEDS), digest, reason=reason, by=getpass.getuser())}")


@app.command(
    short_help="What was done: reports of deployments and rollbacks.",
    epilog="Exit codes: 0 shown; 3 refused (no such report, a store that doesn't answer), 4 failed on the way, "
    "64 wrong usage, 70 a bug of pf, 130 interrupted.",
)
def report(
    which: Annotated[
        str | None, typer.Argument(metavar="latest|ID", help="Show this one; the beginning of an id will do.")
    ] = None,
    stack: StackOption = None,
    limit: Annotated[int, typer.Option(help="How many to list.", min=1)] = 10,
    as_json: JsonOption = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it as one HTML page, over no file.")] = None,
) -> None:
    """List the last reports, the newest first, or show one of them. Changes nothing.

    Examples: pf report; pf report latest; pf report 20261125T0040 --html rollback.html
    """
    with _verb():
        from operations.report import report as ask
        from operations.report import reports, write_page
        from operations.report_text import show_report, show_reports

        if html and (as_json or not which):
            raise OperationError("--html goes with one report", "./pf report latest --html FILE", ExitCode.USAGE)
        loaded = _load(stack, ())
        if not which:
            listed = reports(loaded, limit)
            if listed or as_json:
                _print(listed, show_reports, as_json=as_json)
            else:
                _say(f"no report of {loaded.name} yet")
            return
        found = ask(loaded, which)
        if html:
            write_page(found, html)
            _say(f"written: {html}")
        else:
            _print(found, show_report, as_json=as_json)


diagnosis = typer.Typer(
    help="Why something doesn't work, and what to type next. Changes nothing.",
    short_help="Why a rollback fails, and what to type next.",
    **_PLAIN,
)
app.add_typer(diagnosis, name="diagnose")


@diagnosis.command(
    "rollback",
    epilog="Exit codes: 0 nothing is wrong; 1 something is, and a rollback can mend it once what stands in its way is "
    "gone; 2 a rollback could not be done now; 64 wrong usage, 70 a bug of pf, 130 interrupted.",
)
def diagnose_rollback(stack: StackOption = None, as_json: JsonOption = False) -> None:
    """Say in what state things are, and in the last line which command to type next. Changes nothing.

    Asks for credentials, locks, operations at work or killed, what an update left open, the live version, whether
    state and functions are as it left them, and which version a rollback would go to. Needs no program that works.

    Example: pf diagnose rollback --stack production
    """
    with _verb():
        from operations.diagnose import diagnose
        from operations.diagnose_text import show_diagnosis
        from operations.stack import default_stack

        found = diagnose(stack or default_stack())
        _print(found, show_diagnosis, as_json=as_json)
        _end(found.code)


_LISTS_BY_ITSELF: dict[str, Any] = {**_PLAIN, "no_args_is_help": False}
history = typer.Typer(**_LISTS_BY_ITSELF)
app.add_typer(history, name="history")


@history.callback(
    invoke_without_command=True,
    short_help="The versions of the stack, and what was tried between them.",
    epilog=SHOWN,
)
def history_list(
    context: typer.Context,
    stack: StackOption = None,
    limit: Annotated[int, typer.Option(help="How many to list.", min=1)] = LISTED,
    as_json: JsonOption = False,
) -> None:
    """List the versions of the stack, the newest first, and between them what failed, was interrupted, or made none.

    Each with who made it from what, whether it was verified, is live, in quarantine or withdrawn, and what it changed.
    Plain `pulumi up` makes versions as well. Changes nothing.

    Examples: pf history; pf history show 7; pf history diff 7 8
    """
    if verb := context.invoked_subcommand:
        if stack or as_json or limit != LISTED:
            context.fail(f"options stand behind `{verb}`")
        return
    with _verb():
        from operations.history import history as ask
        from operations.history_text import show_history
        from operations.stack import default_stack

        name = stack or default_stack()
        found = ask(name, limit=limit)
        if found or as_json:
            _print(found, show_history, as_json=as_json)
        else:
            _say(f"nothing was done with {name} yet")


@history.command("show", epilog=SHOWN)
def history_show(number: NumberArgument, stack: StackOption = None, as_json: JsonOption = False) -> None:
    """Show one version: what it is, how it was verified, whether it is in quarantine, and its report.

    Example: pf history show 7
    """
    with _verb():
        from operations.history_details import details
        from operations.history_text import show_details
        from operations.stack import default_stack

        _print(details(stack or default_stack(), number), show_details, as_json=as_json)


@history.command("diff", epilog=SHOWN)
def history_diff(
    before: NumberArgument, after: NumberArgument, stack: StackOption = None, as_json: JsonOption = False
) -> None:
    """Show what going from one version to another means: resources in words, functions, config.

    Example: pf history diff 7 8
    """
    with _verb():
        from operations.history_details import difference
        from operations.history_text import show_difference
        from operations.stack import default_stack

        _print(difference(stack or default_stack(), before, after), show_difference, as_json=as_json)


incident = typer.Typer(
    help="An emergency: the incident commander's word takes the place of approvals.",
    short_help="Open, end or list incidents.",
    **_PLAIN,
)
app.add_typer(incident, name="incident")


@incident.command("open", epilog=EXIT_CODES)
def incident_open(
    reason: Annotated[str, typer.Option(help="What is wrong.")],
    stack: StackOption = None,
    key: KeyOption = None,
    hours: Annotated[float, typer.Option(help="How long it counts, at most 4.", min=0.1, max=4)] = 4,
    confirm: ConfirmOption = "",
) -> None:
    """Sign that there is an emergency; `pf deploy --emergency` then needs no other approval.

    Example: pf incident open --stack production --reason "payments fail"
    """
    with _verb():
        from operations.incident import NEEDS, open_incident
        from operations.keys import default_key

        loaded = _load(stack, NEEDS)
        opened = open_incident(loaded, key=key or default_key(), reason=reason, hours=hours, confirm=confirm)
        print(opened.id)
        end = f"./pf incident close {opened.id}{loaded.command} --reason WHY"
        _say(f"open until {opened.expires:%Y-%m-%d %H:%M} UTC; end it: {end}")


@incident.command("close", epilog=EXIT_CODES)
def incident_close(
    identity: Annotated[str, typer.Argument(metavar="ID")],
    reason: Annotated[str, typer.Option(help="How it ended.")],
    stack: StackOption = None,
) -> None:
    """End an incident before its time."""
    with _verb():
        import getpass

        from operations.incident import close

        close(_load(stack, ()), identity, reason=reason, by=getpass.getuser())
        _say(f"closed: {identity}")


@incident.command("status", epilog=EXIT_CODES)
def incident_status(stack: StackOption = None, as_json: JsonOption = False) -> None:
    """The stack's incidents, the newest first."""
    with _verb():
        from operations.incident import status
        from operations.output import show_incidents

        _print(status(_load(stack, ())), show_incidents, as_json=as_json)


monitoring = typer.Typer(
    help="Alarms, what they measure, and who hears of them.",
    short_help="Would it tell, and what does it say?",
    **_PLAIN,
)
app.add_typer(monitoring, name="monitoring")


@monitoring.command("check", epilog=EXIT_CODES)
def monitoring_check(stack: StackOption = None, as_json: JsonOption = False) -> None:
    """Would anybody hear of a failure? Changes nothing.

    Alarms, topics and the probe stand as they were deployed, each topic has readers that confirmed, and each metric
    that an alarm reads had data in the last minutes. Down: something is gone. Degraded: something is silent.

    Example: pf monitoring check --stack production --json
    """
    with _verb():
        from operations.monitoring import NEEDS, check
        from operations.output import show_health

        report = check(_load(stack, NEEDS))
        _print(report, show_health, as_json=as_json)
        _end(report.status.code)


@monitoring.command("alarms", epilog=SHOWN)
def monitoring_alarms(stack: StackOption = None, as_json: JsonOption = False) -> None:
    """List the alarms as CloudWatch has them; those that ring stand first, with what to do."""
    with _verb():
        from operations.alarms import alarms
        from operations.output import show_alarms

        _print(alarms(_load(stack, ("AWS",))), show_alarms, as_json=as_json)


ci = typer.Typer(help="What jobs of GitHub Actions say to people.", **_PLAIN)
app.add_typer(ci, name="ci")


@ci.command("comment", epilog=DONE)
def ci_comment(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `pf preview --json` printed.")],
) -> None:
    """Put a preview onto its pull request, in place of the one before: in a job that runs on workflow_run.

    Example: GITHUB_TOKEN=... pf ci comment preview.json
    """
    with _verb():
        from operations.ci import Job, comment

        comment(Job(), file)


@ci.command("issue", epilog=DONE)
def ci_issue(
    check: Annotated[str, typer.Argument(metavar="CHECK", help="Which check, like daily.")],
    said: Annotated[Path, typer.Option(metavar="FILE", help="What it printed.")],
    green: Annotated[bool, typer.Option("--green/--failed", help="How it ended.")],
) -> None:
    """Open the issue of a check that failed, or add to the one that is open; close it when the check is green again.

    Example: GITHUB_TOKEN=... pf ci issue daily --failed --said daily.txt
    """
    with _verb():
        from operations.ci import Job, keep_issue

        keep_issue(Job(), check, green=green, said=said)


signers = typer.Typer(help="Who may approve.", **_PLAIN)
app.add_typer(signers, name="signers")


@signers.command("confirm", epilog=EXIT_CODES)
def signers_confirm(stack: StackOption = None, confirm: ConfirmOption = "") -> None:
    """Confirm the first signers of a stack, once, having compared each key with its owner.

    Example: pf signers confirm --stack production
    """
    with _verb():
        from operations.signers import NEEDS
        from operations.signers import confirm as write

        _say("confirmed" if write(_load(stack, NEEDS), confirm) else "confirmed already")


@signers.command("list", epilog=EXIT_CODES)
def signers_list(stack: StackOption = None, as_json: JsonOption = False) -> None:
    """The signers in force: those of the live version."""
    with _verb():
        from operations.output import show_signers
        from operations.signers import NEEDS, listed

        _print(listed(_load(stack, NEEDS)), show_signers, as_json=as_json)


@app.command(
    short_help="Make what a stack stands on, in an AWS account that has none of it.",
    epilog="Exit codes: 0 done, or nothing is missing; with --check 1 something could not be asked, 2 something is "
    "missing or was loosened; 3 refused, 4 failed on the way, 64 wrong usage, 70 a bug of pf, 130 interrupted.",
)
def bootstrap(
    stack: StackOption = None,
    repository: Annotated[
        str, typer.Option(metavar="OWNER/NAME", help="The GitHub repository whose jobs deploy; asked for once.")
    ] = "",
    check: Annotated[bool, typer.Option("--check", help="Change nothing; say what is missing or loosened.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Confirm the first signers without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines, with --check.")] = False,
) -> None:
    """Make what a stack stands on and may not change: the buckets of its state and its reports, their key and that of
    the stack's secrets, GitHub's identity provider, the roles of the jobs that preview and deploy, and their limits.

    Run it as somebody who administers the account. Its own state begins on this machine and moves into the bucket that
    it made. Run again, it goes on where it broke off, puts back what was changed by hand, and else changes nothing.
    Then it has you confirm the first signers, and prints what is left to do as commands; no secret is among them.

    Examples: pf bootstrap --stack production --repository example/infrastructure; pf bootstrap --check --json
    """
    with _verb():
        from operations.bootstrap import NEEDS, Ground, confirm_signers
        from operations.bootstrap import bootstrap as make
        from operations.preflight import account

        if as_json and not check:
            raise OperationError("--json goes with --check", code=ExitCode.USAGE)
        loaded = _load(stack, NEEDS)
        account(loaded)
        ground = Ground.of(loaded, repository)
        if check:
            from operations.bootstrap_check import check as look
            from operations.output import show_health

            report = look(ground)
            _print(report, show_health, as_json=as_json)
            _end(report.status.code)
        from operations.bootstrap_text import show_steps

        make(ground)
        confirmed = False
        try:
            confirmed = confirm_signers(ground, yes=yes)
        finally:  # what is made is made, whatever keeps the signers from being confirmed
            show_steps(ground, signers_confirmed=confirmed)


@app.command(short_help="Print the stack's environment, for a shell to load.")
def env(stack: StackOption = None) -> None:
    """Print the stack's environment as `export` lines, secrets included: for a shell in which plain `pulumi` works.

    The shell then serves this stack of this clone, and no other. Loading it again takes what its file says now.

    Example: eval "$(./pf env)"
    """
    with _verb():
        from operations.environment import exported
        from operations.stack import default_stack

        for variable, value in exported(stack or default_stack(), state_folder(), os.environ).items():
            print(f"export {variable}={shlex.quote(value)}")


@app.command(short_help="Look whether a deployment could begin; changes nothing.", epilog=EXIT_CODES)
def doctor(
    stack: StackOption = None,
    expect_no_drift: Annotated[
        bool, typer.Option("--expect-no-drift", help="Degraded where something was changed beside Pulumi.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Look whether a deployment could begin: settings, tools, account, project, functions, what AWS has.

    Changes nothing.

    Example: pf doctor --stack production
    """
    with _verb():
        from operations.doctor import Readiness, examine, lines
        from operations.preflight import NEEDS

        loaded = _load(stack, NEEDS)

        def show(found: Readiness) -> None:
            for line in lines(found, loaded.command):
                _say(line)

        _print(found := examine(loaded), show, as_json=as_json)
        if expect_no_drift and found.moved:
            _end(ExitCode.DEGRADED)


@app.command(short_help="The commit of this project, and the versions of its tools.")
def version(as_json: JsonOption = False) -> None:
    """The commit of this project and the versions of its tools."""
    with _verb():
        from operations.version import show_version
        from operations.version import version as ask

        _print(ask(), show_version, as_json=as_json)


@app.command(
    short_help="AWS and Supabase on this machine: ./pf sandbox --help",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True},
)
def sandbox(_arguments: Annotated[list[str] | None, typer.Argument(hidden=True)] = None) -> None:
    """Named here for the list of commands; `./pf` starts the sandbox's own command line instead."""
    with _verb():
        raise OperationError("the sandbox has a command line of its own", "./pf sandbox --help", ExitCode.USAGE)


def _log_file() -> Path:
    """Where tracebacks go: the state folder, or wherever this user may write."""
    try:
        state_folder().mkdir(parents=True, exist_ok=True)
        with (state_folder() / LOG).open("a"):
            return state_folder() / LOG
    except OSError:
        return Path(tempfile.gettempdir()) / LOG


def _log() -> logging.Logger:
    logger = logging.getLogger("pf")
    if not logger.handlers:
        logger.propagate = False
        handler = logging.FileHandler(_log_file())
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
    return logger


def _confess(error: object) -> None:
    _say(f"error: this is a bug of pf ({type(error).__name__}: {error})\n  The traceback is in {_log_file()}")


def _bug_in_thread(caught: threading.ExceptHookArgs) -> None:
    _log().error("pf %s", shlex.join(sys.argv[1:]), exc_info=caught.exc_value)
    _confess(caught.exc_value)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # the shell and the terminal send one each: the second ends no tidying up
    raise KeyboardInterrupt


def main() -> None:
    """Ends the process. Nobody but the log ever sees a traceback."""
    threading.excepthook = _bug_in_thread
    open_output()
    for number in (signal.SIGHUP, signal.SIGTERM):  # a terminal that closes, and `kill`, count as Ctrl-C
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores it
            signal.signal(number, _interrupt)
    try:
        sys.exit(_run())
    except OutputError as error:
        _say(f"error: {error}")
        sys.exit(ExitCode.FAILED)


def _run() -> int:
    """The exit code, once all that was printed is written."""
    try:
        app(prog_name="pf")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else ExitCode.BUG
        if code == ExitCode.DOWN and not _AT_WORK.is_set():
            code = ExitCode.USAGE
    except OutputError:
        raise
    except KeyboardInterrupt:  # before a verb was at work
        _say("interrupted")
        code = ExitCode.INTERRUPTED
    except Exception as error:
        logger = _log()
        logger.exception("pf %s", shlex.join(sys.argv[1:]))
        refuse_to_start(error)
        _confess(error)
        code = ExitCode.BUG
    else:
        code = ExitCode.HEALTHY
    sys.stdout.flush()
    return int(code)
