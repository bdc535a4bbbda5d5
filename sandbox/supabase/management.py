"""The Management API, as far as the CLI 3.1.0 and `pf` call it: one project, its functions, its secrets, its health."""

import re
import time
from collections import deque
from typing import Any

import psycopg
from anyio import to_thread
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.supabase import PROJECT
from sandbox.supabase.bundles import BundleError, as_form, make_bundle
from sandbox.supabase.credentials import Credentials
from sandbox.supabase.store import Bundle, Function, Store

SLUG = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
RESERVED = re.compile(r"SUPABASE_.*")
CALLS_A_MINUTE = 600


class NewSecret(BaseModel):
    """A function has it as a variable of its environment."""

    name: str = Field(pattern=r"^[^=\x00]+$", max_length=256)
    value: str = Field(pattern=r"^[^\x00]*$", max_length=24576)


class Switch(BaseModel):
    """One entry of the bulk update: which bundle becomes live, with which settings."""

    slug: str
    name: str = ""
    ezbr_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    verify_jwt: bool = True


class Patch(BaseModel):
    name: str | None = None
    verify_jwt: bool | None = None


class RateLimit:
    """So many calls in any minute; then none until a minute has passed."""

    def __init__(self, calls: int) -> None:
        self.calls = calls
        self._seen: deque[float] = deque()
        self._closed_until = 0.0

    def headers(self) -> dict[str, str]:
        return {"X-RateLimit-Limit": str(self.calls), "X-RateLimit-Remaining": str(self.calls - len(self._seen))}

    def admit(self) -> float:
        """Seconds to wait; zero when the call may go on."""
        now = time.monotonic()
        while self._seen and self._seen[0] < now - 60:
            self._seen.popleft()
        if now < self._closed_until:
            return self._closed_until - now
        if len(self._seen) >= self.calls:
            self._closed_until = now + 60
            return 60
        self._seen.append(now)
        return 0


class Management:
    """Every route checks the access token and the project's ref first."""

    def __init__(self, store: Store, credentials: Credentials, database: str, calls_a_minute: int) -> None:
        self._store = store
        self._credentials = credentials
        self._database = database
        self._limit = RateLimit(calls_a_minute)

    def routes(self) -> list[Route]:
        project = "/v1/projects/{ref}"
        handlers = {
            (project, "GET"): self._project,
            (f"{project}/health", "GET"): self._health,
            (f"{project}/api-keys", "GET"): self._api_keys,
            (f"{project}/functions", "GET"): self._list,
            (f"{project}/functions", "PUT"): self._bulk_update,
            (f"{project}/functions/deploy", "POST"): self._deploy,
            (f"{project}/functions/{{slug}}", "GET"): self._get,
            (f"{project}/functions/{{slug}}/body", "GET"): self._body,
            (f"{project}/functions/{{slug}}", "PATCH"): self._patch,
            (f"{project}/functions/{{slug}}", "DELETE"): self._delete,
            (f"{project}/secrets", "GET"): self._list_secrets,
            (f"{project}/secrets", "POST"): self._set_secrets,
            (f"{project}/secrets", "DELETE"): self._unset_secrets,
        }
        routes = [Route("/v1/projects", self._guarded(self._projects), methods=["GET"])]
        routes += [
            Route(path, self._guarded(handler), methods=[method]) for (path, method), handler in handlers.items()
        ]
        return routes

    def _guarded(self, handler: Any) -> Any:
        async def guarded(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {self._credentials.access_token}":
                return _error(401, "Unauthorized")
            if wait := self._limit.admit():
                headers = {**self._limit.headers(), "Retry-After": str(int(wait) + 1)}
                return JSONResponse({"message": "ThrottlerException: Too Many Requests"}, 429, headers)
            if request.path_params.get("ref", PROJECT) != PROJECT:
                return _error(404, "Project not found")
            try:
                response: Response = await handler(request)
            except ValidationError as error:
                response = _error(400, f"Invalid request: {_first(error)}")
            response.headers.update(self._limit.headers())
            return response

        return guarded

    async def _projects(self, _request: Request) -> Response:
        return JSONResponse([_project()])

    async def _project(self, _request: Request) -> Response:
        return JSONResponse(_project())

    async def _health(self, request: Request) -> Response:
        database = await to_thread.run_sync(_answers, self._database)
        # Everything but the gateway stands on the database.
        answers = [
            {"name": name, "healthy": database, "status": "ACTIVE_HEALTHY" if database else "UNHEALTHY"}
            for name in request.query_params.getlist("services")
        ]
        return JSONResponse(answers) if answers else _error(400, "services: at least one is needed")

    async def _api_keys(self, _request: Request) -> Response:
        keys = {"anon": self._credentials.anon_key, "service_role": self._credentials.service_role_key}
        return JSONResponse([{"name": name, "api_key": key} for name, key in keys.items()])

    async def _list(self, _request: Request) -> Response:
        return JSONResponse([_shown(function) for function in self._store.functions.values()])

    async def _get(self, request: Request) -> Response:
        function = self._store.functions.get(request.path_params["slug"])
        return JSONResponse(_shown(function)) if function else _error(404, "Function not found")

    async def _body(self, request: Request) -> Response:
        function = self._store.functions.get(request.path_params["slug"])
        if function is None:
            return _error(404, "Function not found")
        content, kind = as_form(function, self._store.source(function))
        return Response(content, media_type=kind)

    async def _deploy(self, request: Request) -> Response:
        slug = request.query_params.get("slug", "")
        if not SLUG.fullmatch(slug):
            return _error(400, f"Invalid function slug: {slug!r}")
        try:
            async with request.form(max_files=1000) as form:
                bundle = await make_bundle(self._store, slug, form)
        except BundleError as error:
            return _error(400, str(error))
        if request.query_params.get("bundleOnly") == "true":
            before = self._store.functions.get(slug)
            return JSONResponse(_bundled(bundle, before), 201)
        (function,) = self._store.switch([bundle])
        return JSONResponse(_shown(function), 201)

    async def _bulk_update(self, request: Request) -> Response:
        switches = TypeAdapter(list[Switch]).validate_json(await request.body())
        bundles: list[Bundle] = []
        for switch in switches:
            bundle = self._store.bundle(switch.ezbr_sha256)
            if bundle is None or bundle.slug != switch.slug:
                return _error(400, f"No such bundle of {switch.slug}: {switch.ezbr_sha256}")
            bundles.append(bundle.model_copy(update={"verify_jwt": switch.verify_jwt}))
        return JSONResponse({"functions": [_shown(function) for function in self._store.switch(bundles)]})

    async def _patch(self, request: Request) -> Response:
        function = self._store.functions.get(request.path_params["slug"])
        if function is None:
            return _error(404, "Function not found")
        changes = Patch.model_validate_json(await request.body()).model_dump(exclude_none=True)
        bundle = Bundle.model_validate(function.model_dump() | changes)
        (changed,) = self._store.switch([bundle])
        return JSONResponse(_shown(changed))

    async def _delete(self, request: Request) -> Response:
        removed = self._store.remove(request.path_params["slug"])
        return JSONResponse({}) if removed else _error(404, "Function not found")

    async def _list_secrets(self, _request: Request) -> Response:
        return JSONResponse([secret.shown() for secret in self._store.secrets.values()])

    async def _set_secrets(self, request: Request) -> Response:
        secrets = TypeAdapter(list[NewSecret]).validate_json(await request.body())
        if reserved := [one.name for one in secrets if RESERVED.fullmatch(one.name)]:
            return _error(400, f"Secret names must not start with SUPABASE_: {', '.join(reserved)}")
        self._store.set_secrets({one.name: one.value for one in secrets})
        return Response(status_code=201)

    async def _unset_secrets(self, request: Request) -> Response:
        self._store.unset_secrets(TypeAdapter(list[str]).validate_json(await request.body()))
        return JSONResponse({})


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"message": message}, status)


def _first(error: ValidationError) -> str:
    found = error.errors()[0]
    return ": ".join([*map(str, found["loc"]), found["msg"]])


def _answers(dsn: str) -> bool:
    try:
        with psycopg.connect(dsn, connect_timeout=2) as connection:
            connection.execute("select 1")
    except psycopg.Error:
        return False
    return True


def _project() -> dict[str, Any]:
    return {
        "id": PROJECT,
        "ref": PROJECT,
        "name": "Parker Flight (sandbox)",
        "organization_id": "sandbox",
        "organization_slug": "sandbox",
        "region": "us-east-1",
        "status": "ACTIVE_HEALTHY",
        "created_at": "2026-01-01T00:00:00Z",
        "database": {"host": "localhost", "version": "18", "postgres_engine": "18", "release_channel": "ga"},
    }


def _shown(function: Function) -> dict[str, Any]:
    shown = function.model_dump()
    shown["import_map"] = bool(function.import_map_path)
    shown["entrypoint_path"] = f"file:///{function.entrypoint_path}"
    return shown


def _bundled(bundle: Bundle, before: Function | None) -> dict[str, Any]:
    """A bundle that isn't live looks like the function that it would become."""
    now = int(time.time() * 1000)
    future = Function(
        **bundle.model_dump(),
        id=before.id if before else "00000000-0000-4000-8000-000000000000",
        version=before.version + 1 if before else 1,
        created_at=before.created_at if before else now,
        updated_at=now,
    )
    return _shown(future)
