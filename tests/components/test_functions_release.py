"""The deploying command, against an API and a CLI that do what the test says. The real CLI runs in tests/e2e."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from components import functions_release
from components.function_source import read_release
from components.functions_release import ReleaseError

pytestmark = pytest.mark.rows("K4")

REF = "abcdefghijklmnopqrst"
TOKEN = "sbp_" + "0" * 40

# Stands in for `supabase` and `deno`: notes its arguments, does to the live functions what the test planned, exits so.
TOOL = """#!{python}
import json, pathlib, sys
folder = pathlib.Path({folder!r})
name = pathlib.Path(sys.argv[0]).name
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps([name, *sys.argv[1:]]) + "\\n")
plan = json.loads((folder / "plan").read_text()).get(" ".join([name, *sys.argv[1:3]]), {{}})
live = json.loads((folder / "live").read_text())
for slug, change in plan.get("live", {{}}).items():
    live[slug] = {{**live.get(slug, {{"slug": slug, "status": "ACTIVE", "version": 0}}), **change}}
for slug in plan.get("gone", []):
    del live[slug]
(folder / "live").write_text(json.dumps(live))
print(plan.get("says", "done"))
sys.exit(plan.get("exit", 0))
"""


@dataclass(kw_only=True)
class World:
    """A project's source, a Supabase project, and the tools on the PATH."""

    folder: Path
    environment: dict[str, str]
    answers: list[Response] = field(default_factory=list[Response])
    named: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])

    def plan(self, **steps: dict[str, Any]) -> None:
        (self.folder / "plan").write_text(json.dumps({key.replace("_", " "): step for key, step in steps.items()}))

    @property
    def live(self) -> dict[str, dict[str, Any]]:
        return json.loads((self.folder / "live").read_text())

    @live.setter
    def live(self, functions: dict[str, dict[str, Any]]) -> None:
        (self.folder / "live").write_text(json.dumps(functions))

    def calls(self) -> list[list[str]]:
        file = self.folder / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def source(self, **functions: str) -> None:
        for name, text in functions.items():
            (self.folder / "supabase/functions" / name).mkdir(parents=True, exist_ok=True)
            (self.folder / "supabase/functions" / name / "index.ts").write_text(text)

    def run(self, *arguments: str, left: dict[str, Any] | None = None, **variables: str) -> dict[str, Any]:
        environment = {
            **self.environment,
            "PF_RELEASE": read_release(self.folder).digest,
            "PULUMI_COMMAND_STDOUT": json.dumps(left) if left else "",
            **variables,
        }
        return functions_release.run(arguments, environment)


@pytest.fixture
def world(tmp_path: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bin").mkdir()
    for name in ("supabase", "deno"):
        (tmp_path / "bin" / name).write_text(TOOL.format(python=sys.executable, folder=str(tmp_path)))
        (tmp_path / "bin" / name).chmod(0o755)
    environment = {
        "PATH": str(tmp_path / "bin"),
        "PF_PROJECT_REF": REF,
        "SUPABASE_ACCESS_TOKEN": TOKEN,
        "SUPABASE_API_URL": httpserver.url_for("").rstrip("/"),
    }
    world = World(folder=tmp_path, environment=environment)
    world.plan()
    world.live = {}
    world.source(one="1", two="2")

    def functions(request: Request) -> Response:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        return world.answers.pop(0) if world.answers else Response(json.dumps(list(world.live.values())))

    def secrets(request: Request) -> Response:
        world.named.append((request.method, request.json))
        return Response("[]", status=201)

    httpserver.expect_request(f"/v1/projects/{REF}/functions").respond_with_handler(functions)
    httpserver.expect_request(f"/v1/projects/{REF}/secrets").respond_with_handler(secrets)
    yield world
    httpserver.check_assertions()


DEPLOYED = {
    "one": {"version": 1, "ezbr_sha256": "a1", "updated_at": 1000},
    "two": {"version": 1, "ezbr_sha256": "b1", "updated_at": 1000},
}


def deployed(world: World) -> dict[str, Any]:
    """A first deployment of both functions; its calls are forgotten."""
    world.plan(supabase_functions_deploy={"live": DEPLOYED})
    left = world.run("deploy")
    (world.folder / "calls").unlink()
    return left


def test_a_first_deployment_loads_then_switches_all_functions_in_one_call(world: World) -> None:
    world.plan(supabase_functions_deploy={"live": DEPLOYED})
    left = world.run("deploy")
    assert world.calls() == [
        ["deno", "install", "--quiet", "--frozen", "--entrypoint", "one/index.ts", "two/index.ts"],
        [
            "supabase",
            "functions",
            "deploy",
            "one",
            "two",
            "--use-api",
            "--jobs=2",
            f"--remote={REF}",
            "--yes",
            "--debug",
        ],
    ]
    release = read_release(world.folder)
    assert left == {
        "release": release.digest,
        "functions": {
            "one": {"source": release.functions["one"].digest, "content": "a1", "updated_at": 1000},
            "two": {"source": release.functions["two"].digest, "content": "b1", "updated_at": 1000},
        },
    }


def test_the_release_is_named_when_it_serves_as_a_whole(world: World) -> None:
    world.plan(supabase_functions_deploy={"live": DEPLOYED})
    world.run("deploy")
    assert world.named == [("POST", [{"name": "PF_RELEASE", "value": read_release(world.folder).digest}])]


def test_a_release_that_does_not_serve_is_not_named(world: World) -> None:
    world.plan(supabase_functions_deploy={"exit": 1})
    with pytest.raises(ReleaseError):
        world.run("deploy")
    assert world.named == []


def test_an_unchanged_release_makes_no_call_of_the_cli(world: World) -> None:
    left = deployed(world)
    world.named.clear()
    assert world.run("deploy", left=left) == left
    assert world.calls() == []
    assert world.named == []


def test_only_changed_functions_are_deployed(world: World) -> None:
    left = deployed(world)
    world.source(two="2, better")
    world.plan(supabase_functions_deploy={"live": {"two": {"version": 2, "ezbr_sha256": "b2"}}})
    now = world.run("deploy", left=left)
    loading, switching = world.calls()
    assert loading == ["deno", "install", "--quiet", "--frozen", "--entrypoint", "two/index.ts"]
    assert switching[1:4] == ["functions", "deploy", "two"]
    assert now["functions"]["one"] == left["functions"]["one"]
    assert now["functions"]["two"]["content"] == "b2"


def test_a_function_that_someone_else_changed_is_deployed_again(world: World) -> None:
    left = deployed(world)
    world.live = {**world.live, "one": {**world.live["one"], "version": 9, "ezbr_sha256": "by hand"}}
    world.plan(supabase_functions_deploy={"live": {"one": {"version": 10, "ezbr_sha256": "a1"}}})
    world.run("deploy", left=left)
    assert world.calls()[-1][:4] == ["supabase", "functions", "deploy", "one"]


def test_a_removed_function_is_really_deleted_after_the_others_serve(world: World) -> None:
    left = deployed(world)
    (world.folder / "supabase/functions/two/index.ts").unlink()
    (world.folder / "supabase/functions/two").rmdir()
    world.plan(supabase_functions_delete={"gone": ["two"]})
    now = world.run("deploy", left=left)
    assert world.calls() == [["supabase", "functions", "delete", "two", f"--remote={REF}", "--yes", "--debug"]]
    assert set(now["functions"]) == {"one"}


def test_a_function_that_does_not_load_changes_nothing(world: World) -> None:
    said = "error: The lockfile is out of date.\nchanges:\n 1 | + {"
    world.plan(**{"deno_install_--quiet": {"exit": 1, "says": said}})
    with pytest.raises(ReleaseError, match=r"nothing was deployed(.|\n)*functions/one/index\.ts(.|\n)*out of date\.$"):
        world.run("deploy")
    assert [call[0] for call in world.calls()] == ["deno"]
    assert world.named == []


def test_a_release_that_went_live_in_part_is_an_error_that_names_both_parts(world: World) -> None:
    left = deployed(world)
    world.source(one="1, better", two="2, worse")
    world.plan(
        supabase_functions_deploy={
            "exit": 1,
            "says": "bundling two failed",
            "live": {"one": {"version": 2, "ezbr_sha256": "a2"}},
        }
    )
    with pytest.raises(ReleaseError, match=r"bundling two failed(.|\n)*mixed: one already new, two still old"):
        world.run("deploy", left=left)


def test_the_next_run_after_a_mixed_release_finishes_it(world: World) -> None:
    left = deployed(world)
    world.source(one="1, better", two="2, worse")
    world.live = {**world.live, "one": {**world.live["one"], "version": 2, "ezbr_sha256": "a2"}}
    again = {"one": {"version": 3, "ezbr_sha256": "a2"}, "two": {"version": 2, "ezbr_sha256": "b2"}}
    world.plan(supabase_functions_deploy={"live": again})
    world.run("deploy", left=left)
    assert world.calls()[-1][:5] == ["supabase", "functions", "deploy", "one", "two"]


def test_a_failed_deployment_that_switched_nothing_says_so(world: World) -> None:
    world.plan(supabase_functions_deploy={"exit": 1, "says": "unexpected status 503"})
    with pytest.raises(ReleaseError, match=r"503(.|\n)*Nothing was switched"):
        world.run("deploy")


def test_a_failed_deployment_whose_outcome_cannot_be_read_says_both(world: World) -> None:
    world.plan(supabase_functions_deploy={"exit": 1, "says": "unexpected status 503"})
    world.answers = [Response("[]"), Response("no", status=503)]
    with pytest.raises(ReleaseError, match=r"unexpected status 503(.|\n)*could not be read(.|\n)*answered 503"):
        world.run("deploy")


@pytest.mark.parametrize(
    ("live", "said"),
    [
        ({"one": {"version": 1}}, "two is not there"),
        ({"one": {"version": 1}, "two": {"status": "THROTTLED"}}, "two is THROTTLED"),
        ({"one": {"version": 1}, "two": {"verify_jwt": False}}, "two has verify_jwt False, the source says True"),
    ],
)
def test_what_is_live_is_read_back_whatever_the_cli_said(world: World, live: dict[str, Any], said: str) -> None:
    world.plan(supabase_functions_deploy={"live": live})
    with pytest.raises(ReleaseError, match=f"not live as a whole: {said}"):
        world.run("deploy")


def test_a_cli_that_ends_well_and_does_nothing_has_deployed_nothing(world: World) -> None:
    left = deployed(world)
    world.named.clear()
    world.source(one="1, better", two="2, better")
    world.plan(supabase_functions_deploy={"live": {"two": {"version": 2}}})  # the same bundle, deployed anew
    with pytest.raises(ReleaseError, match="not live as a whole: one is still the one from before") as refused:
        world.run("deploy", left=left)
    assert "two" not in str(refused.value)
    assert world.named == []


@pytest.mark.parametrize("content", [b"\x7fELF\x00 of another machine", b"#!/nowhere/interpreter\n"])
def test_a_tool_that_cannot_be_started_is_named_with_its_cure(world: World, content: bytes) -> None:
    (world.folder / "bin/deno").write_bytes(content)
    with pytest.raises(ReleaseError, match=r"bin/deno can't be run .*make setup"):
        world.run("deploy")


def test_what_a_tool_says_in_another_encoding_is_shown_all_the_same(world: World) -> None:
    (world.folder / "bin/deno").write_text("#!/bin/sh\nprintf 'caf\\351'\nexit 1\n")
    with pytest.raises(ReleaseError, match="did not load in Deno:\ncaf\N{REPLACEMENT CHARACTER}"):
        world.run("deploy")


def test_source_changed_since_the_preview_is_not_deployed(world: World) -> None:
    with pytest.raises(ReleaseError, match="source changed after the preview"):
        world.run("deploy", PF_RELEASE="another")
    assert world.calls() == []


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "SUPABASE_ACCESS_TOKEN is not accepted"),
        (403, "may not see the project"),
        (404, "parker-flight:supabaseProjectRef"),
        (429, "opens again after a minute"),
        (500, "status.supabase.com"),
    ],
)
def test_a_refusal_of_the_api_is_named_with_its_cure_and_nothing_is_deployed(
    world: World, status: int, said: str
) -> None:
    world.answers = [Response("no", status=status)]
    with pytest.raises(ReleaseError, match=f"answered {status}: .*{said}"):
        world.run("deploy")
    assert world.calls() == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.0.0.1:port"])
def test_an_api_that_does_not_answer_is_named(world: World, url: str) -> None:
    with pytest.raises(ReleaseError, match=f"{url} does not answer"):
        world.run("deploy", SUPABASE_API_URL=url)


def test_an_answer_that_is_no_list_of_functions_is_named(world: World) -> None:
    world.answers = [Response('{"message": "hello"}')]
    with pytest.raises(ReleaseError, match="unexpected list of functions"):
        world.run("deploy")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("SUPABASE_ACCESS_TOKEN", "", "SUPABASE_ACCESS_TOKEN is not set"),
        ("PATH", "", "the Supabase CLI is not on PATH: `make setup`"),
        ("PF_PROJECT_REF", "", "this is run by `pulumi up`"),
    ],
)
def test_what_is_missing_is_named(world: World, variable: str, value: str, said: str) -> None:
    with pytest.raises(ReleaseError, match=said):
        world.run("deploy", left=None, **{variable: value})


def test_settings_are_set_in_one_call_and_those_that_went_are_unset(world: World) -> None:
    left = world.run("set", "PF_B", "PF_A", left={"names": ["PF_A", "PF_OLD"]}, PF_A="1", PF_B="2")
    assert left == {"names": ["PF_A", "PF_B"]}
    assert [call[1:-3] for call in world.calls()] == [
        ["secrets", "set", "PF_A=1", "PF_B=2"],
        ["secrets", "unset", "PF_OLD"],
    ]


def test_removing_the_resources_removes_what_they_left(world: World) -> None:
    left = deployed(world)
    world.plan(supabase_functions_delete={})
    assert world.run("remove", left=left) == {}
    assert world.named[-1] == ("DELETE", ["PF_RELEASE"])
    assert world.run("unset", left={"names": ["PF_A"]}) == {}
    assert [call[1:4] for call in world.calls()] == [
        ["functions", "delete", "one"],
        ["functions", "delete", "two"],
        ["secrets", "unset", "PF_A"],
    ]


def test_what_was_deployed_anew_since_is_not_removed(world: World) -> None:
    """The engine deletes a replaced command after the new one has deployed, under the same names."""
    left = deployed(world)
    world.live = {name: one | {"updated_at": 2000} for name, one in world.live.items()}
    world.named.clear()
    assert world.run("remove", left=left) == {}
    assert world.calls() == []
    assert world.named == []


def test_the_token_is_on_no_command_line_and_in_no_state(world: World) -> None:
    world.plan(supabase_functions_deploy={"live": DEPLOYED})
    left = world.run("deploy")
    assert TOKEN not in json.dumps([world.calls(), left])


def test_standard_output_is_the_state_or_the_error_and_there_is_no_traceback(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    debugging = "Supabase CLI 3.1.0\n2026/11/25 01:39:06 HTTP PUT: http://127.0.0.1/v1/projects\nDeployed Functions"
    world.plan(supabase_functions_deploy={"live": DEPLOYED, "says": debugging})
    for name, value in {**world.environment, "PF_RELEASE": read_release(world.folder).digest}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PULUMI_COMMAND_STDOUT", raising=False)
    monkeypatch.setattr(sys, "argv", ["functions_release", "deploy"])
    assert functions_release.main() == 0
    said = capsys.readouterr()
    assert set(json.loads(said.out)) == {"functions", "release"}
    assert "Deployed Functions" in said.err
    assert "HTTP" not in said.err
    assert "Supabase CLI" not in said.err
    # The CLI's one, and ours: two listings, and the release's name.
    assert "Management API calls: 4\n" in said.err
    monkeypatch.setenv("PF_RELEASE", "another")
    assert functions_release.main() == 1
    said = capsys.readouterr()
    assert said.out.startswith("error: the functions' source changed")
    assert said.err == "Management API calls: 0\n"  # the engine would say the error twice
