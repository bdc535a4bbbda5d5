"""The branch's rules and the environments, held against a stand-in of GitHub; what mends them is run as printed."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from operations.github import GitHub as Client
from operations.health import Check, Status
from operations.repository_rules import MAINTAIN
from operations.rules_check import rule_checks
from tests.ci.github import REPOSITORY, GitHub

pytestmark = pytest.mark.rows("K9", "C2", "R3")

COMMAND = re.compile(r"gh api --method (\w+) '?repos/([^\s']+)'?(?: --input - <<'JSON'\n(.*?)\nJSON)?", re.DOTALL)
PROTECTED = "rules: main takes reviewed changes with green checks only"
HOTFIXES = "rules: maintainers alone push a hotfix"


def found(github: GitHub) -> dict[str, Check]:
    client = Client(REPOSITORY, "a-token", github.url)
    return {one.name: one for one in rule_checks(client, REPOSITORY, "main")}


def wrong(github: GitHub) -> dict[str, str]:
    return {name: one.detail for name, one in found(github).items() if one.status is Status.DOWN}


def mend(github: GitHub) -> None:
    """As somebody who runs what is printed."""
    for check in found(github).values():
        for method, path, payload in COMMAND.findall(check.cure):
            url, headers = f"{github.url}/repos/{path}", {"Content-Type": "application/json"}
            httpx.request(method, url, content=payload or None, headers=headers).raise_for_status()


@pytest.fixture
def told(github: GitHub) -> GitHub:
    """What it has to be told."""
    mend(github)
    return github


def ruleset(github: GitHub, name: str = PROTECTED) -> dict[str, Any]:
    (one,) = (one for one in github.rulesets.values() if f"rules: {one['name']}" == name)
    return one


def parameters(github: GitHub, kind: str) -> dict[str, Any]:
    (one,) = (one for one in ruleset(github)["rules"] if one["type"] == kind)
    return one["parameters"]


def test_a_repository_that_was_told_nothing_lacks_all_of_it(github: GitHub) -> None:
    assert wrong(github).keys() == {PROTECTED, HOTFIXES, "environment production", "environment operations"}


def test_what_is_printed_mends_it_and_once_is_enough(told: GitHub) -> None:
    assert not wrong(told)
    assert not [one for one in found(told).values() if one.cure]
    assert len(told.rulesets) == 2
    assert set(told.admitted["production"].values()) == {"main", "hotfix/*"}


def disabled(github: GitHub) -> None:
    ruleset(github)["enforcement"] = "evaluate"


def without_owners(github: GitHub) -> None:
    parameters(github, "pull_request")["require_code_owner_review"] = False


def without_reviews(github: GitHub) -> None:
    parameters(github, "pull_request")["required_approving_review_count"] = 0


def without_approvals(github: GitHub) -> None:
    parameters(github, "required_status_checks")["required_status_checks"].pop()


def by_any_app(github: GitHub) -> None:
    for one in parameters(github, "required_status_checks")["required_status_checks"]:
        one["integration_id"] = None


def behind_the_branch(github: GitHub) -> None:
    parameters(github, "required_status_checks")["strict_required_status_checks_policy"] = False


def force_pushed(github: GitHub) -> None:
    ruleset(github)["rules"] = [one for one in ruleset(github)["rules"] if one["type"] != "non_fast_forward"]


def gone_round(github: GitHub) -> None:
    maintainers = {"actor_id": MAINTAIN, "actor_type": "RepositoryRole", "bypass_mode": "always"}
    ruleset(github)["bypass_actors"] = [maintainers]


def hidden(github: GitHub) -> None:
    """From whoever doesn't administer the repository."""
    del ruleset(github)["bypass_actors"]


def for_another_branch(github: GitHub) -> None:
    ruleset(github)["conditions"]["ref_name"]["include"] = ["refs/heads/other"]


def spared(github: GitHub) -> None:
    ruleset(github)["conditions"]["ref_name"]["exclude"] = ["refs/heads/main"]


@pytest.mark.parametrize(
    "loosen",
    [
        *(disabled, without_owners, without_reviews, without_approvals, by_any_app, behind_the_branch),
        *(force_pushed, gone_round, hidden, for_another_branch, spared),
    ],
)
def test_a_ruleset_that_was_loosened_is_named_and_mended(told: GitHub, loosen: Callable[[GitHub], None]) -> None:
    loosen(told)
    assert wrong(told).keys() == {PROTECTED}
    mend(told)
    assert not wrong(told)


def test_writers_who_may_push_a_hotfix_are_named(told: GitHub) -> None:
    writers = {"actor_id": 4, "actor_type": "RepositoryRole", "bypass_mode": "always"}
    ruleset(told, HOTFIXES)["bypass_actors"].append(writers)
    assert wrong(told).keys() == {HOTFIXES}


def test_an_environment_that_lets_others_in_is_named_and_mended(told: GitHub) -> None:
    told.admitted["production"][9] = "feature/*"
    told.admitted["operations"].clear()
    assert wrong(told) == {
        "environment production": "jobs of feature/* may be in it as well",
        "environment operations": "jobs of main may not",
    }
    mend(told)
    told.environments["production"]["deployment_branch_policy"] = None
    told.admitted["production"].clear()
    assert wrong(told) == {"environment production": "jobs of any branch may be in it"}
    mend(told)
    assert not wrong(told)


def test_more_than_is_asked_for_is_no_harm(told: GitHub) -> None:
    parameters(told, "pull_request")["required_approving_review_count"] = 2
    parameters(told, "required_status_checks")["required_status_checks"].append({"context": "x", "integration_id": 1})
    ruleset(told)["rules"].append({"type": "required_signatures"})
    assert not wrong(told)
