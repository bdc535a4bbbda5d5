"""The stack's approval gate as `pf` asks it: the same evidence and the same decision as in the policy pack."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import yaml

from components.function_source import Release
from gate.decision import Change, Identity, Known, Verdict, decide
from gate.evidence import CLOSED, Gate
from gate.receipt import Receipt, ReceiptError, program_digest
from gate.state import State, read
from gate.surface import Surface
from operations.engine import Engine, InterruptedEngineError, encryption_cure
from operations.environment import PACK
from operations.errors import ExitCode, OperationError
from operations.output import say
from operations.stack import Stack


@contextmanager
def judged() -> Generator[None]:
    """What the gate can't read is refused, with its own message."""
    try:
        yield
    except CLOSED as error:
        message, _, cure = str(error).partition(": ./pf")
        raise OperationError(message, f"./pf{cure}" if cure else "") from error


def not_stated(error: ValueError) -> OperationError:
    """What keeps a statement from being made, as people read it."""
    problems = "; ".join(str(one["msg"]) for one in getattr(error, "errors", list)())
    return OperationError(f"this can't be stated: {problems or error}")


def deployed_state(stack: Stack) -> State:
    """Raises: StateError, which is the gate's."""
    return read(stack.project, stack.name, str(stack.root), stack.variables)


def gate_of(stack: Stack) -> Gate:
    settings = stack.settings
    return Gate(
        identity=Identity(
            project=stack.project,
            stack=stack.name,
            account=settings.aws_account_id,
            region=settings.aws_region,
            supabase_ref=settings.supabase_project_ref,
        ),
        root=stack.root,
        branch=settings.protected_branch,
        repository=settings.repository,
        business_hours=settings.business_hours.model_dump(by_alias=True, mode="json"),
        environment={**stack.variables, "PF_STATE": str(stack.state)},
    )


def pack_version() -> str:
    """The policy pack's, which an approval names."""
    described: dict[str, str] = yaml.safe_load((PACK / "PulumiPolicy.yaml").read_text())
    return described["version"]


@dataclass(frozen=True, kw_only=True)
class Look:
    """A change as its preview showed it, and what the gate says of it now."""

    gate: Gate
    receipt: Receipt
    change: Change
    known: Known

    @cached_property
    def verdict(self) -> Verdict:
        return decide(self.change, self.known)

    @property
    def base(self) -> Surface:
        """What an approval given now is bound to: what is deployed, which is what is live unless it drifted."""
        return self.change.state

    @property
    def approved(self) -> Surface:
        """What people compare with: what was approved last. Drift shows as a change, which it is to them."""
        return self.known.live_surface if self.known.live else self.base


def look(stack: Stack, engine: Engine) -> Look:
    """By the last preview if neither the program nor the state has moved since, else by a new one."""
    gate = gate_of(stack)
    with judged():
        deployed = gate.deployed(deployed_state(stack))
        receipt = _fresh(gate, deployed, stack.release)
        if receipt is None:
            say(f"previewing {stack.name}")
            receipt = _preview(gate, engine)
        return looked(gate, receipt, deployed)


def looked(gate: Gate, receipt: Receipt, deployed: Surface) -> Look:
    """Raises: what `judged` catches."""
    change = gate.change(
        surface=receipt.surface,
        state=deployed,
        release=receipt.release,
        functions=receipt.functions,
        pack=pack_version(),
    )
    return Look(gate=gate, receipt=receipt, change=change, known=gate.known(receipt.surface, receipt.release))


def _fresh(gate: Gate, deployed: Surface, release: Release) -> Receipt | None:
    last = gate.last_receipt
    if last is None:
        return None
    try:
        receipt = Receipt.read(last)
    except ReceiptError:
        return None
    same = (
        receipt.program == program_digest(gate.root, gate.stack)
        and receipt.state == deployed.digest
        and receipt.functions == release.contents
    )
    return receipt if same else None


def _preview(gate: Gate, engine: Engine) -> Receipt:
    """A denial is an answer here: it leaves a receipt as well."""
    engine.ensure_stack()
    try:
        code, said = engine.preview(quiet=True)
    except InterruptedEngineError:
        raise OperationError("interrupted; nothing was changed", code=ExitCode.INTERRUPTED) from None
    try:
        return Receipt.read(gate.receipt(engine.run))
    except ReceiptError as error:
        raise OperationError(
            f"the preview failed before anything could be judged:\n{said if code else error}",
            encryption_cure(engine.stack, said),
            ExitCode.REFUSED,
        ) from error
