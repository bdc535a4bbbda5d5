"""Metric data for long runs: a window of a week costs what one of a minute does."""

from bisect import bisect_left

from sandbox.alarms.series import Datum, Metric, Store
from sandbox.alarms.statistics import Sample, statistic


class _Series:
    def __init__(self) -> None:
        self.times: list[float] = []
        self.samples: list[Sample] = []
        self.totals: list[float] = [0.0]  # of all before
        self.counts: list[float] = [0.0]

    def add(self, at: float, sample: Sample) -> None:
        if self.times and at < self.times[-1]:
            raise ValueError(f"data of {at} after those of {self.times[-1]}: they must come in order")
        self.times.append(at)
        self.samples.append(sample)
        self.totals.append(self.totals[-1] + sample.total)
        self.counts.append(self.counts[-1] + sample.count)

    def value(self, name: str, start: int, end: int) -> float | None:
        first, last = bisect_left(self.times, start), bisect_left(self.times, end)
        if first == last:
            return None
        total, count = self.totals[last] - self.totals[first], self.counts[last] - self.counts[first]
        match name:
            case "Sum":
                return round(total, 6)  # sums of counts, which differences of long sums miss by a hair
            case "SampleCount":
                return round(count, 6)
            case "Average":
                return round(total, 6) / count
            case _:
                return statistic(name, [(sample, 1) for sample in self.samples[first:last]])


class OrderedStore(Store):
    """Takes the data of each metric in the order of their times, and of one unit."""

    def __init__(self) -> None:
        super().__init__()
        self._ordered: dict[Metric, _Series] = {}

    def put(self, metric: Metric, datum: Datum) -> None:
        at = datum.at // datum.resolution * datum.resolution
        self._ordered.setdefault(metric, _Series()).add(at, datum.sample)

    def value(self, metric: Metric, name: str, start: int, end: int, unit: str | None = None) -> float | None:  # noqa: ARG002 - there is one
        series = self._ordered.get(metric)
        return None if series is None else series.value(name, start, end)
