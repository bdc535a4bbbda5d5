"""GitHub's REST API, as far as CI needs it: comments on a pull request, issues of the checks that fail."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from operations.errors import ExitCode, OperationError
from operations.supabase import http_client

API_URL = "https://api.github.com"
API_VERSION = "2022-11-28"
SECONDS = 20
PER_PAGE = 100
CURES = {
    401: "GITHUB_TOKEN is not accepted: in a workflow, env: GITHUB_TOKEN: ${{ github.token }}",
    403: "The job's token may not do this: look at the job's `permissions:`. If the limit of calls is used up, later.",
    404: "Is GITHUB_REPOSITORY (OWNER/NAME) right, and does the token reach it?",
}


class User(BaseModel):
    login: str = ""
    type: str = ""


class Comment(BaseModel):
    id: int
    body: str = ""
    user: User = User()


class Issue(BaseModel):
    number: int
    title: str
    user: User = User()


class Head(BaseModel):
    sha: str


class PullRequest(BaseModel):
    number: int
    head: Head
    user: User = User()


Item = TypeVar("Item", bound=BaseModel)


class GitHub:
    """One repository. Each method is one call, or one a page."""

    def __init__(self, repository: str, token: str, api_url: str) -> None:
        self._url = f"{api_url.rstrip('/')}/repos/{repository}"
        self._client = http_client(SECONDS)
        self._client.headers.update(
            {
                "Authorization": f"Bearer {token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": API_VERSION,
            }
        )

    def pull_requests(self, head: str) -> list[PullRequest]:
        """The open ones of a branch, as OWNER:BRANCH."""
        return list(self._pages("/pulls", PullRequest, state="open", head=head))

    def comments(self, issue: int) -> Iterator[Comment]:
        """Of an issue or a pull request, the oldest first."""
        return self._pages(f"/issues/{issue}/comments", Comment)

    def comment(self, issue: int, body: str) -> None:
        self._call("POST", f"/issues/{issue}/comments", json={"body": body})

    def edit_comment(self, comment: int, body: str) -> None:
        self._call("PATCH", f"/issues/comments/{comment}", json={"body": body})

    def open_issues(self, label: str) -> Iterator[Issue]:
        return self._pages("/issues", Issue, state="open", labels=label)

    def open_issue(self, title: str, body: str, labels: Sequence[str]) -> None:
        self._call("POST", "/issues", json={"title": title, "body": body, "labels": list(labels)})

    def close_issue(self, number: int) -> None:
        self._call("PATCH", f"/issues/{number}", json={"state": "closed", "state_reason": "completed"})

    def _pages(self, path: str, item: type[Item], **query: str) -> Iterator[Item]:
        page = 1
        while True:
            answer = self._call("GET", path, params={**query, "per_page": PER_PAGE, "page": page})
            try:
                found = [item.model_validate(one) for one in answer]
            except (ValidationError, TypeError) as error:
                raise OperationError(
                    f"GitHub gave an unexpected answer to GET {path}",
                    "Is GITHUB_API_URL right?",
                    ExitCode.FAILED,
                ) from error
            yield from found
            if len(found) < PER_PAGE:
                return
            page += 1

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        """Raises: OperationError; what was not written then can be written by running the same job again."""
        try:
            answer = self._client.request(method, f"{self._url}{path}", **arguments)
        except httpx.HTTPError as error:
            raise OperationError(
                f"GitHub did not answer {method} {path} ({type(error).__name__})",
                "Run the job again; is GITHUB_API_URL right?",
                ExitCode.FAILED,
            ) from error
        if answer.is_success:
            return answer.json() if answer.content else None
        raise OperationError(
            f"GitHub answered {answer.status_code} to {method} {path}",
            CURES.get(answer.status_code, "Run the job again; githubstatus.com says whether it is GitHub."),
            ExitCode.FAILED,
        )
