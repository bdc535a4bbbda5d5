"""Runs a scenario against alarms and says what came out other than expected."""

from collections.abc import Iterable, Iterator, Mapping

from sandbox.alarms.definitions import Alarm, CompositeAlarm, MetricAlarm
from sandbox.alarms.evaluation import datapoints, judge, last_end, too_few_samples
from sandbox.alarms.state import State
from sandbox.alarms.watch import Alarms
from tests.alarms.scenarios import History, Scenario, told

Declared = Mapping[str, Alarm]  # by the name that the resource has in the program


def watched(names: Iterable[str], declared: Declared) -> dict[str, Alarm]:
    """These alarms, and whatever they depend on."""
    by_alarm = {alarm.name: name for name, alarm in declared.items()}
    found: dict[str, Alarm] = {}
    todo = list(names)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        if name not in declared:
            raise ValueError(f"the program declares no alarm {name!r}; it has {', '.join(sorted(declared))}")
        alarm = found[name] = declared[name]
        if isinstance(alarm, CompositeAlarm):
            others = [*alarm.rule.children, *([alarm.suppressor.alarm] if alarm.suppressor else [])]
            todo += [by_alarm.get(other, other) for other in others]
    return found


def problems(scenario: Scenario, declared: Declared) -> Iterator[str]:
    """Every difference between the scenario's history and that of the alarms, evaluated whenever they are due."""
    alarms = watched(scenario.history, declared)
    names = {alarm.name: name for name, alarm in alarms.items()}
    data = _Data(scenario)
    running = Alarms(alarms.values(), store=data.store)
    histories: dict[str, History] = {name: [] for name in alarms}
    acts: dict[str, History] = {name: [] for name in alarms}
    at = running.next_due(0)
    while at is not None and at <= scenario.end:
        data.arrive(at)
        for change in running.evaluate(at):
            if change.old is not change.new:
                histories[names[change.alarm]].append((int(change.at), change.new))
            if change.actions:
                acts[names[change.alarm]].append((int(change.at), change.new))
        at = running.next_due(at)
    for what, expected, found in (("history", scenario.history, histories), ("acts", scenario.acts, acts)):
        for name, changes in expected.items():
            if found[name] != changes:
                yield f"{scenario.name}: {what} of {name} is {told(found[name])}; expected {told(changes)}"


def differs(scenarios: Iterable[Scenario], declared: Declared) -> bool:
    """Whether in any anything comes out other than expected; looks first where that is likely and quickly seen."""
    several = list(scenarios)
    return any(_differs_at_changes(scenario, declared) for scenario in several) or any(
        any(problems(scenario, declared)) for scenario in several
    )


def _differs_at_changes(scenario: Scenario, declared: Declared) -> bool:
    """Whether a state is another one at an expected change, just before it, or at the end."""
    if any(scenario.late()):  # what is known at a time is not yet all that lies there
        return False
    states = _States(scenario, watched(scenario.history, declared))
    return any(
        states.at(name, at) is not state
        for name, changes in scenario.history.items()
        for at, state in states.expected(changes, scenario.end)
    )


class _States:
    """The state at a time from the data alone, without the states before it as far as that can be."""

    def __init__(self, scenario: Scenario, alarms: Declared) -> None:
        self._alarms = alarms
        self._names = {alarm.name: name for name, alarm in alarms.items()}
        self._store = scenario.data
        self._first = min(alarm.step for alarm in alarms.values() if isinstance(alarm, MetricAlarm))

    def expected(self, changes: History, end: int) -> Iterator[tuple[int, State]]:
        before = State.INSUFFICIENT_DATA
        for at, state in changes:
            yield at - 1, before
            yield at, state
            before = state
        yield end, before

    def at(self, name: str, at: int) -> State:
        alarm = self._alarms[name]
        if at < self._first:  # all are evaluated then, also those that are due later only
            return State.INSUFFICIENT_DATA
        if isinstance(alarm, CompositeAlarm):
            states = {child: self.at(self._names[child], at) for child in alarm.rule.children}
            return State.ALARM if alarm.rule.holds(states) else State.OK
        earliest = 0 if self._first < alarm.step else alarm.step
        for end in range(last_end(alarm, at), earliest - 1, -alarm.step):
            if too_few_samples(alarm, self._store, end):
                continue
            points = datapoints(alarm, self._store, end)
            state = judge(alarm, points, State.OK)
            if state is judge(alarm, points, State.ALARM):  # else it stays what it was before
                return state
        return State.INSUFFICIENT_DATA


class _Data:
    """A scenario's data as it comes in."""

    def __init__(self, scenario: Scenario) -> None:
        self._late = sorted(scenario.late(), key=lambda arrival: arrival[0], reverse=True)
        self.store = scenario.on_time() if self._late else scenario.data

    def arrive(self, at: float) -> None:
        while self._late and self._late[-1][0] <= at:
            _, metric, datum = self._late.pop()
            self.store.put(metric, datum)
