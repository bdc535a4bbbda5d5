"""Supabase's Management API, as far as `pf` uses it. The token is in the header only; no secret's value comes back."""

import hashlib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from operations.errors import ExitCode, OperationError
from operations.stack import Stack


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class SupabaseError(OperationError):
    """The Management API refused, or didn't answer."""


class Secret(BaseModel):
    """One of the functions' secrets: what the API shows as its value is the SHA-256 of it."""

    name: str
    value: str

    def holds(self, text: str) -> bool:
        return self.value.lower() == sha256(text)


class DeployedFunction(BaseModel):
    """An edge function as the API lists it."""

    slug: str
    version: int = 0
    verify_jwt: bool = True
    ezbr_sha256: str | None = None

    @property
    def content(self) -> str:
        """Changes when other code goes live: the bundle's hash, or the version where the API gives none."""
        return self.ezbr_sha256 or f"version {self.version}"


class ServiceHealth(BaseModel):
    """What Supabase says of one of a project's services."""

    name: str
    healthy: bool | None = None
    status: str = ""
    error: str | None = None

    @property
    def is_healthy(self) -> bool:
        # `healthy` is deprecated in favour of `status`; a real answer carries both.
        return self.status == "ACTIVE_HEALTHY" if self.status else bool(self.healthy)


def http_client(seconds: float) -> httpx.Client:
    """Raises: OperationError if the environment names a kind of proxy that the client doesn't speak."""
    try:
        return httpx.Client(timeout=seconds, verify=_certificates())
    except ImportError:
        raise OperationError(
            "the environment names a SOCKS proxy (ALL_PROXY, HTTPS_PROXY or HTTP_PROXY), which pf can't use",
            "Name an HTTP proxy there, or: unset ALL_PROXY all_proxy HTTPS_PROXY https_proxy HTTP_PROXY http_proxy",
        ) from None


@cache
def _certificates() -> ssl.SSLContext:
    """Read once: that takes as long as a call."""
    return httpx.create_ssl_context()


@dataclass
class Calls:
    """How many calls this process has sent, and how many a minute the API says that it allows."""

    count: int = 0
    limit_per_minute: int | None = None


CALLS = Calls()


class ManagementApi:
    """One project. Each method is one call: the API allows few."""

    def __init__(self, stack: Stack, *, seconds: float = 15, client: httpx.Client | None = None) -> None:
        self._stack = stack
        self._seconds = seconds
        self._client = client or http_client(seconds)
        self._project = f"{stack.api_url}/v1/projects/{stack.settings.supabase_project_ref}"
        self._headers = {"Authorization": f"Bearer {stack.environment.supabase_access_token.get_secret_value()}"}

    def project_status(self) -> str:
        """Raises: SupabaseError if the token or the project isn't known."""
        project: dict[str, Any] = self._call("GET", "").json()
        return str(project.get("status", ""))

    def health(self, services: Sequence[str]) -> list[ServiceHealth]:
        answer = self._call("GET", "/health", params={"services": list(services)})
        try:
            return TypeAdapter(list[ServiceHealth]).validate_json(answer.content)
        except ValidationError as error:
            raise self._garbage("health") from error

    def functions(self) -> dict[str, DeployedFunction]:
        """Those that are live, by name."""
        answer = self._call("GET", "/functions")
        try:
            return {one.slug: one for one in TypeAdapter(list[DeployedFunction]).validate_json(answer.content)}
        except ValidationError as error:
            raise self._garbage("functions") from error

    def secrets(self) -> dict[str, Secret]:
        answer = self._call("GET", "/secrets")
        try:
            return {one.name: one for one in TypeAdapter(list[Secret]).validate_json(answer.content)}
        except ValidationError as error:
            raise self._garbage("secrets") from error

    def set_secrets(self, values: Mapping[str, str]) -> None:
        self._call("POST", "/secrets", json=[{"name": name, "value": value} for name, value in values.items()])

    def unset_secrets(self, names: Sequence[str]) -> None:
        self._call("DELETE", "/secrets", json=list(names))

    def _call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        CALLS.count += 1
        try:
            answer = self._client.request(
                method, f"{self._project}{path}", headers=self._headers, timeout=self._seconds, **arguments
            )
        except httpx.HTTPError as error:
            raise SupabaseError(
                f"the Supabase API at {self._stack.api_url} does not answer ({type(error).__name__})",
                self._stack.start_hint or "Is SUPABASE_API_URL right? See status.supabase.com.",
                ExitCode.FAILED,
            ) from error
        if (limit := answer.headers.get("x-ratelimit-limit", "")).isdigit():
            CALLS.limit_per_minute = int(limit)
        if answer.is_success:
            return answer
        reference = self._stack.settings.supabase_project_ref
        cures = {
            401: f"SUPABASE_ACCESS_TOKEN is not accepted: {self._own_token()}",
            403: f"SUPABASE_ACCESS_TOKEN may not see the project {reference}: use a token of one of its members.",
            404: f"Is parker-flight:supabaseProjectRef ({reference}) in Pulumi.{self._stack.name}.yaml right?",
            429: "Too many calls: the API opens again after a minute.",
        }
        raise SupabaseError(
            f"the Supabase API answered {answer.status_code} to {method} {answer.request.url.path}",
            cures.get(answer.status_code, f"It said {answer.text[:200]!r}; try again, then see status.supabase.com."),
            ExitCode.FAILED,
        )

    def _own_token(self) -> str:
        if self._stack.start_hint:
            return self._stack.own("SUPABASE_ACCESS_TOKEN")
        return "make a new token in the Supabase dashboard and export it."

    def _garbage(self, what: str) -> SupabaseError:
        return SupabaseError(
            f"the Supabase API at {self._stack.api_url} gave an answer about {what} that can't be read",
            "Is SUPABASE_API_URL really the Management API?",
            ExitCode.FAILED,
        )
