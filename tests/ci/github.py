"""A stand-in of GitHub's API: pull requests, comments, issues and checks of one repository, as far as pf asks it."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

REPOSITORY = "parker-flight/infrastructure"
BOT = {"login": "github-actions[bot]"}


@dataclass(kw_only=True)
class Commit:
    """`checks`: what each concluded with, None while it runs. `merged`: the heads of the pull requests it came by."""

    tree: str
    checks: dict[str, str | None] = field(default_factory=dict[str, str | None])
    merged: list[str] = field(default_factory=list[str])
    app: str = "github-actions"


@dataclass(kw_only=True)
class GitHub:
    """`pulls`, `comments` (by issue), `issues` and `commits` (by name), as far as the API lists them; `broken` answers
    every call.
    """

    server: HTTPServer
    pulls: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict[int, list[dict[str, Any]]])
    issues: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    commits: dict[str, Commit] = field(default_factory=dict[str, Commit])
    calls: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    broken: int = 0

    def __post_init__(self) -> None:
        self.server.expect_request(re.compile(".*")).respond_with_handler(self._answer)

    @property
    def url(self) -> str:
        return self.server.url_for("").rstrip("/")

    def comment(self, issue: int, body: str, login: str) -> None:
        known = self.comments.setdefault(issue, [])
        number = 1000 * issue + len(known)
        known.append({"id": number, "body": body, "user": {"login": login}})

    def _answer(self, request: Request) -> Response:
        path = request.path.removeprefix(f"/repos/{REPOSITORY}")
        self.calls.append((request.method, path))
        if self.broken:
            return Response(json.dumps({"message": "broken"}), status=self.broken)
        for (method, pattern), answer in self._routes().items():
            if method == request.method and (found := re.fullmatch(pattern, path)):
                return Response(json.dumps(answer(request, *found.groups())), content_type="application/json")
        return Response(json.dumps({"message": "Not Found"}), status=404)

    def _routes(self) -> dict[tuple[str, str], Callable[..., Any]]:
        return {
            ("GET", "/pulls"): self._pulls,
            ("GET", r"/issues/(\d+)/comments"): self._comments,
            ("POST", r"/issues/(\d+)/comments"): self._comment,
            ("PATCH", r"/issues/comments/(\d+)"): self._edit,
            ("GET", r"/commits/(\w+)/pulls"): self._merged,
            ("GET", r"/commits/(\w+)/check-runs"): self._checks,
            ("GET", r"/git/commits/(\w+)"): self._commit,
            ("GET", "/issues"): self._issues,
            ("POST", "/issues"): self._open,
            ("PATCH", r"/issues/(\d+)"): self._change,
        }

    def _comments(self, request: Request, issue: str) -> list[dict[str, Any]]:
        return _page(request, self.comments.get(int(issue), []))

    def _issues(self, request: Request) -> list[dict[str, Any]]:
        return _page(request, [one for one in self.issues if one["state"] == "open"])

    def _merged(self, request: Request, commit: str) -> list[dict[str, Any]]:
        """With one that is open still, and has the commit as well."""
        heads = dict.fromkeys(self.commits[commit].merged, "2026-01-01T00:00:00Z") | {"0" * 40: None}
        return _page(request, [{"number": 7, "head": {"sha": head}, "merged_at": at} for head, at in heads.items()])

    def _commit(self, _: Request, commit: str) -> dict[str, Any]:
        return {"tree": {"sha": self.commits[commit].tree}}

    def _checks(self, request: Request, commit: str) -> dict[str, Any]:
        known = self.commits[commit]
        runs = [{"name": name, "conclusion": how, "app": {"slug": known.app}} for name, how in known.checks.items()]
        return {"total_count": len(runs), "check_runs": _page(request, runs)}

    def _pulls(self, request: Request) -> list[dict[str, Any]]:
        return _page(request, [one for one in self.pulls if one["label"] == request.args["head"]])

    def _comment(self, request: Request, issue: str) -> dict[str, Any]:
        self.comment(int(issue), request.get_json()["body"], BOT["login"])
        return self.comments[int(issue)][-1]

    def _edit(self, request: Request, number: str) -> dict[str, Any]:
        (found,) = (one for known in self.comments.values() for one in known if one["id"] == int(number))
        found["body"] = request.get_json()["body"]
        return found

    def _open(self, request: Request) -> dict[str, Any]:
        self.issues.append({**request.get_json(), "number": len(self.issues) + 100, "state": "open", "user": BOT})
        return self.issues[-1]

    def _change(self, request: Request, number: str) -> dict[str, Any]:
        (found,) = (one for one in self.issues if one["number"] == int(number))
        found.update(request.get_json())
        return found


def _page(request: Request, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    size = int(request.args["per_page"])
    start = (int(request.args["page"]) - 1) * size
    return items[start : start + size]
