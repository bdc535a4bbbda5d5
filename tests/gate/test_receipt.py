"""The preview's receipt: it is for one run, one program and one state, for a while, and for one content."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gate.receipt import FRESH, PARTIAL, Receipt, ReceiptError, program_digest
from tests.components.recording import ROOT
from tests.gate.stacks import surface, wire

pytestmark = pytest.mark.rows("K5")

AT = datetime(2026, 8, 3, 12, tzinfo=UTC)
RECEIPT = Receipt(
    run="12 Mon Aug 3 12:00:00 2026",
    program="a1" * 32,
    state="b2" * 32,
    surface=surface(wire()),
    functions=("encrypt-data " + "0" * 64 + " verify_jwt=true",),
    at=AT,
)


def check(receipt: Receipt = RECEIPT, **changed: Any) -> None:
    given: dict[str, Any] = {"run": RECEIPT.run, "program": RECEIPT.program, "state": RECEIPT.state, "now": AT}
    receipt.check(**(given | changed))


def test_the_update_of_the_same_run_goes_by_it() -> None:
    for now in (AT, AT + timedelta(seconds=1), AT + FRESH):
        check(now=now)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"run": "13 Mon Aug 3 12:00:00 2026"}, "no preview came before this update in the same run"),
        ({"run": "12 Mon Aug 3 12:00:01 2026"}, "no preview came before this update in the same run"),
        ({"program": "c3" * 32}, "the program, its config or its packages changed after the preview"),
        ({"state": "c3" * 32}, "the stack's state changed after the preview"),
        ({"state": ""}, "the stack's state changed after the preview"),
        ({"now": AT + FRESH + timedelta(seconds=1)}, "the preview is from 2026-08-03 12:00 UTC, it counts for 60 min"),
        ({"now": AT - timedelta(seconds=1)}, "the preview is from 2026-08-03 12:00 UTC"),
    ],
)
def test_another_update_does_not(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ReceiptError, match=said):
        check(**changed)


def test_it_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "not" / "yet" / "preview.json"
    RECEIPT.write(file)
    assert Receipt.read(file) == RECEIPT
    later = replace(RECEIPT, at=AT + FRESH)
    later.write(file)
    assert Receipt.read(file) == later
    assert [found.name for found in file.parent.iterdir()] == ["preview.json"]


def test_without_a_preview_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(ReceiptError, match="no preview came before this update"):
        Receipt.read(tmp_path / "preview.json")


DAMAGE: dict[str, Callable[[dict[str, Any]], object]] = {
    "a resource less": lambda stored: stored["surface"]["resources"].popitem(),
    "another surface": lambda stored: stored["surface"].update(resources={"urn:x": {}}),
    "no surface": lambda stored: stored.update(surface={}),
    "another digest": lambda stored: stored.update(digest="0" * 64),
    "no run": lambda stored: stored.pop("run"),
    "no time": lambda stored: stored.update(at="now"),
    "a time of no zone": lambda stored: stored.update(at="2026-08-03T12:00:00"),
    "functions that are no list": lambda stored: stored.update(functions="x"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_one_is_none(damage: str, tmp_path: Path) -> None:
    file = tmp_path / "preview.json"
    RECEIPT.write(file)
    stored = json.loads(file.read_bytes())
    DAMAGE[damage](stored)
    file.write_text(json.dumps(stored))
    with pytest.raises(ReceiptError, match=r"preview\.json can't be read"):
        Receipt.read(file)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"null"])
def test_what_is_no_receipt_at_all_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "preview.json").write_bytes(content)
    with pytest.raises(ReceiptError, match="can't be read"):
        Receipt.read(tmp_path / "preview.json")
    with pytest.raises(ReceiptError, match="can't be read"):
        Receipt.read(tmp_path)


def test_the_release_is_the_program_and_the_functions_and_nothing_else() -> None:
    """It is computed, so that a receipt can't name another than it lists."""
    assert replace(RECEIPT, state="", run="", at=AT + FRESH).release == RECEIPT.release
    assert replace(RECEIPT, program="c3" * 32).release != RECEIPT.release
    assert replace(RECEIPT, functions=("encrypt-data " + "1" * 64 + " verify_jwt=true",)).release != RECEIPT.release
    assert replace(RECEIPT, functions=()).release != RECEIPT.release


# The program's digest

FILES = {
    "__main__.py": "import settings",
    "settings.py": "",
    "Pulumi.yaml": "name: x",
    "Pulumi.s.yaml": "config: {}",
    "Pulumi.other.yaml": "config: {}",
    "uv.lock": "",
    "components/__init__.py": "",
    "components/key.py": "",
    "gate/surface.py": "",
    "policies/PulumiPolicy.yaml": "",
    "policies/waivers.yaml": "",
    "operations/deploy.py": "",
    "README.md": "",
}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("name", [name for name in FILES if name not in ("Pulumi.other.yaml", "README.md")])
def test_every_part_of_the_program_counts(name: str, program: Path) -> None:
    before = program_digest(program, "s")
    (program / name).write_text("changed")
    changed = program_digest(program, "s")
    (program / name).unlink()
    assert len({before, changed, program_digest(program, "s")}) == 3


@pytest.mark.parametrize(
    "name",
    [
        "yaml.py",  # found before the installed one
        "pulumi_aws/__init__.py",
        "json.cpython-311-x86_64-linux-gnu.so",
        "evil.pyc",
        "components/more.py",
        "components/deep/er.py",
        "components/policy.json",
        "policies/waivers.d/x.yaml",
        "tests/helper.py",
        "supabase/evil.py",
    ],
)
def test_whatever_it_could_import_or_read_beside_itself_counts(name: str, program: Path) -> None:
    before = program_digest(program, "s")
    (program / name).parent.mkdir(parents=True, exist_ok=True)
    (program / name).write_text("")
    assert program_digest(program, "s") != before


@pytest.mark.parametrize(
    "name",
    [
        "components/__pycache__/key.cpython-311.pyc",
        "__pycache__/settings.cpython-311.pyc",
        "Pulumi.other.yaml",
        "Pulumi.third.yaml",
        "README.md",
        "docs/runbook.md",
        "approvals/allowed_signers",
        "approvals/s/infrastructure-1.json",
        "supabase/functions/encrypt-data/index.ts",
        ".venv/lib/site-packages/x.py",
        ".state/gate/s/preview.json",
        "reports/deployment-report-1.json",
    ],
)
def test_what_is_no_part_of_it_does_not(name: str, program: Path) -> None:
    before = program_digest(program, "s")
    (program / name).parent.mkdir(parents=True, exist_ok=True)
    (program / name).write_text("changed")
    assert program_digest(program, "s") == before


def test_how_the_state_is_encrypted_makes_no_other_program(program: Path) -> None:
    """A release that was approved, or withdrawn, comes back under the present's."""
    file = program / "Pulumi.s.yaml"
    file.write_text("config: {}\n")
    before = program_digest(program, "s")
    file.write_text("config: {}\nencryptionsalt: v1:x")
    assert program_digest(program, "s") == before
    file.write_text("encryptionsalt: |\nconfig: {}\n")
    assert program_digest(program, "s") != before


def test_a_renamed_file_is_another_program(program: Path) -> None:
    before = program_digest(program, "s")
    (program / "components/key.py").rename(program / "components/lock.py")
    assert program_digest(program, "s") != before


def test_the_same_program_elsewhere_and_at_another_time_is_the_same(program: Path, tmp_path: Path) -> None:
    before = program_digest(program, "s")
    os.utime(program / "settings.py", (0, 0))
    moved = program.rename(tmp_path.parent / f"{tmp_path.name} moved")
    assert program_digest(moved, "s") == before


def test_a_program_with_links_to_folders_has_no_digest(program: Path) -> None:
    (program / "more").symlink_to(program / "components")
    with pytest.raises(ReceiptError, match="is a link to a folder"):
        program_digest(program, "s")


def test_a_linked_file_counts_by_its_content(program: Path) -> None:
    elsewhere = program / "README.md"
    (program / "linked.py").symlink_to(elsewhere)
    before = program_digest(program, "s")
    elsewhere.write_text("changed")
    assert program_digest(program, "s") != before


# The run

ASK = "from gate.receipt import this_run; run = this_run(); print(f'{run.id}|{run.partial}')"


@pytest.fixture
def pulumi(tmp_path: Path) -> Path:
    """An engine that starts its policy pack twice, by way of a host, as the real one does."""
    script = tmp_path / "with a space" / "pulumi"
    script.parent.mkdir()
    host = textwrap.dedent(f"""\
        import subprocess, sys
        subprocess.run([sys.executable, "-c", {ASK!r}], check=True)
    """)
    script.write_text(f"#!{sys.executable}\nimport subprocess, sys\n")
    with script.open("a") as file:
        file.write(f"for _ in range(2):\n    subprocess.run([sys.executable, '-c', {host!r}], check=True)\n")
    script.chmod(0o755)
    return script


def runs(pulumi: Path, *arguments: str, **environment: str) -> list[tuple[str, bool]]:
    done = subprocess.run(
        [str(pulumi), *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split("|") for line in done.stdout.splitlines()]
    return [(run, partial == "True") for run, partial in lines]


def test_preview_and_update_of_one_call_are_one_run_and_two_calls_never(pulumi: Path) -> None:
    preview, update = runs(pulumi, "up")
    another, _ = runs(pulumi, "up", TZ="Asia/Tokyo", LC_ALL="C.UTF-8")
    assert preview == update
    assert another[0] != preview[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--target", "urn"],
        ["--target=urn"],
        ["-t", "urn"],
        ["-turn"],
        ["-yt", "urn"],
        ["-fyturn"],
        ["-x", "urn"],
        ["--exclude", "urn"],
        ["--exclude=urn"],
        ["--target-replace", "urn"],
        ["--target-dependents"],
        ["--exclude-dependents=true"],
    ],
    ids=" ".join,
)
def test_a_preview_of_a_part_is_seen_to_be_one(arguments: list[str]) -> None:
    assert any(map(PARTIAL.fullmatch, arguments))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--yes"],
        ["-s", "target"],
        ["-starget"],
        ["--stack=target"],
        ["-m", "target"],
        ["-mtx"],
        ["-p10"],
        ["-fyr"],
        ["--replace", "u"],
    ],
    ids=" ".join,
)
def test_a_preview_of_everything_is_seen_to_be_whole(arguments: list[str]) -> None:
    assert not any(map(PARTIAL.fullmatch, arguments))


def test_the_engines_flags_and_its_options_in_the_environment_are_looked_at(pulumi: Path) -> None:
    assert runs(pulumi, "up", "-yt", "urn")[0][1]
    assert runs(pulumi, "up", PULUMI_OPTION_EXCLUDE="urn")[0][1]
    assert not runs(pulumi, "up", "-y", PULUMI_OPTION_POLICY_PACK="policies")[0][1]


def test_without_an_engine_above_there_is_no_run() -> None:
    done = subprocess.run([sys.executable, "-c", ASK], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "ReceiptError: the engine's process was not found" in done.stderr
