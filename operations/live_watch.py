"""`pf watch`: the watch of a deployment that ended without one, from another process or machine (D3)."""

from operations.aftermath import Aftermath, Before
from operations.conduct import conducted
from operations.errors import OperationError
from operations.health import HealthReport, health
from operations.journal import Journal
from operations.releases import ReleaseStore, reading
from operations.report import reports
from operations.stack import Stack
from releases.versions import Version
from reports.models import Kind, OperationReport

RECENT_REPORTS = 20


def watch_live(stack: Stack, seconds: float | None = None) -> HealthReport:
    """Judged by what that deployment found before it began. `seconds`: the setting's, if none are named.

    Raises: OperationError; where the watch saw it fail, the last verified version is live again.
    """
    store = ReleaseStore.of(stack.name, stack.variables)
    with reading():
        live = store.versions.latest()
    made = _deployment_of(stack, live)
    journal = Journal(
        kind=Kind.WATCH,
        stack=stack.name,
        environment=stack.settings.environment,
        store=store.records.store,
        commit=made.commit,
        dirty=made.dirty,
        message=made.message,
        reason=made.reason,
        version_before=made.version_before,
        version=made.version,
        verified=True,
        before=made.before,
    )
    if seconds is None:
        seconds = stack.settings.watch_seconds(hotfix=made.change == "hotfix")
    with conducted(journal, stack):
        report = health(stack)
        journal.asked(report)
        before = Before(live=live, measured=made.before, alarms=made.alarms_before)
        return Aftermath(stack=stack, store=store, journal=journal).watch(seconds, before, report)


def _deployment_of(stack: Stack, live: Version | None) -> OperationReport:
    """The report of the deployment that brought what is live. Raises: OperationError."""
    listed = reports(stack, RECENT_REPORTS) if live else []
    for one in listed:
        report = one.report
        if report and report.kind is Kind.DEPLOYMENT and report.verified and live and report.version == live.number:
            return report
    raise OperationError(
        f"there is nothing to watch: what is live in {stack.name} is not what `pf deploy` brought and verified last",
        f"./pf history{stack.command} says what it is; ./pf health{stack.command} how it is.",
    )
