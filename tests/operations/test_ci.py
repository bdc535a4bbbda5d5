"""What jobs of GitHub Actions say to people, held against a stand-in of GitHub's API."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from operations.ci import BOT, ON_A_SANDBOX, Job, comment, keep_issue
from operations.errors import ExitCode, OperationError
from operations.preview_markdown import marker
from tests.ci.github import REPOSITORY, GitHub
from tests.operations.test_preview import hostile_report, report

pytestmark = pytest.mark.rows("K9", "O1")

HEAD = "5" * 40
MakeJob = Callable[..., Job]


@pytest.fixture
def github(httpserver: HTTPServer) -> GitHub:
    """One pull request, from a branch of the repository itself."""
    pull = {
        "number": 7,
        "label": "parker-flight:change",
        "head": {"sha": HEAD},
        "user": {"login": "dev", "type": "User"},
    }
    return GitHub(server=httpserver, pulls=[pull])


@pytest.fixture
def job(github: GitHub, tmp_path: Path) -> MakeJob:
    """A job that a finished preview has started; what differs is named."""

    def make(repository: str = REPOSITORY, head: str = HEAD, **settings: Any) -> Job:
        event = tmp_path / "event.json"
        run = {
            "head_sha": head,
            "head_branch": "change",
            "head_repository": {"full_name": repository, "owner": {"login": repository.partition("/")[0]}},
            "html_url": "https://github.example/run/1",
        }
        event.write_text(json.dumps({"workflow_run": run}))
        given: dict[str, Any] = {
            "github_repository": REPOSITORY,
            "github_token": SecretStr("a-token"),
            "github_api_url": github.url,
            "github_run_id": "9",
            "github_event_path": event,
        }
        return Job(**(given | settings))

    return make


@pytest.fixture
def previewed(tmp_path: Path) -> Path:
    file = tmp_path / "preview.json"
    file.write_text(report().model_dump_json())
    return file


def bodies(github: GitHub, issue: int = 7) -> list[str]:
    return [one["body"] for one in github.comments.get(issue, [])]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["README.md", "components/alarm.py"], None),
        (
            ["approvals/allowed_signers", "approvals/production/1.json"],
            "**Read first:** `approvals/allowed_signers`: what",
        ),
        (["policies/rules.py"] * 3, "**Read first:** `policies/rules.py`: what decides"),
        ([".github/workflows/preview.yml"], "Its checks ran by its own workflows"),
        ([f"gate/{number:03}.py" for number in range(150)], "`gate/009.py` and 140 more: what"),
        (["gate/`@all` <b>\n# x.py"], "**Read first:** ``gate/`@all` <b>\\n# x.py``: what"),
    ],
)
def test_what_decides_over_the_change_is_named_first_whatever_the_change_says_of_itself(
    github: GitHub, job: MakeJob, previewed: Path, files: list[str], said: str | None
) -> None:
    github.files[7] = files
    comment(job(), previewed)
    (body,) = bodies(github)
    head = body.partition("### Preview of")[0]
    assert ("Read first" in head) is (said is not None)
    assert said is None or said in head


def test_there_is_one_comment_however_often_and_however_much_else_is_said(
    github: GitHub, job: MakeJob, previewed: Path
) -> None:
    for number in range(120):
        github.comment(7, f"remark {number}", "dev")
    github.comment(7, marker("sandbox"), "mallory")  # who wants it edited in place of ours
    comment(job(), previewed)
    assert bodies(github)[-1].startswith(f"{marker('sandbox')}\n### Preview of")
    previewed.write_text(report(stack="other", counts={"create": 1, "unchanged": 2}).model_dump_json())
    comment(job(), previewed)
    assert len(bodies(github)) == 122
    assert "1 to create" in bodies(github)[-1]
    assert bodies(github)[-2] == marker("sandbox")


def test_what_a_change_writes_stays_text(github: GitHub, job: MakeJob, previewed: Path) -> None:
    previewed.write_text(hostile_report().model_dump_json())
    comment(job(), previewed)
    (body,) = bodies(github)
    assert len(body) < 65_536
    first = body.splitlines()[0]
    assert (first.count("<!--"), first.count("-->"), first.endswith("-->")) == (1, 1, True)


@pytest.mark.parametrize("content", ["", "no JSON", "{}", None])
def test_a_preview_that_ended_before_it_had_a_report_is_said(
    content: str | None, github: GitHub, job: MakeJob, previewed: Path
) -> None:
    previewed.write_text(content) if content is not None else previewed.unlink()
    comment(job(), previewed)
    (body,) = bodies(github)
    assert "https://github.example/run/1 says why" in body
    previewed.write_text(report().model_dump_json())
    comment(job(), previewed)
    assert "Preview of" in bodies(github)[0]


@pytest.mark.parametrize(("repository", "author"), [("mallory/infrastructure", "User"), (REPOSITORY, "Bot")])
def test_a_fork_or_a_bot_is_told_where_it_was_previewed(
    repository: str, author: str, github: GitHub, job: MakeJob, previewed: Path
) -> None:
    """By whose pull request it is, as preview.yml asks, and not by who pushed to it last."""
    github.pulls[0] |= {"label": f"{repository.partition('/')[0]}:change", "user": {"login": "who", "type": author}}
    comment(job(repository), previewed)
    first, second, *_ = bodies(github)[0].splitlines()
    assert (first, second) == (marker("sandbox"), ON_A_SANDBOX)


def test_a_head_that_was_pushed_over_gets_no_comment(
    github: GitHub, job: MakeJob, previewed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    comment(job(head="6" * 40), previewed)
    assert bodies(github) == []
    assert "no open pull request has 666666666666" in capsys.readouterr().err


@pytest.mark.parametrize(("status", "cure"), [(401, "GITHUB_TOKEN"), (403, "permissions"), (502, "Run it again")])
def test_what_github_refuses_is_said_with_its_cure(
    status: int, cure: str, github: GitHub, job: MakeJob, previewed: Path
) -> None:
    github.broken = status
    with pytest.raises(OperationError, match=f"GitHub answered {status}") as raised:
        comment(job(), previewed)
    assert cure in raised.value.cure
    assert raised.value.code is ExitCode.FAILED


@pytest.mark.parametrize("settings", [{"github_token": SecretStr("")}, {"github_repository": ""}])
def test_outside_a_job_it_says_what_is_missing(settings: dict[str, Any], job: MakeJob, previewed: Path) -> None:
    with pytest.raises(OperationError, match=f"{next(iter(settings)).upper()} is not set"):
        comment(job(**settings), previewed)


def test_another_event_is_refused(job: MakeJob, previewed: Path, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"action": "opened"}')
    with pytest.raises(OperationError, match="no event of a workflow"):
        comment(job(github_event_path=tmp_path / "other.json"), previewed)


def test_a_check_has_one_issue_which_closes_when_it_is_green(github: GitHub, job: MakeJob, tmp_path: Path) -> None:
    said = tmp_path / "said.txt"
    said.write_text("down: @team ```\n")
    keep_issue(job(), "daily", green=True, said=said)
    assert github.issues == []
    keep_issue(job(), "daily", green=False, said=said)
    keep_issue(job(), "weekly", green=False, said=said)
    keep_issue(job(), "daily", green=False, said=said)
    daily, weekly = github.issues
    assert (daily["title"], daily["labels"], daily["user"]) == (
        "The daily check fails",
        ["scheduled-check"],
        {"login": BOT},
    )
    assert "/actions/runs/9" in daily["body"]
    assert "````text\ndown: @team ```\n````" in daily["body"]
    assert len(bodies(github, daily["number"])) == 1
    keep_issue(job(), "daily", green=True, said=said)
    assert (daily["state"], weekly["state"]) == ("closed", "open")
    assert "Green again" in bodies(github, daily["number"])[-1]
    keep_issue(job(), "daily", green=False, said=said)
    assert [one["state"] for one in github.issues] == ["closed", "open", "open"]


def test_what_a_check_printed_last_is_what_is_told(github: GitHub, job: MakeJob, tmp_path: Path) -> None:
    said = tmp_path / "said.txt"
    for number, line in enumerate(("x\n", "─" * 80 + "\n", "\U0001f525\n")):  # what is escaped grows
        said.write_text(line * 60_000 + "the end\n")
        keep_issue(job(), f"{number}", green=False, said=said)
        assert len(github.issues[number]["body"]) < 65_536
        assert "the end" in github.issues[number]["body"]


def test_a_job_that_failed_before_its_check_began_has_an_issue_all_the_same(
    github: GitHub, job: MakeJob, tmp_path: Path
) -> None:
    keep_issue(job(), "daily", green=False, said=tmp_path / "none.txt")
    assert "before the check began" in github.issues[0]["body"]
