"""What moto 5.2.5 drops of a Lambda function's configuration: its log settings, and a change of architecture."""

from typing import Any

from moto.awslambda.models import LambdaFunction


def remember_configuration(function: type[LambdaFunction]) -> None:
    make, get, update, update_code = (
        function.__init__,
        function.get_configuration,
        function.update_configuration,
        function.update_function_code,
    )

    def logging(self: Any, given: dict[str, Any]) -> None:
        """The log group is the function's own unless another one is named."""
        self.logging_config = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{self.function_name}"} | given
        self.logs_group_name = self.logging_config["LogGroup"]

    def make_with_logging(
        self: LambdaFunction, account_id: str, spec: dict[str, Any], *rest: Any, **named: Any
    ) -> None:
        make(self, account_id, spec, *rest, **named)
        logging(self, spec.get("LoggingConfig") or {})

    def get_configuration(self: Any, *rest: Any, **named: Any) -> dict[str, Any]:
        return get(self, *rest, **named) | {"LoggingConfig": self.logging_config}

    def update_configuration(self: LambdaFunction, config_updates: dict[str, Any]) -> dict[str, Any]:
        if (given := config_updates.get("LoggingConfig")) is not None:
            logging(self, given)
        return update(self, config_updates)

    def update_function_code(self: LambdaFunction, updated_spec: dict[str, Any]) -> dict[str, Any]:
        if architectures := updated_spec.get("Architectures"):
            self.architectures = architectures
        return update_code(self, updated_spec)

    function.__init__ = make_with_logging
    function.get_configuration = get_configuration
    function.update_configuration = update_configuration
    function.update_function_code = update_function_code
