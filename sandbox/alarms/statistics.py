"""CloudWatch's statistics over the samples of one period."""

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

PLAIN = ("Average", "Maximum", "Minimum", "SampleCount", "Sum")
PERCENTILE = re.compile(r"p(?P<percent>\d{1,3}(?:\.\d{1,10})?)")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One or more values that were published together. `values` are with their counts; a statistic set has none."""

    count: float
    total: float
    low: float
    high: float
    values: tuple[tuple[float, float], ...] | None

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.count, self.total, self.low, self.high))) or self.count <= 0:
            raise ValueError("metric data are finite numbers, and at least one")

    @classmethod
    def of_value(cls, value: float) -> Self:
        return cls.of_values([value], [1])

    @classmethod
    def of_values(cls, values: Sequence[float], counts: Sequence[float]) -> Self:
        if not values or len(values) != len(counts):
            raise ValueError("Values and Counts must be as long as each other, and not empty")
        return cls(
            count=sum(counts),
            total=sum(value * count for value, count in zip(values, counts, strict=True)),
            low=min(values),
            high=max(values),
            values=tuple(zip(values, counts, strict=True)),
        )

    @classmethod
    def of_statistics(cls, count: float, total: float, low: float, high: float) -> Self:
        one_value = count == 1 or low == high
        return cls(count=count, total=total, low=low, high=high, values=((low, count),) if one_value else None)


Samples = Sequence[tuple[Sample, int]]


def statistic(name: str, samples: Samples) -> float | None:
    """`name` over every sample as often as it occurs, or None where there is nothing to tell it from."""
    if not samples:
        return None
    match name:
        case "Minimum":
            return min(sample.low for sample, _ in samples)
        case "Maximum":
            return max(sample.high for sample, _ in samples)
        case "Sum":
            return sum(sample.total * times for sample, times in samples)
        case "SampleCount":
            return sum(sample.count * times for sample, times in samples)
        case "Average":
            total = sum(sample.total * times for sample, times in samples)
            return total / sum(sample.count * times for sample, times in samples)
        case _:
            return percentile(percent_of(name), samples)


def is_percentile(name: str) -> bool:
    return PERCENTILE.fullmatch(name) is not None


def percent_of(name: str) -> float:
    """95.0 for p95.

    Raises:
        ValueError: no statistic of that name is known here.
    """
    match = PERCENTILE.fullmatch(name)
    if match is None or not 0 <= float(match["percent"]) <= 100:
        raise ValueError(f"unknown statistic {name!r}: one of {', '.join(PLAIN)}, or a percentile like p95")
    return float(match["percent"])


def percentile(percent: float, samples: Samples) -> float | None:
    """The lowest value that `percent` % of the samples don't exceed; None where raw or non-negative data lack.

    AWS says what a percentile means, not how it is estimated; this one is exact over what was published.
    """
    counts: defaultdict[float, float] = defaultdict(float)
    for sample, times in samples:
        if sample.values is None or sample.low < 0:
            return None
        for value, count in sample.values:
            counts[value] += count * times
    needed = sum(counts.values()) * percent / 100
    reached = 0.0
    for value in sorted(counts):
        reached += counts[value]
        if reached >= needed:
            return value
    return max(counts)  # rounding kept the last sum below 100 %


def significant_samples(percent: float) -> float:
    """Fewer samples than this are too few for a percentile to mean much; p0 and p100 have no such limit."""
    part = percent / 100
    if part in (0, 1):
        return 0
    return 10 / (1 - part) if part >= 0.5 else 10 / part
