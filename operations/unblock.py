"""Lifting a quarantine: what a rollback left may be deployed again."""

from operations.conduct import line
from operations.errors import OperationError
from operations.output import say
from operations.releases import ReleaseStore, reading


def unblock(name: str, number: int, reason: str) -> None:
    """Raises: OperationError where that version is in no quarantine."""
    reason = line(reason, "reason")
    store = ReleaseStore.of_environment(name)
    with reading():
        quarantined = store.records.quarantined()
        version = store.versions.get(number)
        content = version.content if version else ""
        if content not in quarantined:
            there = ", ".join(str(one.version) for one in quarantined.values()) or "none"
            raise OperationError(
                f"version {number} is not in quarantine; there is: {there}", f"./pf history --stack {name}"
            )
        say(f"version {number} was left because: {quarantined[content].reason}; lifted because: {reason}")
        store.records.unblock(content)
