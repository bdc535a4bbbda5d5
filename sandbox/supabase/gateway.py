"""`/functions/v1/<name>`: who may come in, and the way to the function's process."""

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.supabase.credentials import Credentials
from sandbox.supabase.functions import BootError, Functions
from sandbox.supabase.store import Store
from sandbox.supabase.tokens import TokenError, claims_of

FUNCTION_SECONDS = 60
# Belong to one connection, or are set anew for the next.
HOP_BY_HOP = frozenset({"connection", "content-length", "host", "keep-alive", "te", "transfer-encoding", "upgrade"})
DECODED = frozenset({"content-encoding"})


class Gateway:
    """Forwards a call to the live version of a function, if the caller's token is good."""

    def __init__(self, store: Store, credentials: Credentials, functions: Functions) -> None:
        self._store = store
        self._credentials = credentials
        self._functions = functions
        limits = httpx.Limits(max_connections=None)
        # The functions are on this machine: a proxy in the environment is for other calls.
        self._client = httpx.AsyncClient(timeout=FUNCTION_SECONDS, limits=limits, trust_env=False)

    async def call(self, request: Request) -> Response:
        function = self._store.functions.get(request.path_params["name"])
        if function is None:
            return _error(404, "NOT_FOUND", "Requested function was not found")
        if function.verify_jwt and request.method != "OPTIONS":
            try:
                claims_of(request.headers.get("authorization"), self._credentials.jwt_secret)
            except TokenError as error:
                return _error(401, "UNAUTHORIZED", str(error))
        try:
            async with self._functions.serving(function) as port:
                return await self._forward(request, port)
        except BootError as error:
            return _error(503, "BOOT_ERROR", str(error))
        except httpx.TimeoutException:
            return _error(504, "TIMEOUT", "the function did not answer in time")
        except httpx.HTTPError as error:
            return _error(502, "WORKER_ERROR", f"the function broke off: {type(error).__name__}")

    async def close(self) -> None:
        await self._client.aclose()
        await self._functions.stop()

    async def _forward(self, request: Request, port: int) -> Response:
        name, rest = request.path_params["name"], request.path_params.get("rest", "")
        # The function sees its own name as the first part of the path, as in the edge runtime.
        url = httpx.URL(f"http://127.0.0.1:{port}/{name}{rest}", query=request.url.query.encode())
        headers = [(key, value) for key, value in request.headers.items() if key not in HOP_BY_HOP]
        answer = await self._client.request(request.method, url, headers=headers, content=await request.body())
        response = Response(answer.content, answer.status_code)
        for key, value in answer.headers.multi_items():
            if key not in HOP_BY_HOP | DECODED:
                response.headers.append(key, value)
        return response


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"code": code, "message": message, "msg": message}, status)
