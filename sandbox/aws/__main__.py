"""`python -m sandbox.aws --port PORT --log FILE --inbox FILE`.

Everything is kept in memory and is gone when the process ends; what was published to topics stands in the inbox, and
what functions printed beside the log.
"""

import argparse
import logging
from functools import cache
from pathlib import Path

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler
from werkzeug.serving import make_server

from sandbox.aws.control import Control
from sandbox.aws.faults import Faults, Faulty
from sandbox.aws.request_log import RequestLog
from sandbox.aws.services import Services
from sandbox.aws.stack_key import make_stack_key


def main() -> None:
    parser = argparse.ArgumentParser(prog="sandbox.aws")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--inbox", type=Path, required=True)
    arguments = parser.parse_args()
    folder = arguments.log.resolve().parent
    events = logging.FileHandler(folder / "events.log", delay=True)
    events.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logging.getLogger("sandbox.events").addHandler(events)
    faults = Faults()
    services = Services(folder, f"http://127.0.0.1:{arguments.port}", arguments.inbox, faults)
    make_stack_key()
    moto = DomainDispatcherApplication(services.app)
    moto.get_backend_for_host = cache(moto.get_backend_for_host)  # it looks through a folder of 200, a third of a call
    aws = RequestLog(Faulty(moto, faults), arguments.log)
    app = Control(aws, services)
    server = make_server("127.0.0.1", arguments.port, app, threaded=True, request_handler=MotoRequestHandler)
    server.serve_forever()


if __name__ == "__main__":
    main()
