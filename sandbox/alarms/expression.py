"""CloudWatch's metric math, as far as alarms need it; anything else is refused by name.

A series is one value a period, None where there is none. Python's own parser reads an expression, once CloudWatch's
spelling of the operators is turned into Python's; only the nodes that are named here are accepted.
"""

import ast
import keyword
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeGuard

Series = list[float | None]
Array = tuple[Series, ...]
Value = float | Series | Array

NAME = re.compile(r"[a-z][A-Za-z0-9_]*")
_SPELLING = re.compile(r'"[^"]*"|&&|\|\||\*\*|\^|[A-Za-z_]\w*')
_OPERATORS = {"&&": " and ", "||": " or ", "AND": "and", "OR": "or", "^": "**"}


class ExpressionError(ValueError):
    """An expression that CloudWatch or this stand-in doesn't know."""


@dataclass(frozen=True)
class Expression:
    """A parsed expression; equal ones have the same text."""

    text: str
    tree: ast.expr = field(compare=False, repr=False)
    names: frozenset[str] = field(compare=False, repr=False)

    def evaluate(self, known: Mapping[str, Series], *, metrics: Sequence[str], period: int, periods: int) -> Series:
        """One value for each of `periods` periods of `period` seconds, the oldest first.

        `known` has the series of every name; `metrics` are those of them that METRICS() gives.

        Raises:
            ExpressionError: an operand has the wrong type, or the result is not one time series.
        """
        result = _Evaluation(self.text, known, metrics, period, periods).value(self.tree)
        if not _is_series(result):
            raise ExpressionError(f"{self.text!r} gives {_kind(result)}: an alarm needs one time series")
        return result


def parse(text: str) -> Expression:
    """Check an expression and find the names that it uses.

    Raises:
        ExpressionError: it can't be parsed, or uses what isn't known here.
    """
    try:
        tree = ast.parse(_SPELLING.sub(lambda found: _python(found[0], text), text).strip(), mode="eval").body
    except SyntaxError as error:
        raise ExpressionError(f"{text!r} is no expression of metric math: {error.msg}") from error
    names: set[str] = set()
    _check(tree, text, names)
    return Expression(text, tree, frozenset(names))


def _python(found: str, text: str) -> str:
    if found in _OPERATORS:
        return _OPERATORS[found]
    if found == "**" or keyword.iskeyword(found):  # Python's, not CloudWatch's
        raise ExpressionError(f"{text!r}: {found!r} is not known; operators are AND, OR and ^, functions upper case")
    return found


_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[float, float], float]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FILLERS = ("REPEAT", "LINEAR")


def _check(node: ast.expr, text: str, names: set[str]) -> None:
    match node:
        case ast.Constant(value=int() | float()):
            parts: Sequence[ast.expr] = ()
        case ast.Name(id=name) if NAME.fullmatch(name):
            names.add(name)
            parts = ()
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            parts = (operand,)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            parts = (left, right)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
            parts = (left, right)
        case ast.BoolOp(values=parts) | ast.List(elts=parts):
            pass
        case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]):
            if name not in _FUNCTIONS:
                raise ExpressionError(f"{text!r}: {name} is not simulated; known are {', '.join(sorted(_FUNCTIONS))}")
            least, most = _FUNCTIONS[name].arguments
            if not least <= len(parts) <= most:
                raise ExpressionError(f"{text!r}: {name} takes {least} to {most} arguments, not {len(parts)}")
            if name == "METRICS":
                parts = [part for part in parts if not _is_text(part)]
            elif name == "FILL" and isinstance(parts[1], ast.Name) and parts[1].id in _FILLERS:
                parts = parts[:1]
        case _:
            raise ExpressionError(f"{text!r}: {ast.unparse(node)!r} is not known in metric math")
    for part in parts:
        _check(part, text, names)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@dataclass(frozen=True)
class _Evaluation:
    text: str
    known: Mapping[str, Series]
    metrics: Sequence[str]
    period: int
    periods: int

    def value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name):
                return self.known[name]
            case ast.UnaryOp(operand=operand):
                return _each(lambda value: -value, self.value(operand))
            case ast.BinOp(left=left, op=op, right=right):
                return self.pair(_ARITHMETIC[type(op)], self.value(left), self.value(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self.pair(_COMPARISONS[type(op)], self.value(left), self.value(right))
            case ast.BoolOp(op=op, values=[first, *others]):
                holds = _both if isinstance(op, ast.And) else _either
                result = self.value(first)
                for other in others:
                    result = self.pair(holds, result, self.value(other))
                return result
            case ast.List(elts=elements):
                return tuple(series for element in elements for series in self.members(self.value(element)))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return _FUNCTIONS[name].call(self, arguments)
            case _:
                raise AssertionError(f"{ast.unparse(node)} passed the check")

    def pair(self, op: Callable[[float, float], float], left: Value, right: Value) -> Value:
        """Of two series, where one has no value it counts as 0; where both have none, or by 0 is divided, none."""
        if isinstance(left, tuple) and isinstance(right, tuple):
            raise ExpressionError(f"{self.text!r}: two arrays of time series can't be combined")
        if isinstance(left, tuple):
            return tuple(self.series(self.pair(op, one, right)) for one in left)
        if isinstance(right, tuple):
            return tuple(self.series(self.pair(op, left, one)) for one in right)
        if isinstance(left, list):
            if isinstance(right, list):
                return [
                    None if a is None and b is None else _point(op, a or 0.0, b or 0.0)
                    for a, b in zip(left, right, strict=True)
                ]
            return [None if a is None else _point(op, a, right) for a in left]
        if isinstance(right, list):
            return [None if b is None else _point(op, left, b) for b in right]
        result = _point(op, left, right)
        return math.nan if result is None else result

    def series(self, value: Value) -> Series:
        if not _is_series(value):
            raise ExpressionError(f"{self.text!r}: {_kind(value)} stands where a time series must")
        return value

    def spread(self, value: Value) -> Series:
        """A number as a series: the same in every period."""
        if not isinstance(value, float):
            return self.series(value)
        return [None if math.isnan(value) else value] * self.periods

    def members(self, value: Value) -> Array:
        return value if isinstance(value, tuple) else (self.series(value),)


def _is_series(value: Value) -> TypeGuard[Series]:
    return isinstance(value, list)


def _kind(value: Value) -> str:
    return "an array of time series" if isinstance(value, tuple) else "a number" if isinstance(value, float) else "one"


def _point(op: Callable[[float, float], float], a: float, b: float) -> float | None:
    try:
        result = op(a, b)
    except (ArithmeticError, ValueError):  # the data point is dropped
        return None
    return float(result) if math.isfinite(result) else None


def _both(a: float, b: float) -> float:
    return a != 0 and b != 0


def _either(a: float, b: float) -> float:
    return a != 0 or b != 0


def _each(change: Callable[[float], float], value: Value) -> Value:
    if isinstance(value, tuple):
        return tuple([None if one is None else change(one) for one in series] for series in value)
    if isinstance(value, list):
        return [None if one is None else change(one) for one in value]
    return change(value)


def _if(run: _Evaluation, arguments: Sequence[ast.expr]) -> Value:
    """Where the condition has no value, or the branch for "false" has none, there is none; "true" without one is 0."""
    condition = run.value(arguments[0])
    yes, *rest = [run.spread(run.value(argument)) for argument in arguments[1:]]
    no = rest[0] if rest else run.spread(math.nan)
    if isinstance(condition, float):
        return yes if condition else no
    return [
        None if holds is None else (a or 0.0) if holds else b
        for holds, a, b in zip(run.series(condition), yes, no, strict=True)
    ]


def _fill(run: _Evaluation, arguments: Sequence[ast.expr]) -> Value:
    """A series without any value is filled too; AWS doesn't say so."""
    value, filler = run.value(arguments[0]), arguments[1]
    if isinstance(filler, ast.Name) and filler.id in _FILLERS:
        fill = _repeat if filler.id == "REPEAT" else _linear
        return tuple(map(fill, value)) if isinstance(value, tuple) else fill(run.series(value))
    others = run.spread(run.value(filler))
    filled = tuple(
        [other if one is None else one for one, other in zip(series, others, strict=True)]
        for series in run.members(value)
    )
    return filled if isinstance(value, tuple) else filled[0]


def _repeat(series: Series) -> Series:
    filled: Series = []
    for value in series:
        filled.append(filled[-1] if value is None and filled else value)
    return filled


def _linear(series: Series) -> Series:
    filled = list(series)
    real = [(place, value) for place, value in enumerate(series) if value is not None]
    for (start, a), (end, b) in pairwise(real):
        for place in range(start + 1, end):
            filled[place] = a + (b - a) * (place - start) / (end - start)
    return filled


def _over(fold: Callable[[Sequence[float]], float], *, missing_is_zero: bool) -> "_Call":
    """Of one series a number, of an array a series."""

    def folded(values: Sequence[float | None]) -> float | None:
        real = [value for value in values if value is not None]
        if not real:
            return None
        return fold([value or 0.0 for value in values] if missing_is_zero else real)

    def call(run: _Evaluation, arguments: Sequence[ast.expr]) -> Value:
        value = run.value(arguments[0])
        if isinstance(value, tuple):
            return [folded(column) for column in zip(*value, strict=True)] if value else run.spread(math.nan)
        result = folded(run.series(value))
        return math.nan if result is None else result

    return call


def _difference(*, per_second: bool) -> "_Call":
    """From the value before; the oldest has none."""

    def of(series: Series, period: int) -> Series:
        result: Series = []
        before: tuple[int, float] | None = None
        for place, value in enumerate(series):
            if value is None or before is None:
                result.append(None)
            else:
                seconds = (place - before[0]) * period
                result.append((value - before[1]) / (seconds if per_second else 1))
            before = before if value is None else (place, value)
        return result

    def call(run: _Evaluation, arguments: Sequence[ast.expr]) -> Value:
        value = run.value(arguments[0])
        changed = tuple(of(series, run.period) for series in run.members(value))
        return changed if isinstance(value, tuple) else changed[0]

    return call


def _metrics(run: _Evaluation, arguments: Sequence[ast.expr]) -> Value:
    part = arguments[0].value if arguments and isinstance(arguments[0], ast.Constant) else ""
    return tuple(run.known[name] for name in run.metrics if str(part) in name)


def _mapped(change: Callable[[float], float]) -> "_Call":
    return lambda run, arguments: _each(change, run.value(arguments[0]))


_Call = Callable[[_Evaluation, Sequence[ast.expr]], Value]


@dataclass(frozen=True)
class _Function:
    call: _Call
    arguments: tuple[int, int]  # at least, at most


_FUNCTIONS = {
    "ABS": _Function(_mapped(abs), (1, 1)),
    "AVG": _Function(_over(lambda values: sum(values) / len(values), missing_is_zero=True), (1, 1)),
    "DIFF": _Function(_difference(per_second=False), (1, 1)),
    "FILL": _Function(_fill, (2, 2)),
    "IF": _Function(_if, (2, 3)),
    "MAX": _Function(_over(max, missing_is_zero=False), (1, 1)),
    "METRICS": _Function(_metrics, (0, 1)),
    "MIN": _Function(_over(min, missing_is_zero=False), (1, 1)),
    "PERIOD": _Function(lambda run, _: float(run.period), (1, 1)),
    "RATE": _Function(_difference(per_second=True), (1, 1)),
    "SUM": _Function(_over(sum, missing_is_zero=False), (1, 1)),
    "TIME_SERIES": _Function(lambda run, arguments: run.spread(run.value(arguments[0])), (1, 1)),
}
