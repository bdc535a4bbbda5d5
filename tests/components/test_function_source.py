"""A function's content hash: the same anywhere, changed by everything that goes live and by nothing else."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from components.function_source import SourceError, function_names, read_release

pytestmark = pytest.mark.rows("K4", "K7")

FILES = {
    "supabase/config.toml": "[functions.one]\nverify_jwt = true\n[functions.two]\nverify_jwt = false\n",
    "supabase/functions/deno.json": '{"imports": {"lib/": "./_shared/lib/", "aws": "npm:aws@1"}}',
    "supabase/functions/deno.lock": "{}",
    "supabase/functions/_shared/log.ts": 'export * from "./deep.ts";',
    "supabase/functions/_shared/deep.ts": "export const deep = 1;",
    "supabase/functions/_shared/lib/mapped.ts": "export const mapped = 1;",
    "supabase/functions/_shared/unused.ts": "export const unused = 1;",
    "supabase/functions/_shared/log_test.ts": "test",
    "supabase/functions/one/index.ts": 'import { log } from "../_shared/log.ts";\nimport "./own.ts";\nimport "aws";',
    "supabase/functions/one/own.ts": "export const own = 1;",
    "supabase/functions/one/own_test.ts": "test",
    "supabase/functions/one/own.test.ts": "test",
    "supabase/functions/one/README.md": "notes",
    "supabase/functions/two/index.ts": 'const m = await import("lib/mapped.ts");',
}


def project(root: Path, changes: dict[str, str] | None = None) -> Path:
    for name, content in {**FILES, **(changes or {})}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def digests(root: Path) -> dict[str, str]:
    return {name: function.digest for name, function in read_release(root).functions.items()}


def test_the_hash_is_the_same_in_every_folder(tmp_path: Path) -> None:
    one, other = project(tmp_path / "one"), project(tmp_path / "deeply/nested/other")
    assert read_release(one) == read_release(other)
    assert read_release(one).digest == read_release(other).digest


def test_the_hash_does_not_depend_on_times_or_on_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_release(project(tmp_path))
    for file in tmp_path.rglob("*.ts"):
        file.touch()
    monkeypatch.chdir(tmp_path)
    assert read_release(Path()) == before


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("one/index.ts", {"one"}),
        ("one/own.ts", {"one"}),
        ("one/new.ts", {"one"}),
        ("two/index.ts", {"two"}),
        ("_shared/log.ts", {"one"}),
        ("_shared/deep.ts", {"one"}),
        ("_shared/lib/mapped.ts", {"two"}),
        ("deno.lock", {"one", "two"}),
        ("one/deno.json", {"one"}),
        ("_shared/unused.ts", set[str]()),
        ("_shared/log_test.ts", set[str]()),
        ("one/own_test.ts", set[str]()),
        ("one/own.test.ts", set[str]()),
        ("one/tests/fixture.json", set[str]()),
        ("one/README.md", set[str]()),
        ("one/.DS_Store", set[str]()),
    ],
)
def test_what_goes_live_changes_the_hash_and_nothing_else_does(tmp_path: Path, file: str, changed: set[str]) -> None:
    before = digests(project(tmp_path / "before"))
    after = digests(project(tmp_path / "after", {f"supabase/functions/{file}": "{ }"}))
    assert {name for name in before if before[name] != after[name]} == changed


def test_a_functions_settings_are_part_of_it(tmp_path: Path) -> None:
    before = read_release(project(tmp_path / "before"))
    config = FILES["supabase/config.toml"].replace("verify_jwt = false", "verify_jwt = true")
    after = read_release(project(tmp_path / "after", {"supabase/config.toml": config}))
    assert after.functions["two"].verify_jwt
    assert not before.functions["two"].verify_jwt
    assert before.functions["one"] == after.functions["one"]
    assert before.functions["two"].digest != after.functions["two"].digest
    assert before.digest != after.digest


def test_files_that_the_config_bundles_are_part_of_it(tmp_path: Path) -> None:
    config = '[functions.one]\nstatic_files = ["./functions/one/*.html"]\n'
    static = {"supabase/config.toml": config, "supabase/functions/one/page.html": "a"}
    before = digests(project(tmp_path / "before", static))
    after = digests(project(tmp_path / "after", {**static, "supabase/functions/one/page.html": "b"}))
    assert before["one"] != after["one"]


def test_shared_folders_are_no_functions_and_disabled_ones_are_left_out(tmp_path: Path) -> None:
    config = FILES["supabase/config.toml"] + "enabled = false\n"
    assert set(read_release(project(tmp_path, {"supabase/config.toml": config})).functions) == {"one"}


def remove_entry(root: Path) -> None:
    (root / "supabase/functions/one/index.ts").unlink()


def remove_folder(root: Path) -> None:
    shutil.rmtree(root / "supabase/functions/two")


def break_config(root: Path) -> None:
    (root / "supabase/config.toml").write_text("[functions")


def break_import_map(root: Path) -> None:
    (root / "supabase/functions/deno.json").write_text("{")


def link_entry(root: Path) -> None:
    entry = root / "supabase/functions/one/index.ts"
    entry.rename(entry.with_name("main.ts"))
    entry.symlink_to("main.ts")


def link_folder(root: Path) -> None:
    (root / "supabase/functions/three").symlink_to("one")


def link_all(root: Path) -> None:
    (root / "supabase").rename(root / "elsewhere")
    (root / "supabase").symlink_to("elsewhere")


def test_a_link_that_no_archive_would_have_is_in_nobody_s_way(tmp_path: Path) -> None:
    root = project(tmp_path)
    before = read_release(root)
    (root / "supabase/functions/.env").symlink_to("/nowhere")
    assert read_release(root) == before


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (link_all, "supabase is a link: put there what it leads to"),
        (link_entry, "supabase/functions/one/index.ts is a link: put there what it leads to"),
        (link_folder, "supabase/functions/three is a link: put there what it leads to"),
        (remove_entry, "the function one has no entry point: supabase/functions/one/index.ts is not there"),
        (remove_folder, "settings for the function 'two', but supabase/functions/two is not there"),
        (break_config, "supabase/config.toml is no TOML"),
        (break_import_map, "deno.json of the edge functions can't be used: the file: Invalid JSON"),
    ],
)
def test_source_that_cannot_be_a_release_is_named(tmp_path: Path, damage: Callable[[Path], None], said: str) -> None:
    damage(project(tmp_path))
    with pytest.raises(SourceError, match=said):
        read_release(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("config.toml", "# caf\xe9", "config.toml is no TOML: .*can't decode byte"),
        ("config.toml", "functions = 1", "config.toml can't be used: functions: a table is wanted"),
        ("config.toml", "functions = [1]", "functions: a table is wanted"),
        ("config.toml", "[functions]\none = 1", "functions.one: a table is wanted"),
        ("config.toml", "[functions.one]\nverify_jwt = 'false'", "functions.one.verify_jwt: .*boolean"),
        ("config.toml", "[functions.one]\nenabled = 'no'", "functions.one.enabled: .*boolean"),
        ("config.toml", "[functions.one]\nentrypoint = 1", "functions.one.entrypoint: .*string"),
        ("config.toml", "[functions.one]\nentrypoint = '/etc/passwd'", "entrypoint: a path relative to supabase/"),
        ("config.toml", "[functions.one]\nentrypoint = '../x.ts'", r"function one: \.\./x\.ts is outside of supabase/"),
        ("config.toml", '[functions.one]\nimport_map = "\\u0000"', "import_map: a path relative to supabase/"),
        ("config.toml", "[functions.one]\nstatic_files = 'x'", "static_files: .*list"),
        ("config.toml", "[functions.one]\nstatic_files = ['./']", "static_files.0: a path relative to supabase/"),
        pytest.param(
            *("config.toml", "[functions.one]\nstatic_files = ['**x']", "one: static_files .*Invalid pattern"),
            marks=pytest.mark.skipif(sys.version_info >= (3, 13), reason="a pattern like another there"),
        ),
        ("functions/deno.json", "[]", "deno.json of the edge functions can't be used: the file: a table"),
        ("functions/deno.json", '{"imports": []}', "imports: a table is wanted"),
        ("functions/deno.json", '{"imports": {"a": 1}}', "imports.a: .*string"),
        ("functions/deno.json", '{"caf\xe9": 1}', "deno.json of the edge functions can't be used"),
        ("functions/one/index.ts", "// caf\xe9", r"functions/one/index\.ts is no text in UTF-8 \(byte 6\)"),
        ("functions/one/index.ts", f"import './{'a' * 300}.ts'", "File name too long"),
        ("functions/1digit/index.ts", "", "functions/1digit' can't be a function"),
        ("functions/-dash/index.ts", "", "functions/-dash' can't be a function"),
        ("functions/a b/index.ts", "", "functions/a b' can't be a function"),
    ],
)
def test_source_of_an_odd_form_is_named(tmp_path: Path, file: str, content: str, said: str) -> None:
    path = project(tmp_path) / "supabase" / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(SourceError, match=said):
        read_release(tmp_path)


def test_a_settings_date_and_a_file_s_odd_name_are_part_of_the_hash(tmp_path: Path) -> None:
    config = FILES["supabase/config.toml"] + "since = 2026-01-01\n"
    root = project(tmp_path, {"supabase/config.toml": config})
    before = digests(root)
    (root / "supabase/functions/one" / os.fsdecode(b"\xff.html")).touch()
    after = digests(root)
    assert before["one"] != after["one"]
    assert before["two"] == after["two"]


def drop_functions(root: Path) -> None:
    shutil.rmtree(root / "supabase/functions")


@pytest.mark.parametrize("damage", [remove_entry, remove_folder, break_config, break_import_map, drop_functions])
def test_the_names_are_known_however_the_source_is(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    damage(project(tmp_path))
    assert function_names(tmp_path) == ["one", "two"]


def test_what_is_switched_off_or_can_be_no_function_has_no_name(tmp_path: Path) -> None:
    config = FILES["supabase/config.toml"] + "enabled = false\n"
    root = project(tmp_path, {"supabase/config.toml": config, "supabase/functions/1digit/index.ts": ""})
    assert function_names(root) == ["one"]
