"""What GitHub asks of the branch and lets into the environments, held against what it was told once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from operations.github import GitHub
from operations.health import Check, Status
from operations.repository_rules import CHOSEN, Call, Environment, environments, rulesets, sent

# Lists of who or what a rule spares: more of it is less of a rule.
SPARED = frozenset({"bypass_actors", "exclude"})


def rule_checks(github: GitHub, repository: str, branch: str) -> Iterator[Check]:
    """One a set of rules and an environment. Raises: OperationError where GitHub can't be asked."""
    numbers = {one.name: one.id for one in github.rulesets()}
    for wanted in rulesets(branch):
        number = numbers.get(wanted["name"])
        if number is None:
            wrong = "there is no such ruleset"
        elif not as_strict(wanted, github.ruleset(number)):
            wrong = "its ruleset was loosened, or this token doesn't see who may go round it"
        else:
            wrong = ""
        yield _check(f"rules: {wanted['name']}", repository, wrong, [sent(wanted, number)])
    for environment in environments(branch):
        wrong, calls = _opened(github, environment)
        yield _check(f"environment {environment.name}", repository, wrong, calls)


def as_strict(wanted: object, live: object) -> bool:
    """Whether what is live asks for all that is wanted; that it asks for more is no harm."""
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(
            _spares_no_more(item, live.get(key)) if key in SPARED else as_strict(item, live.get(key))
            for key, item in cast("Mapping[str, object]", wanted).items()
        )
    if isinstance(wanted, list):
        items = cast("list[object]", live) if isinstance(live, list) else []
        return all(any(as_strict(each, one) for one in items) for each in cast("list[object]", wanted))
    if isinstance(wanted, int):
        return isinstance(live, int) and live >= wanted
    return live == wanted


def _spares_no_more(wanted: object, live: object) -> bool:
    spared = cast("list[object]", wanted)
    return isinstance(live, list) and all(one in spared for one in cast("list[object]", live))


def _opened(github: GitHub, wanted: Environment) -> tuple[str, Sequence[Call]]:
    """What is wrong with it, and what mends that."""
    live = github.environment(wanted.name)
    admitting = {branch: wanted.admitting(branch) for branch in wanted.branches}
    if live is None:
        return "there is no such environment", [wanted.made, *admitting.values()]
    if live.get("deployment_branch_policy") != CHOSEN:
        return "jobs of any branch may be in it", [wanted.made, *admitting.values()]
    admitted = {one.name: one.id for one in github.admitted(wanted.name)}
    path = f"{wanted.path}/deployment-branch-policies"
    more = {
        name: Call(why=f"jobs of {name} may not", method="DELETE", path=f"{path}/{number}")
        for name, number in admitted.items()
        if name not in admitting
    }
    lacking = {name: call for name, call in admitting.items() if name not in admitted}
    wrong = [
        *(f"jobs of {name} may be in it as well" for name in more),
        *(f"jobs of {name} may not" for name in lacking),
    ]
    return "; ".join(wrong), [*more.values(), *lacking.values()]


def _check(name: str, repository: str, wrong: str, calls: Sequence[Call]) -> Check:
    if not wrong:
        return Check(name=name, status=Status.HEALTHY, detail=f"{repository} has it")
    cure = "\n".join(call.command(repository) for call in calls)
    return Check(name=name, status=Status.DOWN, detail=wrong, cure=cure)
