"""What a preview found: what would change, what the policies say, and which approvals it has and lacks."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from gate.surface import Surface
from gate.words import ChangeKind, differences
from operations.approvals import Approvals
from operations.engine_events import Diagnostic, FunctionChange, Step, Violation
from operations.errors import ExitCode
from operations.reversibility import Undo, forward_only
from operations.way_back import WayBack

APPROVAL = "security-approval"  # the policy under whose name the gate denies
DRIFT = "what is deployed is not what was approved last; somebody changed it in another way"
SHOWN = 12  # characters of a digest that people read

# What can't be got back comes first.
OPS = ("replace", "delete", "import-replacement", "import", "create", "update")


# A step's kind as the engine names it, and how many: both are shown as they are, whoever has written the report.
Kind = Annotated[str, StringConstraints(pattern=r"^[a-z]+(-[a-z]+)*$", max_length=40)]
Count = Annotated[int, Field(ge=0, lt=10**9)]


class Outcome(StrEnum):
    ALLOWED = "allowed"
    APPROVALS_MISSING = "approvals missing"
    REFUSED = "refused"

    @property
    def code(self) -> ExitCode:
        return CODES[self]


CODES = {
    Outcome.ALLOWED: ExitCode.HEALTHY,
    Outcome.APPROVALS_MISSING: ExitCode.DEGRADED,
    Outcome.REFUSED: ExitCode.REFUSED,
}


class ResourceDifference(BaseModel):
    """A resource that differs between two security surfaces, in words made safe to print."""

    urn: str
    name: str
    type: str
    title: str
    kind: ChangeKind
    sentences: list[str]


class PreviewReport(BaseModel):
    """`pf preview --json`. Fields are only ever added within a schema version."""

    schema_version: Literal[1] = 1
    stack: str
    environment: str
    outcome: Outcome
    previewed_at: datetime
    seconds: float
    counts: Annotated[dict[Kind, Count], Field(max_length=40)]  # by kind of step, and `unchanged`
    steps: list[Step]
    functions: list[FunctionChange]
    undo: list[Undo] = []  # one entry a change
    way_back: WayBack | None = None  # once this is applied; none where the gate did not see the whole
    policies_checked: list[str]
    violations: list[Violation]
    diagnostics: list[Diagnostic]
    surface: str  # digest of the one that would be live; empty where the pack did not see the whole
    base: str  # of the one that is deployed
    approved: str  # of the one that was approved last, or is deployed before the first approval
    differences: list[ResourceDifference]  # from the approved one, so that drift shows as the change that it is
    drift: list[ResourceDifference]  # from the approved one to what is deployed
    approvals: Approvals | None  # none where the gate could not judge
    gate_problem: str  # why it couldn't
    approve_command: (
        str  # what leads to the missing approvals; empty where nothing is missing, or another change is needed
    )
    diff: str  # the engine's own words, where they were not shown as they came

    @property
    def changes(self) -> str:
        """`1 to replace, 2 to update, 30 unchanged`"""
        if not any(self.counts.values()):
            return "no resource was previewed"
        named = [f"{count} to {op}" for op, count in self.counts.items() if op != "unchanged" and count]
        return ", ".join([*(named or ["nothing to change"]), f"{self.counts.get('unchanged', 0)} unchanged"])

    @property
    def undoable(self) -> str:
        """`can this be undone? yes; a rollback goes to version 7 (…)`; empty where nothing would change."""
        if not self.undo:
            return ""
        lasting = len(forward_only(self.undo))
        answer = f"not all of it ({lasting} forward-only)" if lasting else "yes"
        if self.way_back is None:
            return f"can this be undone? {answer}"
        if self.way_back.problem and not lasting:
            answer = "only by a new deployment"
        return f"can this be undone? {answer}; {self.way_back.words}"

    @property
    def lasting(self) -> list[Undo]:
        return forward_only(self.undo)

    @property
    def refusals(self) -> list[Violation]:
        """What the policies forbid, mandatory first. The gate's answer stands among the approvals, if it has one."""
        said = [one for one in self.violations if self.approvals is None or one.policy != APPROVAL]
        return sorted(said, key=lambda one: (one.level != "mandatory", one.policy, one.urn))

    @property
    def policies(self) -> str:
        """`12 of 14 hold, 1 warns, 1 refuses`; the gate's rule is named, since `refusals` may leave it out."""
        refuse = {one.policy for one in self.violations if one.level == "mandatory"}
        warn = {one.policy for one in self.violations} - refuse
        total = len(refuse | warn | set(self.policies_checked))
        if not total:
            return "none looked at this"
        counted = [(len(warn), "warns", "warn"), (len(refuse), "refuses", "refuse")]
        others = [f"{count} {one if count == 1 else several}" for count, one, several in counted if count]
        if APPROVAL in refuse:
            others[-1] += f" ({APPROVAL}{' among them' * (len(refuse) > 1)})"
        return ", ".join([f"{total - len(refuse | warn)} of {total} hold", *others])


def resource_differences(before: Surface, after: Surface) -> list[ResourceDifference]:
    return [
        ResourceDifference(
            urn=one.urn,
            name=one.name,
            type=one.type,
            title=one.title,
            kind=one.kind,
            sentences=list(one.sentences),
        )
        for one in differences(before, after)
    ]


def order(step: Step) -> tuple[int, str, str]:
    return (OPS.index(step.op) if step.op in OPS else len(OPS), step.type, step.name)
