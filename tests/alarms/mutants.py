"""Alarms that differ from a declared one in a single setting: the rule tests must tell each of them."""

import ast
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

from sandbox.alarms.composite import Rule, States
from sandbox.alarms.definitions import (
    SHORT_PERIODS,
    Alarm,
    Comparison,
    CompositeAlarm,
    DefinitionError,
    LowSamples,
    MetricAlarm,
    MissingData,
    Query,
)
from sandbox.alarms.expression import Expression
from sandbox.alarms.state import State
from sandbox.alarms.statistics import PLAIN, is_percentile

FACTORS = (0.9, 1.1)
MINUTE = 60  # seconds from one evaluation to the next
PERCENTILES = ("p50", "p90", "p99")

Mutant = tuple[str, Alarm]  # what was changed, and the result


def mutants(alarm: Alarm) -> Iterator[Mutant]:
    return _metric_mutants(alarm) if isinstance(alarm, MetricAlarm) else _composite_mutants(alarm)


def _metric_mutants(alarm: MetricAlarm) -> Iterator[Mutant]:
    for threshold in _beside(alarm.threshold):
        yield f"threshold {threshold:g}", replace(alarm, threshold=threshold)
    for comparison in sorted(set(Comparison) - {alarm.comparison}):
        yield f"comparison {comparison}", replace(alarm, comparison=comparison)
    if None in alarm.datapoints({name: [None] for name in alarm.queries}, 1):  # else FILL decides what silence means
        for mode in sorted(set(MissingData) - {alarm.missing_data}):
            yield f"missing data {mode}", replace(alarm, missing_data=mode)
    for most in (alarm.evaluation_periods - 1, alarm.evaluation_periods + 1):
        needed = min(alarm.datapoints_to_alarm, most)
        yield from _valid(alarm, f"{most} evaluation periods", evaluation_periods=most, datapoints_to_alarm=needed)
    for needed in (alarm.datapoints_to_alarm - 1, alarm.datapoints_to_alarm + 1):
        yield from _valid(alarm, f"{needed} data points to alarm", datapoints_to_alarm=needed)
    for period in _periods(alarm.period):
        queries = {name: replace(query, period=period) for name, query in alarm.queries.items()}
        yield from _valid(alarm, f"period {period}", queries=queries)
    for name, query in alarm.queries.items():
        for statistic in _statistics(query):
            changed = {**alarm.queries, name: replace(query, statistic=statistic)}
            yield f"{statistic} of {name}", replace(alarm, queries=changed)
    for name, expression in alarm.expressions.items():
        for what, changed in _expressions(expression):
            yield f"{name} {what}", replace(alarm, expressions={**alarm.expressions, name: changed})
    if alarm.percentile:
        other = next(iter(set(LowSamples) - {alarm.low_samples}))
        yield f"low samples {other}", replace(alarm, low_samples=other)


def _composite_mutants(alarm: CompositeAlarm) -> Iterator[Mutant]:
    for child in alarm.rule.children:
        for state in (State.ALARM, State.OK):
            yield f"{child} always {state}", replace(alarm, rule=_blind(alarm.rule, child, state))
    if alarm.suppressor:
        yield "no suppressor", replace(alarm, suppressor=None)
        for part in ("wait", "extension") if alarm.suppressor.extension else ("wait",):
            for seconds in (getattr(alarm.suppressor, part) - MINUTE, getattr(alarm.suppressor, part) + MINUTE):
                if seconds >= 0:
                    changed = replace(alarm.suppressor, **{part: seconds})
                    yield f"{part} of {seconds} s", replace(alarm, suppressor=changed)


def _blind(rule: Rule, child: str, state: State) -> Rule:
    def holds(states: States) -> bool:
        return rule.holds({**states, child: state})

    return replace(rule, holds=holds)


def _valid(alarm: MetricAlarm, what: str, **changes: object) -> Iterator[Mutant]:
    """Nothing where CloudWatch itself would refuse it."""
    try:
        yield what, replace(alarm, **changes)
    except DefinitionError:
        return


def _beside(number: float) -> tuple[float, float]:
    below, above = FACTORS
    return (number * below, number * above) if number else (-1, 1)


def _periods(period: int) -> list[int]:
    half = period // 2
    shorter = half // 60 * 60 or max((short for short in SHORT_PERIODS if short <= half), default=0)
    return [other for other in (shorter, period * 2) if other and other != period]


def _statistics(query: Query) -> list[str]:
    others = (*PLAIN, *(PERCENTILES if is_percentile(query.statistic) else ()))
    return [other for other in others if other != query.statistic]


def _expressions(expression: Expression) -> Iterator[tuple[str, Expression]]:
    """Another number where one is compared or calculated with: such a number is a threshold too."""
    for place, number in enumerate(_numbers(expression.tree)):
        for other in _beside(number.value):
            tree = deepcopy(expression.tree)
            _numbers(tree)[place].value = other
            yield f"with {other:g} for {number.value:g}", replace(expression, tree=tree)


def _numbers(tree: ast.expr) -> list[Any]:
    sides = [
        (node.left, *node.comparators) if isinstance(node, ast.Compare) else (node.left, node.right)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare | ast.BinOp)
    ]
    return [side for pair in sides for side in pair if isinstance(side, ast.Constant)]
