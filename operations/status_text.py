"""`pf status` as people read it."""

from rich.text import Text

from operations.alarms import AlarmState
from operations.history import Entry
from operations.output import show_fields
from operations.status import StatusReport
from reports.summary import SHOWN, made_from
from settings import Contact
from terminal.tables import show, table


def show_status(report: StatusReport) -> None:
    show(Text.assemble((f"{report.stack}", "bold"), f" ({report.environment})"))
    fields = {f"{what}?": why for what, why in report.unknown.items()}
    if "history" not in report.unknown:
        fields["live"] = _entry(report.live) if report.live else "nothing that was applied as a whole"
    if report.last and report.last != report.live:
        fields["last"] = _entry(report.last)
    fields |= {
        "incident": ", ".join(f"{one.id} until {one.expires:%H:%M} UTC: {one.reason}" for one in report.incidents)
    }
    show_fields(fields)
    rows = [(one.name, _kind(one), f"{one.since:%m-%d %H:%M:%S}", one.advice) for one in report.ringing]
    if rows:
        show("", table(("rings", "kind", "since (UTC)", "what it says"), rows))
    elif "alarms" not in report.unknown:
        show("", Text(f"none of {report.alarms} alarms rings", "green") if report.alarms else "no alarm is deployed")
    for one in report.waiting:
        show(f"{one.name} tells at {one.tells_at:%m-%d %H:%M} UTC, if it still stands")
    show("")
    for what, where in report.links.items():
        print(f"  {what:<9}  {where}")  # whole: a link that is broken in two can't be followed
    people = [(str(topic), role, _person(one)) for topic, roles in report.people.items() for role, one in roles.items()]
    show("", table(("told", "role", "who"), people))


def _entry(one: Entry) -> str:
    what = f"version {one.number}, " if one.number else ""
    verified = {True: ", verified", False: ", not verified", None: ""}[one.verified]
    by = f" by {one.by}" if one.by else ""
    commit = f" of {made_from(one.commit[:SHOWN], dirty=one.dirty)}" if one.commit else ""
    return f"{what}{one.kind} {one.result}{verified}, {one.at:%Y-%m-%d %H:%M} UTC{by}{commit}"


def _kind(one: AlarmState) -> Text:
    return Text("wakes people", "bold red") if one.wakes else Text("can wait", "yellow")


def _person(one: Contact) -> str:
    return ", ".join(part for part in (one.name, one.email, one.phone) if part)
