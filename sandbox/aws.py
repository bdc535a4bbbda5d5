"""AWS on this machine: the moto server, with a request log and the few answers that moto gets wrong.

`python -m sandbox.aws --port PORT --log FILE --inbox FILE`. Everything is kept in memory and is gone when the process
ends; what was published to topics stands in the inbox.
"""

import argparse
import io
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from moto.backends import get_backend
from moto.kms.responses import KmsResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.sns.models import Topic
from werkzeug.serving import make_server

from sandbox import inbox

DEFAULT_ROTATION_DAYS = 365  # what KMS takes when EnableKeyRotation names no period

_rotation_days: dict[str, int] = {}


def remember_rotation_period(response: type[KmsResponse]) -> None:
    """Keep `RotationPeriodInDays`, which moto 5.2.5 drops: without it every refresh would report drift."""
    enable, status = response.enable_key_rotation, response.get_key_rotation_status

    def key_id(self: KmsResponse) -> str:
        backend = get_backend("kms")[self.current_account][self.region]
        return str(backend.get_key_id(self._get_param("KeyId")))  # pyright: ignore[reportPrivateUsage]

    def enable_key_rotation(self: KmsResponse) -> str:
        answer = enable(self)
        period: Any = self._get_param("RotationPeriodInDays")  # pyright: ignore[reportPrivateUsage]
        _rotation_days[key_id(self)] = int(period or DEFAULT_ROTATION_DAYS)
        return answer

    def get_key_rotation_status(self: KmsResponse) -> str:
        answer: dict[str, Any] = json.loads(status(self))
        if answer["KeyRotationEnabled"]:
            answer["RotationPeriodInDays"] = _rotation_days.get(key_id(self), DEFAULT_ROTATION_DAYS)
        return json.dumps(answer)

    response.enable_key_rotation = enable_key_rotation
    response.get_key_rotation_status = get_key_rotation_status


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


def main() -> None:
    parser = argparse.ArgumentParser(prog="sandbox.aws")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--inbox", type=Path, required=True)
    arguments = parser.parse_args()
    remember_rotation_period(KmsResponse)
    inbox.keep(Topic, arguments.inbox)
    app = RequestLog(DomainDispatcherApplication(create_backend_app), arguments.log)
    server = make_server("127.0.0.1", arguments.port, app, threaded=True, request_handler=MotoRequestHandler)
    server.serve_forever()


if __name__ == "__main__":
    main()
