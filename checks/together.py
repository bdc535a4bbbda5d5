"""Questions asked all at once, within one deadline whatever hangs."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Answered(Generic[T]):
    """`answer` is None where the question itself failed."""

    answer: T | None
    seconds: float


def together(questions: Sequence[Callable[[], T]], seconds: float) -> list[Answered[T] | None]:
    """In the order of the questions; None for one without an answer in time.

    Each has a thread of its own. One that hangs is left behind: it never holds the others up.
    """
    start = time.monotonic()
    answers: queue.SimpleQueue[tuple[int, Answered[T]]] = queue.SimpleQueue()

    def ask(number: int) -> None:
        begun = time.monotonic()
        answer: T | None = None
        try:
            answer = questions[number]()
        finally:  # what raises is a bug: threading.excepthook logs it
            answers.put((number, Answered(answer=answer, seconds=time.monotonic() - begun)))

    for number in range(len(questions)):
        threading.Thread(target=ask, args=(number,), daemon=True, name=f"question {number}").start()
    found: dict[int, Answered[T]] = {}
    while len(found) < len(questions):
        try:
            number, answered = answers.get(timeout=max(0.0, start + seconds - time.monotonic()))
        except queue.Empty:
            break
        found[number] = answered
    return [found.get(number) for number in range(len(questions))]
