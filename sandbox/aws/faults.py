"""Faults that AWS has and moto hasn't, off until somebody switches them on."""

import json
import threading
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import BaseModel, Field, ValidationError

FAULTS = "/moto-api/faults"
KMS = "TrentService."
THROTTLED = {
    "__type": "ThrottlingException",
    "message": "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
}


class Faults(BaseModel, extra="forbid"):
    """What is switched on."""

    throttled_share: float = Field(default=0, ge=0, le=1)
    """Of the calls to KMS, evenly spread."""
    unseen_role_seconds: float = Field(default=0, ge=0)
    """How long a new role is known to IAM alone."""


class Faulty:
    """WSGI middleware. `POST /moto-api/faults` takes `Faults` as JSON, and switches off what isn't named."""

    def __init__(self, app: Callable[..., Iterable[bytes]], faults: Faults) -> None:
        self._app = app
        self._on = faults
        self._lock = threading.Lock()
        self._calls = 0

    def _switch(self, faults: Faults) -> None:
        with self._lock:
            for name, value in faults:
                setattr(self._on, name, value)
            self._calls = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) == ("POST", FAULTS):
            try:
                self._switch(Faults.model_validate_json(environ["wsgi.input"].read()))
            except ValidationError as error:
                start_response("400 Bad Request", [("Content-Type", "text/plain")])
                return [str(error).encode()]
            start_response("204 No Content", [])
            return []
        if environ.get("HTTP_X_AMZ_TARGET", "").startswith(KMS) and self._throttles():
            start_response("400 Bad Request", [("Content-Type", "application/x-amz-json-1.1")])
            return [json.dumps(THROTTLED).encode()]
        return self._app(environ, start_response)

    def _throttles(self) -> bool:
        with self._lock:
            before = int(self._calls * self._on.throttled_share)
            self._calls += 1
            return int(self._calls * self._on.throttled_share) > before
