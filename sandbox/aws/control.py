"""What tests and people need and AWS doesn't have: a scheduled rule need not be waited for."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from sandbox.aws.services import Services

RUN_RULES = "/moto-api/rules/run"


class Control:
    """WSGI middleware. `POST /moto-api/rules/run` runs every enabled scheduled rule, waits for the functions among its
    targets, and answers the rules' names as a JSON list.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], services: Services) -> None:
        self._app = app
        self._services = services

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) != ("POST", RUN_RULES):
            return self._app(environ, start_response)
        names = self._services.event_bridge.run_all()
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(names).encode()]
