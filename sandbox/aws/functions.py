"""Lambda, where moto 5.2.5 needs Docker or drops something: functions run, and keep their log settings."""

import base64
import contextlib
import hashlib
import json
import threading
from typing import Any

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.utils import unix_time_millis
from moto.logs.models import logs_backends
from moto.sts.models import AssumedRole, sts_backends

from sandbox.aws.invocations import Deployed, Invocations, Outcome

LOG_TAIL = 4096  # what Invoke returns of the log, in bytes


class TooManyRequestsError(LambdaClientError):
    code = 429

    def __init__(self) -> None:
        super().__init__("TooManyRequestsException", "Rate Exceeded.")


class InvalidRequestContentError(LambdaClientError):
    def __init__(self, error: ValueError) -> None:
        super().__init__("InvalidRequestContentException", f"Could not parse request body into json: {error}")


class Functions:
    """Runs the functions that stand in moto, and reports their metrics and logs as Lambda does.

    One run of a function at a time: a second one is throttled, as with one reserved concurrent execution.
    """

    def __init__(self, invocations: Invocations) -> None:
        self._invocations = invocations
        self._running: set[str] = set()
        self._lock = threading.Lock()
        self._roles: dict[str, AssumedRole] = {}

    def run(self, function: LambdaFunction, event: str) -> Outcome:
        """Raises: TooManyRequestsError, InvalidRequestContentError; nothing ran."""
        try:
            json.loads(event)
        except ValueError as error:
            raise InvalidRequestContentError(error) from None
        with self._lock:
            throttled = function.function_arn in self._running or function.reserved_concurrency == 0
            if not throttled:
                self._running.add(function.function_arn)
        if throttled:
            _put_metrics(function, {"Throttles": (1, "Count")})
            raise TooManyRequestsError
        try:
            outcome = self._invocations.run(self._deployed(function), event)
        finally:
            self._running.discard(function.function_arn)
        _put_metrics(
            function,
            {
                "Invocations": (1, "Count"),
                "Errors": (int(outcome.failed), "Count"),
                "Throttles": (0, "Count"),
                "Duration": (outcome.seconds * 1000, "Milliseconds"),
            },
        )
        _put_log(function, outcome)
        return outcome

    def start(self, function: LambdaFunction, event: str) -> threading.Thread:
        """Run it as an asynchronous invocation; one that is throttled is given up, where Lambda would try for hours."""

        def run() -> None:
            with contextlib.suppress(TooManyRequestsError):  # which has been counted
                self.run(function, event)

        thread = threading.Thread(target=run, name=f"run {function.function_name}", daemon=True)
        thread.start()
        return thread

    def _deployed(self, function: LambdaFunction) -> Deployed:
        role = self._assumed(function)
        return Deployed(
            name=function.function_name,
            arn=function.function_arn,
            version=str(function.version),
            handler=str(function.handler),
            runtime=str(function.run_time),
            environment=dict(function.environment_vars),
            timeout=int(function.timeout),
            memory=int(function.memory_size),
            log_group=function.logs_group_name,
            region=function.region,
            zip=function.code_bytes,
            digest=hashlib.sha256(function.code_bytes).hexdigest(),
            credentials={
                "AWS_ACCESS_KEY_ID": role.access_key_id,
                "AWS_SECRET_ACCESS_KEY": role.secret_access_key,
                "AWS_SESSION_TOKEN": role.session_token,
            },
        )

    def _assumed(self, function: LambdaFunction) -> AssumedRole:
        """The function's role, assumed once."""
        sts = sts_backends[function.account_id][function.partition]
        key = f"{function.function_arn} {function.role}"
        if self._roles.get(key) not in sts.assumed_roles:
            self._roles[key] = sts.assume_role(
                region_name=function.region,
                role_session_name=function.function_name,
                role_arn=function.role,
                policy="",
                duration=3600,
                external_id="",
            )
        return self._roles[key]


def serve_invocations(backend: type[LambdaBackend], functions: Functions) -> None:
    """Lambda's Invoke."""

    def invoke(
        self: LambdaBackend, function_name: str, qualifier: str | None, body: Any, headers: Any, response_headers: Any
    ) -> bytes:
        function = self.get_function(function_name, qualifier)
        event = body.decode() if isinstance(body, bytes) else body
        match headers.get("X-Amz-Invocation-Type"):
            case "DryRun":
                return b""
            case "Event":
                functions.start(function, event or "{}")
                return b""
            case _:
                outcome = functions.run(function, event or "{}")
        if outcome.failed:
            response_headers["x-amz-function-error"] = "Unhandled"
        response_headers["x-amz-log-result"] = base64.b64encode(outcome.log.encode()[-LOG_TAIL:]).decode()
        return outcome.payload

    backend.invoke = invoke


def remember_configuration(function: type[LambdaFunction]) -> None:
    """Keep what moto drops: the log settings, and a change of architecture."""
    make, get = function.__init__, function.get_configuration
    update, update_code = function.update_configuration, function.update_function_code

    def set_logging(self: Any, given: dict[str, Any]) -> None:
        """The log group is the function's own unless another one is named."""
        self.logging_config = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{self.function_name}"} | given
        self.logs_group_name = self.logging_config["LogGroup"]

    def make_with_logging(
        self: LambdaFunction, account_id: str, spec: dict[str, Any], *rest: Any, **named: Any
    ) -> None:
        make(self, account_id, spec, *rest, **named)
        set_logging(self, spec.get("LoggingConfig") or {})

    def get_configuration(self: Any, *rest: Any, **named: Any) -> dict[str, Any]:
        return get(self, *rest, **named) | {"LoggingConfig": self.logging_config}

    def update_configuration(self: LambdaFunction, config_updates: dict[str, Any]) -> dict[str, Any]:
        if (given := config_updates.get("LoggingConfig")) is not None:
            set_logging(self, given)
        return update(self, config_updates)

    def update_function_code(self: LambdaFunction, updated_spec: dict[str, Any]) -> dict[str, Any]:
        if architectures := updated_spec.get("Architectures"):
            self.architectures = architectures
        return update_code(self, updated_spec)

    function.__init__ = make_with_logging
    function.get_configuration = get_configuration
    function.update_configuration = update_configuration
    function.update_function_code = update_function_code


def _put_metrics(function: LambdaFunction, values: dict[str, tuple[float, str]]) -> None:
    dimensions = [{"Name": "FunctionName", "Value": function.function_name}]
    data = [
        {"MetricName": name, "Value": value, "Unit": unit, "Dimensions": dimensions}
        for name, (value, unit) in values.items()
    ]
    cloudwatch_backends[function.account_id][function.region].put_metric_data("AWS/Lambda", data)


def _put_log(function: LambdaFunction, outcome: Outcome) -> None:
    """Into its log group, where there is one."""
    logs = logs_backends[function.account_id][function.region]
    if function.logs_group_name not in logs.groups:
        return
    now = int(unix_time_millis())
    logs.ensure_log_stream(function.logs_group_name, outcome.log_stream)
    lines = [{"timestamp": now, "message": line} for line in outcome.log.splitlines()]
    logs.put_log_events(function.logs_group_name, outcome.log_stream, lines)
