"""What is deployed from the protected branch has passed its checks (C2), as GitHub says.

A pull request's checks ran on its own last commit, and merging makes another one. Both count as the same change where
their trees are one, which the ruleset's strict checks see to: nothing came in between.
"""

from collections.abc import Sequence

from gate.commits import Commits, GitError
from operations.errors import ExitCode, OperationError
from operations.github import GitHub
from operations.repository_rules import REQUIRED_CHECKS
from operations.stack import Stack
from settings import file_name

WHOSE = "github-actions"  # another app's check may have any name
PASSED = "success"


def refuse_unchecked(stack: Stack) -> None:
    """What isn't on the branch is a hotfix, and the gate's business.

    Raises: OperationError, also where GitHub can't be asked.
    """
    settings = stack.settings
    if not settings.protected_branch:
        return
    commits = Commits(folder=stack.root)
    try:
        if not commits.is_on(settings.protected_branch):
            return
        head, tree = commits.head(), commits.tree()
    except GitError as error:
        raise OperationError(str(error)) from error
    if not settings.repository:
        raise OperationError(
            f"parker-flight:repository is not set, where the checks of {settings.protected_branch} are asked for",
            f"In {file_name(stack.name)}: parker-flight:repository: OWNER/NAME",
        )
    github = GitHub.of(stack, settings.repository)
    try:
        lacking = _lacking(github, head, tree)
    except OperationError as error:
        raise OperationError(
            f"whether the checks of {head[:12]} passed can't be told: {error.message}",
            f"{error.cure}\n  An emergency doesn't wait for GitHub: ./pf incident open{stack.command} --reason …",
            ExitCode.REFUSED,
        ) from error
    if lacking:
        raise OperationError(
            f"{head[:12]} is on {settings.protected_branch}, and not every check of it passed: {', '.join(lacking)}",
            f"See https://github.com/{settings.repository}/commit/{head}. Mend it by a pull request that is up to date "
            "with the branch when it is merged; or deploy a hotfix from a branch of its own.",
        )


def _lacking(github: GitHub, head: str, tree: str) -> Sequence[str]:
    """What the commit itself and the pull requests that brought it leave open, at their best."""
    checked = [head, *(one.head.sha for one in github.merged_by(head) if github.tree(one.head.sha) == tree)]
    found = [_of_one(github, commit) for commit in checked]
    return min(found, key=len)


def _of_one(github: GitHub, commit: str) -> Sequence[str]:
    concluded = {one.name: one.conclusion or "still running" for one in github.checks(commit) if one.app.slug == WHOSE}
    return [f"{name} ({concluded.get(name, 'never ran')})" for name in REQUIRED_CHECKS if concluded.get(name) != PASSED]
