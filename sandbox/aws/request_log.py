"""What reached AWS."""

import io
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs


def operation(environ: dict[str, Any], body: bytes) -> str:
    """The API operation's name, in whichever of AWS's protocols the request came."""
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).rpartition(".")[2]
    path = str(environ["PATH_INFO"])
    if "/operation/" in path:
        return path.rpartition("/")[2]
    form = parse_qs(body.decode("utf-8", "replace"))
    return form["Action"][0] if "Action" in form else path


class RequestLog:
    """WSGI middleware: one JSON line a request (time, operation, status), so that tests can say what reached AWS."""

    def __init__(self, app: Callable[..., Iterable[bytes]], file: Path) -> None:
        self._app = app
        self._file = file.open("a", buffering=1)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)

        def log_and_start(status: str, *rest: Any) -> Any:
            entry = {
                "time": datetime.now(UTC).isoformat(),
                "operation": operation(environ, body),
                "status": int(status.split()[0]),
            }
            self._file.write(json.dumps(entry) + "\n")
            return start_response(status, *rest)

        return self._app(environ, log_and_start)
