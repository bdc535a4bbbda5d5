"""What an engineer who was just woken wants to know first, on one screen: what is live, what rings, where to look, whom
to call.

`pf health` asks the parts themselves; this asks what is known of them.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

from pydantic import BaseModel

from components.naming import Topic
from operations import incident
from operations.alarms import AlarmState, alarms
from operations.environment import RUNS_THE_ENGINE
from operations.errors import ExitCode, OperationError
from operations.history import Entry, history
from operations.incident import IncidentState
from operations.stack import Stack
from settings import Contact

NEEDS = ("AWS", *RUNS_THE_ENGINE)
T = TypeVar("T")
LOOKED_AT = 20  # entries of the history


class StatusReport(BaseModel):
    """`pf status --json`. Fields are only ever added within a schema version.

    `ringing` are the alarms that somebody was told of, `waiting` those that tell later, if they still stand.
    `people` are those that a level of escalation, or the readers of warnings or information, consist of, by role.
    `unknown` says why of what couldn't be asked: alarms, history, incidents.
    """

    schema_version: Literal[1] = 1
    stack: str
    environment: str
    live: Entry | None
    last: Entry | None
    incidents: list[IncidentState]
    alarms: int
    ringing: list[AlarmState]
    waiting: list[AlarmState]
    unknown: dict[str, str]
    links: dict[str, str]
    people: dict[Topic, dict[str, Contact]]

    @property
    def code(self) -> ExitCode:
        if any(one.wakes for one in self.ringing):
            return ExitCode.DOWN
        return ExitCode.DEGRADED if self.ringing or self.unknown else ExitCode.HEALTHY


def status(stack: Stack) -> StatusReport:
    """Changes nothing. What can't be asked is said, and takes nothing from the rest."""
    unknown: dict[str, str] = {}
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(_ask, "alarms", unknown, lambda: alarms(stack))
        entries = _ask("history", unknown, lambda: history(stack.name, limit=LOOKED_AT)) or []
        found = asked.result()
    incidents = _ask("incidents", unknown, lambda: incident.status(stack)) or []
    settings = stack.settings
    return StatusReport(
        stack=stack.name,
        environment=settings.environment,
        live=next((one for one in entries if one.live), None),
        last=next(iter(entries), None),
        incidents=[one for one in incidents if one.open],
        alarms=len(found.alarms) if found else 0,
        ringing=found.ringing if found else [],
        waiting=found.waiting if found else [],
        unknown=unknown,
        links=dict(settings.links),
        people=_people(settings.escalation.roles, settings.contacts),
    )


def _ask(what: str, unknown: dict[str, str], source: Callable[[], T]) -> T | None:
    try:
        return source()
    except OperationError as error:
        unknown[what] = str(error)
        return None


def _people(roles: Mapping[Topic, tuple[str, ...]], contacts: Mapping[str, Contact]) -> dict[Topic, dict[str, Contact]]:
    return {topic: {role: contacts[role] for role in told} for topic, told in roles.items()}
