"""The frame around a deployment and a rollback: who is at work, and that it always ends with a report."""

import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from gate.store import Store
from operations.engine import InterruptedEngineError
from operations.errors import ExitCode, OperationError
from operations.journal import WATCHING, Journal, Mark, killed, read_mark
from operations.notify import Event, notify
from operations.output import say
from operations.report import PLACE_CURE, local_store, report_store, told
from operations.stack import Stack
from reports.models import Kind, OperationReport, Result
from reports.store import ReportError
from terminal.sources import cure, loading_problem

WAIT_INTERVAL_SECONDS = 1.0
LONGEST_LINE = 500
GO_ON = {Kind.DEPLOYMENT: "deploy", Kind.ROLLBACK: "diagnose rollback", Kind.WATCH: "watch"}


def line(text: str, what: str) -> str:
    """A reason or a message as it may stand in a history, a subject and a report.

    Raises: OperationError.
    """
    text = text.strip()
    if not text:
        raise OperationError(f"the {what} is empty", f"Say it in one line: --{what} TEXT")
    if not text.isprintable():
        raise OperationError(f"the {what} has more than one line, or control characters", "Say it in one line.")
    if len(text) > LONGEST_LINE:
        raise OperationError(f"the {what} has {len(text)} characters", f"Say it in {LONGEST_LINE} or fewer.")
    return text


@contextmanager
def conducted(journal: Journal, stack: Stack, *, urgent: bool = False) -> Generator[None]:
    """Whatever happens inside, a report says so, and the mark of being at work goes.

    `urgent`: it goes on beside another operation, whose engine's lock alone holds it up.

    Raises: OperationError, with what an interruption has left.
    """
    reports = report_store(stack)  # an address that can't be used is said before anything is done
    outer = _see_who_else(journal, stack, urgent=urgent)
    if not urgent and not outer:  # neither an emergency nor a deployment's way back waits for its report
        with told(PLACE_CURE):
            reports.refuse_unwritable()
    started = ThreadPoolExecutor(1).submit(_tell_of_the_start, journal, stack)
    try:
        yield
    except (KeyboardInterrupt, InterruptedEngineError) as error:
        journal.result, journal.why = Result.INTERRUPTED, f"interrupted while {journal.doing}"
        raise OperationError(
            f"interrupted while {journal.doing}{journal.left and f': {journal.left}'}",
            f"Go on: ./pf {GO_ON[journal.kind]}{stack.command}",
            ExitCode.INTERRUPTED,
        ) from error
    except OperationError as error:
        if journal.result is Result.SUCCEEDED:
            journal.result, journal.why = Result.FAILED, error.message
        raise
    except BaseException as error:
        journal.result, journal.why = Result.FAILED, f"{type(error).__name__}: {error}"
        if problem := loading_problem(error):  # a source that was edited meanwhile, and is first needed now
            left = f"it broke off while {journal.doing}{journal.left and f': {journal.left}'}"
            raise OperationError(f"{problem}; {left}", cure(error), ExitCode.FAILED) from error
        raise
    finally:
        journal.errors += filter(None, [started.result(), _unmarked(journal, outer)])
        finish(journal.report(), stack)


def _unmarked(journal: Journal, outer: Mark | None) -> str | None:
    """What went wrong, which ends nothing: the report says how the operation itself ended."""
    try:
        journal.unmark(outer)
    except OperationError as error:
        say(f"warning: {error.message}")
        return error.message
    return None


def finish(report: OperationReport, stack: Stack) -> None:
    """Write the report, and tell those who listen how it ended."""
    event = _ended(report)
    unmade = report.version is None and report.version_before is None
    problem = notify(stack, event, _what_came(report), _facts(report), unmade=unmade) if event else None
    report = report.model_copy(update={"errors": [*report.errors, *filter(None, [problem])]})
    try:
        say(f"report: {report_store(stack).write(report)}")
    except (ReportError, OperationError) as error:
        say(f"the report could not be written: {error}")
        _keep_here(report, stack)


def _keep_here(report: OperationReport, stack: Stack) -> None:
    """A report that its own place doesn't take is not lost: an emergency didn't ask beforehand whether it would."""
    if not stack.environment.pf_reports:
        return
    try:
        say(f"it is kept on this machine, to be copied there: {local_store(stack).write(report)}")
    except ReportError as error:
        say(f"nor here: {error}")


def _tell_of_the_start(journal: Journal, stack: Stack) -> str | None:
    """Of a watch nobody wants to hear, unless it sees something."""
    events = {Kind.DEPLOYMENT: Event.DEPLOYMENT_STARTED, Kind.ROLLBACK: Event.ROLLBACK_STARTED}
    return notify(stack, events[journal.kind], _what(journal)) if journal.kind in events else None


def _what(journal: Journal) -> str:
    said = journal.reason or journal.message
    return f"by {journal.who}{said and f': {said}'}"


def _ended(report: OperationReport) -> Event | None:
    if report.kind is Kind.WATCH and report.result is not Result.ROLLED_BACK:
        return None if report.result is Result.SUCCEEDED else Event.WATCH_FAILED
    if report.kind is Kind.ROLLBACK:
        return Event.ROLLBACK_SUCCEEDED if report.result is Result.SUCCEEDED else Event.ROLLBACK_FAILED
    return {
        Result.SUCCEEDED: Event.DEPLOYMENT_SUCCEEDED,
        Result.ROLLED_BACK: Event.DEPLOYMENT_ROLLED_BACK,
    }.get(report.result, Event.DEPLOYMENT_FAILED)


def _what_came(report: OperationReport) -> str:
    version = f"version {report.version}" if report.version else "no new version"
    said = report.why or report.reason or report.message
    return f"{version} by {report.who}{said and f': {said}'}"


def _facts(report: OperationReport) -> dict[str, object]:
    return {
        "report": report.id,
        "result": report.result,
        "version": report.version,
        "version_before": report.version_before,
        "commit": report.commit,
        "who": report.who,
        "seconds": report.seconds,
    }


def wait_for_operation(store: Store, seconds: float) -> None:
    """Until nobody is at work here, or the time is over."""
    deadline, told = time.monotonic() + seconds, False
    while (mark := read_mark(store)) and mark.holds_up and time.monotonic() < deadline:
        if not told:
            say(f"waiting for {mark}: {mark.doing}")
            told = True
        time.sleep(WAIT_INTERVAL_SECONDS)


def _see_who_else(journal: Journal, stack: Stack, *, urgent: bool) -> Mark | None:
    """An operation that was killed gets its report now; one at work is not disturbed, except in its watch.

    Returns the mark of the deployment that goes back by this very process.
    """
    mark = read_mark(journal.store)
    if mark is None or mark.is_ours:
        return mark
    if mark.is_dead:
        bury(mark, stack)
    elif mark.doing == WATCHING:
        say(f"{mark} is being watched; that watch ends now")
    elif mark.is_here and not urgent:
        raise at_work(mark, stack)
    else:
        say(f"{mark} has not ended: it is {mark.doing} on {mark.host}, or died there")
    return None


def bury(mark: Mark, stack: Stack) -> None:
    """The report of an operation that was killed."""
    say(f"{mark} was killed while {mark.doing}")
    finish(killed(mark, stack.name, stack.settings.environment), stack)


def at_work(mark: Mark, stack: Stack) -> OperationError:
    return OperationError(
        f"{mark} is at work: {mark.doing}",
        f"Wait for it (--wait 5m), see ./pf diagnose rollback{stack.command}, or end it as Ctrl-C does: "
        f"kill -INT {mark.pid}",
    )
