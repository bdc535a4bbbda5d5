"""`pf history`: one entry for each event, whatever number of sources know it; one version; two versions compared."""

import io
import json
import socket
import tarfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gate.records import Quarantined
from gate.store import FolderStore
from gate.surface import Surface
from operations.history import Entry, Sources, Update, history, merged
from operations.journal import Mark
from operations.releases import ReleaseStore
from releases.source import digest_of
from releases.versions import Operation, Verification, Version
from reports.models import Kind, OperationReport, Result, report_id
from reports.store import ReportStore
from tests.operations.test_cli import pf
from tests.reports.samples import deployment, rollback

pytestmark = pytest.mark.rows("K6", "E4")

BEGAN = datetime(2026, 11, 25, 0, 40, 45, 623_000, tzinfo=UTC)
COMMIT = "bff42b4f6757f75a8e24ae2d40c5699ad6b82969"
NOBODY = 2**22 + 1  # a process that can't be
KEY = "urn:pulumi:sandbox::parker-flight::aws:kms/key:Key::general-1"


def after(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def surface(days: int) -> Surface:
    return Surface(resources={KEY: {"type": "aws:kms/key:Key", "inputs": {"rotationPeriodInDays": days}}})


def asked(begins: float, kind: str = "deployment", **said: Any) -> Operation:
    """What `pf` was asked for; its report has the same id."""
    return Operation(id=report_id(after(begins)), kind=kind, **said)


def version(number: int, at: float, operation: Operation | None = None, **changed: Any) -> Version:
    made = Version(
        number=number,
        at=after(at),
        by="ada@laptop",
        surface=surface(365).digest,
        functions=(f"encrypt-data {number % 10:0<64} verify_jwt=true",),
        program="a" * 64,
        source="b" * 64,
        commit=COMMIT,
        operation=operation,
    )
    return replace(made, **changed)


def report(begins: float, ends: float, sample: Callable[..., OperationReport] = deployment, **said: Any) -> Any:
    times = {"started_at": after(begins), "ended_at": after(ends), "seconds": ends - begins}
    return sample(stack="sandbox", id=report_id(after(begins)), **times, **said)


def update(begins: float, ends: float, *, ours: bool = False, **said: Any) -> Update:
    """As the engine writes it: in whole seconds."""
    environment = {"git.head": COMMIT} | ({"pulumi.env.PULUMI_DEBUG_COMMANDS": "true"} if ours else {})
    times = {"startTime": after(begins).replace(microsecond=0), "endTime": after(ends).replace(microsecond=0)}
    entry = {"kind": "update", "result": "succeeded", "message": "Rotate sooner", "environment": environment}
    return Update.model_validate(entry | times | said)


def mark(**changed: Any) -> Mark:
    said = {"id": report_id(BEGAN), "kind": Kind.DEPLOYMENT, "who": "ada@laptop", "host": "elsewhere", "pid": 1}
    return Mark.model_validate(said | {"started_at": BEGAN, "doing": "updating"} | changed)


def line(entry: Entry) -> tuple[int | None, str, str]:
    return (entry.number, entry.kind, entry.result)


EVENTS: dict[str, tuple[Sources, list[tuple[int | None, str, str]]]] = {
    "nothing": (Sources(), []),
    "a deployment that all three know": (
        Sources(versions=[version(1, 8, asked(0))], reports=[report(0, 12)], updates=[update(3, 8.2, ours=True)]),
        [(1, "deployment", "succeeded")],
    ),
    "one whose update began in the second of its report": (
        Sources(reports=[report(0, 12, result=Result.FAILED)], updates=[update(0.1, 0.2, ours=True)]),
        [(None, "deployment", "failed")],
    ),
    "one whose report is lost": (
        Sources(versions=[version(1, 8, asked(0))], updates=[update(3, 8.2, ours=True)]),
        [(1, "deployment", "succeeded")],
    ),
    "one that is kept by its report alone": (
        Sources(reports=[report(0, 12, result=Result.INTERRUPTED)]),
        [(None, "deployment", "interrupted")],
    ),
    "one that changed nothing": (
        Sources(versions=[version(1, -60)], reports=[report(0, 12, version=1)], updates=[update(3, 8, ours=True)]),
        [(None, "deployment", "succeeded"), (1, "update", "succeeded")],
    ),
    "one that put drift back": (
        Sources(
            versions=[version(1, 8, asked(0))],
            reports=[report(0, 30)],
            updates=[
                update(20, 22, ours=True),
                update(12, 15, ours=True, kind="refresh"),
                update(3, 8.2, ours=True),
            ],
        ),
        [(1, "deployment", "succeeded")],
    ),
    "one that went back by itself": (
        Sources(
            versions=[version(3, 18, asked(10, "rollback", target=1)), version(2, 8, asked(0)), version(1, -60)],
            reports=[
                report(10, 20, rollback, result=Result.SUCCEEDED),
                report(0, 21, result=Result.ROLLED_BACK),
            ],
            updates=[update(12, 18, ours=True), update(3, 8, ours=True), update(-65, -59)],
        ),
        [(3, "rollback", "succeeded"), (2, "deployment", "rolled back"), (1, "update", "succeeded")],
    ),
    "one that was killed, and nobody has seen it yet": (
        Sources(mark=mark(host=socket.gethostname(), pid=NOBODY), updates=[update(3, 8, ours=True, result="failed")]),
        [(None, "deployment", "interrupted")],
    ),
    "one at work on another machine": (
        Sources(mark=mark(), updates=[update(3, 8, ours=True, result="failed")]),
        [(None, "deployment", "under way")],  # or dead: that can't be told from here
    ),
    "one that is being watched": (
        Sources(versions=[version(1, 8, asked(0))], mark=mark(doing="watching"), updates=[update(3, 8, ours=True)]),
        [(1, "deployment", "under way")],
    ),
    "plain pulumi up": (
        Sources(versions=[version(1, 8.3)], updates=[update(3, 8.35)]),
        [(1, "update", "succeeded")],
    ),
    "plain pulumi up while a deployment was watched": (
        Sources(
            versions=[version(1, 8, asked(0))],
            reports=[report(0, 900)],
            updates=[update(60, 63, result="failed"), update(3, 8, ours=True)],
        ),
        [(None, "update", "failed"), (1, "deployment", "succeeded")],
    ),
    "plain pulumi up that failed, and another right afterwards": (
        Sources(versions=[version(1, 8)], updates=[update(4, 8.2), update(1, 3, result="failed")]),
        [(1, "update", "succeeded"), (None, "update", "failed")],
    ),
    "plain pulumi up that failed right after a version": (
        Sources(versions=[version(1, 8)], updates=[update(9, 10, result="failed"), update(4, 8.2)]),
        [(None, "update", "failed"), (1, "update", "succeeded")],
    ),
    "plain refresh and destroy": (
        Sources(
            versions=[version(1, 8)],
            updates=[update(30, 33, kind="destroy"), update(20, 21, kind="refresh"), update(4, 8.2)],
        ),
        [(None, "destroy", "succeeded"), (None, "refresh", "succeeded"), (1, "update", "succeeded")],
    ),
}


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_is_one_entry_whoever_knows_it(event: str) -> None:
    sources, entries = EVENTS[event]
    assert [line(entry) for entry in merged(sources)] == entries


def test_an_entry_has_what_each_source_knows() -> None:
    made = version(7, 8, asked(0), dirty=True)
    withdrawn = Verification(good=False, at=after(60), by="ada@laptop", why="the watch saw it fail, 9 % errors")
    (entry,) = merged(
        Sources(
            versions=[made],
            verifications={7: withdrawn},
            quarantined={made.content},
            withdrawn={made.surface},
            reports=[report(0, 12, message="", result=Result.ROLLED_BACK)],
            updates=[update(3, 8.2, ours=True, resourceChanges={"same": 40})],
        )
    )
    assert entry == Entry(
        number=7,
        at=after(8),
        by="ada@laptop",
        commit=COMMIT,
        dirty=True,
        message="Rotate sooner",  # nobody said what for: the commit's subject
        kind="deployment",
        result="rolled back",
        why="the watch saw it fail, 9 % errors",
        verified=False,
        live=True,
        quarantined=True,
        withdrawn=True,
        surface=made.surface,
        seconds=12,
        changes={"update": 1, "create": 1},
        functions=["encrypt-data"],
        report=report_id(BEGAN),
    )


def test_changes_besides_the_commit_are_known_also_of_what_made_no_version() -> None:
    unmade = merged(Sources(reports=[report(-60, -50, dirty=True)], mark=mark(commit=COMMIT, dirty=True)))
    assert [(one.number, one.commit, one.dirty) for one in unmade] == [(None, COMMIT, True)] * 2


def test_what_the_engine_alone_knows_of_a_version_is_told_by_it() -> None:
    (entry,) = merged(
        Sources(versions=[version(1, 8)], updates=[update(3, 8, resourceChanges={"same": 40, "update": 2})])
    )
    assert (entry.changes, entry.seconds, entry.message, entry.by) == ({"update": 2}, 5, "Rotate sooner", "ada@laptop")


@pytest.mark.parametrize(
    ("seen", "whys"),
    [
        (None, ["nobody has verified it yet: ./pf deploy does", "nobody verified it while it was live"]),
        (Verification(good=False, at=after(60), by="ada", why="slow"), ["slow", "slow"]),
        (Verification(good=True, at=after(60), by="ada"), ["", ""]),
    ],
)
def test_a_version_that_is_not_verified_says_why(seen: Verification | None, whys: list[str]) -> None:
    entries = merged(
        Sources(
            versions=[version(2, 28), version(1, 8)],
            verifications={1: seen, 2: seen} if seen else {},
            updates=[update(23, 28), update(3, 8)],
        )
    )
    assert [one.why for one in entries] == whys


def test_a_failed_deployment_has_the_commit_that_the_engine_saw() -> None:
    failed = report(0, 9, result=Result.FAILED, commit="")
    (entry,) = merged(Sources(reports=[failed], updates=[update(3, 8, ours=True, result="failed")]))
    assert entry.commit == COMMIT


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of a stack with a backend, an engine without a history, and nothing else."""
    folder = tmp_path / "state"
    engine(folder, [])
    for name in ("sandbox", "gone"):
        (folder / f"{name}.env").write_text(f"PULUMI_BACKEND_URL=file://{tmp_path / 'backend'}\n")
        (folder / f"{name}.env").chmod(0o600)
    monkeypatch.setenv("PF_STATE", str(folder))
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    monkeypatch.delenv("PF_REPORTS", raising=False)
    return folder


def engine(state: Path, updates: list[Update]) -> None:
    file = state / "toolchain/bin/pulumi"
    file.parent.mkdir(parents=True, exist_ok=True)
    said = "[" + ",".join(one.model_dump_json(by_alias=True) for one in updates) + "]"
    file.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\n")
    file.chmod(0o755)


def archived(days: int, program: str = "") -> bytes:
    """A release: the stack's config, the functions' code and the program."""
    files = {
        "Pulumi.sandbox.yaml": f"config:\n  parker-flight:keyRotationDays: {days}\n",
        "__main__.py": program,
        "supabase/functions/encrypt-data/index.ts": f"// {days}",
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            content = text.encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture
def store(state: Path) -> ReleaseStore:
    """Version 1 by `pulumi up`; 2 by a deployment that is in quarantine; 3, a rollback, is live."""
    store = ReleaseStore.of("sandbox", {"PULUMI_BACKEND_URL": f"file://{state.parent / 'backend'}"})
    reports = ReportStore.of(state / "reports", "sandbox", {})
    back = asked(200, "emergency rollback", reason="cards fail", target=1)
    # Its program's digest is another one by its config alone.
    second = version(2, 108, asked(100), surface=surface(180).digest, commit="c" * 40, program="c" * 64)
    third = version(3, 208, operation=back, functions=version(1, 0).functions)
    for made, days in ((version(1, 8), 365), (second, 180), (third, 365)):
        source = archived(days)
        store.versions.add(replace(made, source=digest_of(source)), source)
        document = json.dumps(surface(days).as_json()).encode()
        store.records.store.put_new(f"surfaces/{made.surface}.json", document)
    for number, why in ((1, ""), (2, "the watch saw it fail, 9 % errors"), (3, "")):
        store.versions.verify(number, Verification(good=not why, at=after(number * 100 + 12), by="ada@laptop", why=why))
    left = Quarantined(version=2, reason="cards fail", by="ada@laptop", at=after(209))
    store.records.quarantine(second.content, left)
    reports.write(report(100, 112, version=2, message="Rotate twice as often"))
    reports.write(report(150, 151, result=Result.FAILED, verified=False, why="AWS does not answer", resources=[]))
    reports.write(report(200, 209, rollback, result=Result.SUCCEEDED, version=3, why="", reason="cards fail"))
    engine(state, [update(300, 303, kind="refresh"), update(3, 8, resourceChanges={"same": 3, "create": 25})])
    return store


LIST = """\
version  when (UTC)        what                     result
  state
         2026-11-25 00:45  refresh                  succeeded
  3.0 s, commit bff42b4f
  Rotate sooner
      3  2026-11-25 00:44  emergency rollback to 1  succeeded
  live, verified
  ada@laptop, 9.0 s, commit bff42b4f, surface 1f697c99, 1 updated, 1 created,
  functions encrypt-data
  cards fail
         2026-11-25 00:43  deployment               failed
  ada@example.com, 1.0 s, commit bff42b4f, functions encrypt-data
  Rotate keys twice as often
  AWS does not answer
      2  2026-11-25 00:42  deployment               succeeded
  not verified, quarantined
  ada@laptop, 12.0 s, commit cccccccc, surface 74b70ea3, 1 updated, 1 created,
  functions encrypt-data
  Rotate twice as often
  the watch saw it fail, 9 % errors
      1  2026-11-25 00:40  update                   succeeded
  verified
  ada@laptop, 5.0 s, commit bff42b4f, surface 1f697c99, 25 created
  Rotate sooner
"""


@pytest.mark.usefixtures("store")
def test_the_list_is_the_newest_first_and_fits_a_terminal(state: Path) -> None:
    shown = pf("history", state=state)
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, LIST, "")
    assert max(map(len, shown.stdout.splitlines())) <= 80
    listed = json.loads(pf("history", "--json", "--limit", "2", state=state).stdout)
    assert [(one["number"], one["kind"]) for one in listed] == [(None, "refresh"), (3, "emergency rollback")]


@pytest.mark.usefixtures("state")
def test_no_more_is_read_than_is_listed(store: ReleaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4, 40):
        store.versions.add(version(number, number * 1000), b"")
    asked: list[str] = []
    get = FolderStore.get

    def counted(folder: FolderStore, name: str) -> bytes | None:
        asked.append(name)
        return get(folder, name)

    monkeypatch.setattr(FolderStore, "get", counted)
    assert [entry.number for entry in history("sandbox", limit=3)] == [39, 38, 37]
    # The next number is asked for as well: whoever wrote it may have died before saying so. 36 comes along with 37.
    assert {name for name in asked if name.startswith("versions/")} == {
        f"versions/{number}.json" for number in (39, 40, 38, 37, 36)
    }
    assert len([name for name in asked if name.startswith("verified/")]) == 3


def test_a_stack_without_a_history_says_so(state: Path) -> None:
    shown = pf("history", state=state)
    assert (shown.returncode, shown.stdout) == (0, "")
    assert "nothing was done with sandbox yet" in shown.stderr
    assert pf("history", "--json", state=state).stdout == "[]\n"


def test_broken_settings_engines_and_reports_take_nothing_from_the_versions(state: Path, store: ReleaseStore) -> None:
    def numbers(*arguments: str) -> tuple[list[int], str]:
        shown = pf("history", "--json", *arguments, state=state)
        assert shown.returncode == 0
        return [one["number"] for one in json.loads(shown.stdout) if one["number"]], shown.stderr

    name = f"deployment-report-{report_id(after(100))}.json"
    (state / "reports/sandbox" / name).write_text("{")
    assert numbers()[0] == [3, 2, 1]
    assert f"{name} is damaged" in numbers()[1]

    (state / "toolchain/bin/pulumi").write_text("#!/bin/sh\necho 'error: no such bucket' >&2; exit 1\n")
    assert numbers()[0] == [3, 2, 1]
    assert "no such bucket" in numbers()[1]

    elsewhere = ReleaseStore.of("gone", {"PULUMI_BACKEND_URL": f"file://{state.parent / 'backend'}"})
    source = archived(365)
    elsewhere.versions.add(version(1, 8, source=digest_of(source)), source)
    found, said = numbers("--stack", "gone")
    assert found == [1]
    assert "Pulumi.gone.yaml" in said
    assert pf("history", "show", "1", "--stack", "gone", state=state).returncode == 0
    assert store.versions.latest()


SHOWN = """\
version     2
made        2026-11-25 00:42:33 UTC by ada@laptop
by          deployment
from        commit cccccccccccccccccccccccccccccccccccccccc
surface     {surface}
function    encrypt-data 200000000000
state       not verified: the watch saw it fail, 9 % errors (2026-11-25 00:44:17
            UTC by ada@laptop)
quarantine  since 2026-11-25 00:44:14 UTC by ada@laptop: cards fail
lift it     ./pf unblock 2 --stack sandbox --reason WHY

Deployment of sandbox: succeeded, verified
"""


def test_one_version_is_shown_with_its_verification_quarantine_and_report(state: Path, store: ReleaseStore) -> None:
    shown = pf("history", "show", "2", state=state)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(SHOWN.format(surface=surface(180).digest))
    found = json.loads(pf("history", "show", "2", "--json", state=state).stdout)
    assert (found["live"], found["report"]["id"]) == (False, report_id(after(100)))

    store.records.withdraw(surface(365).digest, "opens the key to everyone")
    shown = pf("history", "show", "1", state=state)
    assert "withdrawn  opens the key to everyone" in shown.stdout
    assert "pulumi up" in shown.stdout


@pytest.mark.usefixtures("store")
def test_two_versions_are_compared_in_words(state: Path) -> None:
    shown = pf("history", "diff", "1", "2", state=state)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout == (
        "resources\n"
        "~ key general-1\n"
        "    rotates every 180 days instead of 365 (rotationPeriodInDays)\n"
        "functions\n"
        "  encrypt-data  100000000000 → 200000000000\n"
        "config\n"
        "  parker-flight:keyRotationDays: 365 → 180\n"
    )
    found = json.loads(pf("history", "diff", "1", "2", "--json", state=state).stdout)
    assert found["config"] == {"parker-flight:keyRotationDays": ["365", "180"]}
    shown = pf("history", "diff", "1", "3", state=state)
    assert shown.stdout == "no resource, function or setting differs between 1 and 3\n"


def test_a_program_that_differs_is_told_with_the_command_to_see_it(state: Path, store: ReleaseStore) -> None:
    source = archived(365, program="import pulumi")
    store.versions.add(version(4, 400, program="d" * 64, source=digest_of(source), commit="e" * 40), source)
    shown = pf("history", "diff", "3", "4", state=state)
    assert "the program differs as well: git diff bff42b4f6757 eeeeeeeeeeee" in shown.stdout


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("show 9", 3, "there is no version 9\n  What there is: ./pf history --stack sandbox"),
        ("diff 1 9", 3, "there is no version 9"),
        ("show 0", 64, "greater than or equal to 1"),
        ("show two", 64, "integer"),
        ("--limit 0", 64, "limit"),
        ("--stack production show 1", 64, "options stand behind `show`"),
    ],
)
def test_what_cannot_be_shown_is_refused(state: Path, arguments: str, code: int, said: str) -> None:
    done = pf("history", *arguments.split(), state=state)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


def test_text_of_others_cannot_repaint_the_screen(state: Path, store: ReleaseStore) -> None:
    store.versions.add(version(4, 400, by="J\x1b[2J", operation=Operation(id="x", kind="\x1b]0;t\x07")), b"")
    for arguments in (("history",), ("history", "show", "4")):
        assert "\x1b" not in pf(*arguments, state=state).stdout
