"""What an alarm is: from the engine's inputs of the AWS provider's two alarm resources.

Alarms on anomaly bands, Metrics Insights, PromQL, wall clock windows or with a warm-up are refused: they are not
simulated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any, Self

from sandbox.alarms.composite import Rule, alarm_name, parse_rule
from sandbox.alarms.expression import Expression, ExpressionError, Series, parse
from sandbox.alarms.series import Metric
from sandbox.alarms.state import Actions
from sandbox.alarms.statistics import PLAIN, is_percentile, percent_of

NOT_SIMULATED = ("evaluationCriteria", "evaluationWindow", "thresholdMetricId", "warmUpConfiguration")

SHORT_PERIODS = (10, 20, 30)
MINUTE, HOUR, DAY = 60, 3600, 86400


class DefinitionError(ValueError):
    """An alarm that CloudWatch would refuse, or that can't be simulated."""


class Comparison(StrEnum):
    """How a data point breaches the threshold."""

    ABOVE = "GreaterThanThreshold"
    AT_LEAST = "GreaterThanOrEqualToThreshold"
    BELOW = "LessThanThreshold"
    AT_MOST = "LessThanOrEqualToThreshold"

    def breached(self, value: float, threshold: float) -> bool:
        match self:
            case Comparison.ABOVE:
                return value > threshold
            case Comparison.AT_LEAST:
                return value >= threshold
            case Comparison.BELOW:
                return value < threshold
            case Comparison.AT_MOST:
                return value <= threshold


class MissingData(StrEnum):
    """What a period without a data point counts as."""

    MISSING = "missing"
    IGNORE = "ignore"
    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"


class LowSamples(StrEnum):
    """Whether a percentile of too few samples is judged."""

    EVALUATE = "evaluate"
    IGNORE = "ignore"


@dataclass(frozen=True, kw_only=True)
class Query:
    """A metric's statistic over periods of `period` seconds."""

    metric: Metric
    statistic: str
    period: int
    unit: str | None = None

    def __post_init__(self) -> None:
        if self.period not in SHORT_PERIODS and (self.period < MINUTE or self.period % MINUTE):
            raise ValueError(f"a period is 10, 20, 30 or a multiple of 60 seconds, not {self.period}")
        if self.statistic not in PLAIN:
            percent_of(self.statistic)


@dataclass(frozen=True, kw_only=True)
class MetricAlarm:
    """An alarm on one metric or expression: `watched` is its id among `queries` and `expressions`."""

    name: str
    queries: Mapping[str, Query]
    expressions: Mapping[str, Expression] = field(default_factory=dict[str, Expression])
    watched: str
    comparison: Comparison
    threshold: float
    evaluation_periods: int
    datapoints_to_alarm: int
    missing_data: MissingData = MissingData.MISSING
    low_samples: LowSamples = LowSamples.EVALUATE
    actions: Actions = field(default_factory=Actions)

    def __post_init__(self) -> None:
        try:
            self._check()
        except ExpressionError as error:
            raise DefinitionError(f"{self.name}: {error}") from error

    def _check(self) -> None:
        periods = {query.period for query in self.queries.values()}
        if len(periods) != 1:
            raise DefinitionError(f"{self.name}: all its metrics must have one period, not {sorted(periods)}")
        if not 1 <= self.datapoints_to_alarm <= self.evaluation_periods:
            raise DefinitionError(
                f"{self.name}: {self.datapoints_to_alarm} of {self.evaluation_periods} data points can't be"
            )
        longest = 7 * DAY if self.period >= HOUR else DAY
        if self.seconds > longest:
            raise DefinitionError(f"{self.name}: it looks at {self.seconds} s; {longest} s is the most")
        # Once through without data: whatever is wrong with types shows now, not when an alarm should ring.
        self.datapoints({name: [None] for name in self.queries}, 1)

    @cached_property
    def period(self) -> int:
        """Seconds that one data point stands for."""
        return next(iter(self.queries.values())).period

    @property
    def seconds(self) -> int:
        """How long the evaluation periods are together."""
        return self.period * self.evaluation_periods

    @cached_property
    def step(self) -> int:
        """Seconds between two evaluations."""
        if self.seconds > DAY:
            return HOUR
        return 10 if self.period < MINUTE else MINUTE

    @cached_property
    def percentile(self) -> Query | None:
        """The metric that it watches, if it watches a percentile of one."""
        query = self.queries.get(self.watched)
        return query if query and is_percentile(query.statistic) else None

    @cached_property
    def _order(self) -> tuple[str, ...]:
        uses = {name: expression.names for name, expression in self.expressions.items()}
        if unknown := sorted(set[str]().union(*uses.values()) - uses.keys() - self.queries.keys()):
            raise ExpressionError(f"{', '.join(unknown)}: no id of its queries")
        try:
            return tuple(name for name in TopologicalSorter(uses).static_order() if name in uses)
        except CycleError as error:
            circle = " -> ".join(error.args[1])
            raise ExpressionError(f"its expressions use each other in a circle: {circle}") from error

    def datapoints(self, metrics: Mapping[str, Series], periods: int) -> Series:
        """What the alarm judges, from the values of its metrics in as many periods.

        Raises:
            ExpressionError: the expressions use each other in a circle, or have a type that they can't have.
        """
        known = dict(metrics)
        for name in self._order:
            known[name] = self.expressions[name].evaluate(
                known, metrics=tuple(metrics), period=self.period, periods=periods
            )
        return known[self.watched]

    @classmethod
    def from_inputs(cls, inputs: Mapping[str, Any]) -> Self:
        """From the inputs of `aws.cloudwatch.MetricAlarm`, as `pulumi stack export` shows them.

        Raises:
            DefinitionError: CloudWatch would refuse it, or it is not simulated.
        """
        name = _name(inputs, "name")
        if refused := [key for key in NOT_SIMULATED if inputs.get(key) is not None]:
            raise DefinitionError(f"{name}: {', '.join(refused)}: not simulated")
        try:
            queries, expressions, watched = _queries(inputs)
            periods = int(inputs["evaluationPeriods"])
            return cls(
                name=name,
                queries=queries,
                expressions=expressions,
                watched=watched,
                comparison=Comparison(inputs["comparisonOperator"]),
                threshold=float(inputs["threshold"]),
                evaluation_periods=periods,
                datapoints_to_alarm=int(inputs.get("datapointsToAlarm") or periods),
                missing_data=MissingData(inputs.get("treatMissingData") or MissingData.MISSING),
                low_samples=LowSamples(inputs.get("evaluateLowSampleCountPercentiles") or LowSamples.EVALUATE),
                actions=_actions(inputs),
            )
        except DefinitionError:
            raise
        except KeyError as error:
            raise DefinitionError(f"{name}: {error} is missing") from error
        except ValueError as error:
            raise DefinitionError(f"{name}: {error}") from error


@dataclass(frozen=True, kw_only=True)
class Suppressor:
    """An alarm whose ringing keeps a composite alarm from acting; periods in seconds."""

    alarm: str
    wait: int
    extension: int


@dataclass(frozen=True, kw_only=True)
class CompositeAlarm:
    """An alarm on the states of others."""

    name: str
    rule: Rule
    suppressor: Suppressor | None = None
    actions: Actions = field(default_factory=Actions)

    @classmethod
    def from_inputs(cls, inputs: Mapping[str, Any]) -> Self:
        """From the inputs of `aws.cloudwatch.CompositeAlarm`.

        Raises:
            DefinitionError: its rule can't be parsed.
        """
        name = _name(inputs, "alarmName")
        suppressor = inputs.get("actionsSuppressor")
        try:
            return cls(
                name=name,
                rule=parse_rule(inputs["alarmRule"]),
                suppressor=Suppressor(
                    alarm=alarm_name(suppressor["alarm"]),
                    wait=int(suppressor["waitPeriod"]),
                    extension=int(suppressor["extensionPeriod"]),
                )
                if suppressor
                else None,
                actions=_actions(inputs),
            )
        except KeyError as error:
            raise DefinitionError(f"{name}: {error} is missing") from error
        except ValueError as error:
            raise DefinitionError(f"{name}: {error}") from error


Alarm = MetricAlarm | CompositeAlarm


def from_inputs(type_: str, inputs: Mapping[str, Any]) -> Alarm | None:
    """The alarm that a resource of the engine's type `type_` is, or None where that type is no alarm's.

    Raises:
        DefinitionError: CloudWatch would refuse it, or it is not simulated.
    """
    match type_:
        case "aws:cloudwatch/metricAlarm:MetricAlarm":
            return MetricAlarm.from_inputs(inputs)
        case "aws:cloudwatch/compositeAlarm:CompositeAlarm":
            return CompositeAlarm.from_inputs(inputs)
        case _:
            return None


def _name(inputs: Mapping[str, Any], key: str) -> str:
    if not isinstance(inputs.get(key), str):
        raise DefinitionError(f"an alarm without {key!r}: its name must be given, not made up by the provider")
    return inputs[key]


def _queries(inputs: Mapping[str, Any]) -> tuple[dict[str, Query], dict[str, Expression], str]:
    given = inputs.get("metricQueries")
    if not given:
        statistic = inputs.get("extendedStatistic") or inputs.get("statistic")
        if statistic is None:
            raise ValueError("it has no statistic")
        return {"metric": _query({**inputs, "stat": statistic})}, {}, "metric"
    watched = [query["id"] for query in given if query.get("returnData")]
    if len(watched) != 1:
        raise ValueError(f"exactly one of metricQueries must return data, not {len(watched)}")
    return (
        {query["id"]: _query(query["metric"]) for query in given if query.get("metric")},
        {query["id"]: parse(query["expression"]) for query in given if query.get("expression")},
        watched[0],
    )


def _query(inputs: Mapping[str, Any]) -> Query:
    return Query(
        metric=Metric.of(inputs["namespace"], inputs["metricName"], inputs.get("dimensions")),
        statistic=inputs["stat"],
        period=int(inputs["period"]),
        unit=inputs.get("unit"),
    )


def _actions(inputs: Mapping[str, Any]) -> Actions:
    return Actions(
        enabled=inputs.get("actionsEnabled") is not False,
        ok=tuple(inputs.get("okActions") or ()),
        alarm=tuple(inputs.get("alarmActions") or ()),
        insufficient_data=tuple(inputs.get("insufficientDataActions") or ()),
    )
