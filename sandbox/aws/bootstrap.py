"""Lambda's Python runtime: loads the handler, calls it with the event, and writes down what it returned or raised.

`bootstrap.py RESULT READY` runs in the function's own process, beside nothing but what Lambda has there, and so imports
nothing of this project. Both are open file descriptors; READY is closed when the handler is loaded. Then the invocation
comes as one line of JSON on stdin, which stays open: its end is that of the sandbox, and then of this process and of
all that it started.
"""

import importlib
import json
import logging
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(kw_only=True)
class Context:
    """What a handler learns about its invocation, by Lambda's names."""

    function_name: str
    function_version: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    aws_request_id: str
    log_group_name: str
    log_stream_name: str
    deadline: float
    identity: None = None
    client_context: None = None

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline - time.time()) * 1000))


def main() -> None:
    # The task comes first, as in Lambda. What stands beside this file isn't on the path: `-I`.
    sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], os.environ["LAMBDA_RUNTIME_DIR"]]
    invocations: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=follow_the_sandbox, args=(os.dup(0), invocations), daemon=True).start()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # what a handler finds there
    # As Lambda does it: warnings and above of any logger are printed.
    logging.basicConfig(stream=sys.stdout, format="[%(levelname)s]\t%(asctime)s\t%(message)s")
    result, ready = int(sys.argv[1]), int(sys.argv[2])
    answer: dict[str, Any]
    try:
        handler = load(os.environ["_HANDLER"])
    except Exception as error:  # noqa: BLE001  # whatever it is, it's the function's
        kinds = {ImportError: "Runtime.ImportModuleError", AttributeError: "Runtime.HandlerNotFound"}
        kind = next((kind for of, kind in kinds.items() if isinstance(error, of)), type(error).__name__)
        answer = failure(error, kind, f"Unable to load {os.environ['_HANDLER']}: {error}")
    else:
        os.close(ready)
        invocation = json.loads(invocations.get())
        answer = outcome(handler, invocation["event"], Context(**invocation["context"]))
    with os.fdopen(result, "w") as file:
        json.dump(answer, file)


def follow_the_sandbox(stdin: int, invocations: "queue.SimpleQueue[bytes]") -> None:
    with os.fdopen(stdin, "rb") as lines:
        for line in lines:
            invocations.put(line)
    os.killpg(0, signal.SIGKILL)


def outcome(handler: Callable[[Any, Context], Any], event: Any, context: Context) -> dict[str, Any]:
    """`{"value": …}`, or `{"error": …}` in Lambda's form."""
    try:
        value = handler(event, context)
    except Exception as error:  # noqa: BLE001
        return failure(error, type(error).__name__, str(error))
    try:
        return {"value": json.loads(json.dumps(value))}
    except (TypeError, ValueError) as error:
        return failure(error, "Runtime.MarshalError", f"Unable to marshal response: {error}")


def load(name: str) -> Callable[[Any, Context], Any]:
    module, _, function = name.rpartition(".")
    return getattr(importlib.import_module(module.replace("/", ".")), function)


def failure(error: Exception, kind: str, message: str) -> dict[str, Any]:
    trace = traceback.format_tb(error.__traceback__)
    print(f"[ERROR] {kind}: {message}\nTraceback (most recent call last):\n{''.join(trace)}", end="")
    return {"error": {"errorMessage": message, "errorType": kind, "stackTrace": trace}}


if __name__ == "__main__":
    main()
