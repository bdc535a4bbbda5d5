"""The states of an alarm, what it does when it changes between them, and the record of a change."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class SuppressedBy(StrEnum):
    """Why a composite alarm doesn't act."""

    ALARM = "Alarm"
    WAIT_PERIOD = "WaitPeriod"
    EXTENSION_PERIOD = "ExtensionPeriod"


@dataclass(frozen=True, kw_only=True)
class Actions:
    """ARNs to notify, by the state that is entered."""

    enabled: bool = True
    ok: tuple[str, ...] = ()
    alarm: tuple[str, ...] = ()
    insufficient_data: tuple[str, ...] = ()

    def on(self, state: State) -> tuple[str, ...]:
        if not self.enabled:
            return ()
        match state:
            case State.OK:
                return self.ok
            case State.ALARM:
                return self.alarm
            case State.INSUFFICIENT_DATA:
                return self.insufficient_data


@dataclass(frozen=True, kw_only=True)
class Transition:
    """An alarm changed its state, or acts now on a change that was suppressed (`old` and `new` are then the same)."""

    alarm: str
    old: State
    new: State
    at: float
    reason: str
    actions: tuple[str, ...]
    suppressed_by: SuppressedBy | None = None
