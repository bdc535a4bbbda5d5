"""`python -m sandbox.supabase --port PORT --state FOLDER --database DSN --aws-endpoint URL`."""

import argparse
import contextlib
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.supabase.credentials import Credentials
from sandbox.supabase.functions import Functions
from sandbox.supabase.gateway import Gateway
from sandbox.supabase.management import CALLS_A_MINUTE, Management
from sandbox.supabase.metrics import PATH as METRICS
from sandbox.supabase.metrics import Metrics
from sandbox.supabase.rest import Rest
from sandbox.supabase.store import Store

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class RequestLog:
    """One JSON line a request, without headers and bodies: no secret gets there."""

    def __init__(self, app: ASGIApp, file: Path) -> None:
        self._app = app
        self._file = file.open("a", buffering=1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def log_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry = {
                    "time": datetime.now(UTC).isoformat(),
                    "method": scope["method"],
                    "path": scope["path"],
                    "query": scope["query_string"].decode(errors="replace"),
                    "status": message["status"],
                }
                self._file.write(json.dumps(entry) + "\n")
            await send(message)

        await self._app(scope, receive, log_and_send)


def application(state: Path, database: str, base_url: str, aws_endpoint: str, calls_a_minute: int) -> ASGIApp:
    """The whole project behind one address."""
    credentials = Credentials.load_or_create(state)
    store = Store(state)
    injected = {
        "SUPABASE_URL": base_url,
        "SUPABASE_ANON_KEY": credentials.anon_key,
        "SUPABASE_SERVICE_ROLE_KEY": credentials.service_role_key,
        "AWS_ENDPOINT_URL": aws_endpoint,
    }
    gateway = Gateway(store, credentials, Functions(store, injected, state / "functions.log"))
    rest = Rest(database, credentials)
    metrics = Metrics(database, credentials, disk=state)

    async def table(request: Request) -> Response:
        body = await request.body()
        return await to_thread.run_sync(rest.table, request, body)

    async def ready(_request: Request) -> Response:
        return PlainTextResponse("ok")

    async def unknown(request: Request, _error: Exception) -> Response:
        return JSONResponse({"message": f"the sandbox does not serve {request.method} {request.url.path}"}, 404)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        yield
        await gateway.close()

    app = Starlette(
        routes=[
            Route("/healthz", ready),
            *Management(store, credentials, database, calls_a_minute).routes(),
            Route("/functions/v1/{name}", gateway.call, methods=METHODS),
            Route("/functions/v1/{name}{rest:path}", gateway.call, methods=METHODS),
            Route(METRICS, metrics.answer, methods=["GET"]),
            Route("/rest/v1/", rest.root, methods=["GET"]),
            Route("/rest/v1/{table}", table, methods=METHODS),
        ],
        exception_handlers={404: unknown},
        lifespan=lifespan,
    )
    return RequestLog(app, state / "requests.jsonl")


def main() -> None:
    parser = argparse.ArgumentParser(prog="sandbox.supabase")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--aws-endpoint", required=True)
    parser.add_argument("--calls-a-minute", type=int, default=CALLS_A_MINUTE)
    arguments = parser.parse_args()
    app = application(
        arguments.state,
        arguments.database,
        f"http://127.0.0.1:{arguments.port}",
        arguments.aws_endpoint,
        arguments.calls_a_minute,
    )
    uvicorn.run(app, host="127.0.0.1", port=arguments.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
