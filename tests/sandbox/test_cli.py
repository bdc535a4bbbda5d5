"""`./pf sandbox` on a damaged or missing state folder: one message with the cure, an exit code, never a traceback."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import database
from sandbox.state import ROOT, SandboxError

pytestmark = pytest.mark.rows("K7")


def sandbox(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(ROOT / "pf"), "sandbox", *arguments],
        env=os.environ | {"PF_STATE": str(state)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


@pytest.mark.parametrize(
    "content", ["", "{", "null", "{}", '{"aws": "x", "supabase": 1}', '{"aws": 1, "supabase": 99999}']
)
def test_damaged_ports_are_named_and_down_forgets_them(tmp_path: Path, content: str) -> None:
    ports = tmp_path / "sandbox/ports.json"
    ports.parent.mkdir()
    ports.write_text(content)
    refused = sandbox(tmp_path, "status")
    assert refused.returncode == 3
    assert str(ports) in refused.stderr
    assert "./pf sandbox down" in refused.stderr
    assert sandbox(tmp_path, "down").returncode == 0
    assert sandbox(tmp_path, "status").returncode == 1


def test_damaged_credentials_are_named_before_anything_starts(tmp_path: Path) -> None:
    credentials = tmp_path / "sandbox/supabase/credentials.json"
    credentials.parent.mkdir(parents=True)
    credentials.write_text("{")
    refused = sandbox(tmp_path, "up")
    assert refused.returncode == 3
    assert f"rm {credentials}" in refused.stderr
    assert "running" not in sandbox(tmp_path, "status").stdout.partition("Not as")[0]


def test_a_state_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    refused = sandbox(file, "up")
    assert refused.returncode == 3
    assert f"{file}/sandbox: Not a directory" in refused.stderr
    assert "PF_STATE" in refused.stderr


def test_an_interrupt_is_a_word_and_130(tmp_path: Path) -> None:
    """Also one that comes while the program still loads."""
    program = f"import os; os.kill(os.getpid(), {signal.SIGINT}); print('not ended')"
    (tmp_path / "typer.py").write_text(program)
    interrupted = subprocess.run(
        [sys.executable, "-m", "sandbox", "status"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (interrupted.returncode, interrupted.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize("name", ["$HOME", "`id`", 'a"b', "a\\b"])
def test_a_folder_that_postgresql_can_not_cope_with_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(SandboxError, match="can't cope with"):
        database.start(tmp_path / name)


def test_the_database_starts_in_an_odd_folder_and_with_any_damaged_pid_file(tmp_path: Path) -> None:
    odd = tmp_path / "it's an odd one; #1 & (2)"
    odd.mkdir()
    try:
        database.start(odd)
        for damaged in ("", "x", "-1", "9" * 30):
            (odd / "data/postmaster.pid").write_text(damaged)
            assert database.stop(odd)
            assert not database.is_running(odd)
            (odd / "data/postmaster.pid").write_text(damaged)
            database.start(odd)
        assert database.stop(odd)
        assert not database.stop(odd)
    finally:
        database.stop(odd)
