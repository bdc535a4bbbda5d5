"""The engine's event log, as it writes it in a preview: what it would do, what the policies say, what went wrong."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from components.functions_release import CALLS
from gate.surface import FUNCTION_LINE, FUNCTIONS_RELEASE, function_lines
from operations.errors import ExitCode, OperationError
from operations.state import Recorded

# The engine hides the flag behind this variable; its own Automation API reads the log the same way.
UNHIDES_THE_LOG = {"PULUMI_DEBUG_COMMANDS": "true"}
LOG_FLAG = "--event-log"

STACK = "pulumi:pulumi:Stack"
DEFAULT_PROVIDER = re.compile(r"::pulumi:providers:[\w-]+::default(_[\w.-]+)?$")
# The two halves of a replacement, which has a step of its own, and what changes nothing.
SAME = frozenset({"same", "read", "refresh"})
NO_STEPS = SAME | {"create-replacement", "delete-replaced", "discard-replaced"}
COLOUR = re.compile(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m")
API_CALLS = re.compile(rf"^{CALLS}(\d+)", re.MULTILINE)
FAILED = "preview failed"  # said after whatever made it fail


class _State(BaseModel):
    custom: bool = False
    parent: str = ""
    provider: str = ""
    retain: bool = Field(default=False, alias="retainOnDelete")
    inputs: dict[str, Any] = {}


class _Kind(BaseModel):
    kind: str = Field(default="update", alias="diffKind")


class _Metadata(BaseModel):
    op: str
    urn: str
    type: str
    old: _State | None = None
    new: _State | None = None
    diffs: list[str] | None = None
    detailed: dict[str, _Kind] | None = Field(default=None, alias="detailedDiff")


class _Resource(BaseModel):
    metadata: _Metadata
    planning: bool = False


class _Violation(BaseModel):
    urn: str = Field(default="", alias="resourceUrn")
    message: str
    policy: str = Field(alias="policyName")
    pack: str = Field(alias="policyPackName")
    level: str = Field(alias="enforcementLevel")


class _Checked(BaseModel):
    passed: list[str] | None = None
    failed: list[str] | None = None


class _Diagnostic(BaseModel):
    urn: str = ""
    message: str
    severity: str
    ephemeral: bool = False


class _Event(BaseModel):
    resource: _Resource | None = Field(default=None, alias="resourcePreEvent")
    violation: _Violation | None = Field(default=None, alias="policyEvent")
    checked: _Checked | None = Field(default=None, alias="policyAnalyzeSummaryEvent")
    checked_stack: _Checked | None = Field(default=None, alias="policyAnalyzeStackSummaryEvent")
    diagnostic: _Diagnostic | None = Field(default=None, alias="diagnosticEvent")


class Step(BaseModel):
    """What the engine would do with a resource. `properties`: what differs, and how, as the provider says."""

    op: str
    type: str
    name: str
    urn: str
    properties: dict[str, str]
    kept: bool  # a deletion that leaves it in the cloud


class FunctionChange(BaseModel):
    """An edge function whose content changes: SHA-256 of its source before and after, empty where it isn't there."""

    name: str
    before: str
    after: str


class Violation(BaseModel):
    policy: str
    level: str
    type: str
    name: str
    urn: str
    message: str


class Diagnostic(BaseModel):
    severity: str
    message: str
    urn: str


@dataclass(frozen=True, kw_only=True)
class Events:
    """One preview or update. Components, the stack and default providers are no resources, and don't count."""

    steps: Sequence[Step] = ()
    creates: Sequence[Recorded] = ()  # components as well
    unchanged: int = 0
    functions: Sequence[FunctionChange] = ()
    violations: Sequence[Violation] = ()
    checked: frozenset[str] = frozenset()  # policies that looked at something
    diagnostics: Sequence[Diagnostic] = field(default=())
    api_calls: int = 0  # of the Management API, by the commands
    began: bool = False  # an update came as far as a resource that changes; what a policy denies doesn't

    @property
    def errors(self) -> list[Diagnostic]:
        return [one for one in self.diagnostics if one.severity == "error"]


def read_events(file: Path) -> Events:
    """Raises: OperationError for a log that isn't one; an unfinished last line is what a killed engine leaves."""
    lines = file.read_text(errors="replace").split("\n") if file.exists() else []
    found: list[_Event] = []
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            found.append(_Event.model_validate_json(line))
        except ValidationError as error:
            if number < len(lines):
                raise OperationError(
                    f"the engine's event log can't be read (line {number}, {error.error_count()} problems): "
                    "is this another version of the engine?",
                    "./pf version",
                    ExitCode.FAILED,
                ) from error
    return _events(found)


def _events(found: Sequence[_Event]) -> Events:
    resources = [one.resource.metadata for one in found if one.resource]
    real = [one for one in resources if _is_real(one)]
    checked = [part for one in found for part in (one.checked, one.checked_stack) if part]
    return Events(
        steps=[_step(one) for one in real if one.op not in NO_STEPS],
        creates=[
            Recorded(urn=one.urn, type=one.type, **one.new.model_dump(include=set(Recorded.model_fields)))
            for one in resources
            if one.op == "create" and one.new and one.type != STACK and not DEFAULT_PROVIDER.search(one.urn)
        ],
        unchanged=len({one.urn for one in real if one.op in ("same", "read")}),
        functions=[change for one in real if one.op not in NO_STEPS for change in _functions(one)],
        violations=[
            Violation(
                policy=one.policy,
                level=one.level,
                type=_type(one.urn),
                name=_name(one.urn),
                urn=one.urn,
                message=COLOUR.sub("", one.message).strip(),
            )
            for one in (event.violation for event in found)
            if one
        ],
        checked=frozenset(name for one in checked for name in (*(one.passed or ()), *(one.failed or ()))),
        diagnostics=[
            Diagnostic(severity=one.severity, message=COLOUR.sub("", one.message).strip(), urn=one.urn)
            for one in (event.diagnostic for event in found)
            if one and not one.ephemeral and one.severity in ("error", "warning") and one.message.strip() != FAILED
        ],
        began=any(
            not one.resource.planning and _is_real(one.resource.metadata) and one.resource.metadata.op not in SAME
            for one in found
            if one.resource
        ),
        api_calls=sum(
            int(count)
            for event in found
            if event.diagnostic and event.diagnostic.severity == "info"  # an error quotes what was said
            for count in API_CALLS.findall(event.diagnostic.message)
        ),
    )


def _is_real(one: _Metadata) -> bool:
    state = one.new or one.old
    return state is not None and state.custom and one.type != STACK and not DEFAULT_PROVIDER.search(one.urn)


def _step(one: _Metadata) -> Step:
    detailed = {path: part.kind for path, part in (one.detailed or {}).items()}
    return Step(
        op=one.op,
        type=one.type,
        name=_name(one.urn),
        urn=one.urn,
        properties=detailed or dict.fromkeys(one.diffs or (), "update"),
        kept=one.op == "delete" and one.old is not None and one.old.retain,
    )


def _functions(one: _Metadata) -> list[FunctionChange]:
    if not FUNCTIONS_RELEASE.search(one.urn):
        return []
    before, after = _digests(one.old), _digests(one.new)
    return [
        FunctionChange(name=name, before=before.get(name, ""), after=after.get(name, ""))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _digests(state: _State | None) -> dict[str, str]:
    found = [FUNCTION_LINE.fullmatch(line) for line in function_lines(state.inputs if state else {})]
    return {match["name"]: match["digest"] for match in found if match}


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def _type(urn: str) -> str:
    return urn.rpartition("::")[0].rpartition("::")[2].rpartition("$")[2]
