"""`pf doctor`: whether a deployment could begin, and what it would come upon."""

from collections.abc import Iterator

from pydantic import BaseModel

from operations.drift import listed
from operations.engine import Engine
from operations.locks import locks
from operations.preflight import preflight
from operations.releases import ReleaseStore, damage, reading
from operations.stack import Stack
from operations.state import read_once


class Readiness(BaseModel):
    """What doesn't keep a deployment from beginning, and is worth knowing before it does.

    `moved`: URNs of what was changed beside Pulumi. `dead_locks`: who held the locks that updates left when they died.
    `archive`: why the release of the live version can't be unpacked; empty if it can.
    """

    stack: str
    release: str
    live_version: int | None
    moved: list[str]
    open_operations: int
    dead_locks: list[str]
    archive: str


def examine(stack: Stack) -> Readiness:
    """Changes nothing.

    Raises: OperationError with all that stands in a deployment's way.
    """
    store = ReleaseStore.of(stack.name, stack.variables)
    with reading():
        live = store.versions.latest()
    engine = Engine(stack)
    found = preflight(stack, engine, read_once(engine), checked=live is not None)
    return Readiness(
        stack=stack.name,
        release=found.release,
        live_version=live.number if live else None,
        moved=list(found.moved),
        open_operations=len(found.state.pending_operations),
        dead_locks=[str(one.holder or "someone unknown") for one in locks(stack)],  # the living refuse
        archive=(damage(store, live) or "") if live else "",
    )


def lines(found: Readiness, option: str) -> Iterator[str]:
    """For people; `option` names the stack in what they are told to type."""
    yield f"{found.stack} can be deployed; the source makes release {found.release}"
    for holder in found.dead_locks:
        yield f"an update that died has left its lock, which the next one frees: {holder}"
    if found.moved:
        yield f"{listed(found.moved)}\n  Put it back: ./pf deploy{option}"
    if found.open_operations:
        yield f"{found.open_operations} operations of an interrupted update are open: ./pf recover{option}"
    if found.archive:
        yield f"version {found.live_version}: {found.archive}; a deployment of the same release writes it anew"
