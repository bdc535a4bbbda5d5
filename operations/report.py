"""The reports of a stack: where they are kept, the last ones, one of them."""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from operations.environment import Environment, load
from operations.errors import ExitCode, OperationError
from operations.places import ROOT, state_folder
from operations.stack import Stack
from reports.models import Kind, OperationReport
from reports.store import ReportError, ReportStore
from settings import Settings, SettingsError

PLACE_CURE = "PF_REPORTS says where they are: environment.template has an example."


class Listed(BaseModel):
    """A report of the list; without its content where that can't be read, and then with the problem."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Kind
    id: str
    report: OperationReport | None = None
    problem: str = ""


@contextmanager
def told(cure: str = "") -> Generator[None]:
    """What the store can't do is refused, with its own message."""
    try:
        yield
    except ReportError as error:
        raise OperationError(str(error), cure) from error


def report_store(stack: Stack) -> ReportStore:
    """PF_REPORTS, or a folder beside the state. Raises: OperationError."""
    return _opened(stack.name, stack.environment, stack.state, stack.variables, stack.settings.aws_region)


def local_store(stack: Stack) -> ReportStore:
    """The folder beside the state. Raises: ReportError."""
    return ReportStore.of(stack.state / "reports", stack.name, stack.variables)


def report_store_of_environment(stack: str) -> ReportStore:
    """The same, also where the present checkout has broken the stack's settings. Raises: OperationError."""
    state = state_folder()
    loaded = load(stack, state, os.environ, ())
    try:
        region = Settings.from_file(stack, ROOT).aws_region
    except SettingsError:
        region = ""
    return _opened(stack, loaded.settings, state, loaded.variables, region)


def _opened(
    stack: str, environment: Environment, state: Path, variables: Mapping[str, str], region: str
) -> ReportStore:
    url = environment.pf_reports or state / "reports"
    with told(PLACE_CURE):
        return ReportStore.of(url, stack, {**variables, "AWS_REGION": environment.aws_region or region})


def reports(stack: Stack, limit: int) -> list[Listed]:
    """The last ones, the newest first."""
    store = report_store(stack)
    found: list[Listed] = []
    with told():
        for filed in store.list()[:limit]:
            try:
                report, problem = store.read(filed), ""
            except ReportError as error:
                report, problem = None, str(error)
            found.append(Listed(name=filed.name, kind=filed.kind, id=filed.id, report=report, problem=problem))
    return found


def report(stack: Stack, which: str) -> OperationReport:
    """`latest`, or the one whose id or name begins so."""
    store = report_store(stack)
    with told(f"The reports that there are: ./pf report{stack.command}"):
        return store.read(store.find(which))


def write_page(found: OperationReport, file: Path) -> None:
    """Over nothing: a report that was sent to somebody stays what it was."""
    from reports.page import page

    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(page(found))
    except FileExistsError as error:
        raise OperationError(f"{file} is there already", "Name another file, or remove it.") from error
    except OSError as error:
        raise OperationError(f"{file} can't be written: {error.strerror}", code=ExitCode.FAILED) from error
