"""One version in full, and what lies between two (K6). Both need the stack's backend alone."""

from pydantic import BaseModel

from gate.records import Quarantined
from gate.surface import FUNCTION_LINE
from operations.errors import OperationError
from operations.output import say
from operations.preview_report import ResourceDifference, resource_differences
from operations.releases import ReleaseStore, reading, setting_differences
from operations.report import report_store_of_environment
from releases.source import FUNCTIONS, contents
from releases.versions import Verification, Version
from reports.models import FunctionChange, OperationReport
from reports.store import ReportError
from settings import file_name


class Details(BaseModel):
    """`pf history show --json`."""

    stack: str
    version: Version
    live: bool
    verification: Verification | None
    quarantined: Quarantined | None
    withdrawn: str  # why the approval of its surface was taken back
    report: OperationReport | None


class Difference(BaseModel):
    """`pf history diff --json`."""

    before: int
    after: int
    commits: tuple[str, str]
    program: bool  # whether the program or its locked packages differ
    resources: list[ResourceDifference]
    functions: list[FunctionChange]
    config: dict[str, tuple[str, str]]  # by key: before, after


def details(name: str, number: int) -> Details:
    """Raises: OperationError."""
    store = ReleaseStore.of_environment(name)
    version = _version(store, number)
    with reading():
        latest = store.versions.latest()
        return Details(
            stack=name,
            version=version,
            live=version == latest,
            verification=store.versions.verification(number),
            quarantined=store.records.quarantined().get(version.content),
            withdrawn=store.records.withdrawn().get(version.surface, ""),
            report=_report(name, version.operation.id) if version.operation else None,
        )


def _report(name: str, identity: str) -> OperationReport | None:
    try:
        store = report_store_of_environment(name)
        return next((store.read(filed) for filed in store.list() if filed.id == identity), None)
    except (ReportError, OperationError) as error:
        say(f"without its report: {error}")
        return None


def difference(name: str, before: int, after: int) -> Difference:
    """Raises: OperationError."""
    store = ReleaseStore.of_environment(name)
    old, new = _version(store, before), _version(store, after)
    with reading():
        surfaces = [store.records.surface(one.surface) for one in (old, new)]
    left, right = _functions(old), _functions(new)
    return Difference(
        before=before,
        after=after,
        commits=(old.commit, new.commit),
        program=_program(store, old) != _program(store, new),
        resources=resource_differences(*surfaces),
        functions=[
            FunctionChange(name=function, before=left.get(function, ""), after=right.get(function, ""))
            for function in sorted(left.keys() | right.keys())
            if left.get(function) != right.get(function)
        ],
        config=setting_differences(store, old, new),
    )


def _version(store: ReleaseStore, number: int) -> Version:
    with reading():
        version = store.versions.get(number)
    if version is None:
        raise OperationError(f"there is no version {number}", f"What there is: ./pf history --stack {store.stack}")
    return version


def _program(store: ReleaseStore, version: Version) -> dict[str, bytes]:
    """Its files; the stack's config and the functions are compared by themselves."""
    with reading():
        files = contents(store.versions.source(version), version.source)
    config = file_name(store.stack)
    return {
        name: text for name, text in files.items() if name != config and not name.startswith(f"{FUNCTIONS}/functions/")
    }


def _functions(version: Version) -> dict[str, str]:
    """The digest of each one's content."""
    matches = (FUNCTION_LINE.fullmatch(line) for line in version.functions)
    return {match["name"]: match["digest"] for match in matches if match}
