"""The checks' way to the gateway, over httpx."""

import httpx

from checks.fetch import Fetch, Reply, Request, UnreachableError

NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


def fetch_over(client: httpx.Client) -> Fetch:
    """As long as the client waits."""

    def fetch(request: Request) -> Reply:
        try:
            answer = client.request(request.method, request.url, headers=dict(request.headers), content=request.body)
        except httpx.HTTPError as error:
            raise UnreachableError(
                type(error).__name__,
                timed_out=isinstance(error, httpx.TimeoutException),
                connected=not isinstance(error, NOT_CONNECTED),
            ) from error
        return Reply(status=answer.status_code, body=answer.content)

    return fetch
