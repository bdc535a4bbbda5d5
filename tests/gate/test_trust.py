"""Who may approve: those of before, whatever the change, the checkout or the records bring along."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gate.commits import Commits
from gate.records import Applied, Records, TrustRoot
from gate.signature import SignatureRefused, verify
from gate.store import FolderStore
from gate.surface import Surface
from gate.trust import REVOKED, SIGNERS, Trust, TrustError, TrustFiles, in_force
from tests.gate.conftest import AT, People
from tests.gate.repositories import Repository

pytestmark = pytest.mark.rows("K5", "C2")

SURFACE = Surface(resources={"urn:x": {}})
NONE = "# none\n"


class Stack:
    """A stack's records, and a checkout in a repository with a protected branch."""

    def __init__(self, folder: Path, people: People) -> None:
        self.people = people
        self.records = Records(FolderStore(folder=folder / "store"))
        self.repository = Repository.new(folder / "checkout")
        self.old = self.files("alice", "bob")
        self.start = self.commit(self.old)

    @property
    def approvals(self) -> Path:
        return self.repository.folder / "approvals"

    def files(self, *names: str, revoked: str = NONE) -> TrustFiles:
        lines = [getattr(self.people, name).line("security", "devops") for name in names]
        return TrustFiles(signers="\n".join(lines) + "\n", revoked=revoked)

    def write(self, files: TrustFiles) -> None:
        names = {f"approvals/{SIGNERS}": files.signers, f"approvals/{REVOKED}": files.revoked}
        self.repository.write(names)

    def commit(self, files: TrustFiles) -> str:
        self.write(files)
        return self.repository.commit({})

    def confirm(self, files: TrustFiles, commit: str = "") -> None:
        self.records.confirm(
            TrustRoot(signers=files.digest, signers_commit=commit, at=datetime.now(UTC)), files.as_bytes()
        )

    def apply(self, files: TrustFiles, commit: str = "", *, digest: str = "") -> None:
        applied = Applied(
            surface=SURFACE.digest,
            signers=digest or files.digest,
            signers_commit=commit,
            commit=commit,
            at=datetime.now(UTC),
        )
        self.records.write(applied, SURFACE, files.as_bytes())

    def trust(self, *branches: str, commits: Commits | None = None) -> Trust:
        return in_force(self.records, self.approvals, commits or self.repository.commits, branches, "production")


@pytest.fixture
def stack(tmp_path: Path, people: People) -> Stack:
    return Stack(tmp_path, people)


def names(trust: Trust) -> list[str]:
    return [one.principal.partition("@")[0] for one in trust.signers.signers]


# Without a protected branch


def test_before_anybody_has_confirmed_them_nobody_may_approve(stack: Stack) -> None:
    for branches in ((), ("main",)):
        with pytest.raises(TrustError, match=r"\./pf signers confirm --stack production$"):
            stack.trust(*branches)


def test_the_first_ones_are_those_that_a_person_confirmed(stack: Stack) -> None:
    stack.confirm(stack.old)
    assert names(stack.trust()) == ["alice", "bob"]
    assert stack.trust().digest == stack.old.digest


def test_the_changes_own_signers_never_count(stack: Stack) -> None:
    stack.confirm(stack.old)
    for files in (stack.files("mallory"), stack.files("alice", "bob", "mallory")):
        stack.write(files)
        assert names(stack.trust()) == ["alice", "bob"]


def test_those_of_the_live_version_replace_the_first_ones(stack: Stack) -> None:
    stack.confirm(stack.old)
    stack.apply(stack.files("carol", "ivan"))
    assert names(stack.trust()) == ["carol", "ivan"]


def test_they_are_found_beside_the_record_whatever_this_checkout_has(stack: Stack) -> None:
    stack.confirm(stack.old)
    (stack.approvals / SIGNERS).write_text("* this is no list of signers")
    assert names(stack.trust()) == ["alice", "bob"]
    (stack.approvals / SIGNERS).unlink()
    assert names(stack.trust()) == ["alice", "bob"]


def test_they_are_found_in_this_checkout_where_the_record_has_lost_them(stack: Stack) -> None:
    stack.confirm(stack.old)
    stack.records.store.put(f"signers/{stack.old.digest}.json", b"")
    assert names(stack.trust()) == ["alice", "bob"]


@pytest.mark.parametrize("kept", [b"", b"[]", b"{}", b'{"allowed_signers": 1, "revoked_keys": 2}', b"\xff", None])
def test_files_of_another_digest_are_nobodys(kept: bytes | None, stack: Stack) -> None:
    stack.confirm(stack.old)
    evil = stack.files("mallory")
    stack.write(evil)
    stack.records.store.put(f"signers/{stack.old.digest}.json", evil.as_bytes() if kept is None else kept)
    with pytest.raises(TrustError, match=r"are neither in .* nor in the gate's records"):
        stack.trust()


def test_signers_in_force_that_cannot_be_read_are_nobody(stack: Stack) -> None:
    wild = TrustFiles(signers=stack.old.signers + "* ssh-ed25519 AAAA\n", revoked=NONE)
    stack.confirm(wild)
    with pytest.raises(TrustError, match=r"approvals/allowed_signers can't be used:\n.*line 3"):
        stack.trust()


# Revocations


def revoked(stack: Stack, trust: Trust, name: str) -> bool:
    person = getattr(stack.people, name)
    signature = person.signs(b"x", "security@parker-flight")
    try:
        verify(b"x", signature, signers=trust.signers, revoked=trust.revoked, role="security", at=AT)
    except SignatureRefused as error:
        return "which is revoked" in str(error)
    return False


def test_a_revocation_counts_from_when_it_is_at_hand(stack: Stack) -> None:
    """Nobody has to approve that a stolen key stops approving."""
    stack.confirm(stack.old)
    assert not revoked(stack, stack.trust(), "bob")
    stack.write(stack.files("alice", "bob", revoked=f"# lost\n{stack.people.bob.public}"))
    assert revoked(stack, stack.trust(), "bob")
    assert not revoked(stack, stack.trust(), "alice")


def test_a_revocation_in_force_cannot_be_taken_back_by_a_change(stack: Stack) -> None:
    stack.confirm(stack.files("alice", "bob", revoked=f"{stack.people.bob.public}\n"))
    stack.write(stack.files("alice", "bob"))
    assert revoked(stack, stack.trust(), "bob")


def test_a_revocation_on_the_branch_counts_in_an_older_checkout(stack: Stack) -> None:
    stack.confirm(stack.old, stack.start)
    stack.commit(stack.files("alice", "bob", revoked=f"{stack.people.bob.public}\n"))
    stack.repository.git("switch", "-q", "--detach", stack.start)
    assert (stack.approvals / REVOKED).read_text() == NONE
    assert revoked(stack, stack.trust("main"), "bob")


@pytest.mark.parametrize("text", ["", "\n", "nonsense", "ssh-ed25519 AAAA"])
def test_a_list_of_revocations_that_cannot_be_read_revokes_everybody(text: str, stack: Stack) -> None:
    stack.confirm(stack.old, stack.start)
    (stack.approvals / REVOKED).write_text(text)
    for branches in ((), ("main",)):
        with pytest.raises(TrustError, match=r"approvals/revoked_keys"):
            stack.trust(*branches)


def test_a_list_of_revocations_that_is_gone_revokes_everybody(stack: Stack) -> None:
    stack.confirm(stack.old, stack.start)
    (stack.approvals / REVOKED).unlink()
    with pytest.raises(TrustError, match="revoked_keys"):
        stack.trust()
    stack.repository.commit({})
    (stack.approvals / REVOKED).write_text(NONE)
    with pytest.raises(TrustError, match="main has no approvals/"):
        stack.trust("main")


# With a protected branch


def test_the_branch_has_to_have_had_them(stack: Stack) -> None:
    stack.apply(stack.old, stack.start)
    trust = stack.trust("main")
    assert (names(trust), trust.commit) == (["alice", "bob"], stack.start)


def test_they_are_those_of_the_commit_whatever_the_working_tree_or_later_commits_have(stack: Stack) -> None:
    stack.apply(stack.old, stack.start)
    stack.commit(stack.files("mallory"))
    (stack.approvals / SIGNERS).write_text("broken")
    assert names(stack.trust("main")) == ["alice", "bob"]


def test_a_forged_record_makes_nobody_an_approver(stack: Stack) -> None:
    """Whoever writes to the state's backend can name any digest, and put files of that digest beside it."""
    evil = stack.files("mallory")
    stack.write(evil)
    stack.apply(evil, stack.start)
    with pytest.raises(TrustError, match=r"the gate's record of the signers is not what .* has"):
        stack.trust("main")


def test_a_forged_record_of_an_unmerged_commit_makes_nobody_an_approver(stack: Stack) -> None:
    stack.repository.git("switch", "-q", "-c", "evil")
    evil = stack.files("mallory")
    stack.apply(evil, stack.commit(evil))
    with pytest.raises(TrustError, match="which is not on main"):
        stack.trust("main")
    assert names(stack.trust("evil")) == ["mallory"]  # that the branch is what protects


def test_of_two_protected_branches_both_have_to_have_them(stack: Stack) -> None:
    """A change that names another branch as the protected one is held to the one in force as well."""
    stack.repository.git("switch", "-q", "-c", "evil")
    evil = stack.files("mallory")
    stack.apply(evil, stack.commit(evil))
    with pytest.raises(TrustError, match="which is not on main"):
        stack.trust("evil", "main")


@pytest.mark.parametrize("commit", ["", "c0" * 20])
def test_a_record_without_a_commit_that_is_there_makes_nobody_an_approver(commit: str, stack: Stack) -> None:
    stack.apply(stack.old, commit)
    with pytest.raises(TrustError, match="which is not on main: git fetch --unshallow origin"):
        stack.trust("main")


def test_a_shallow_clone_says_what_it_lacks(stack: Stack, tmp_path: Path) -> None:
    stack.apply(stack.old, stack.start)
    stack.repository.commit({"settings.py": "1"})
    shallow = stack.repository.clone(tmp_path / "shallow", "--depth", "1")
    with pytest.raises(TrustError, match="git fetch --unshallow origin"):
        stack.trust("origin/main", commits=shallow.commits)
    shallow.git("fetch", "-q", "--unshallow", "origin")
    assert names(stack.trust("origin/main", commits=shallow.commits)) == ["alice", "bob"]


def test_a_branch_that_is_not_here_or_no_git_at_all_closes_the_gate(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.apply(stack.old, stack.start)
    with pytest.raises(TrustError, match="this clone has no origin/main"):
        stack.trust("origin/main")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TrustError, match="git is not on PATH"):
        stack.trust("main")


def test_files_at_the_commit_that_are_no_text_close_the_gate(stack: Stack) -> None:
    (stack.approvals / SIGNERS).write_bytes(b"\xff\xfe")
    commit = stack.repository.commit({})
    stack.apply(stack.old, commit)
    stack.write(stack.old)
    with pytest.raises(TrustError, match="is not UTF-8"):
        stack.trust("main")


# The files themselves


def test_a_digest_is_of_both_files_and_of_every_byte(stack: Stack) -> None:
    files = [
        stack.old,
        TrustFiles(signers=stack.old.signers + "\n", revoked=NONE),
        TrustFiles(signers=stack.old.signers, revoked=NONE + "\n"),
        TrustFiles(signers=stack.old.signers + NONE, revoked=""),
        TrustFiles(signers=NONE, revoked=stack.old.signers),
    ]
    assert len({one.digest for one in files}) == len(files)
    assert TrustFiles.of_bytes(stack.old.as_bytes()) == stack.old
    assert TrustFiles.of_folder(stack.approvals) == stack.old


@pytest.mark.parametrize("case", ["a link", "a folder", "too large", "no text"])
def test_what_is_no_small_text_file_is_not_read(case: str, stack: Stack, tmp_path: Path) -> None:
    file = stack.approvals / SIGNERS
    file.unlink()
    if case == "a link":
        (tmp_path / "elsewhere").write_text(stack.old.signers)
        file.symlink_to(tmp_path / "elsewhere")
    elif case == "a folder":
        file.mkdir()
    else:
        file.write_bytes(b"\xff" if case == "no text" else b"#" * (64 * 1024 + 1))
    with pytest.raises(TrustError, match="allowed_signers is no"):
        TrustFiles.of_folder(stack.approvals)
