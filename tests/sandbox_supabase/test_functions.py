"""Functions as the real CLI 3.1.0 deploys them, and as callers meet them."""

import json
import time

import jwt
import psutil
import pytest

from tests.sandbox_supabase.project import PROJECT, Project

pytestmark = pytest.mark.rows("K4", "K7")


def answering(text: str) -> str:
    return f'Deno.serve(() => new Response("{text}"));\n'


def test_a_new_version_brings_its_behaviour_and_an_old_one_brings_it_back(project: Project, user: str) -> None:
    for text in ("one", "two", "one"):
        project.write("versioned", answering(text))
        assert project.deploy("versioned").returncode == 0
        assert project.call("versioned", user).text == text
    (listed,) = [one for one in project.api("GET", f"{PROJECT}/functions").json() if one["slug"] == "versioned"]
    assert listed["version"] == 3


def test_what_a_function_imports_comes_with_it(project: Project, user: str) -> None:
    shared = project.folder / "supabase/functions/_shared/word.ts"
    shared.parent.mkdir(parents=True)
    shared.write_text('export const word = "shared";\n')
    source = 'import { word } from "../_shared/word.ts";\nDeno.serve(() => new Response(word));\n'
    project.write("importing", source)
    assert project.deploy("importing").returncode == 0
    assert project.call("importing", user).text == "shared"


def test_what_is_live_can_be_downloaded(project: Project) -> None:
    shared = project.folder / "supabase/functions/_shared/live.ts"
    shared.parent.mkdir(parents=True)
    shared.write_text('export const word = "shared";\n')
    source = 'import { word } from "../_shared/live.ts";\nDeno.serve(() => new Response(word));\n'
    project.write("kept", source)
    assert project.deploy("kept").returncode == 0
    shared.unlink()
    project.write("kept", "lost")
    downloaded = project.cli("functions", "download", "kept", "--use-api")
    assert downloaded.returncode == 0, downloaded.stderr
    assert (project.folder / "supabase/functions/kept/index.ts").read_text() == source
    assert shared.read_text() == 'export const word = "shared";\n'
    assert project.cli("functions", "download", "nothing", "--use-api").returncode != 0


def test_a_broken_upload_fails_and_the_live_version_stays(project: Project, user: str) -> None:
    project.write("fragile", answering("fine"))
    project.deploy("fragile")
    project.write("fragile", "export const broken = (;\n")
    failed = project.deploy("fragile")
    assert failed.returncode != 0
    assert "fragile" in failed.stdout + failed.stderr
    assert project.call("fragile", user).text == "fine"


def test_a_source_that_throws_breaks_the_function(project: Project, user: str) -> None:
    project.write("throwing", 'throw new Error("at boot");\n')
    assert project.deploy("throwing").returncode == 0
    broken = project.call("throwing", user)
    assert (broken.status_code, broken.json()["code"]) == (503, "BOOT_ERROR")


def test_when_one_of_several_does_not_bundle_the_release_is_mixed(project: Project, user: str) -> None:
    """What the real service does as well, and why the deploying command checks everything first."""
    for name in ("first", "second"):
        project.write(name, answering("old"))
    project.deploy("first", "second")
    project.write("first", answering("new"))
    project.write("second", "export const broken = (;\n")
    assert project.deploy("first", "second").returncode != 0
    assert [project.call(name, user).text for name in ("first", "second")] == ["new", "old"]


def test_a_bundle_is_known_by_its_hash_and_live_only_once_it_is_switched_to(project: Project, user: str) -> None:
    def bundle(slug: str, text: str) -> str:
        form = {
            "file": ("index.ts", answering(text).encode(), "application/typescript"),
            "metadata": (None, json.dumps({"entrypoint_path": "index.ts", "name": slug})),
        }
        made = project.api("POST", f"{PROJECT}/functions/deploy?slug={slug}&bundleOnly=true", files=form)
        assert made.status_code == 201
        return made.json()["ezbr_sha256"]

    def switch(slug: str, digest: str) -> int:
        return project.api("PUT", f"{PROJECT}/functions", json=[{"slug": slug, "ezbr_sha256": digest}]).status_code

    old, new, others = bundle("hashed", "old"), bundle("hashed", "new"), bundle("another", "old")
    assert bundle("hashed", "old") == old != new
    assert project.call("hashed", user).status_code == 404
    assert switch("hashed", old) == 200
    assert project.call("hashed", user).text == "old"
    assert switch("hashed", "0" * 64) == switch("hashed", others) == 400
    assert project.call("hashed", user).text == "old"
    assert switch("hashed", new) == 200
    assert project.call("hashed", user).text == "new"
    live = project.api("GET", f"{PROJECT}/functions/hashed").json()
    assert (live["ezbr_sha256"], live["version"]) == (new, 2)


def test_a_deleted_function_is_gone(project: Project, user: str) -> None:
    project.write("doomed", answering("here"))
    project.deploy("doomed")
    assert project.cli("functions", "delete", "doomed").returncode == 0
    assert project.call("doomed", user).status_code == 404


def test_only_a_good_token_is_let_in(project: Project, user: str) -> None:
    project.write("guarded", answering("in"))
    project.deploy("guarded")
    secret = json.loads((project.sandbox.state / "sandbox/supabase/credentials.json").read_text())["jwt_secret"]
    now = int(time.time())
    tokens = {
        "none": None,
        "not a token": "abc",
        "another secret": jwt.encode({"role": "authenticated", "exp": now + 60}, "x" * 32, "HS256"),
        "expired": jwt.encode({"role": "authenticated", "exp": now - 60}, secret, "HS256"),
        "without expiry": jwt.encode({"role": "authenticated"}, secret, "HS256"),
        "an unknown role": jwt.encode({"role": "postgres", "exp": now + 60}, secret, "HS256"),
        "unsigned": jwt.encode({"role": "service_role", "exp": now + 60}, "", "none"),
    }
    assert {what: project.call("guarded", token).status_code for what, token in tokens.items()} == dict.fromkeys(
        tokens, 401
    )
    assert project.call("guarded", user).text == "in"


def test_a_function_without_jwt_check_is_open(project: Project) -> None:
    project.write("open", answering("in"))
    project.deploy("open")
    assert project.call("open").text == "in"


def test_secrets_reach_the_function_and_only_their_digests_come_back(project: Project, user: str) -> None:
    project.write("secretive", 'Deno.serve(() => new Response(Deno.env.get("WORD") ?? "nothing"));\n')
    project.deploy("secretive")
    assert project.call("secretive", user).text == "nothing"
    assert project.cli("secrets", "set", "WORD=tell-nobody").returncode == 0
    assert project.call("secretive", user).text == "tell-nobody"
    listed = project.api("GET", f"{PROJECT}/secrets")
    assert "WORD" in listed.text
    assert "tell-nobody" not in listed.text
    assert "tell-nobody" not in (project.sandbox.state / "sandbox/supabase/requests.jsonl").read_text()
    assert project.cli("secrets", "unset", "WORD").returncode == 0
    assert project.call("secretive", user).text == "nothing"


def test_nothing_of_the_owners_environment_reaches_a_function(project: Project, user: str) -> None:
    project.write("nosy", "Deno.serve(() => Response.json(Deno.env.toObject()));\n")
    project.deploy("nosy")
    seen = project.call("nosy", user).json()
    assert "OWNERS_SECRET" not in seen
    assert "SUPABASE_ACCESS_TOKEN" not in seen
    assert seen["SUPABASE_URL"] == project.url


def test_functions_survive_a_crash_of_the_server(project: Project, user: str) -> None:
    project.write("lasting", answering("still here"))
    project.deploy("lasting")
    project.call("lasting", user)
    (server,) = [one for one in project.sandbox.processes() if "sandbox.supabase" in one.cmdline()]
    left = set(server.children(recursive=True))
    assert left & set(project.sandbox.processes())
    server.kill()
    psutil.wait_procs([server], timeout=10)
    project.sandbox.pf("sandbox", "up")
    assert not left & set(project.sandbox.processes())
    assert project.call("lasting", user).text == "still here"


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        (f"{PROJECT}/functions", "sbp_" + "0" * 40, 401),
        ("anotheranotheranothe/functions", None, 404),
        (f"{PROJECT}/database/backups", None, 404),
        (f"{PROJECT}/functions/nowhere", None, 404),
    ],
)
def test_the_management_api_refuses(project: Project, path: str, token: str | None, status: int) -> None:
    assert project.api("GET", path, token).status_code == status


@pytest.mark.parametrize(
    "secret", [{"name": "", "value": "x"}, {"name": "A=B", "value": "x"}, {"name": "A", "value": "\0"}]
)
def test_a_secret_that_can_be_no_variable_is_refused_and_breaks_no_function(
    project: Project, user: str, secret: dict[str, str]
) -> None:
    assert project.api("POST", f"{PROJECT}/secrets", json=[secret]).status_code == 400
    project.write("whole", answering("well"))
    assert project.deploy("whole").returncode == 0
    assert project.call("whole", user).text == "well"


@pytest.mark.parametrize("name", ["index.ts/inner", "a" * 300])
def test_a_path_that_can_be_no_file_is_refused(project: Project, name: str) -> None:
    metadata = (None, json.dumps({"entrypoint_path": "index.ts"}))
    files = [("metadata", metadata), ("file", ("index.ts", b"1")), ("file", (name, b"1"))]
    answer = project.api("POST", f"{PROJECT}/functions/deploy?slug=paths", files=files)
    assert (answer.status_code, "Invalid file path" in answer.text) == (400, True)


def test_a_path_that_leads_outside_is_refused(project: Project) -> None:
    files = {
        "file": ("../../outside.ts", b"", "application/octet-stream"),
        "metadata": (None, json.dumps({"entrypoint_path": "../../outside.ts", "name": "evil"})),
    }
    refused = project.api("POST", f"{PROJECT}/functions/deploy?slug=evil", files=files)
    assert refused.status_code == 400
