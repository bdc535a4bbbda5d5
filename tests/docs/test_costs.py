"""docs/going-to-production.md: its commands are there, and its figures follow from the program and AWS's prices."""

import re
import shlex
from typing import Any

import pytest
import typer

from components.alarm_table import page
from operations.cli import app
from tests.bootstrap.test_program import run as foundation
from tests.e2e.checkout import ROOT
from tests.program.test_program import run

pytestmark = pytest.mark.rows("R5")

PAGE = (ROOT / "docs/going-to-production.md").read_text()
RUNS = 30 * 24 * 60  # of the probe
# Of one run, as measured.
KMS_CALLS, CLOUDWATCH_CALLS, FUNCTION_CALLS = 60, 33, 24


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose heading begins so."""
    lines = PAGE[PAGE.index(f"\n{heading}") + 1 :].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def series(value: Any) -> set[tuple[str, ...]]:
    """Every metric that a graph or an alarm reads: namespace, name, dimensions."""
    if isinstance(value, list):
        return set().union(*map(series, value))
    if not isinstance(value, dict):
        return set()
    found = set().union(*map(series, value.values()))
    if value.get("namespace"):
        dimensions = [text for pair in sorted(value.get("dimensions", {}).items()) for text in pair]
        found.add((value["namespace"], value["metricName"], *dimensions))
    return found


def metrics(recorded: Any) -> int:
    alarms = recorded.all("aws:cloudwatch/metricAlarm:MetricAlarm")
    body = recorded.one("aws:cloudwatch/dashboard:Dashboard", "dashboard").inputs["dashboardBody"]
    shown = re.findall(r'"(ParkerFlight/Operations)", *"(\w+)", *"(\w+)", *"(\w+)"', body)  # what no alarm reads
    return len(series([one.inputs for one in alarms]) | set(shown))


def test_each_figure_follows_from_the_program() -> None:
    recorded = run("production")
    names, function = recorded.names(), recorded.one("aws:lambda/function:Function", "probe").inputs
    gigabyte_seconds = round(RUNS * function["timeout"] * function["memorySize"] / 1024)
    alarms = len(names["aws:cloudwatch/metricAlarm:MetricAlarm"]) + len(
        names["aws:cloudwatch/compositeAlarm:CompositeAlarm"]
    )
    alarm_dollars = re.search(r"\$(\d+\.\d\d) a month at", page())
    assert alarm_dollars
    expected = {
        "KMS keys": (keys := len(names["aws:kms/key:Key"]), keys * 1.0),
        "KMS calls of the probe": (RUNS * KMS_CALLS, (RUNS * KMS_CALLS - 20_000) / 10_000 * 0.03),
        "alarms": (alarms, float(alarm_dollars[1])),
        "custom metrics": (metrics(recorded), metrics(recorded) * 0.3),
        "metrics published by the probe's calls": (
            RUNS * CLOUDWATCH_CALLS,
            (RUNS * CLOUDWATCH_CALLS - 1_000_000) / 1000 * 0.01,
        ),
        "the probe's Lambda, at most": (gigabyte_seconds, (gigabyte_seconds - 400_000) * 0.0000133334),
        "dashboards": (len(names["aws:cloudwatch/dashboard:Dashboard"]), 0),
        "event rules": (len(names["aws:cloudwatch/eventRule:EventRule"]), 0),
        "topics": (len(names["aws:sns/topic:Topic"]), 0),
        "KMS keys of the state and of its secrets": (kept := len(foundation().all("aws:kms/key:Key")), kept * 1.0),
    }
    *parts, total = rows("| what | how many ")
    said = {what: (int(re.sub(r"\D", "", count)), dollars) for what, count, _price, dollars in parts}
    assert said == {what: (count, f"${dollars:.2f}") for what, (count, dollars) in expected.items()}
    assert total[-1] == f"**${sum(round(dollars, 2) for _, dollars in expected.values()):.2f}**"
    assert f"{RUNS * FUNCTION_CALLS:,} times a month" in PAGE


def test_at_most_ten_commands_lead_there_and_pf_has_each() -> None:
    steps = rows("| | command")
    assert [int(number) for number, *_ in steps] == list(range(1, len(steps) + 1))
    assert len(steps) <= 10
    for line in re.findall(r"`\./pf ([^`]+)`", PAGE):
        command: Any = typer.main.get_command(app)
        words = shlex.split(line)
        while verbs := getattr(command, "commands", {}):
            assert words, f"./pf {line}"
            assert words[0] in verbs, f"./pf {line}"
            command = verbs[words.pop(0)]
        command.make_context(line, words)
