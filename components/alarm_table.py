"""`python -m components.alarm_table`: docs/alarms.md, written anew from the alarms themselves."""

from collections.abc import Sequence
from pathlib import Path

from components.alarm import HIGH_RESOLUTION, CompositeAlarm, MetricAlarm, MissingData
from components.alarm_catalogue import CALLS, alarms
from components.function_source import read_release
from components.naming import Site
from components.security_events import SecurityEvent, security_events
from settings import Escalation

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "docs" / "alarms.md"

# https://aws.amazon.com/cloudwatch/pricing/, us-east-1: cents a month, for each metric that an alarm reads.
STANDARD, HIGH, COMPOSITE = 10, 30, 50

HEAD = f"""# Alarms

What each stack watches. The figures stand in `components/alarm_catalogue.py` and `components/objectives.py`; the rule
tests (`tests/alarms/*.yaml`) hold each alarm to them, and `make simulate` measures how soon they tell. Written by
`python -m components.alarm_table`.

Who reads a topic, and the minutes of escalation, are a stack's settings (`parker-flight:escalation`); here they are the
defaults. Of a rate the figure is in percent, of a latency in milliseconds. With fewer calls of a function than
{CALLS[10]} in 10 s, {CALLS[30]} in 30 s or {CALLS[60]} in a minute neither is judged: the alarm is quiet, and an ok
message may only mean that the calls stopped. The probe's alarms (`…-down`) don't depend on traffic.
Silence is what a period without data means: *fine*; *rings*; or *nothing*: the alarm stays as it is.

| alarm | rows | what is wrong | severity | tells | rings | silence | $ a month |
|---|---|---|---|---|---|---|---|
"""
EVENTS = """
## Calls that are told

Whoever makes one of these calls on AWS is named within seconds (EventBridge, out of CloudTrail). They cost nothing.

| rule | what it means | severity | tells | calls |
|---|---|---|---|---|
"""
SILENCE = {
    MissingData.IS_FINE: "fine",
    MissingData.IS_THE_PROBLEM: "rings",
    MissingData.SAYS_NOTHING: "nothing",
}


def span(seconds: int) -> str:
    """`10 s`, `5 min`, `6 h`, `1 d`."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds % length == 0:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def cents(alarm: MetricAlarm | CompositeAlarm) -> int:
    if isinstance(alarm, CompositeAlarm):
        return COMPOSITE
    return len(alarm.measure.series) * (HIGH if alarm.measure.period in HIGH_RESOLUTION else STANDARD)


def condition(alarm: MetricAlarm | CompositeAlarm) -> str:
    if isinstance(alarm, CompositeAlarm):
        groups = [" and ".join(f"`{part}`" for part in group) for group in alarm.any_of]
        after = f", for {span(alarm.wait_seconds)}" if alarm.wait_seconds else ""
        return " or ".join(groups) + after
    measure = alarm.measure
    held = f"above {alarm.above:g}" if alarm.above is not None else f"below {alarm.below:g}"
    if measure.periods == 1:
        return f"{held} over {span(measure.period)}"
    return f"{held} in {measure.breaching} of {measure.periods} times {span(measure.period)}"


def row(alarm: MetricAlarm | CompositeAlarm) -> str:
    cells: Sequence[str] = (
        f"[`{alarm.what}`](runbook.md#{alarm.heading})",
        alarm.rows,
        alarm.problem,
        alarm.severity,
        alarm.tells or "by a composite alarm",
        condition(alarm),
        SILENCE[alarm.missing_data] if isinstance(alarm, MetricAlarm) else "",
        f"{cents(alarm) / 100:.2f}",
    )
    return f"| {' | '.join(cells)} |"


def event_row(event: SecurityEvent) -> str:
    calls = ", ".join(f"`{event.service}:{call}`" for call in event.calls)
    cells = (f"[`{event.what}`](runbook.md#{event.heading})", event.problem, event.severity, event.tells, calls)
    return f"| {' | '.join(cells)} |"


def page() -> str:
    site = Site(environment="production", account_id="0" * 12, region="us-east-1")
    metrics, composites = alarms(site, sorted(read_release(ROOT).functions), Escalation().minutes)
    every = [*metrics, *composites]
    dollars = (sum(map(cents, every)) + COMPOSITE) / 100
    foot = (
        f"\n{len(every)} alarms, and `never`, which those wait for that tell after a while: ${dollars:.2f} a month at"
        f"\nAWS's list prices ({STANDARD} cents for each metric that an alarm reads, {HIGH} if its periods are short,"
        f"\n{COMPOSITE} for an alarm of alarms). Metrics, probe and messages are not in it.\n"
    )
    events = "\n".join(map(event_row, security_events(site)))
    return HEAD + "\n".join(map(row, every)) + "\n" + foot + EVENTS + events + "\n"


if __name__ == "__main__":
    FILE.write_text(page())
