"""Runs a scenario against alarms and says what came out other than expected."""

from collections.abc import Iterable, Iterator, Mapping

from sandbox.alarms.definitions import Alarm, CompositeAlarm, LowSamples, MetricAlarm, MissingData
from sandbox.alarms.watch import Alarms
from tests.alarms.scenarios import MINUTE, History, Scenario, told

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


def differs(scenario: Scenario, declared: Declared) -> bool:
    """Whether anything comes out other than expected; looks first where that is likely, at the expected changes."""
    alarms = watched(scenario.history, declared)
    if all(map(_memoryless, alarms.values())) and _differs_at_changes(scenario, alarms):
        return True
    return any(problems(scenario, declared))


def _differs_at_changes(scenario: Scenario, alarms: Declared) -> bool:
    expected: dict[int, list[tuple[str, str]]] = {}
    for name, changes in scenario.history.items():
        alarm = alarms[name]
        step = alarm.step if isinstance(alarm, MetricAlarm) else MINUTE
        before = None
        for at, state in changes:
            if before is not None:
                expected.setdefault(at - step, []).append((name, before))
            expected.setdefault(at, []).append((name, state))
            before = state
        if before is not None:
            expected.setdefault(scenario.end, []).append((name, before))
    data = _Data(scenario)
    running = Alarms(alarms.values(), store=data.store)
    for at in sorted(expected):
        data.arrive(at)
        running.evaluate(at)
        if any(running.state(alarms[name].name) != state for name, state in expected[at]):
            return True
    return False


def _memoryless(alarm: Alarm) -> bool:
    """Whether its state follows from the data alone, not from the state before."""
    return isinstance(alarm, CompositeAlarm) or not (
        alarm.missing_data is MissingData.IGNORE or (alarm.percentile and alarm.low_samples is LowSamples.IGNORE)
    )


class _Data:
    """A scenario's data as it comes in."""

    def __init__(self, scenario: Scenario) -> None:
        self._late = sorted(scenario.late(), key=lambda arrival: arrival[0], reverse=True)
        self.store = scenario.on_time() if self._late else scenario.data

    def arrive(self, at: float) -> None:
        while self._late and self._late[-1][0] <= at:
            _, metric, datum = self._late.pop()
            self.store.put(metric, datum)
