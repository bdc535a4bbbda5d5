"""Freeing a stack from what a dead process left: the engine's lock, and the mark of an operation at work.

What lives here is never freed. What may live, on another machine or behind a lock that can't be read, is freed when a
person confirms it.
"""

from collections.abc import Sequence

from operations.conduct import at_work, bury
from operations.confirmation import confirmed
from operations.engine import Engine
from operations.errors import OperationError
from operations.journal import WATCHING, read_mark, write_mark
from operations.locks import Lock, locks
from operations.output import say
from operations.releases import ReleaseStore
from operations.stack import Stack


def unlock(stack: Stack, confirm: str = "") -> bool:
    """Whether there was anything to free.

    Raises: OperationError, before anything is changed.
    """
    store = ReleaseStore.of(stack.name, stack.variables).records.store
    mark = read_mark(store)
    if mark and not mark.is_dead:
        if mark.doing == WATCHING:  # it holds nothing up
            mark = None
        elif mark.is_here:
            raise at_work(mark, stack)
    unsure = [f"{mark}, {mark.doing} on {mark.host}"] if mark and not mark.is_dead else []
    freed = free([Engine(stack)], confirm, unsure)
    if mark:
        bury(mark, stack)
        write_mark(store, None)
    return freed or mark is not None


def free(engines: Sequence[Engine], confirm: str = "", unsure: Sequence[str] = ()) -> bool:
    """The locks of one stack, wherever its state may be. `unsure`: what else of it may still be at work.

    Raises: OperationError, before anything is changed.
    """
    held = [(engine, locks(engine.stack)) for engine in engines]
    for engine, found in held:
        _refuse_living(engine.stack, found)
    told = [str(one) for _, found in held for one in found if not one.is_dead]
    told += unsure
    if told:
        for one in told:
            say(f"it may still be at work: {one}")
        name = engines[0].stack.name
        confirmed(name, confirm, f"Type the stack's name ({name}) if you know that nobody is: ")
    for engine, found in held:
        if found:
            engine.read("cancel", "--yes")
        for one in found:
            say(f"freed: {one}")
    return any(found for _, found in held)


def _refuse_living(stack: Stack, found: list[Lock]) -> None:
    for one in found:
        if one.holder and one.holder.is_here and not one.is_dead:
            raise OperationError(
                f"an update of {stack.name} is at work on this machine: {one.holder}",
                "Its lock stays. Wait for it (pf deploy and pf rollback do with --wait 5m), or end it as Ctrl-C does: "
                f"kill -INT {one.holder.pid}",
            )
