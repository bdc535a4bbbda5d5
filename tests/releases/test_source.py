"""A release's archive: the same bytes for the same source, nothing hidden in it, and damage is seen."""

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from gate.receipt import ReceiptError
from releases.source import SourceDamagedError, archive, digest_of, files, unpack

pytestmark = pytest.mark.rows("K8", "E2")

RELEASE = {
    "Pulumi.yaml": "name: parker-flight",
    "Pulumi.production.yaml": "config: {}",
    "__main__.py": "import settings",
    "components/dashboard.json": "{}",
    "pyproject.toml": "[project]",
    "settings.py": "1",
    "supabase/functions/encrypt-data/index.ts": "Deno.serve()",
    "supabase/migrations/1.sql": "select 1",
    "uv.lock": "version = 1",
}
OTHERS = {
    ".state/production.env": "TOKEN=secret",
    ".venv/lib/x.py": "",
    "Pulumi.sandbox.yaml": "another stack's",
    "README.md": "",
    "approvals/allowed_signers": "alice",
    "components/.hidden.py": "",
    "components/__pycache__/x.cpython-311.pyc": "",
    "docs/x.md": "",
    "supabase/.temp/project-ref": "x",
    "supabase/functions/.env": "TOKEN=secret",
    "supabase/functions/node_modules/x/index.ts": "",
}


def write(folder: Path, contents: dict[str, str]) -> Path:
    for name, text in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return write(tmp_path / "program", RELEASE | OTHERS)


def packed(*entries: tarfile.TarInfo) -> bytes:
    """An archive that somebody else made."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for entry in entries:
            entry.size = 1 if entry.isfile() else 0
            tar.addfile(entry, io.BytesIO(b"1") if entry.isfile() else None)
    return made.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


def unpacked(content: bytes, folder: Path) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    unpack(content, digest_of(content), folder)
    return {file.relative_to(folder).as_posix(): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_a_release_comes_back_as_it_was_and_without_secrets_and_approvals(program: Path, tmp_path: Path) -> None:
    assert unpacked(archive(program, "production"), tmp_path / "back") == RELEASE


def test_an_unpacked_release_is_packed_as_itself(program: Path, tmp_path: Path) -> None:
    """A rollback's own version is one that can be brought back."""
    first = archive(program, "production")
    unpacked(first, tmp_path / "back")
    assert archive(tmp_path / "back", "production") == first


def test_neither_time_nor_mode_nor_place_is_in_it(program: Path, tmp_path: Path) -> None:
    elsewhere = write(tmp_path / "elsewhere", dict(reversed(RELEASE.items())))
    (elsewhere / "settings.py").chmod(0o755)
    assert archive(elsewhere, "production") == archive(program, "production")


@pytest.mark.parametrize("name", [name for name in RELEASE if name != "Pulumi.yaml"])
def test_each_of_its_files_makes_it_another(name: str, program: Path) -> None:
    before = archive(program, "production")
    (program / name).write_text("changed")
    assert archive(program, "production") != before


def test_a_link_to_a_folder_is_refused_and_one_in_the_functions_is_left_out(program: Path, tmp_path: Path) -> None:
    (program / "supabase/functions/link.ts").symlink_to("/etc/hostname")
    assert program / "supabase/functions/link.ts" not in set(files(program, "production"))
    (program / "linked").symlink_to(tmp_path)
    with pytest.raises(ReceiptError, match="is a link to a folder"):
        archive(program, "production")


def test_one_changed_byte_is_damage(program: Path, tmp_path: Path) -> None:
    content = archive(program, "production")
    changed = bytes([*content[:-1], content[-1] ^ 1])
    with pytest.raises(SourceDamagedError, match="is damaged: its content has another digest"):
        unpack(changed, digest_of(content), tmp_path)


def _nothing(_: Path) -> bytes:
    return b""


def _something_else(_: Path) -> bytes:
    return b"no archive"


def _cut_off(program: Path) -> bytes:
    return archive(program, "production")[:200]


def _broken_inside(program: Path) -> bytes:
    """Its beginning is good, and what is compressed in it is not."""
    content = bytearray(archive(program, "production"))
    content[len(content) // 2 : len(content) // 2 + 40] = b"\xff" * 40
    return bytes(content)


def _several_megabytes_cut_off(_: Path) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        one = tarfile.TarInfo("settings.py")
        one.size = 3_000_000
        tar.addfile(one, io.BytesIO(b"1" * one.size))
    return gzip.compress(made.getvalue()[:2_000_000])


@pytest.mark.parametrize(
    "make",
    [
        _nothing,
        _something_else,
        _cut_off,
        _broken_inside,
        _several_megabytes_cut_off,
    ],
)
def test_what_cannot_be_unpacked_is_damage(make: Callable[[Path], bytes], program: Path, tmp_path: Path) -> None:
    """Whoever writes to the store writes the digest, too."""
    content = make(program)
    with pytest.raises(SourceDamagedError, match="can't be unpacked"):
        unpacked(content, tmp_path / "back")


@pytest.mark.parametrize(
    "bad",
    [
        entry("__pycache__/settings.cpython-311.pyc"),
        entry("components/__pycache__/x.cpython-311.pyc"),
        entry("node_modules/x/index.js"),
        entry(".venv"),
        entry(".venv/bin/python"),
        entry("supabase/.temp/project-ref"),
        entry("linked.py", tarfile.SYMTYPE, "/etc/hostname"),
        entry("pulumi", tarfile.SYMTYPE, "supabase"),
        entry("hard.py", tarfile.LNKTYPE, "__main__.py"),
        entry("pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda bad: f"{bad.name}-{bad.type.decode()}",
)
def test_what_no_release_has_is_refused(bad: tarfile.TarInfo, tmp_path: Path) -> None:
    """A compiled module would run in place of the source that people reviewed, and nobody would hash it."""
    content = packed(entry("__main__.py"), bad)
    with pytest.raises(SourceDamagedError, match="holds what no release has"):
        unpacked(content, tmp_path / "back")


@pytest.mark.parametrize("name", ["../outside.py", "components/../../outside.py"])
def test_nothing_lands_outside(name: str, tmp_path: Path) -> None:
    with pytest.raises(SourceDamagedError):
        unpacked(packed(entry(name)), tmp_path / "back")
    assert not (tmp_path / "outside.py").exists()
