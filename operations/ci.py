"""What a job of GitHub Actions says to people: the preview as one comment, a failing check as one issue.

Both are found again by what only this repository's own jobs write, and edited in place: never a second one. What a
pull request's own code has printed is data here, and has been made harmless before it gets into a comment.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_settings import BaseSettings

from gate.text import plain
from operations.errors import OperationError
from operations.github import API_URL, GitHub, Issue
from operations.output import say
from operations.preview_markdown import MARKER, code, fenced, markdown, marker
from operations.preview_report import PreviewReport

BOT = "github-actions[bot]"  # whose comments GITHUB_TOKEN writes
LABEL = "scheduled-check"
LONGEST_REPORT = 20_000_000
LONGEST_SAID = 60_000
# What decides whether, and by whose word, anything is deployed. The rest is judged by it, and these by people alone.
DECIDING = (".github/", "approvals/allowed_signers", "approvals/revoked_keys", "bootstrap/", "gate/", "policies/")
WORKFLOWS = ".github/"
NAMED = 10
ON_A_SANDBOX = (
    "> This comes from a fork or a bot, so it was given no credentials and not production's state: it was previewed on "
    "a sandbox that stands as the target branch says."
)


class Job(BaseSettings):
    """What GitHub Actions gives every job, and the token that the step names."""

    github_repository: str = ""
    github_token: SecretStr = SecretStr("")
    github_api_url: str = API_URL
    github_server_url: str = "https://github.com"
    github_run_id: str = ""
    github_event_path: Path | None = None

    @property
    def url(self) -> str:
        return f"{self.github_server_url}/{self.github_repository}/actions/runs/{self.github_run_id}"

    def github(self) -> GitHub:
        """Raises: OperationError outside a job, or where the step doesn't hand its token on."""
        for name in ("github_repository", "github_token"):
            if not getattr(self, name):
                raise OperationError(
                    f"{name.upper()} is not set: this runs in a job of GitHub Actions",
                    "In the step: env: GITHUB_TOKEN: ${{ github.token }}",
                )
        return GitHub(self.github_repository, self.github_token.get_secret_value(), self.github_api_url)


class _Owner(BaseModel):
    login: str


class _Repository(BaseModel):
    full_name: str
    owner: _Owner


class _Run(BaseModel):
    """Of the workflow that previewed; what GitHub says of it, not what it says itself."""

    head_sha: str
    head_branch: str
    head_repository: _Repository
    html_url: str


class _Event(BaseModel):
    workflow_run: _Run


def comment(job: Job, file: Path) -> None:
    """Put the preview of `file` onto its pull request: `pf preview --json`, written where the change itself ran.

    Raises: OperationError.
    """
    run, github = _run(job), job.github()
    head = f"{run.head_repository.owner.login}:{run.head_branch}"
    found = next((one for one in github.pull_requests(head) if one.head.sha == run.head_sha), None)
    if found is None:
        say(f"no open pull request has {run.head_sha[:12]} of {plain(head, 200)} as its head any more: no comment")
        return
    number = found.number
    # As preview.yml asks.
    trusted = run.head_repository.full_name == job.github_repository and found.user.type == "User"
    notes = [] if trusted else [ON_A_SANDBOX]
    if deciding := sorted({name for name in github.changed_files(number) if name.startswith(DECIDING)}):
        notes.append(_decides(deciding))
    body = _body(file, run, notes)
    before = (one for one in github.comments(number) if one.user.login == BOT and one.body.startswith(MARKER))
    if mine := next(before, None):
        github.edit_comment(mine.id, body)
    else:
        github.comment(number, body)
    say(f"the preview stands on pull request {number}")


def _run(job: Job) -> _Run:
    try:
        event = job.github_event_path.read_bytes() if job.github_event_path else b""
        return _Event.model_validate_json(event).workflow_run
    except (OSError, ValidationError) as error:
        raise OperationError(
            "GITHUB_EVENT_PATH names no event of a workflow that has run", "This runs on: workflow_run"
        ) from error


def _decides(files: Sequence[str]) -> str:
    """To whoever reviews it: what a change says of itself is no proof where it changes who judges."""
    named = ", ".join(code(name, 100) for name in files[:NAMED])
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    own = any(name.startswith(WORKFLOWS) for name in files)
    checks = " Its checks ran by its own workflows, so read those before you trust a green one." if own else ""
    return f"> **Read first:** {named}{more}: what decides whether, and by whose word, anything is deployed.{checks}"


def _body(file: Path, run: _Run, notes: Sequence[str]) -> str:
    try:
        with file.open("rb") as report:
            text = markdown(PreviewReport.model_validate_json(report.read(LONGEST_REPORT)))
    except (OSError, ValueError):
        text = f"{marker('')}\n### No preview\n\nIt ended before there was one: {run.html_url} says why.\n"
    first, rest = text.split("\n", 1)
    return "\n".join([first, *(f"{note}\n" for note in notes), rest])


def keep_issue(job: Job, check: str, *, green: bool, said: Path) -> None:
    """Open the check's issue, or add to the one that is open; close it when the check is green again.

    Raises: OperationError.
    """
    github, title = job.github(), f"The {check} check fails"
    found = next(_ours(github, title), None)
    if green:
        if found:
            github.comment(found.number, f"Green again: {job.url}")
            github.close_issue(found.number)
            say(f"issue {found.number} is closed")
        return
    body = "\n".join([f"{job.url}", "", *fenced(_said(said), "text")])
    if found:
        github.comment(found.number, body)
        say(f"added to issue {found.number}")
    else:
        github.open_issue(title, body, [LABEL])
        say(f"opened an issue: {title}")


def _ours(github: GitHub, title: str) -> Iterator[Issue]:
    return (one for one in github.open_issues(LABEL) if one.user.login == BOT and one.title == title)


def _said(file: Path) -> str:
    """The end says how it went. Without a file the job had failed before the check began."""
    try:
        text = file.read_text(errors="replace")
    except OSError:
        return "It ended before the check began: the job's own steps say why."
    said = "\n".join(plain(line, 2000) for line in text[-LONGEST_SAID:].splitlines())
    return said[-LONGEST_SAID:] or "(it said nothing)"  # what is escaped is longer
