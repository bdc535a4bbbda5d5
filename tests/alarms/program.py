"""The alarms as the program declares them."""

from functools import cache

from sandbox.alarms.definitions import Alarm, from_inputs
from tests.program.test_program import run


@cache
def declared() -> dict[str, Alarm]:
    """By the name that the resource has in the program; its physical name has the stack in it too."""
    alarms: dict[str, Alarm] = {}
    for (type_, name), resource in run("sandbox").resources.items():
        alarm = from_inputs(type_, resource.inputs)
        if alarm is not None:
            alarms[name] = alarm
    return alarms
