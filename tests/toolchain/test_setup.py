"""What `make setup` decides and says, without building or fetching anything."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from toolchain import __main__ as setup
from toolchain import engine, paths, pins, runtimes, supabase_cli
from toolchain.report import ToolchainError
from toolchain.versions import answer, at_least, numbers

pytestmark = pytest.mark.rows("K3", "K7")

SETUP = paths.ROOT / "toolchain" / "setup.sh"


def fake(folder: Path, name: str, answers: str, code: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{answers}'\nexit {code}\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing on PATH but a folder of fakes and the system's own, and an empty cache."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("PF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PF_STATE", str(tmp_path / "state"))
    return folder


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("v20.20.2", (20, 20, 2)),
        ("v3.259.0", (3, 259, 0)),
        ("20", (20,)),
        ("none", None),
    ],
)
def test_versions_are_read_from_what_programs_say(text: str, found: tuple[int, ...] | None) -> None:
    assert numbers(text) == found


def test_versions_compare_by_number_and_silence_is_too_old() -> None:
    assert at_least("v3.1000.0", "3.259.0")
    assert at_least("go1.26", "1.26")
    assert not at_least("v3.99.9", "3.259.0")
    assert not at_least("", "1")


def test_the_pins_are_those_of_the_locks() -> None:
    module = (paths.ENGINE_MODULE / "go.mod").read_text()
    lock = json.loads((paths.SUPABASE_PACKAGE / "package-lock.json").read_text())
    locked = lock["packages"]["node_modules/@supabase/cli-linux-x64"]

    assert f"github.com/pulumi/pulumi/pkg/v3 v{pins.PULUMI} " in module
    assert f"github.com/pulumi/pulumi/sdk/v3 v{pins.PULUMI} " in module
    assert re.fullmatch(r"1\.\d+(\.\d+)?", runtimes.go_minimum())
    assert f'"pulumi=={pins.PULUMI}"' in (paths.ROOT / "pyproject.toml").read_text()
    assert f"\nuv=={pins.UV} " in (paths.ROOT / "toolchain" / "bootstrap.txt").read_text()
    assert locked["version"] == pins.SUPABASE
    assert locked["integrity"].startswith("sha512-")


@pytest.mark.parametrize("name", ["bootstrap.txt", "supabase/package-lock.json", "setup.sh", "engine/go.sum"])
def test_no_lock_names_a_registrys_host(name: str) -> None:
    text = (paths.ROOT / "toolchain" / name).read_text()

    assert "://" not in text
    assert "resolved" not in text


def test_an_official_pulumi_with_its_language_host_is_used_as_it_is(alone: Path) -> None:
    program = fake(alone, "pulumi", "v3.300.1")
    host = fake(alone, "pulumi-language-python", "")

    assert engine.official() == engine.Engine(program=program, language_host=host)


def test_an_old_or_incomplete_pulumi_is_passed_over_and_said(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = fake(alone, "pulumi", "v3.300.1")

    assert engine.official() is None
    assert f"{program} has no pulumi-language-python beside it" in capsys.readouterr().err

    fake(alone, "pulumi", "v3.258.9")
    fake(alone, "pulumi-language-python", "")

    assert engine.official() is None
    assert f"v3.258.9, older than {pins.PULUMI}" in capsys.readouterr().err


def test_our_own_pulumi_on_path_is_not_taken_for_an_official_one(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(paths.tools(), "pulumi", "v9.0.0")
    fake(paths.tools(), "pulumi-language-python", "")
    monkeypatch.setenv("PATH", f"{paths.tools()}{os.pathsep}{alone}")

    assert engine.official() is None


def test_a_cached_build_is_used_again_and_only_for_the_same_lock(alone: Path) -> None:
    lock = (paths.ENGINE_MODULE / "go.sum").read_bytes()
    machine = os.uname()
    platform = f"{machine.sysname}-{machine.machine}".lower()
    name = engine.cache_name(lock, platform)
    built = fake(paths.cache() / name, "pulumi", "")

    assert engine.built() == built
    assert pins.PULUMI in name
    assert engine.cache_name(lock + b"x", platform) != name
    assert engine.cache_name(lock, "other") != name
    assert alone.exists()


def test_go_may_not_loosen_the_check_against_go_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-mod=mod -insecure")

    environment = engine.go_environment()

    assert environment["GOFLAGS"] == "-mod=readonly"
    assert environment["GOTOOLCHAIN"] == "local"


def test_a_go_or_node_that_is_new_enough_is_the_machines_own(alone: Path) -> None:
    go = fake(alone, "go", "go1.99.1")
    node = fake(alone, "node", "v99.0.0")
    npm = fake(alone, "npm", "10.0.0")

    assert runtimes.go() == go
    assert runtimes.node() == runtimes.Node(program=node, npm=(str(npm),))


def test_an_old_go_asks_for_the_locked_wheel(alone: Path) -> None:
    fake(alone, "go", "go1.20.0")

    with pytest.raises(ToolchainError, match="uv is missing; run: make setup"):
        runtimes.go()


def test_a_supabase_of_another_version_is_not_used(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other_machine = os.uname_result(("Plan9", "host", "4", "4th", "mips"))
    own = fake(alone, "supabase", pins.SUPABASE)
    assert supabase_cli.find() == own

    fake(alone, "supabase", "2.0.0")
    monkeypatch.setattr(os, "uname", lambda: other_machine)

    with pytest.raises(ToolchainError, match=rf"for Plan9 mips; install supabase {pins.SUPABASE}.*make setup"):
        supabase_cli.find()


def test_a_failed_build_shows_gos_reason_and_the_cure(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    go = fake(alone, "go", "go1.99.1")
    go.write_text(
        '#!/bin/sh\n[ "$1" = env ] && echo go1.99.1 && exit 0\necho "verifying module: checksum mismatch" >&2\nexit 1\n'
    )

    assert setup.main() == 1

    said = capsys.readouterr().err
    assert "`go list` failed in toolchain/engine" in said
    assert "checksum mismatch" in said
    assert "run: make setup" in said
    assert "Traceback" not in said


def test_a_cache_that_cannot_be_written_is_named(
    alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PF_CACHE", str(tmp_path / "file"))
    assert alone.exists()

    assert setup.main() == 1

    assert f"can't write to the cache folder {tmp_path / 'file'}" in capsys.readouterr().err


def test_two_setups_at_once_build_one_after_the_other(tmp_path: Path) -> None:
    """The second waits in another process, sees what the first has made, and says that it waits."""
    script = (
        "import pathlib, sys, time\n"
        "from toolchain.locking import only_one\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "with only_one(folder, 'thing'):\n"
        "    print('made' if (folder / 'made').exists() else 'making', flush=True)\n"
        "    sys.stdin.readline()\n"
        "    (folder / 'made').touch()\n"
    )

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            cwd=paths.ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    with start() as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "making\n"
        with start() as second:
            assert second.stderr is not None
            assert second.stderr.readline() == "setup: another setup is at thing; waiting for it\n"
            first.communicate("\n", timeout=10)
            assert second.communicate("\n", timeout=10)[0] == "made\n"


def test_a_program_that_cannot_run_has_no_answer(tmp_path: Path) -> None:
    assert answer(tmp_path / "missing", "--version") is None
    assert answer(fake(tmp_path, "broken", "v1.0", code=127), "--version") is None


def test_setup_without_python_says_what_to_install(tmp_path: Path) -> None:
    """Names of a version manager stand on PATH but run nothing."""
    root, folder = tmp_path / "clone", tmp_path / "path"
    (root / "toolchain").mkdir(parents=True)
    for name in ("uv.lock", "pyproject.toml", "toolchain/bootstrap.txt", "toolchain/setup.sh"):
        (root / name).write_bytes((paths.ROOT / name).read_bytes())
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        fake(folder, name, "", code=127)
    path = f"{folder}{os.pathsep}{os.defpath}"

    done = subprocess.run(
        ["/bin/sh", str(root / "toolchain/setup.sh")],
        env={"PATH": path, "PF_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("setup: no Python 3.11 or later on PATH; install one")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("without", ["", "HOME"])
def test_a_second_setup_does_nothing(without: str) -> None:
    given = {name: value for name, value in os.environ.items() if name != without}
    done = subprocess.run(["/bin/sh", str(SETUP)], env=given, capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stdout) == (0, "")
    assert "install" not in done.stderr
    assert "building" not in done.stderr
