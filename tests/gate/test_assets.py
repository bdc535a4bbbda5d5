"""Code on its way to a provider: it counts by what it says, and by a hash of our own."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from gate.assets import ARCHIVE, ASSET, SIGNATURE, OpaqueError, archive_digests, asset_digest
from gate.canonical import Canonical
from tests.toolchain.conftest import make_project

pytestmark = pytest.mark.rows("K5")

# As the engine made it, of {"b/x.py": "é x\n", "a.py": "y"}.
ENGINES = "588f42088bc24c6e2cf7665546f6d0160e039d990135bfb1a198f03eb1328502"
PROGRAM = """
import pulumi

class Code(pulumi.ComponentResource):
    def __init__(self):
        code = {"probe/a.py": pulumi.StringAsset("\\u00e9 x\\n"), "b": pulumi.StringAsset("y" * 5000)}
        super().__init__("tiny:code:Code", "code")
        pulumi.export("code", pulumi.AssetArchive(code))

Code()
"""


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def text_asset(text: str, **more: Any) -> dict[str, Any]:
    return {SIGNATURE: ASSET, "text": text, "hash": digest_of(text)} | more


def archive_of(**files: str) -> dict[str, Any]:
    """As a program gives it, before the engine hashes it."""
    return {SIGNATURE: ARCHIVE, "assets": {name: text_asset(text) for name, text in files.items()}}


def opaque(value: object) -> list[str]:
    canonical = Canonical()
    canonical.value({"code": value}, "")
    assert canonical.unknown == []
    return canonical.opaque


def test_a_text_counts_by_its_own_hash() -> None:
    assert asset_digest(text_asset("x")) == digest_of("x")
    assert asset_digest({SIGNATURE: ASSET, "text": "x"}) == digest_of("x")


def test_an_archive_counts_by_each_of_its_files() -> None:
    archive = archive_of(**{"b/x.py": "é x\n", "a.py": "y"})
    assert archive_digests(archive | {"hash": ENGINES}) == {"a.py": digest_of("y"), "b/x.py": digest_of("é x\n")}
    assert archive_digests(archive) == archive_digests(archive | {"hash": ENGINES})


def test_the_hash_of_an_archive_is_the_engines(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    project.program(PROGRAM)
    done = project.pulumi("up", "--yes", "--skip-preview")
    assert done.returncode == 0, done.stdout
    exported = json.loads(project.pulumi("stack", "export").stdout)
    (code,) = [
        one["outputs"]["code"] for one in exported["deployment"]["resources"] if "code" in one.get("outputs", {})
    ]
    assert code["hash"]
    assert archive_digests(code) == {"b": digest_of("y" * 5000), "probe/a.py": digest_of("é x\n")}
    with pytest.raises(OpaqueError):
        archive_digests(code | {"hash": code["hash"][::-1]})


@pytest.mark.parametrize(
    "asset",
    [
        text_asset("x", hash=digest_of("y")),
        text_asset("x", hash=""),
        text_asset("x", path="/tmp/x"),
        text_asset("x", uri="https://example.com/x"),
        {SIGNATURE: ASSET, "text": "\ud800"},
        {SIGNATURE: ASSET, "path": "probe/handler.py", "hash": digest_of("x")},
        {SIGNATURE: ASSET, "uri": "https://example.com/x", "hash": digest_of("x")},
        {SIGNATURE: ASSET, "hash": digest_of("x")},
        {SIGNATURE: ASSET, "text": 1.0},
        {SIGNATURE: ASSET},
    ],
)
def test_what_is_no_text_or_lies_about_it_is_opaque(asset: dict[str, Any]) -> None:
    assert opaque(asset) == ["code"]
    assert opaque({SIGNATURE: ARCHIVE, "assets": {"a": asset}}) == ["code"]


@pytest.mark.parametrize(
    "archive",
    [
        archive_of(a="x") | {"hash": digest_of("x")},
        archive_of(a="x") | {"path": "/tmp/x.zip"},
        archive_of(a="x") | {"uri": "https://example.com/x.zip"},
        {SIGNATURE: ARCHIVE, "path": "./x.zip", "hash": digest_of("x")},
        {SIGNATURE: ARCHIVE, "uri": "https://example.com/x.zip", "hash": digest_of("x")},
        {SIGNATURE: ARCHIVE, "hash": digest_of("x")},
        {SIGNATURE: ARCHIVE, "assets": {}},
        {SIGNATURE: ARCHIVE, "assets": []},
        {SIGNATURE: ARCHIVE, "assets": {"a": archive_of(b="x")}},
        {SIGNATURE: ARCHIVE, "assets": {"a": "x"}},
        *(
            archive_of(**{name: "x"})
            for name in ("", "/a", "a/", "../a", "a/../b", "./a", "a//b", "é", "a" * 100, "a\n")
        ),
    ],
)
def test_an_archive_of_anything_else_is_opaque(archive: dict[str, Any]) -> None:
    assert opaque(archive) == ["code"]


def test_another_content_is_another_digest() -> None:
    """Whatever hash it comes with: an old one would let new code pass as what was approved."""
    old = archive_of(a="x") | {"hash": digest_of("whatever")}
    assert opaque(old) == ["code"]
    assert archive_digests(archive_of(a="x")) != archive_digests(archive_of(a="y"))
    assert archive_digests(archive_of(a="x")) != archive_digests(archive_of(b="x"))
