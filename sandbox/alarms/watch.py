"""All alarms together: data in, changes of state out."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter

from sandbox.alarms.composite import Suppression
from sandbox.alarms.definitions import Alarm, CompositeAlarm, DefinitionError, MetricAlarm
from sandbox.alarms.evaluation import SPARE_POINTS, datapoints, judge, last_end, reason, too_few_samples
from sandbox.alarms.series import Datum, Metric, MixedUnitsError, Store
from sandbox.alarms.state import State, Transition


@dataclass
class _Metric:
    alarm: MetricAlarm
    state: State = State.INSUFFICIENT_DATA
    evaluated: int | None = None  # the end of the newest period of its last evaluation


@dataclass
class _Composite:
    alarm: CompositeAlarm
    state: State = State.INSUFFICIENT_DATA
    suppression: Suppression | None = None


class Alarms:
    """Alarms by their definitions. Nothing happens between two calls: the caller has the clock.

    `store` may be shared: rule tests try many alarms on the same data.
    """

    def __init__(
        self, definitions: Iterable[Alarm], *, store: Store | None = None, spare_points: int = SPARE_POINTS
    ) -> None:
        self.store = store or Store()
        self._spare_points = spare_points
        self._metric: dict[str, _Metric] = {}
        self._composite: dict[str, _Composite] = {}
        self.define(definitions)

    def define(self, definitions: Iterable[Alarm]) -> None:
        """These are the alarms from now on; one that was there before keeps its state.

        Raises:
            DefinitionError: two have one name, or a composite alarm watches itself or one that doesn't exist.
        """
        alarms = list(definitions)
        names = [alarm.name for alarm in alarms]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise DefinitionError(f"two alarms have the name {', '.join(twice)}")
        composites = {alarm.name: alarm for alarm in alarms if isinstance(alarm, CompositeAlarm)}
        order = _order(composites, set(names))
        metric = {alarm.name: _Metric(alarm) for alarm in alarms if isinstance(alarm, MetricAlarm)}
        for name in metric.keys() & self._metric.keys():
            metric[name].state = self._metric[name].state
        composite = {name: _Composite(composites[name], suppression=_suppression(composites[name])) for name in order}
        for name in composite.keys() & self._composite.keys():
            before = self._composite[name]
            composite[name].state = before.state
            if composite[name].alarm.suppressor == before.alarm.suppressor:
                composite[name].suppression = before.suppression
        self._metric, self._composite = metric, composite

    def put(self, metric: Metric, datum: Datum) -> None:
        """Take data; also late data, which the next evaluation sees."""
        self.store.put(metric, datum)

    def state(self, name: str) -> State:
        return (self._metric.get(name) or self._composite[name]).state

    def set_state(self, name: str, new: State, at: float, why: str) -> Transition | None:
        """As SetAlarmState does: until the next evaluation. None where it is in that state already."""
        watched = self._metric.get(name) or self._composite[name]
        if new is watched.state:
            return None
        change = _transition(watched, new, at, why)
        watched.state = new
        return change

    def evaluate(self, at: float) -> list[Transition]:
        """Every alarm that is due at `at`: what changed since the last call, and what is acted on only now."""
        changes = self._expired(at)
        for watched in self._metric.values():
            changes += self._evaluate_metric(watched, at)
        changed: dict[str, Transition] = {}
        for name, composite in self._composite.items():
            states = {child: self.state(child) for child in composite.alarm.rule.children}
            new = State.ALARM if composite.alarm.rule.holds(states) else State.OK
            if new is not composite.state:
                shown = ", ".join(f"{child} is {state}" for child, state in states.items())
                changed[name] = _transition(composite, new, at, f"{composite.alarm.rule.text}: {shown}")
                composite.state = new
        for name, composite in self._composite.items():
            changes += self._act(composite, changed.get(name), at)
        return changes

    def next_due(self, after: float) -> int | float | None:
        """The first time after `after` at which an evaluation can change anything; None without alarms."""
        steps = {watched.alarm.step for watched in self._metric.values()}
        times: list[float] = [(int(after // step) + 1) * step for step in steps]
        periods = (composite.suppression for composite in self._composite.values())
        times += [period.until for period in periods if period and period.until is not None and period.until > after]
        return min(times, default=None)

    def _expired(self, at: float) -> list[Transition]:
        """What ended before `at` is acted on with the state of that time."""
        acted: list[Transition] = []
        for composite in self._composite.values():
            period = composite.suppression
            if period and period.until is not None and period.until < at:
                ended = period.until
                acted += _late(composite, ended) if period.expire(ended) else []
        return acted

    def _evaluate_metric(self, watched: _Metric, at: float) -> list[Transition]:
        alarm, end = watched.alarm, last_end(watched.alarm, at)
        if end == watched.evaluated:
            return []
        watched.evaluated = end
        try:
            if too_few_samples(alarm, self.store, end):
                return []
            points = datapoints(alarm, self.store, end, spare_points=self._spare_points)
        except MixedUnitsError as error:  # that alarm's fault alone: the others go on
            points, new, problem = [], State.INSUFFICIENT_DATA, str(error)
        else:
            new, problem = judge(alarm, points, watched.state), ""
        if new is watched.state:
            return []
        change = _transition(watched, new, at, problem or reason(alarm, points, new))
        watched.state = new
        return [change]

    def _act(self, composite: _Composite, change: Transition | None, at: float) -> list[Transition]:
        suppressor, suppression = composite.alarm.suppressor, composite.suppression
        if suppressor is None or suppression is None:
            return [change] if change else []
        rings = self.state(suppressor.alarm) is State.ALARM
        acts = suppression.step(at, changed=change is not None, suppressor_rings=rings)
        if change is None:
            return _late(composite, at) if acts else []
        return [change if acts else _suppressed(change, suppression)]


def _suppression(alarm: CompositeAlarm) -> Suppression | None:
    return Suppression(alarm.suppressor.wait, alarm.suppressor.extension) if alarm.suppressor else None


def _order(composites: dict[str, CompositeAlarm], names: set[str]) -> list[str]:
    for alarm in composites.values():
        watched = {*alarm.rule.children} | ({alarm.suppressor.alarm} if alarm.suppressor else set())
        if unknown := sorted(watched - names):
            raise DefinitionError(f"{alarm.name}: no alarm has the name {', '.join(unknown)}")
    uses = {name: [child for child in alarm.rule.children if child in composites] for name, alarm in composites.items()}
    try:
        return list(TopologicalSorter(uses).static_order())
    except CycleError as error:
        raise DefinitionError(f"composite alarms watch each other in a circle: {' -> '.join(error.args[1])}") from error


def _transition(watched: _Metric | _Composite, new: State, at: float, why: str) -> Transition:
    return Transition(
        alarm=watched.alarm.name, old=watched.state, new=new, at=at, reason=why, actions=watched.alarm.actions.on(new)
    )


def _late(composite: _Composite, at: float) -> list[Transition]:
    return [_transition(composite, composite.state, at, "its actions were suppressed until now")]


def _suppressed(change: Transition, suppression: Suppression) -> Transition:
    return replace(change, actions=(), suppressed_by=suppression.by)
