"""Withdrawing an approval: a surface or a release that must not be applied (again), whoever approved it."""

from datetime import UTC, datetime
from pathlib import Path

from gate.folder import Folder
from gate.statement import Withdrawal
from operations.environment import RUNS_THE_ENGINE
from operations.errors import OperationError
from operations.gate import gate_of, judged, not_stated
from operations.stack import Stack

SHORTEST = 8
NEEDS = RUNS_THE_ENGINE


def withdraw(stack: Stack, prefix: str, *, reason: str, by: str) -> Path:
    """In the approvals folder, for git, and in the records beside the state, so that it counts at once everywhere."""
    gate = gate_of(stack)
    folder = Folder(gate.folder, stack.name)
    with judged():
        live = gate.records.live()
        approvals = [one.statement for one in folder.approvals()[0]]
        known = {one.surface for one in approvals} | {one.release for one in approvals if one.release}
        known |= {live.surface, live.release} - {""} if live else set()
        found = [digest for digest in sorted(known) if digest.startswith(prefix)]
        if len(prefix) < SHORTEST or len(found) != 1:
            what = "no surface or release" if not found else f"{len(found)} surfaces or releases"
            raise OperationError(
                f"{prefix!r} names {what}; give at least {SHORTEST} characters of one",
                f"./pf approvals --stack {stack.name} lists them",
            )
        try:
            statement = Withdrawal(
                stack=stack.name, digest=found[0], reason=reason, by=by, at=datetime.now(UTC).replace(microsecond=0)
            )
        except ValueError as error:
            raise not_stated(error) from error
        gate.records.withdraw(found[0], reason)
        return folder.write(statement)
