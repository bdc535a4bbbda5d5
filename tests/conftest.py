"""What every test relies on, however the tests were started."""

import signal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A machine's pace says nothing of a property: the first text that is drawn in a new checkout takes a second by itself.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# What `make test` says of a commit is no matter of luck: it draws the same examples each time, `make drills` new ones.
settings.register_profile("same", unhurried, derandomize=True)
settings.register_profile("searching", unhurried)
settings.load_profile("same")

# A shell that starts them in the background has them ignore interrupts, and whatever they start as well.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHOWED = "showed"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What a story showed, line by line, beside how many tests passed."""
    reports: list[pytest.TestReport] = terminalreporter.getreports("passed")
    lines = [str(said) for report in reports for name, said in report.user_properties if name == SHOWED]
    if lines:
        terminalreporter.section("what the workflows showed")
    for line in lines:
        terminalreporter.line(line)
