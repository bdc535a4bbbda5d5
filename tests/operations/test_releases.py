"""Which version comes back, and its release as it is run again: its own, with what is always the present's."""

import gzip
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from gate.evidence import CHECKOUT, COMMIT, VERSION
from gate.records import Quarantined, Records
from gate.stack_file import release_part
from gate.store import FolderStore, StoreError
from operations import releases
from operations.errors import ExitCode, OperationError
from operations.releases import (
    NoTargetError,
    ReleaseStore,
    candidates,
    chosen,
    damage,
    make_ready,
    setting_differences,
    standing,
    unpacked,
)
from operations.stack import Stack
from releases.source import archive, digest_of
from releases.versions import Verification, Version, Versions
from tests.gate.repositories import Repository

pytestmark = pytest.mark.rows("K6", "K8", "E2")

AT = datetime(2026, 8, 3, 12, tzinfo=UTC)
EMPTY = gzip.compress(bytes(10240), mtime=0)  # an archive without files
COMMITS = [f"{number:x}" * 40 for number in range(8)]


@dataclass
class History:
    """Versions as a test makes them. Each is verified unless it says otherwise."""

    store: ReleaseStore
    made: list[Version] = field(default_factory=list[Version])

    def add(self, *, verified: bool | None = True, source: bytes = EMPTY, **given: Any) -> Version:
        number = len(self.made) + 1
        fields: dict[str, Any] = {
            "number": 0,
            "at": AT + timedelta(days=number),
            "by": "ada@host",
            "surface": f"{number:064x}",
            "functions": (),
            "program": "b2" * 32,
            "source": digest_of(source),
            "commit": COMMITS[number % len(COMMITS)],
        }
        version = Version(**(fields | given))
        made = self.store.versions.add(version, source)
        if verified is not None:
            self.store.versions.verify(made.number, Verification(good=verified, at=AT, by="ada@host"))
        self.made.append(made)
        return made

    def quarantine(self, version: Version) -> None:
        entry = Quarantined(version=version.number, reason="it loses payments", by="ada@host", at=AT)
        self.store.records.quarantine(version.content, entry)

    @property
    def left(self) -> str:
        return self.made[-1].content

    def candidates(self, left: str | None = None) -> list[int]:
        return [one.number for one in candidates(self.store, self.left if left is None else left)]

    def choose(self, number: int | None = None, commit: str = "", left: str | None = None) -> int:
        left = self.left if left is None else left
        return chosen(self.store, left=left, number=number, commit=commit).number


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    kept = FolderStore(folder=tmp_path / "store")
    return ReleaseStore(stack="sandbox", versions=Versions(kept), records=Records(kept))


@pytest.fixture
def history(store: ReleaseStore) -> History:
    return History(store)


@pytest.fixture
def four(history: History) -> History:
    for _ in range(4):
        history.add()
    return history


# Which one


def test_the_newest_verified_version_that_is_not_live_comes_first(four: History) -> None:
    assert four.candidates() == [3, 2, 1]
    assert four.choose() == 3


def test_what_was_not_seen_to_work_is_no_default(history: History) -> None:
    for verified in (True, None, False, True):
        history.add(verified=verified)
    assert history.candidates() == [1]


def test_what_has_the_live_content_is_no_way_back(history: History) -> None:
    history.add()
    history.add()
    history.add(surface=history.made[0].surface)  # a rollback's own
    assert history.candidates() == [2]


def test_after_an_update_that_broke_off_the_live_version_itself_comes_back(four: History) -> None:
    assert four.candidates(left="") == [4, 3, 2, 1]
    assert four.choose(left="") == four.choose(4, left="") == 4


def test_what_can_not_be_unpacked_is_passed_over_and_said(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    history.add()
    damaged = history.add(source=b"of somebody else")
    missing = history.add(source=gzip.compress(bytes(20480), mtime=0))
    history.add()
    history.store.records.store.put(f"sources/{damaged.source}.tar.gz", b"")
    history.store.records.store.delete(f"sources/{missing.source}.tar.gz")
    assert history.choose() == 1
    said = capsys.readouterr().err
    assert "version 2 is passed over: the release's archive" in said
    assert "version 3 is passed over: the source of version 3 is missing from the release store" in said


def test_where_the_store_does_not_answer_no_older_version_is_chosen(
    four: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(_: Versions, _version: Version) -> bytes:
        raise StoreError("the backend does not answer")

    monkeypatch.setattr(Versions, "source", silent)
    with pytest.raises(OperationError, match="the backend does not answer"):
        four.choose()


def test_what_is_in_quarantine_is_passed_over(four: History) -> None:
    four.quarantine(four.made[2])
    assert four.choose() == 2


@pytest.mark.parametrize("what", ["surface", "release"])
def test_what_was_withdrawn_is_passed_over(what: str, four: History) -> None:
    """The gate would deny it: at night, nobody wants to find out by trying."""
    four.add(program="a1" * 32)
    four.add()
    four.store.records.withdraw(getattr(four.made[4], what), "it leaks")
    assert four.choose() == 4


def test_where_nothing_can_come_back_it_is_said(history: History) -> None:
    history.add()
    with pytest.raises(NoTargetError, match="there is one version, so a rollback has no target yet") as caught:
        history.choose()
    assert caught.value.cure == "Mend forwards: ./pf deploy --stack sandbox"
    history.add(verified=None)
    history.quarantine(history.made[0])
    with pytest.raises(NoTargetError, match="each other version is in quarantine") as caught:
        history.choose()
    assert "./pf history --stack sandbox" in caught.value.cure
    assert caught.value.cure.endswith("./pf rollback --stack sandbox --version N --reason WHY")


def test_a_person_names_a_version_or_a_commit(four: History) -> None:
    assert four.choose(1) == 1
    assert four.choose(commit=COMMITS[2]) == four.choose(commit=COMMITS[2][:7]) == 2
    assert four.choose(2, COMMITS[2].upper()) == 2


def test_a_named_version_needs_no_verification(history: History) -> None:
    """A plain `pulumi up` was never verified."""
    history.add(verified=None)
    history.add()
    assert history.choose(1) == 1


def test_of_several_versions_of_a_commit_it_is_the_newest_verified(history: History) -> None:
    for verified in (True, True, None):
        history.add(verified=verified, commit=COMMITS[1])
    history.add()
    assert history.choose(commit=COMMITS[1]) == 2
    for number in (1, 2):
        history.store.versions.verify(number, Verification(good=False, at=AT, by="ada", why="slow"))
    assert history.choose(commit=COMMITS[1]) == 3


@pytest.mark.parametrize("commit", ["", "38" * 20])
def test_the_choice_reads_no_further_than_it_has_to(
    commit: str, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket takes its time for each."""
    for number in range(1, 41):
        history.add(commit=f"{number:02}" * 20)
    read: list[str] = []
    get = FolderStore.get

    def noted(store: FolderStore, name: str) -> bytes | None:
        read.append(name)
        return get(store, name)

    monkeypatch.setattr(FolderStore, "get", noted)
    assert history.choose(commit=commit) == (38 if commit else 39)
    assert len(read) <= 8


@pytest.mark.parametrize(
    ("number", "commit", "said"),
    [
        (99, "", "there is no version 99"),
        (0, "", "there is no version 0"),
        (-1, "", "there is no version -1"),
        (None, "f" * 40, "no version was made from the commit ffff"),
        (None, "f" * 6, "'ffffff' is too short for a commit"),
        (1, "abc", "'abc' is too short for a commit"),
        (1, COMMITS[2], "version 1 was made from 111111111111, not from 2222"),
        (99, COMMITS[2], "there is no version 99"),
        (4, "", "version 4 brings what stands already"),
        (None, COMMITS[4], "version 4 brings what stands already"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused(number: int | None, commit: str, said: str, four: History) -> None:
    with pytest.raises(OperationError, match=said) as caught:
        four.choose(number, commit)
    assert caught.value.code is ExitCode.REFUSED


def test_a_version_without_a_commit_disagrees_with_every_commit(four: History) -> None:
    four.add(commit="")
    four.add()
    with pytest.raises(OperationError, match="version 5 was made from no commit, not from 2222"):
        four.choose(5, COMMITS[2])


@pytest.mark.parametrize("what", ["surface", "release"])
def test_a_withdrawn_version_is_refused_with_its_reason(what: str, four: History) -> None:
    four.add(program="a1" * 32)
    four.add()
    four.store.records.withdraw(getattr(four.made[4], what), "it leaks")
    with pytest.raises(OperationError, match="version 5 was withdrawn: it leaks"):
        four.choose(5)


def test_a_version_in_quarantine_is_refused_with_what_lifts_it(four: History) -> None:
    four.quarantine(four.made[1])
    with pytest.raises(OperationError, match="version 2 is in quarantine: it loses payments") as caught:
        four.choose(2)
    assert caught.value.cure == "Lift it: ./pf unblock 2 --stack sandbox --reason WHY"


def test_a_store_that_is_damaged_chooses_nothing(four: History, tmp_path: Path) -> None:
    (tmp_path / "store/versions/3.json").write_text("{")
    for ask in (four.choose, lambda: four.choose(3), lambda: four.choose(commit=COMMITS[2])):
        with pytest.raises(OperationError, match=r"versions/3\.json in the release store is damaged"):
            ask()


# Its release


class Program:
    """The sandbox's stack as a program that changes between releases."""

    def __init__(self, folder: Path, history: History) -> None:
        self.folder = folder
        self.history = history
        self.file = folder / "Pulumi.sandbox.yaml"
        (folder / "uv.lock").write_bytes((releases.ROOT / "uv.lock").read_bytes())

    def config(self, **changed: Any) -> None:
        """Changes settings; None takes one away."""
        content = yaml.safe_load(self.file.read_text())
        named = {f"parker-flight:{name}": value for name, value in changed.items()}
        merged = content["config"] | named
        content["config"] = {name: value for name, value in merged.items() if value is not None}
        self.file.write_text(yaml.safe_dump(content))

    def beside(self, **changed: str) -> None:
        self.file.write_text(yaml.safe_dump(yaml.safe_load(self.file.read_text()) | changed))

    def version(self, **given: Any) -> Version:
        return self.history.add(source=archive(self.folder, "sandbox"), **given)


@pytest.fixture
def program(
    project: Path, history: History, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], tmp_path: Path
) -> Program:
    for name in [*variables.keys() - {"PATH"}, "PF_LOADED"]:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        if name != "PATH":
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("PF_STATE", str(tmp_path / "state"))
    return Program(project, history)


@contextmanager
def brought_back(program: Program, version: Version, live: Version) -> Generator[tuple[Stack, dict[str, Any]]]:
    store = program.history.store
    with unpacked(store, live, ()) as present, unpacked(store, version, (), present=present.root) as stack:
        yield stack, yaml.safe_load((stack.root / "Pulumi.sandbox.yaml").read_text())


HOURS = {"timeZone": "Europe/Berlin", "days": ["mon"], "from": "10:00", "to": "12:00"}


def test_a_release_is_unpacked_outside_and_says_where_it_is_from(program: Program) -> None:
    (program.folder / "__main__.py").write_text("first")
    first = program.version()
    (program.folder / "__main__.py").write_text("second")
    second = program.version()
    with brought_back(program, first, second) as (stack, _):
        root = stack.root
        assert (root / "__main__.py").read_text() == "first"
        assert not root.is_relative_to(releases.ROOT)
        assert (root / ".venv").resolve() == (releases.ROOT / ".venv").resolve()
        said = {name: stack.variables[name] for name in (CHECKOUT, COMMIT, VERSION, "PULUMI_GIT_HEAD", "PF_STATE")}
        assert said == {
            CHECKOUT: str(releases.ROOT),
            VERSION: "1",
            COMMIT: first.commit,
            "PULUMI_GIT_HEAD": first.commit,
            "PF_STATE": str(stack.state),
        }
    assert not root.exists()


def test_what_was_not_committed_does_not_claim_its_commit(program: Program) -> None:
    version = program.version(dirty=True)
    with brought_back(program, version, version) as (stack, _):
        assert stack.variables[COMMIT] == ""


def test_all_of_its_config_comes_back_as_it_was_committed(program: Program) -> None:
    """Windows and the protected branch are the present's by the gate itself."""
    program.config(logRetentionDays=30, businessHours=None)
    first = program.version()
    program.config(logRetentionDays=60, businessHours=HOURS)
    second = program.version()
    with brought_back(program, first, second) as (_, content):
        assert content["config"]["parker-flight:logRetentionDays"] == 30
        assert content["config"].get("parker-flight:businessHours") != HOURS


def test_on_a_protected_stack_an_archive_proves_by_git_what_it_is(program: Program) -> None:
    program.config(protectedBranch="origin/main")
    only = program.version()
    with pytest.raises(OperationError, match="nothing of it was run"), brought_back(program, only, only):
        pytest.fail("it was unpacked to be run")


@pytest.mark.parametrize("here", ["config: [\n", "config: {}\n", None])
def test_a_checkout_whose_file_is_broken_loosens_nothing(
    here: str | None, program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = program.version()
    program.config(protectedBranch="origin/main")
    repository = Repository.new(tmp_path / "checkout")
    repository.commit({program.file.name: program.file.read_text()})
    file = repository.folder / program.file.name
    file.write_text(here) if here is not None else file.unlink()
    monkeypatch.setattr(releases, "ROOT", repository.folder)
    with (
        pytest.raises(OperationError, match="nothing of it was run"),
        unpacked(program.history.store, only, (), present=program.folder),
    ):
        pytest.fail("it was unpacked to be run")


def test_the_state_stays_encrypted_as_it_is_now(program: Program) -> None:
    program.beside(encryptionsalt="old", secretsprovider="passphrase")
    first = program.version()
    program.file.write_text(program.file.read_text().replace("encryptionsalt: old\n", ""))
    program.beside(encryptedkey="new", secretsprovider="awskms://x")
    second = program.version()
    with brought_back(program, first, second) as (_, content):
        assert {name: content.get(name) for name in ("encryptedkey", "secretsprovider", "encryptionsalt")} == {
            "encryptedkey": "new",
            "secretsprovider": "awskms://x",
            "encryptionsalt": None,
        }


def test_but_for_how_the_state_is_encrypted_the_file_stays_as_it_was_committed(program: Program) -> None:
    """The rest of it is what vouches for the release."""
    settings = f"# a comment\n{release_part(program.file.read_bytes()).decode()}"
    program.file.write_text(f"{settings}encryptionsalt: old\n")
    first = program.version()
    program.file.write_text(f"{settings}encryptionsalt: new")
    with unpacked(program.history.store, first, (), present=program.folder) as stack:
        assert (stack.root / "Pulumi.sandbox.yaml").read_text() == f"{settings}encryptionsalt: new\n"


def test_a_file_that_needs_no_change_stays_as_it_was_committed(program: Program) -> None:
    program.file.write_text(f"# a comment\n{program.file.read_text()}")
    first, committed = program.version(), program.file.read_bytes()
    program.config(logRetentionDays=60)
    with unpacked(program.history.store, first, (), present=program.folder) as stack:
        assert (stack.root / "Pulumi.sandbox.yaml").read_bytes() == committed


@pytest.mark.parametrize("damage", ["missing", "another"])
def test_a_damaged_archive_is_refused_before_anything_runs(damage: str, program: Program, tmp_path: Path) -> None:
    version = program.version()
    file = tmp_path / f"store/sources/{version.source}.tar.gz"
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes() + b"x")
    with (
        pytest.raises(OperationError, match=f"is {'missing' if damage == 'missing' else 'damaged'}") as caught,
        unpacked(program.history.store, version, ()),
    ):
        pytest.fail("it went on")
    assert "./pf history --stack sandbox" in caught.value.cure


def test_without_the_archive_of_what_stands_this_checkout_is_taken_for_it(
    program: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rollback to another version needs to know the keys, the migrations and the encryption of the present."""
    store = program.history.store
    other = program.version()
    (program.folder / "__main__.py").write_text("second")
    live = program.version()
    with standing(store, live, ()) as stack:
        assert (stack.root / "__main__.py").read_text() == "second"
    assert (damage(store, live), capsys.readouterr().err) == ("", "")
    (tmp_path / f"store/sources/{live.source}.tar.gz").write_bytes(b"x")
    with standing(store, live, ()) as stack, unpacked(store, other, (), present=stack.root) as back:
        assert stack.root == releases.ROOT
        assert back.root != stack.root
    assert (
        f"version 2 can't be unpacked: the release's archive {live.source[:12]} is damaged" in capsys.readouterr().err
    )
    assert live.source[:12] in damage(store, live)


@pytest.mark.rows("K6")
def test_the_settings_between_two_versions_are_named(program: Program) -> None:
    program.config(logRetentionDays=30, protectedBranch="main", businessHours=None)
    first = program.version()
    program.config(logRetentionDays=60, protectedBranch=None, businessHours=HOURS)
    second = program.version()
    assert setting_differences(program.history.store, first, second) == {
        "parker-flight:businessHours": (
            "",
            '{"days": ["mon"], "from": "10:00", "timeZone": "Europe/Berlin", "to": "12:00"}',
        ),
        "parker-flight:logRetentionDays": ("30", "60"),
        "parker-flight:protectedBranch": ('"main"', ""),
    }
    assert setting_differences(program.history.store, first, first) == {}


# Its packages


@pytest.fixture
def uv(tool: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
    """What `uv` does; returns the log of its calls."""

    def does(script: str = "") -> Path:
        file = tool("uv", f'echo "$@" >> {tmp_path}/calls\n{script}')
        monkeypatch.setenv("PATH", f"{file.parent}:/usr/bin:/bin")
        return tmp_path / "calls"

    return does


MAKES_AN_ENVIRONMENT = 'for last; do :; done; [ "$1" != venv ] || mkdir -p "$last"'


def test_another_lock_gets_an_environment_of_its_own_once(program: Program, uv: Callable[[str], Path]) -> None:
    calls = uv(MAKES_AN_ENVIRONMENT)
    (program.folder / "uv.lock").write_text("version = 1")
    version = program.version()
    for _ in range(2):
        with brought_back(program, version, version) as (stack, _content):
            place = (stack.root / ".venv").resolve()
            assert place.is_relative_to(stack.state / "environments")
    said = calls.read_text().splitlines()
    assert [line.split()[0] for line in said] == ["export", "venv", "pip"]
    assert "--frozen" in said[0]
    assert "--require-hashes" in said[2]


def test_what_a_way_back_needs_is_installed_beforehand(program: Program, uv: Callable[[str], Path]) -> None:
    calls = uv(MAKES_AN_ENVIRONMENT)
    make_ready(program.history.store, program.version())
    assert not calls.exists()  # the same lock as this checkout's
    (program.folder / "uv.lock").write_text("version = 1")
    version = program.version()
    make_ready(program.history.store, version)
    assert len(calls.read_text().splitlines()) == 3
    with brought_back(program, version, version):
        assert len(calls.read_text().splitlines()) == 3


def test_packages_that_no_commit_vouches_for_are_not_installed_beforehand(
    program: Program, uv: Callable[[str], Path]
) -> None:
    calls = uv(MAKES_AN_ENVIRONMENT)
    program.config(protectedBranch="origin/main")
    (program.folder / "uv.lock").write_text("version = 1")
    with pytest.raises(OperationError, match="nothing of it was run"):
        make_ready(program.history.store, program.version())
    assert not calls.exists()


def test_an_environment_that_was_not_finished_is_made_anew(program: Program, uv: Callable[[str], Path]) -> None:
    uv(f'{MAKES_AN_ENVIRONMENT}; [ "$1" != pip ] || {{ echo "no such package" >&2; exit 2; }}')
    (program.folder / "uv.lock").write_text("version = 1")
    version = program.version()
    for _ in range(2):
        with (
            pytest.raises(OperationError, match="can't be installed: no such package") as caught,
            brought_back(program, version, version),
        ):
            pytest.fail("it went on")
        assert caught.value.code is ExitCode.FAILED
    calls = uv(MAKES_AN_ENVIRONMENT)
    with brought_back(program, version, version):
        assert len(calls.read_text().splitlines()) == 9


def test_an_index_that_never_answers_is_said(
    program: Program, uv: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = subprocess.run

    def hangs(command: list[str], **given: Any) -> subprocess.CompletedProcess[bytes]:
        if Path(command[0]).name == "uv":
            raise subprocess.TimeoutExpired(command, releases.INSTALL_SECONDS)
        return run(command, **given)

    uv("")
    (program.folder / "uv.lock").write_text("version = 1")
    version = program.version()
    monkeypatch.setattr(releases.subprocess, "run", hangs)
    with (
        pytest.raises(OperationError, match=r"can't be installed: .* did not end within 600 s"),
        brought_back(program, version, version),
    ):
        pytest.fail("it went on")


def test_without_uv_another_lock_is_refused(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    (program.folder / "uv.lock").write_text("version = 1")
    version = program.version()
    with pytest.raises(OperationError, match="uv is not on PATH"), brought_back(program, version, version):
        pytest.fail("it went on")


@pytest.mark.rows("P5")
def test_where_memory_is_nearly_full_a_release_is_unpacked_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "MEMORY", releases.ROOT)
    assert releases._memory() == releases.ROOT  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(releases, "ROOM", 1 << 80)
    assert releases._memory() is None  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(releases, "MEMORY", releases.ROOT / "no such place")
    assert releases._memory() is None  # pyright: ignore[reportPrivateUsage]
