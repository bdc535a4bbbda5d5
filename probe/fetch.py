"""The checks' way to the gateway, over urllib3."""

import time
from contextlib import closing

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProxyError, SSLError
from urllib3.exceptions import TimeoutError as TimedOutError

from checks.fetch import Fetch, Reply, Request, UnreachableError

LARGEST_BODY = 8 * 1024 * 1024  # bytes; Supabase's metrics are about 300 KB
CHUNK = 64 * 1024
# Those that end before anybody took the connection. A failed handshake is none of ours to tell from a missing host.
NOT_CONNECTED = (ConnectTimeoutError, NewConnectionError, ProxyError, SSLError)


def connections() -> urllib3.PoolManager:
    """Kept for one run: what the platform froze between two runs may be dead."""
    return urllib3.PoolManager(maxsize=10, cert_reqs="CERT_REQUIRED")


def fetch_until(deadline: float, pool: urllib3.PoolManager) -> Fetch:
    """`deadline` is of `time.monotonic`. Neither retried nor redirected: the answer counts, and so does the key."""

    def fetch(request: Request) -> Reply:
        try:
            answer = pool.request(
                request.method,
                request.url,
                headers=dict(request.headers),
                body=request.body,
                timeout=urllib3.Timeout(total=_left(deadline)),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            with closing(answer):  # one that was read to its end has given its connection back already
                return Reply(status=answer.status, body=_read(answer, deadline))
        except HTTPError as error:
            raise UnreachableError(
                type(error).__name__,
                timed_out=isinstance(error, TimedOutError) and not isinstance(error, NewConnectionError),
                connected=not isinstance(error, NOT_CONNECTED),
            ) from error

    return fetch


def _left(deadline: float) -> float:
    if (seconds := deadline - time.monotonic()) <= 0:
        raise UnreachableError("no time left", timed_out=True, connected=True)
    return seconds


def _read(answer: "urllib3.BaseHTTPResponse", deadline: float) -> bytes:
    body = bytearray()
    while chunk := answer.read(CHUNK):
        body += chunk
        if len(body) > LARGEST_BODY:
            raise UnreachableError("an answer without end", timed_out=False, connected=True)
        _left(deadline)  # the client's own time-out begins anew with each packet
    return bytes(body)
