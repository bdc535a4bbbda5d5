"""A diagnosis as a person reads it: one row a question, and in the last line the command to type."""

from rich.text import Text

from operations.diagnose import Diagnosis, State
from operations.errors import ExitCode
from terminal.tables import show, table
from terminal.text import printable

STYLES = {State.GOOD: "green", State.NOTE: "", State.BAD: "bold red", State.UNKNOWN: "yellow"}


def show_diagnosis(found: Diagnosis) -> None:
    rows = [(one.about, Text(one.state, STYLES[one.state]), printable(one.said)) for one in found.findings]
    show(table(("about", "state", "what was found"), rows), "")
    if found.code is ExitCode.HEALTHY:
        show("Nothing is wrong.")
    show(Text.assemble("Type next: ", (found.next, "bold")))
