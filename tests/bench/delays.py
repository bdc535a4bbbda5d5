"""A proxy before the sandbox's APIs that answers as they do, later: what distance and Supabase's bundling cost.

Delayed are the calls of `pf`, of the engine and of the Supabase CLI: each call of AWS, and each upload of a function.
Not delayed: other calls of the Management API, calls through the gateway, and what the functions ask of AWS.
"""

import asyncio
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.supabase.__main__ import METHODS
from sandbox.supabase.gateway import DECODED, HOP_BY_HOP
from sandbox.supabase.profile import write_profile
from tests.e2e.checkout import Checkout

UPLOAD = "/functions/deploy"
ANSWER_SECONDS = 60


@contextmanager
def delayed(checkout: Checkout, *, aws: float, upload: float) -> Generator[dict[str, str]]:
    """The variables that lead through the proxy: so many seconds before each call of AWS and each upload."""
    addresses = checkout.environment
    with (
        proxy(addresses["AWS_ENDPOINT_URL"], lambda _path: aws) as aws_url,
        proxy(addresses["SUPABASE_API_URL"], lambda path: upload if path.endswith(UPLOAD) else 0) as supabase_url,
    ):
        profile = checkout.state / "delayed.yaml"
        write_profile(profile, supabase_url)
        yield {"AWS_ENDPOINT_URL": aws_url, "SUPABASE_API_URL": supabase_url, "SUPABASE_PROFILE": str(profile)}


@contextmanager
def proxy(upstream: str, seconds: Callable[[str], float]) -> Generator[str]:
    listening = socket.create_server(("127.0.0.1", 0))  # from here on calls are queued, so nobody need wait for it
    server = uvicorn.Server(uvicorn.Config(_application(upstream, seconds), log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="delaying proxy")
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def _application(upstream: str, seconds: Callable[[str], float]) -> Starlette:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[Mapping[str, httpx.AsyncClient]]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS, limits=limits, trust_env=False) as client:
            yield {"client": client}

    async def forward(request: Request) -> Response:
        client: httpx.AsyncClient = request.state.client
        url = httpx.URL(upstream, raw_path=request.scope["raw_path"] + _query(request))
        headers = [(name, value) for name, value in request.headers.items() if name not in HOP_BY_HOP]
        body = await request.body()
        await asyncio.sleep(seconds(request.url.path))
        answer = await client.request(request.method, url, headers=headers, content=body)
        response = Response(answer.content, answer.status_code)
        for name, value in answer.headers.multi_items():
            if name not in HOP_BY_HOP | DECODED:
                response.headers.append(name, value)
        return response

    return Starlette(routes=[Route("/{path:path}", forward, methods=METHODS)], lifespan=lifespan)


def _query(request: Request) -> bytes:
    query: bytes = request.scope["query_string"]
    return b"?" + query if query else b""
