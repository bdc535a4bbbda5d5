"""GitHub's REST API, as far as it is asked: pull requests, comments, issues, a commit's checks, settings by name."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self, TypeVar, cast

import httpx
from pydantic import BaseModel, ValidationError

from operations.errors import ExitCode, OperationError
from operations.stack import Stack
from operations.supabase import http_client

API_URL = "https://api.github.com"
API_VERSION = "2022-11-28"
SECONDS = 20
PER_PAGE = 100
NOT_FOUND = 404
CURES = {
    401: "GITHUB_TOKEN is not accepted. In a workflow: env: GITHUB_TOKEN: ${{ github.token }}; by hand: gh auth token",
    403: "The token may not do this: look at the job's `permissions:`. If the limit of calls is used up, later.",
    NOT_FOUND: "Is the repository's name right, and does the token reach it?",
}


class NotThereError(OperationError):
    """404: no such thing, or none that the token may see."""


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
    merged_at: str | None = None


class App(BaseModel):
    slug: str = ""


class CheckRun(BaseModel):
    """`conclusion`: success, failure, cancelled, skipped and so on; none while it runs."""

    name: str
    conclusion: str | None = None
    app: App = App()


class _File(BaseModel):
    filename: str
    previous_filename: str = ""


class _Tree(BaseModel):
    sha: str


class _Commit(BaseModel):
    tree: _Tree


class Named(BaseModel):
    name: str
    id: int = 0


Item = TypeVar("Item", bound=BaseModel)


class GitHub:
    """One repository. Each method is one call, or one a page."""

    def __init__(self, repository: str, token: str, api_url: str) -> None:
        """`api_url`: GitHub's own where it is empty."""
        self._url = f"{(api_url or API_URL).rstrip('/')}/repos/{repository}"
        self._client = http_client(SECONDS)
        self._client.headers.update(
            {
                "Authorization": f"Bearer {token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": API_VERSION,
            }
        )

    @classmethod
    def of(cls, stack: Stack, repository: str) -> Self:
        """With the token that the stack's environment has. Raises: OperationError where it has none."""
        environment = stack.environment
        token = environment.github_token.get_secret_value()
        if not token:
            raise OperationError(
                "GITHUB_TOKEN is not set",
                'export GITHUB_TOKEN="$(gh auth token)"; in a workflow: env: GITHUB_TOKEN: ${{ github.token }}',
            )
        return cls(repository, token, str(environment.github_api_url or ""))

    def pull_requests(self, head: str) -> list[PullRequest]:
        """The open ones of a branch, as OWNER:BRANCH."""
        return list(self._pages("/pulls", PullRequest, state="open", head=head))

    def changed_files(self, pull_request: int) -> Iterator[str]:
        """With where a renamed one was; GitHub names 3,000 at most."""
        for one in self._pages(f"/pulls/{pull_request}/files", _File):
            yield one.filename
            if one.previous_filename:
                yield one.previous_filename

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

    def merged_by(self, commit: str) -> list[PullRequest]:
        """The pull requests that brought a commit into a branch."""
        return [one for one in self._pages(f"/commits/{commit}/pulls", PullRequest) if one.merged_at]

    def tree(self, commit: str) -> str:
        """Git's name for all files of a commit."""
        path = f"/git/commits/{commit}"
        return self._read(path, _Commit, self._call("GET", path)).tree.sha

    def checks(self, commit: str) -> Iterator[CheckRun]:
        """The newest run of each check of a commit."""
        return self._pages(f"/commits/{commit}/check-runs", CheckRun, within="check_runs", filter="latest")

    def names(self, place: str) -> set[str]:
        """Of the secrets or variables at `[environments/NAME/]secrets|variables`; none where there is no such place."""
        try:
            return {one.name for one in self._pages(f"/{place}", Named, within=place.rpartition("/")[2])}
        except NotThereError:
            return set()

    def rulesets(self) -> Iterator[Named]:
        """The repository's own."""
        return self._pages("/rulesets", Named, includes_parents="false")

    def ruleset(self, number: int) -> Mapping[str, Any]:
        return self._mapping(f"/rulesets/{number}")

    def environment(self, name: str) -> Mapping[str, Any] | None:
        try:
            return self._mapping(f"/environments/{name}")
        except NotThereError:
            return None

    def admitted(self, environment: str) -> Iterator[Named]:
        """The branches whose jobs may be in an environment that admits chosen ones."""
        path = f"/environments/{environment}/deployment-branch-policies"
        return self._pages(path, Named, within="branch_policies")

    def _mapping(self, path: str) -> Mapping[str, Any]:
        said = self._call("GET", path)
        if not isinstance(said, dict):
            raise _unexpected(path)
        return cast("Mapping[str, Any]", said)

    def _pages(self, path: str, item: type[Item], within: str = "", **query: str) -> Iterator[Item]:
        """`within`: under which name an answer that isn't a list has it."""
        page = 1
        while True:
            said = self._call("GET", path, params={**query, "per_page": PER_PAGE, "page": page})
            listed: Any = said.get(within) if isinstance(said, dict) else said
            if not isinstance(listed, list):
                raise _unexpected(path)
            found = [self._read(path, item, one) for one in cast("list[object]", listed)]
            yield from found
            if len(found) < PER_PAGE:
                return
            page += 1

    @staticmethod
    def _read(path: str, item: type[Item], said: object) -> Item:
        try:
            return item.model_validate(said)
        except ValidationError as error:
            raise _unexpected(path) from error

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        """Raises: OperationError; what was not written then can be written by running the same job again."""
        try:
            answer = self._client.request(method, f"{self._url}{path}", **arguments)
        except httpx.HTTPError as error:
            raise OperationError(
                f"GitHub did not answer {method} {path} ({type(error).__name__})",
                "Run it again; is GITHUB_API_URL right?",
                ExitCode.FAILED,
            ) from error
        if answer.is_success:
            return answer.json() if answer.content else None
        problem = NotThereError if answer.status_code == NOT_FOUND else OperationError
        raise problem(
            f"GitHub answered {answer.status_code} to {method} {path}",
            CURES.get(answer.status_code, "Run it again; githubstatus.com says whether it is GitHub."),
            ExitCode.FAILED,
        )


def _unexpected(path: str) -> OperationError:
    return OperationError(
        f"GitHub gave an unexpected answer to GET {path}", "Is GITHUB_API_URL right?", ExitCode.FAILED
    )
