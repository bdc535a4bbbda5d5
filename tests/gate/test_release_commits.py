"""A release outside git, held against the commit that it is said to come from: a claim until every file is the same."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gate.commits import ReleaseCommits
from releases.source import archive, digest_of, unpack
from tests.gate.repositories import ALICE, BOB, CAROL, Repository

pytestmark = pytest.mark.rows("C1", "K5", "K8")

PROGRAM = {
    "Pulumi.production.yaml": "config: {}",
    "Pulumi.yaml": "name: parker-flight",
    "README.md": "not a part of a release",
    "__main__.py": "import settings",
    "components/key.py": "ROTATION = 365",
    "supabase/config.toml": "",
    "supabase/functions/encrypt-data/index.ts": "Deno.serve()",
    "supabase/functions/.gitignore": "node_modules",
    "uv.lock": "version = 1",
}


class Release:
    """A release as a rollback unpacks it, and the repository that vouches for it."""

    def __init__(self, place: Path) -> None:
        self.repository = Repository.new(place / "checkout")
        self.commit = self.repository.commit(PROGRAM)
        self.folder = place / "release"
        self.folder.mkdir()
        content = archive(self.repository.folder, "production")
        unpack(content, digest_of(content), self.folder)
        self.repository.commit({"settings.py": "what came later"}, author=BOB)

    def commits(self, commit: str | None = None) -> ReleaseCommits:
        commit = self.commit if commit is None else commit
        return ReleaseCommits(folder=self.repository.folder, release=self.folder, commit=commit)

    def write(self, name: str, text: str = "") -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return Release(tmp_path)


def test_a_release_of_before_is_reviewed_as_its_commit_was(release: Release) -> None:
    assert release.commits().is_on("main")
    assert release.commits().head() == release.commit


def test_what_running_it_leaves_beside_it_makes_it_no_other(release: Release, tmp_path: Path) -> None:
    release.write("__pycache__/settings.cpython-311.pyc", "compiled")
    (release.folder / ".venv").symlink_to(tmp_path)
    assert release.commits().is_on("main")


def test_a_repository_with_longer_names_says_the_same(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "sha256")
    repository.folder.mkdir()
    repository.git("init", "-q", "-b", "main", "--object-format=sha256")
    head = repository.commit(PROGRAM)
    commits = ReleaseCommits(folder=repository.folder, release=repository.folder, commit=head)
    shutil.move(repository.folder / ".git", tmp_path / "git")
    repository.folder.joinpath(".git").write_text(f"gitdir: {tmp_path / 'git'}")
    assert not commits.is_on("main")  # the .git file itself is none of the commit's
    copied = tmp_path / "release"
    shutil.copytree(repository.folder, copied, ignore=shutil.ignore_patterns(".git"))
    assert ReleaseCommits(folder=repository.folder, release=copied, commit=head).is_on("main")


def _another_byte(release: Release) -> None:
    release.write("components/key.py", "ROTATION = 366")


def _another_function(release: Release) -> None:
    release.write("supabase/functions/encrypt-data/index.ts", "Deno.serve(evil)")


def _another_config(release: Release) -> None:
    release.write("Pulumi.production.yaml", "config: {evil: true}")


def _a_later_file(release: Release) -> None:
    release.write("settings.py", "what came later")


def _a_module_before_the_installed_one(release: Release) -> None:
    release.write("pulumi/__init__.py", "evil")


def _a_linked_package(release: Release) -> None:
    elsewhere = release.folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "__init__.py").write_text("evil")
    (release.folder / "pulumi").symlink_to(elsewhere)


def _a_link_to_the_same_content(release: Release) -> None:
    file = release.folder / "components/key.py"
    file.rename(release.folder.parent / "key.py")
    file.symlink_to(release.folder.parent / "key.py")


def _a_hidden_setting_of_the_functions(release: Release) -> None:
    release.write("supabase/functions/.npmrc", "registry=https://evil.example")


def _a_line_break_in_a_name(release: Release) -> None:
    release.write(f"x\n{release.folder}/components/key.py", "ROTATION = 365")


def _a_name_that_is_no_text(release: Release) -> None:
    Path(str(release.folder / "\udcff.py")).write_text("")


def _without_a_module(release: Release) -> None:
    (release.folder / "components/key.py").unlink()


def _without_a_function(release: Release) -> None:
    shutil.rmtree(release.folder / "supabase/functions")


@pytest.mark.parametrize(
    "change",
    [
        _another_byte,
        _another_function,
        _another_config,
        _a_later_file,
        _a_module_before_the_installed_one,
        _a_linked_package,
        _a_link_to_the_same_content,
        _a_hidden_setting_of_the_functions,
        _a_line_break_in_a_name,
        _a_name_that_is_no_text,
        _without_a_module,
        _without_a_function,
    ],
)
def test_whatever_is_not_as_committed_is_not_reviewed(change: Callable[[Release], None], release: Release) -> None:
    change(release)
    assert not release.commits().is_on("main")


SALT = "encryptionsalt: v1:x\n"


@pytest.mark.parametrize("appended", ["", SALT, f"\n\nsecretsprovider: awskms://x\nencryptedkey: a\n{SALT}"])
@pytest.mark.parametrize("committed", ["config: {}", f"config: {{}}\n{SALT}"])
def test_how_the_state_is_encrypted_now_makes_it_no_other_release(
    committed: str, appended: str, release: Release
) -> None:
    commit = release.repository.commit({"Pulumi.production.yaml": committed, "settings.py": "gone"})
    release.write("settings.py", "gone")
    release.write("Pulumi.production.yaml", f"config: {{}}\n{appended}")
    assert release.commits(commit).is_on("main")


@pytest.mark.parametrize(
    "forged",
    [
        "encryptionsalt: |\nconfig: {}\n",
        "config:\nencryptionsalt: |\n  a: 1\n  b: 2\n",
        "config:\n  a: 1\nencryptionsalt: x\n  b: 2\n",
        "config:\n  a: 1\n  b: 2\nencryptionsalt: x\nconfig: {}\n",
        "config:\n  a: 1\n  b: 2\n  encryptionsalt: x\n",
        "config:\n  a: 1\n",
    ],
)
def test_a_line_about_encryption_hides_no_other_change(forged: str, release: Release) -> None:
    commit = release.repository.commit({"Pulumi.production.yaml": "config:\n  a: 1\n  b: 2\n", "settings.py": "x"})
    release.write("settings.py", "x")
    release.write("Pulumi.production.yaml", forged)
    assert not release.commits(commit).is_on("main")
    release.write("Pulumi.production.yaml", "config:\n  a: 1\n  b: 2\n")
    assert release.commits(commit).is_on("main")


def test_a_commit_that_the_branch_does_not_have_vouches_for_nothing(release: Release, tmp_path: Path) -> None:
    foreign = Repository.new(tmp_path / "foreign").commit(PROGRAM, author=BOB)
    release.repository.git("switch", "-q", "-c", "hotfix", release.commit)
    unmerged = release.repository.commit({}, author=BOB)
    for commit in ("", unmerged, foreign, "c0" * 20):
        assert not release.commits(commit).is_on("main"), commit
    assert release.commits(unmerged).is_on("hotfix")


def test_another_commit_of_the_branch_is_another_release(release: Release) -> None:
    assert not release.commits(release.repository.head).is_on("main")


# Who wrote it


def test_nobody_is_excluded_by_a_return_to_what_was_live(release: Release) -> None:
    assert release.commits().authors(release.repository.head) == frozenset()
    assert release.commits().authors(release.commit) == frozenset()


def test_an_author_does_not_approve_their_own_change_by_calling_it_a_return(release: Release) -> None:
    new = release.repository.commit({"components/key.py": "ROTATION = 90"}, author=CAROL)
    assert release.commits(new).authors(release.commit) == {BOB, CAROL}
    assert release.commits().authors("") == {ALICE}


@pytest.mark.parametrize("commit", ["", "c0" * 20])
def test_an_unknown_commit_stops_no_return(commit: str, release: Release) -> None:
    """A clone that was cut off, or a hotfix branch that is gone: it isn't reviewed, which takes a lead's signature."""
    assert release.commits(commit).authors(release.commit) == frozenset()
