"""What is on the protected branch is deployed where its checks passed: asked of a stand-in of GitHub."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from operations.errors import ExitCode, OperationError
from operations.green_checks import refuse_unchecked
from operations.repository_rules import REQUIRED_CHECKS
from operations.stack import Stack
from tests.ci.github import REPOSITORY, Commit, GitHub
from tests.gate.repositories import Repository

pytestmark = pytest.mark.rows("C2", "D1")

GREEN: dict[str, str | None] = dict.fromkeys(REQUIRED_CHECKS, "success")
PULL = "5" * 40


@pytest.fixture
def repository(project: Path) -> Repository:
    """The project as the branch `main` has it."""
    shutil.rmtree(project / ".git", ignore_errors=True)
    repository = Repository.new(project)
    repository.commit({})
    return repository


@pytest.fixture
def stack(make_stack: Callable[..., Stack], github: GitHub, repository: Repository) -> Stack:
    """On `main`, which is protected."""
    assert repository.head
    made = make_stack(GITHUB_TOKEN="a-token", GITHUB_API_URL=github.url)
    rules = {"protected_branch": "main", "repository": REPOSITORY}
    return replace(made, settings=made.settings.model_copy(update=rules))


def tree(repository: Repository) -> str:
    return repository.git("rev-parse", "HEAD^{tree}")


def refused(stack: Stack) -> OperationError:
    with pytest.raises(OperationError) as caught:
        refuse_unchecked(stack)
    assert caught.value.code is ExitCode.REFUSED
    assert caught.value.cure
    return caught.value


def test_a_commit_with_green_checks_of_its_own_is_taken(stack: Stack, github: GitHub, repository: Repository) -> None:
    github.commits[repository.head] = Commit(tree=tree(repository), checks=GREEN)
    refuse_unchecked(stack)


def test_the_checks_of_the_pull_request_count_for_what_was_merged_as_it_was_checked(
    stack: Stack, github: GitHub, repository: Repository
) -> None:
    github.commits[repository.head] = Commit(tree=tree(repository), checks={"test": None}, merged=[PULL])
    github.commits[PULL] = Commit(tree=tree(repository), checks=GREEN)
    refuse_unchecked(stack)
    github.commits[PULL].tree = "6" * 40  # something else came in between
    assert "test (still running), policies (never ran), approvals (never ran)" in refused(stack).message


@pytest.mark.parametrize("how", ["failure", "cancelled", "skipped", "neutral", None])
def test_a_check_that_did_not_pass_refuses_and_is_named(
    stack: Stack, github: GitHub, repository: Repository, how: str | None
) -> None:
    github.commits[repository.head] = Commit(tree=tree(repository), checks={**GREEN, "policies": how})
    problem = refused(stack)
    assert f"policies ({how or 'still running'})" in problem.message
    assert "approvals" not in problem.message
    assert repository.head in problem.cure


def test_the_checks_of_another_app_count_for_nothing(stack: Stack, github: GitHub, repository: Repository) -> None:
    github.commits[repository.head] = Commit(tree=tree(repository), checks=GREEN, app="mallory")
    assert "never ran" in refused(stack).message


def test_what_is_not_on_the_branch_is_the_gates_business(stack: Stack, github: GitHub, repository: Repository) -> None:
    repository.git("checkout", "-qb", "hotfix/x")
    repository.commit({"x": "y"})
    refuse_unchecked(stack)
    assert not github.calls


def test_a_stack_without_a_protected_branch_asks_nobody(stack: Stack, github: GitHub) -> None:
    refuse_unchecked(replace(stack, settings=stack.settings.model_copy(update={"protected_branch": ""})))
    assert not github.calls


def test_a_protected_branch_without_a_repository_names_the_setting(stack: Stack) -> None:
    bare = replace(stack, settings=stack.settings.model_copy(update={"repository": ""}))
    assert refused(bare).cure == "In Pulumi.sandbox.yaml: parker-flight:repository: OWNER/NAME"


@pytest.mark.parametrize("status", [401, 403, 404, 502])
def test_a_github_that_cannot_be_asked_refuses_and_names_the_way_out(stack: Stack, github: GitHub, status: int) -> None:
    github.broken = status
    problem = refused(stack)
    assert f"answered {status}" in problem.message
    assert "./pf incident open" in problem.cure


def test_without_a_token_the_refusal_says_where_one_comes_from(stack: Stack, make_stack: Callable[..., Stack]) -> None:
    bare = make_stack(GITHUB_TOKEN="")
    problem = refused(replace(stack, environment=bare.environment))
    assert "GITHUB_TOKEN is not set" in problem.message
    assert "gh auth token" in problem.cure
