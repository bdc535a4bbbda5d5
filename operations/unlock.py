"""Freeing a stack from what a dead process left: the engine's lock, and the mark of an operation at work.

What lives here is never freed. What may live, on another machine or behind a lock that can't be read, is freed when a
person confirms it.
"""

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
    found, mark = locks(stack), read_mark(store)
    if mark and not mark.is_dead:
        if mark.doing == WATCHING:  # it holds nothing up
            mark = None
        elif mark.is_here:
            raise at_work(mark, stack)
    _refuse_living(stack, found)
    unsure = [str(one) for one in found if not one.is_dead]
    unsure += [f"{mark}, {mark.doing} on {mark.host}"] if mark and not mark.is_dead else []
    if unsure:
        for one in unsure:
            say(f"it may still be at work: {one}")
        confirmed(stack.name, confirm, f"Type the stack's name ({stack.name}) if you know that nobody is: ")
    if found:
        Engine(stack).read("cancel", "--yes")
        for one in found:
            say(f"freed: {one}")
    if mark:
        bury(mark, stack)
        write_mark(store, None)
    return bool(found or mark)


def _refuse_living(stack: Stack, found: list[Lock]) -> None:
    for one in found:
        if one.holder and one.holder.is_here and not one.is_dead:
            raise OperationError(
                f"an update of {stack.name} is at work on this machine: {one.holder}",
                "Its lock stays. Wait for it (pf deploy and pf rollback do with --wait 5m), or end it as Ctrl-C does: "
                f"kill -INT {one.holder.pid}",
            )
