"""What every test relies on, however the tests were started."""

import signal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A machine's pace says nothing of a property: the first text that is drawn in a new checkout takes a second by itself.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

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
