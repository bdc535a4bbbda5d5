"""What follows a deployment: the watch, and the way back where what was deployed doesn't stand."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from operations.applying import noted
from operations.errors import ExitCode, OperationError
from operations.health import HealthReport
from operations.journal import WATCHING, Journal
from operations.output import say
from operations.releases import ReleaseStore, candidates, reading
from operations.rollback import undo
from operations.stack import Stack
from operations.watch import Outcome, watch
from releases.versions import Version
from reports.models import Alarming, Measurement, Result


@dataclass(frozen=True, kw_only=True)
class Before:
    """How things stood: what was unwell or slow already is not the deployment's doing."""

    live: Version | None
    unwell: frozenset[str] = frozenset()
    measured: list[Measurement] = field(default_factory=list[Measurement])
    alarms: Mapping[str, Alarming] = field(default_factory=dict[str, Alarming])


@dataclass(frozen=True, kw_only=True)
class Aftermath:
    """Of the deployment that the journal tells of."""

    stack: Stack
    store: ReleaseStore
    journal: Journal

    def watch(self, seconds: float, before: Before, report: HealthReport) -> HealthReport:
        with self.journal.step(WATCHING, "everything is deployed and verified; the watch is over"):
            seen = watch(
                self.stack,
                seconds=seconds,
                before=before.measured,
                alarms_before=before.alarms,
                still_current=self._newer,
            )
        self.journal.after = seen.measurements or self.journal.after
        self.journal.errors += seen.errors
        say(seen.message)
        if seen.outcome is Outcome.FAILED:
            return self.take_back(f"the watch saw it fail, {seen.message}", before, report)
        return report

    def _newer(self) -> str | None:
        with reading():
            latest = self.store.versions.latest()
        if latest and latest.number != self.journal.version:
            return f"version {latest.number} has come: this watch is over"
        return None

    def take_back(self, why: str, before: Before, report: HealthReport) -> HealthReport:
        """To the last version that was verified, if there is one and if what stands is this deployment's.

        One that brought nothing new has broken nothing: what fails has another cause, and would fail there as well.
        """
        noted(self.store, self.journal, good=False, why=why)
        self.journal.why = why
        if self.journal.version == self.journal.version_before:
            say(f"{why}. The deployment brought nothing new, so nothing is taken back")
            return report
        with reading():
            stands_now = self.store.versions.latest()
            left = stands_now.content if stands_now else ""
            target = next(candidates(self.store, left), None)
        if stands_now is None or stands_now.number != self.journal.version or before.live is None:
            return report
        if target is None:
            say(f"{why}. No verified version is there to go back to")
            return report
        self.go_back(target, stands_now, why)
        raise self.brought_back(target, why)

    def brought_back(self, target: Version, why: str) -> OperationError:
        """What a deployment ends with that is not live any more."""
        return OperationError(
            f"{why}: version {target.number} has been brought back",
            f"./pf report {self.journal.id}{self.stack.command} says what failed; mend it, then deploy again.",
            ExitCode.FAILED,
        )

    def go_back(self, target: Version, live: Version, why: str) -> None:
        say(f"{why}. Going back to version {target.number}")
        with self.journal.step("rolling back", "a rollback was under way"):
            self.journal.result = Result.ROLLED_BACK
            try:
                undo(self.stack, self.store, live, target, reason=why)
            except OperationError as error:
                self.journal.result = Result.FAILED
                self.journal.why = f"{why}; the way back to version {target.number} failed: {error.message}"
                if error.code is not ExitCode.REFUSED:
                    raise
                # That the way back changed nothing doesn't mean that the deployment didn't.
                raise OperationError(self.journal.why, error.cure, ExitCode.FAILED) from error
