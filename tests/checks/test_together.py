"""All at once, and nobody waits for one that hangs."""

import queue
import threading
from types import SimpleNamespace

import pytest

from checks.together import together

pytestmark = pytest.mark.rows("P6")


def test_all_are_asked_at_once_and_answered_in_the_order_of_the_questions() -> None:
    together_only = threading.Barrier(3)
    questions = [lambda number=number: (together_only.wait(60), number)[1] for number in range(3)]
    assert [one.answer if one else None for one in together(questions, 60)] == [0, 1, 2]


def test_one_that_hangs_is_left_behind_at_the_deadline_and_the_others_answers_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, released = threading.current_thread(), threading.Event()
    moments = iter((0.0, 0.0, 60.0))  # the beginning, waiting for the first answer, and for the second

    def monotonic() -> float:
        return next(moments) if threading.current_thread() is here else 0.0

    monkeypatch.setattr("checks.together.time", SimpleNamespace(monotonic=monotonic))
    hung, answered = together([released.wait, lambda: True], 60)
    released.set()
    assert hung is None
    assert answered is not None
    assert answered.answer


def test_a_question_that_fails_is_told_from_one_that_hangs_and_its_error_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: queue.SimpleQueue[threading.ExceptHookArgs] = queue.SimpleQueue()
    monkeypatch.setattr(threading, "excepthook", told.put)
    (failed,) = together([lambda: 1 // 0], 60)
    assert failed is not None
    assert failed.answer is None
    assert told.get(timeout=60).exc_type is ZeroDivisionError
