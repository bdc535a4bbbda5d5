"""The trust root: who may approve the first deployment, confirmed once by a person who has compared the keys."""

from datetime import UTC, datetime

from pydantic import BaseModel

from gate.evidence import Gate
from gate.records import TrustRoot
from gate.signers import Role, Signers
from gate.trust import APPROVALS, SIGNERS, TrustError, TrustFiles
from operations.confirmation import confirmed
from operations.environment import RUNS_THE_ENGINE
from operations.errors import OperationError
from operations.gate import gate_of, judged
from operations.output import say
from operations.stack import Stack

NEEDS = RUNS_THE_ENGINE


def confirm(stack: Stack, given: str) -> bool:
    """Whether they had to be confirmed. Later changes of the signers are approved by the signers before them."""
    gate = gate_of(stack)
    with judged():
        files = TrustFiles.of_folder(gate.folder)
        signers = Signers.parse(files.signers.encode(), str(gate.folder / SIGNERS))
        record = gate.records.live() or gate.records.trust_root()
        if record is not None:
            if record.signers == files.digest:
                return False
            raise OperationError(
                f"the signers of {stack.name} were confirmed on {record.at:%Y-%m-%d}; these are others",
                f"A change of the signers is approved like any other: ./pf approve --stack {stack.name}",
            )
        _refuse_unmerged(gate, files, stack)
        say(f"Who may approve changes of {stack.name}; compare each key with its owner, not by this file:")
        for one in signers.signers:
            say(f"  {one.principal}: {', '.join(one.roles)}\n    {one.fingerprint}")
        confirmed(stack.name, given, f"Type the stack's name ({stack.name}) to confirm them: ")
        root = TrustRoot(signers=files.digest, signers_commit=gate.commits.head(), at=datetime.now(UTC))
        if not gate.records.confirm(root, files.as_bytes()):
            raise OperationError("somebody else has just confirmed them", f"./pf signers list --stack {stack.name}")
    return True


def _refuse_unmerged(gate: Gate, files: TrustFiles, stack: Stack) -> None:
    """They count as the protected branch has them at the commit that is confirmed: of another, nobody could approve."""
    if missing := [branch for branch in gate.branches if not _has(gate, branch, files)]:
        raise OperationError(
            f"{' and '.join(missing)} doesn't have these signers at this commit",
            f"Commit {APPROVALS}/ and bring it there (here afterwards: git fetch origin), then: "
            f"./pf signers confirm --stack {stack.name}",
        )


def _has(gate: Gate, branch: str, files: TrustFiles) -> bool:
    head = gate.commits.head()
    try:
        return gate.commits.has(branch, head) and TrustFiles.of_commit(gate.commits, head).digest == files.digest
    except TrustError:  # the commit has none
        return False


class InForce(BaseModel):
    """Somebody who may approve. `fingerprint` is the key's, as ssh-keygen prints it. Without dates it always counts."""

    principal: str
    roles: list[Role]
    fingerprint: str
    valid_after: datetime | None
    valid_before: datetime | None


def listed(stack: Stack) -> list[InForce]:
    with judged():
        return [
            InForce(
                principal=one.principal,
                roles=list(one.roles),
                fingerprint=one.fingerprint,
                valid_after=one.valid_after,
                valid_before=one.valid_before,
            )
            for one in gate_of(stack).trust.signers.signers
        ]
