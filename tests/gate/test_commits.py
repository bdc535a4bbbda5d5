"""What git says of a program: who wrote the change, and whether it is the one that was reviewed."""

import subprocess
from pathlib import Path

import pytest

from gate.commits import Commits, GitError
from tests.gate.repositories import ALICE, BOB, CAROL, Repository

pytestmark = pytest.mark.rows("C1", "C2", "K5")

MERGER = "merger@parker-flight.com"
PROGRAM = {"__main__.py": "1", "approvals/allowed_signers": "alice", "approvals/revoked_keys": "# none"}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.new(tmp_path / "a program")
    made.commit(PROGRAM)
    return made


# Where it is


def test_the_head_is_the_commit_of_this_folder(repository: Repository) -> None:
    assert repository.commits.head() == repository.head


def test_a_folder_without_a_repository_has_no_head_and_no_authors(tmp_path: Path) -> None:
    commits = Commits(folder=tmp_path)
    assert commits.head() == ""
    assert commits.authors("") == commits.authors("c0" * 20) == frozenset()
    assert not commits.is_on("main")


def test_a_repository_without_a_commit_has_no_head(tmp_path: Path) -> None:
    assert Repository.new(tmp_path).commits.head() == ""


def test_a_folder_of_another_repository_does_not_take_its_head(repository: Repository) -> None:
    """An unpacked release inside a checkout is not the commit that this checkout is on."""
    repository.commit({"releases/7/__main__.py": "1"})
    commits = Commits(folder=repository.folder / "releases" / "7")
    assert commits.head() == ""
    assert not commits.is_on("main")
    assert commits.authors("") == frozenset()


def test_without_git_there_is_no_head_and_no_answer(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    commits, head = repository.commits, repository.head
    monkeypatch.setenv("PATH", "/nowhere")
    assert commits.head() == ""
    assert not commits.is_on("main")
    with pytest.raises(GitError, match="git is not on PATH"):
        commits.has("main", head)


def test_the_repository_of_a_running_hook_is_not_this_one(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Repository.new(tmp_path / "other")
    other.commit({"evil.py": ""}, author=BOB)
    head = repository.head
    monkeypatch.setenv("GIT_DIR", str(other.folder / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.folder))
    assert repository.commits.head() == head
    assert repository.commits.authors("") == {ALICE}


def test_a_git_that_hangs_or_fails_is_an_error(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(*arguments: object, **_more: object) -> None:
        raise subprocess.TimeoutExpired(str(arguments), 10)

    (repository.folder / ".git" / "index").write_bytes(b"damaged")
    with pytest.raises(GitError, match=r"`git status .*` failed: .*index"):
        repository.commits.is_on("main")
    monkeypatch.setattr(subprocess, "run", hangs)
    with pytest.raises(GitError, match="did not answer within 10 s"):
        repository.commits.head()


# Who wrote it


def test_everybody_who_wrote_since_the_live_commit_is_an_author(repository: Repository) -> None:
    live = repository.head
    repository.commit({"settings.py": "1"}, author=BOB)
    repository.commit({"settings.py": "2"}, author="Carol@Parker-Flight.com")
    assert repository.commits.authors(live) == {BOB, CAROL}
    assert repository.commits.authors(repository.head) == frozenset()


def test_whoever_only_files_approvals_is_none(repository: Repository) -> None:
    live = repository.head
    repository.commit({"approvals/production/infrastructure-1.json": "{}"}, author=BOB)
    repository.commit({"approvals/production/incidents/1.json": "{}"}, author=BOB)
    assert repository.commits.authors(live) == frozenset()
    repository.commit({"approvals/production/infrastructure-2.json": "{}", "settings.py": "1"}, author=BOB)
    assert repository.commits.authors(live) == {BOB}


@pytest.mark.parametrize("name", ["allowed_signers", "revoked_keys"])
def test_whoever_changes_who_may_approve_is_one(name: str, repository: Repository) -> None:
    live = repository.head
    repository.commit({f"approvals/{name}": "mallory"}, author=BOB)
    assert repository.commits.authors(live) == {BOB}


def test_authors_of_a_merged_branch_count(repository: Repository) -> None:
    live = repository.head
    repository.git("switch", "-q", "-c", "feature")
    repository.commit({"components/x.py": ""}, author=BOB)
    repository.git("switch", "-q", "main")
    repository.commit({"settings.py": "1"}, author=CAROL)
    repository.git("merge", "-q", "--no-edit", "feature", author=MERGER)
    assert repository.commits.authors(live) == {BOB, CAROL}


def test_whoever_merges_may_approve_unless_the_merge_itself_changes_something(repository: Repository) -> None:
    live = repository.head
    repository.git("switch", "-q", "-c", "feature")
    repository.commit({"components/x.py": ""}, author=BOB)
    repository.git("switch", "-q", "main")
    repository.git("merge", "-q", "--no-ff", "--no-commit", "feature")
    repository.commit({"components/x.py": "evil"}, author=MERGER)
    assert repository.commits.authors(live) == {BOB, MERGER}


def test_without_a_live_commit_it_is_whoever_wrote_last(repository: Repository) -> None:
    repository.commit({"settings.py": "1"}, author=BOB)
    assert repository.commits.authors("") == {BOB}
    assert repository.commits.authors("c0" * 20) == {BOB}  # of another repository, or cut off


# Whether it was reviewed


def test_a_clean_checkout_of_the_branch_is_reviewed(repository: Repository) -> None:
    first = repository.head
    repository.commit({"settings.py": "1"})
    assert repository.commits.is_on("main")
    repository.git("switch", "-q", "--detach", first)
    assert repository.commits.is_on("main")


def test_a_commit_that_is_not_on_the_branch_is_not(repository: Repository) -> None:
    repository.git("switch", "-q", "-c", "hotfix")
    repository.commit({"settings.py": "1"})
    assert not repository.commits.is_on("main")


@pytest.mark.parametrize(
    "name", ["__main__.py", "settings.py", "approvals/allowed_signers", "approvals/more", "components/deep/x.py"]
)
def test_what_is_not_committed_is_not(name: str, repository: Repository) -> None:
    repository.write({name: "changed"})
    assert not repository.commits.is_on("main")
    repository.git("add", "-A")
    assert not repository.commits.is_on("main")


def test_what_is_deleted_and_not_committed_is_not(repository: Repository) -> None:
    (repository.folder / "__main__.py").unlink()
    assert not repository.commits.is_on("main")


def test_approvals_that_are_not_committed_yet_change_nothing(repository: Repository) -> None:
    repository.write({"approvals/production/infrastructure-1.json": "{}", "approvals/production/incidents/1.json": ""})
    assert repository.commits.is_on("main")


def test_a_users_own_settings_of_git_hide_nothing(repository: Repository) -> None:
    repository.git("config", "status.showUntrackedFiles", "no")
    repository.git("config", "log.showSignature", "true")
    repository.write({"yaml.py": ""})
    assert not repository.commits.is_on("main")


def test_a_replaced_commit_proves_nothing(repository: Repository) -> None:
    """`git replace` can give main other ancestors on this machine only."""
    main = repository.head
    repository.git("switch", "-q", "-c", "evil")
    evil = repository.commit({"settings.py": "evil"})
    repository.git("replace", "--graft", main, evil)
    assert not repository.commits.has("main", evil)


# What it contains


def test_a_branch_has_its_commits_and_no_others(repository: Repository) -> None:
    main = repository.head
    repository.git("switch", "-q", "-c", "other")
    other = repository.commit({"settings.py": "1"})
    commits = repository.commits
    assert commits.has("main", main)
    assert commits.has("other", main)
    assert not commits.has("main", other)
    assert not commits.has("main", "c0" * 20)


def test_a_branch_that_this_clone_does_not_have_is_named(repository: Repository) -> None:
    with pytest.raises(GitError, match="this clone has no origin/main: git fetch origin"):
        repository.commits.has("origin/main", repository.head)


def test_a_shallow_clone_does_not_have_what_was_cut_off(repository: Repository, tmp_path: Path) -> None:
    cut_off = repository.head
    repository.commit({"settings.py": "1"})
    shallow = repository.clone(tmp_path / "shallow", "--depth", "1").commits
    assert shallow.has("origin/main", shallow.head())
    assert not shallow.has("origin/main", cut_off)
    assert shallow.file(cut_off, "__main__.py") is None


def test_a_file_is_what_the_commit_has_and_not_what_lies_here(repository: Repository) -> None:
    before = repository.head
    repository.commit({"__main__.py": "2"})
    repository.write({"__main__.py": "3"})
    assert repository.commits.file(before, "__main__.py") == b"1"
    assert repository.commits.file("main", "__main__.py") == b"2"
    assert repository.commits.file("main", "nothing.py") is None
    assert repository.commits.file("c0" * 20, "__main__.py") is None
