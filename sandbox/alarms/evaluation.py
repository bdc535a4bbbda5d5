"""How a metric alarm's state follows from its data points."""

from collections.abc import Sequence

from sandbox.alarms.definitions import LowSamples, MetricAlarm, MissingData
from sandbox.alarms.series import Store
from sandbox.alarms.state import State
from sandbox.alarms.statistics import percent_of, significant_samples

# An evaluation looks further back than the evaluation periods, in case points are missing. AWS doesn't say how far;
# both its examples have 3 evaluation periods and a range of 5.
SPARE_POINTS = 2


def last_end(alarm: MetricAlarm, at: float) -> int:
    """When the newest period ends that an evaluation at `at` looks at: periods slide with the evaluations."""
    return int(at // alarm.step) * alarm.step


def datapoints(alarm: MetricAlarm, store: Store, end: int, *, spare_points: int = SPARE_POINTS) -> list[float | None]:
    """The alarm's data points in the evaluation range that ends at `end`, the oldest first, None where missing."""
    periods = alarm.evaluation_periods + spare_points
    starts = range(end - periods * alarm.period, end, alarm.period)
    values = {
        name: [store.value(query.metric, query.statistic, start, start + query.period, query.unit) for start in starts]
        for name, query in alarm.queries.items()
    }
    return alarm.datapoints(values, periods)


def too_few_samples(alarm: MetricAlarm, store: Store, end: int) -> bool:
    """Whether the alarm leaves its state as it is because its percentile rests on too few samples."""
    query = alarm.percentile
    if query is None or alarm.low_samples is LowSamples.EVALUATE:
        return False
    samples = store.value(query.metric, "SampleCount", end - alarm.seconds, end, query.unit)
    return samples is not None and samples < significant_samples(percent_of(query.statistic))


def judge(alarm: MetricAlarm, points: Sequence[float | None], current: State) -> State:
    """The state that these data points of the evaluation range mean."""
    breaches = [None if value is None else alarm.comparison.breached(value, alarm.threshold) for value in points]
    real = [breach for breach in breaches if breach is not None][-alarm.evaluation_periods :]
    filled_in = alarm.evaluation_periods - len(real)
    breaching = sum(real) + (filled_in if alarm.missing_data is MissingData.BREACHING else 0)
    if breaching >= alarm.datapoints_to_alarm:
        return State.ALARM
    if not filled_in or not all(real) or alarm.missing_data in (MissingData.BREACHING, MissingData.NOT_BREACHING):
        return State.OK
    # Too few points, and none of them within the threshold.
    if alarm.missing_data is MissingData.IGNORE:
        return current
    oldest = next((age for age in range(len(breaches), 0, -1) if breaches[-age]), 0)
    return State.ALARM if oldest >= alarm.datapoints_to_alarm else State.INSUFFICIENT_DATA


def reason(alarm: MetricAlarm, points: Sequence[float | None], new: State) -> str:
    """Why, for people."""
    if new is State.INSUFFICIENT_DATA:
        return f"Insufficient Data: too few datapoints were received ({_shown(points)})"
    crossed = "Threshold Crossed" if new is State.ALARM else "Threshold not crossed"
    condition = f"{alarm.comparison} {alarm.threshold:g}"
    wanted = f"{alarm.datapoints_to_alarm} out of {alarm.evaluation_periods} datapoints"
    return f"{crossed}: {condition}, {wanted}, missing data is {alarm.missing_data}; received {_shown(points)}"


def _shown(points: Sequence[float | None]) -> str:
    return f"[{', '.join('-' if point is None else f'{point:g}' for point in points)}]"
