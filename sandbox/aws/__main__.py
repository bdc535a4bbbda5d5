"""`python -m sandbox.aws --port PORT --log FILE --inbox FILE`.

Everything is kept in memory and is gone when the process ends; what was published to topics stands in the inbox.
"""

import argparse
from pathlib import Path
from typing import Any

from moto.kms.responses import KmsResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.sns.models import Topic
from werkzeug.serving import make_server

from sandbox import inbox
from sandbox.aws.kms import remember_rotation_period
from sandbox.aws.request_log import RequestLog


def mended_app(service: Any) -> Any:
    """The service's application; what we add to it is imported when it is first asked for, like the service itself."""
    match service:
        case "cloudwatch":
            from moto.cloudwatch.responses import CloudWatchResponse

            from sandbox.aws.alarms import evaluate_alarms
            from sandbox.aws.cloudwatch import order_dimensions, serve_composite_alarms

            order_dimensions()
            serve_composite_alarms(CloudWatchResponse)
            evaluate_alarms(CloudWatchResponse)
        case "awslambda":
            from moto.awslambda.models import LambdaFunction

            from sandbox.aws.functions import remember_configuration

            remember_configuration(LambdaFunction)
        case _:
            pass
    return create_backend_app(service)


def main() -> None:
    parser = argparse.ArgumentParser(prog="sandbox.aws")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--inbox", type=Path, required=True)
    arguments = parser.parse_args()
    remember_rotation_period(KmsResponse)
    inbox.keep(Topic, arguments.inbox)
    app = RequestLog(DomainDispatcherApplication(mended_app), arguments.log)
    server = make_server("127.0.0.1", arguments.port, app, threaded=True, request_handler=MotoRequestHandler)
    server.serve_forever()


if __name__ == "__main__":
    main()
