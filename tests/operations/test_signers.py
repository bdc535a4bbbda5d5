"""Who confirms the first signers can go on: on a stack with a protected branch they are on that branch already."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gate.trust import REVOKED, SIGNERS
from operations.errors import OperationError
from operations.signers import confirm, listed
from operations.stack import Stack
from tests.gate.repositories import ALICE, Repository

pytestmark = pytest.mark.rows("K5", "C1")

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICbp69+XGVg9z8zmvKQdQhmB6AGj65Bh+olzgUep5yRi"
FILES = {
    f"approvals/{SIGNERS}": f'{ALICE} namespaces="security@parker-flight" {KEY}\n',
    f"approvals/{REVOKED}": "# none\n",
}


@pytest.fixture
def clone(tmp_path: Path) -> Repository:
    """Without signers, as its origin."""
    origin = Repository.new(tmp_path / "origin")
    origin.commit({"Pulumi.yaml": "name: parker-flight\n"})
    return origin.clone(tmp_path / "clone")


@pytest.fixture
def protected(clone: Repository, make_stack: Callable[..., Stack]) -> Stack:
    stack = make_stack()
    settings = stack.settings.model_copy(update={"protected_branch": "origin/main"})
    return replace(stack, root=clone.folder, settings=settings)


def test_they_are_confirmed_only_as_the_protected_branch_has_them(clone: Repository, protected: Stack) -> None:
    """Else nobody could ever approve: they are looked for at the commit that was confirmed."""
    refused = pytest.raises(OperationError, match=r"origin/main doesn't have these signers")
    clone.write(FILES)
    with refused as caught:
        confirm(protected, "sandbox")
    assert "./pf signers confirm" in caught.value.cure
    clone.commit({})
    with refused:
        confirm(protected, "sandbox")
    clone.git("push", "-q", "origin", "HEAD:merged")
    clone.git("fetch", "-q", "origin", "merged:refs/remotes/origin/main", "--force")
    clone.write({f"approvals/{REVOKED}": f"{KEY}\n"})
    with refused:
        confirm(protected, "sandbox")
    clone.write(FILES)
    assert confirm(protected, "sandbox")
    assert [one.principal for one in listed(protected)] == [ALICE]


def test_without_a_protected_branch_they_count_as_they_are_here(clone: Repository, protected: Stack) -> None:
    settings = protected.settings.model_copy(update={"protected_branch": ""})
    clone.write(FILES)
    assert confirm(replace(protected, settings=settings), "sandbox")
