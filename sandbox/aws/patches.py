"""How moto is made stricter: a question is asked before one of its calls."""

from collections.abc import Callable
from typing import Any


def ask_first(kind: type[Any], call: str, question: Callable[..., None]) -> None:
    """`question` gets what the call gets, and raises where AWS would refuse it."""
    served = getattr(kind, call)

    def asked(*arguments: Any, **named: Any) -> Any:
        question(*arguments, **named)
        return served(*arguments, **named)

    setattr(kind, call, asked)
