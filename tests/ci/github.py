"""A stand-in of GitHub's API: one repository with its pull requests, issues, checks and rules, as far as pf asks it."""

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
    """`pulls`, `comments` (by issue), `issues`, `rulesets` (by number) and `environments`, as the API lists them;
    `admitted` are the branches of an environment, `settings` the names at a place; `broken` answers every call.
    """

    server: HTTPServer
    pulls: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict[int, list[dict[str, Any]]])
    files: dict[int, list[str]] = field(default_factory=dict[int, list[str]])  # that a pull request changes
    issues: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    commits: dict[str, Commit] = field(default_factory=dict[str, Commit])
    rulesets: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])
    environments: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    admitted: dict[str, dict[int, str]] = field(default_factory=dict[str, dict[int, str]])
    settings: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
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
                try:
                    said = answer(request, *found.groups())
                except KeyError:
                    break
                return Response(json.dumps(said), content_type="application/json")
        return Response(json.dumps({"message": "Not Found"}), status=404)

    def _routes(self) -> dict[tuple[str, str], Callable[..., Any]]:
        return {
            ("GET", "/pulls"): self._pulls,
            ("GET", r"/pulls/(\d+)/files"): self._files,
            ("GET", r"/issues/(\d+)/comments"): self._comments,
            ("POST", r"/issues/(\d+)/comments"): self._comment,
            ("PATCH", r"/issues/comments/(\d+)"): self._edit,
            ("GET", r"/commits/(\w+)/pulls"): self._merged,
            ("GET", r"/commits/(\w+)/check-runs"): self._checks,
            ("GET", r"/git/commits/(\w+)"): self._commit,
            ("GET", "/rulesets"): self._rulesets,
            ("POST", "/rulesets"): self._rule,
            ("GET", r"/rulesets/(\d+)"): self._ruleset,
            ("PUT", r"/rulesets/(\d+)"): self._rule,
            ("GET", r"/environments/([^/]+)"): self._environment,
            ("PUT", r"/environments/([^/]+)"): self._make,
            ("GET", r"/environments/([^/]+)/deployment-branch-policies"): self._branches,
            ("POST", r"/environments/([^/]+)/deployment-branch-policies"): self._admit,
            ("DELETE", r"/environments/([^/]+)/deployment-branch-policies/(\d+)"): self._refuse,
            ("GET", r"/(.*(?:secrets|variables))"): self._settings,
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

    def _rulesets(self, request: Request) -> list[dict[str, Any]]:
        return _page(request, [{"id": number, "name": one["name"]} for number, one in self.rulesets.items()])

    def _ruleset(self, _: Request, number: str) -> dict[str, Any]:
        return self.rulesets[int(number)]

    def _rule(self, request: Request, number: str = "") -> dict[str, Any]:
        """With what GitHub adds by itself."""
        told = request.get_json()
        for rule in told["rules"]:
            if rule["type"] == "pull_request":
                rule["parameters"]["allowed_merge_methods"] = ["merge", "squash"]
        self.rulesets[int(number or len(self.rulesets) + 1)] = told
        return told

    def _environment(self, _: Request, name: str) -> dict[str, Any]:
        return self.environments[name]

    def _make(self, request: Request, name: str) -> dict[str, Any]:
        self.environments[name] = request.get_json()
        return self.environments[name]

    def _branches(self, request: Request, name: str) -> dict[str, Any]:
        found = [{"id": number, "name": branch} for number, branch in self.admitted.get(name, {}).items()]
        return {"total_count": len(found), "branch_policies": _page(request, found)}

    def _admit(self, request: Request, name: str) -> dict[str, Any]:
        known = self.admitted.setdefault(name, {})
        known[max(known, default=0) + 1] = request.get_json()["name"]
        return {}

    def _refuse(self, _: Request, name: str, number: str) -> dict[str, Any]:
        del self.admitted[name][int(number)]
        return {}

    def _settings(self, request: Request, place: str) -> dict[str, Any]:
        found = [{"name": name} for name in self.settings[place]]
        return {"total_count": len(found), place.rpartition("/")[2]: _page(request, found)}

    def _checks(self, request: Request, commit: str) -> dict[str, Any]:
        known = self.commits[commit]
        runs = [{"name": name, "conclusion": how, "app": {"slug": known.app}} for name, how in known.checks.items()]
        return {"total_count": len(runs), "check_runs": _page(request, runs)}

    def _pulls(self, request: Request) -> list[dict[str, Any]]:
        return _page(request, [one for one in self.pulls if one["label"] == request.args["head"]])

    def _files(self, request: Request, number: str) -> list[dict[str, Any]]:
        return _page(request, [{"filename": name} for name in self.files.get(int(number), [])])

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
