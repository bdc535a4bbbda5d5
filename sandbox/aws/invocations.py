"""Running a deployed function as Lambda does: its own zip, handler, environment and time limit, in its own process.

The process sees Python, boto3 and what boto3 brings, and nothing else of this project.
"""

import contextlib
import io
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from uuid import uuid4

from sandbox.processes import MARK
from sandbox.state import SandboxError

BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
INIT_SECONDS = 30  # to load the handler, before the time limit begins: Lambda gives it 10, and has more than 2 cores
RUNTIME_PACKAGES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A function as it stands in Lambda. `timeout` in seconds, `memory` in MB, `digest` names the zip's content."""

    name: str
    arn: str
    version: str
    handler: str
    runtime: str
    environment: Mapping[str, str]
    timeout: int
    memory: int
    log_group: str
    region: str
    zip: bytes
    digest: str
    credentials: Mapping[str, str]
    """The role's, by the names of their environment variables."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run came to; `payload` is the answer, or the error where `failed`. `seconds` without loading."""

    payload: bytes
    failed: bool
    log: str
    log_stream: str
    seconds: float


class Invocations:
    """Runs functions, whose files and logs are kept in `folder`. They find AWS at `endpoint`."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self._folder = folder
        self._endpoint = endpoint

    def run(self, function: Deployed, event: str) -> Outcome:
        """Run it once, to its end or its time limit; nothing that it started outlives the run."""
        request = str(uuid4())
        stream = f"{datetime.now(UTC):%Y/%m/%d}/[{function.version}]{uuid4().hex}"
        with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as result, _pipe() as (waiting, ready):
            begun = time.monotonic()
            process = subprocess.Popen(
                # Isolated and without site-packages: the runtime's own packages are all there is.
                [sys.executable, "-I", "-S", "-u", str(BOOTSTRAP), str(result.fileno()), str(ready.fileno())],
                cwd=self._unpacked(function),
                env=self._environment(function, stream),
                stdin=subprocess.PIPE,
                stdout=printed,
                stderr=subprocess.STDOUT,
                pass_fds=(result.fileno(), ready.fileno()),
                start_new_session=True,
            )
            ready.close()
            started = begun
            timed_out = True
            try:
                if select.select([waiting], [], [], INIT_SECONDS)[0]:
                    started = time.monotonic()
                    invocation = {"event": json.loads(event), "context": _context(function, request, stream)}
                    timed_out = _ended_late(process, f"{json.dumps(invocation)}\n".encode(), function.timeout)
            finally:
                with contextlib.suppress(ProcessLookupError):  # nothing of its group is left
                    os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
            seconds = time.monotonic() - started
            printed.seek(0)
            result.seek(0)
            text, answer = printed.read().decode(errors="replace"), result.read()
        if timed_out:
            message = f"Task timed out after {function.timeout:.2f} seconds"
            text += f"{datetime.now(UTC).isoformat()} {request} {message}\n"
            answer = _error("Sandbox.Timedout", f"RequestId: {request} Error: {message}")
        elif not answer:
            message = f"Runtime exited with error: {_ending(process.returncode)}"
            text += f"RequestId: {request} Error: {message}\n"
            answer = _error("Runtime.ExitError", f"RequestId: {request} Error: {message}")
        said = json.loads(answer)
        log = (
            f"START RequestId: {request} Version: {function.version}\n{text}END RequestId: {request}\n"
            f"REPORT RequestId: {request}\tDuration: {seconds * 1000:.2f} ms\tMemory Size: {function.memory} MB\t"
            f"Init Duration: {(started - begun) * 1000:.2f} ms\n"
        )
        with (self._folder / f"lambda-{function.name}.log").open("a") as file:
            file.write(log)
        failed = "error" in said
        payload = json.dumps(said["error"] if failed else said["value"]).encode()
        return Outcome(payload=payload, failed=failed, log=log, log_stream=stream, seconds=seconds)

    def _unpacked(self, function: Deployed) -> Path:
        """The folder of this very zip; a later one of the same function takes its place."""
        place = self._folder / "functions" / function.name / function.digest
        if not place.exists():
            shutil.rmtree(place.parent, ignore_errors=True)
            unfinished = place.with_name("unfinished")
            with zipfile.ZipFile(io.BytesIO(function.zip)) as file:
                file.extractall(unfinished)
            unfinished.rename(place)
        return place

    def _environment(self, function: Deployed, stream: str) -> dict[str, str]:
        task = self._folder / "functions" / function.name / function.digest
        mark = {MARK: os.environ[MARK]} if MARK in os.environ else {}  # so that `down` finds what a kill leaves
        return mark | {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "HOME": str(task.parent),  # whoever runs the sandbox may have AWS settings of their own
            "AWS_ENDPOINT_URL": self._endpoint,
            **function.environment,
            **function.credentials,
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            "LAMBDA_TASK_ROOT": str(task),
            "LAMBDA_RUNTIME_DIR": str(self._runtime()),
            "_HANDLER": function.handler,
        }

    def _runtime(self) -> Path:
        """A folder with the runtime's packages, and no other."""
        folder = self._folder / "lambda-runtime"
        folder.mkdir(exist_ok=True)
        for name in RUNTIME_PACKAGES:
            module = find_spec(name)
            if module is None or module.origin is None:
                raise SandboxError(f"{name}, which Lambda has, is not in this environment.\n  Install it: make setup")
            package = Path(module.origin).parent if module.submodule_search_locations else Path(module.origin)
            link = folder / package.name
            if not link.is_symlink():
                link.symlink_to(package)
        return folder


@contextlib.contextmanager
def _pipe() -> Generator[tuple[IO[bytes], IO[bytes]]]:
    """(reading end, writing end)"""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as one, os.fdopen(writing, "wb") as other:
        yield one, other


def _ended_late(process: subprocess.Popen[bytes], line: bytes, timeout: float) -> bool:
    """Give it its invocation, and wait for its end. Whether it took too long; stdin stays open until then."""
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):  # it may have died at once
            process.stdin.write(line)
            process.stdin.flush()
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        return True
    return False


def _context(function: Deployed, request: str, stream: str) -> dict[str, str | float]:
    return {
        "function_name": function.name,
        "function_version": function.version,
        "invoked_function_arn": function.arn,
        "memory_limit_in_mb": str(function.memory),
        "aws_request_id": request,
        "log_group_name": function.log_group,
        "log_stream_name": stream,
        "deadline": time.time() + function.timeout,
    }


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"error": {"errorType": kind, "errorMessage": message}}).encode()


def _ending(code: int) -> str:
    return f"signal: {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
