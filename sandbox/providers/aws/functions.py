"""Lambda functions of a zip, and who may invoke them."""

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

from sandbox.providers.archives import zipped
from sandbox.providers.aws.clients import Clients, once_seen, unless_gone
from sandbox.providers.resource import TAGS, IncompleteError, Property, Resource
from sandbox.providers.wire import Values

GONE = ("ResourceNotFoundException",)
RUNTIMES = ("python3.11", "python3.12", "python3.13", "python3.14")  # what the sandbox can run
RESERVED_VARIABLES = re.compile(
    r"_HANDLER|_X_AMZN_TRACE_ID|AWS_(DEFAULT_)?REGION|AWS_EXECUTION_ENV|AWS_LAMBDA_\w+"
    r"|AWS_ACCESS_KEY(_ID)?|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|LAMBDA_TASK_ROOT|LAMBDA_RUNTIME_DIR"
)
UNRESERVED = -1
LONGEST_ENVIRONMENT = 4096

_found = partial(unless_gone, GONE)


class Function(Resource):
    """The id is the function's name. Code that was changed by hand is no drift, as with the official provider."""

    type_name = "aws:lambda/function:Function"
    label = "Lambda Function"
    computed = (
        *("arn", "codeSha256", "invokeArn", "lastModified", "loggingConfig", "qualifiedArn", "sourceCodeHash"),
        *("sourceCodeSize", "tagsAll", "version"),
    )
    properties: ClassVar = {
        "architectures": Property(kind="strings", filled_in=True, choices=(["x86_64"], ["arm64"])),
        "code": Property(kind="archive", required=True, write_only=True),
        "codeSha256": Property(filled_in=True),
        "description": Property(default="", longest=256),
        "environment": Property(kind="object", fields={"variables": Property(kind="map")}),
        "handler": Property(required=True, pattern=r"\S{1,128}"),
        "loggingConfig": Property(
            kind="object",
            filled_in=True,
            fields={
                "logFormat": Property(required=True, choices=("Text", "JSON")),
                "logGroup": Property(longest=512),
            },
        ),
        "memorySize": Property(kind="integer", default=128, between=(128, 10240)),
        "name": Property(replaces=True, pattern=r"[a-zA-Z0-9_-]{1,64}"),
        "packageType": Property(default="Zip", replaces=True, choices=("Zip",)),
        "publish": Property(kind="boolean", write_only=True, choices=(False,)),
        "reservedConcurrentExecutions": Property(kind="integer", default=UNRESERVED, between=(UNRESERVED, 1000)),
        "role": Property(required=True, pattern=r"arn:aws[\w-]*:iam::\d{12}:role/.+"),
        "runtime": Property(required=True, choices=RUNTIMES),
        "skipDestroy": Property(kind="boolean", write_only=True),
        "sourceCodeHash": Property(filled_in=True, write_only=True),
        "tags": TAGS,
        "timeout": Property(kind="integer", default=3, between=(1, 900)),
    }
    of_code = frozenset({"architectures", "code", "codeSha256", "sourceCodeHash"})
    elsewhere = of_code | {"reservedConcurrentExecutions", "tags", "skipDestroy", "publish"}

    def combined_failures(self, inputs: Values) -> Iterator[tuple[str, str]]:
        for name in _variables(inputs):
            if RESERVED_VARIABLES.fullmatch(name):
                yield "environment", f"environment: Lambda sets {name} itself and refuses another value"
        size = sum(len(name) + len(value) for name, value in _variables(inputs).items())
        if size > LONGEST_ENVIRONMENT:
            yield "environment", f"environment: Lambda takes {LONGEST_ENVIRONMENT} bytes of variables, got {size}"

    def create(self, aws: Clients, inputs: Values) -> str:
        functions, name = aws.client("lambda"), str(inputs["name"])
        once_seen(
            "cannot be assumed by Lambda",
            functions.create_function,
            FunctionName=name,
            Code={"ZipFile": zipped(inputs["code"])},
            PackageType="Zip",
            Tags=aws.tags(inputs),
            **({"Architectures": inputs["architectures"]} if "architectures" in inputs else {}),
            **self._configuration(inputs),
        )
        try:
            self._reserve(functions, name, inputs)
        except Exception as error:
            raise IncompleteError(name, f"the function {name} stands, but: {error}") from error
        return name

    def read(self, aws: Clients, id_: str) -> Values | None:
        functions = aws.client("lambda")
        found = _found(functions.get_function, FunctionName=id_)
        if found is None:
            return None
        live, arn = found["Configuration"], found["Configuration"]["FunctionArn"]
        reserved = functions.get_function_concurrency(FunctionName=id_).get("ReservedConcurrentExecutions")
        variables = live.get("Environment", {}).get("Variables")
        logging = live["LoggingConfig"]
        return {
            "architectures": live["Architectures"],
            "arn": arn,
            "codeSha256": live["CodeSha256"],
            "description": live["Description"],
            "environment": {"variables": variables} if variables else None,
            "handler": live["Handler"],
            "invokeArn": f"arn:aws:apigateway:{aws.region}:lambda:path/2015-03-31/functions/{arn}/invocations",
            "lastModified": live["LastModified"],
            "loggingConfig": {"logFormat": logging["LogFormat"], "logGroup": logging["LogGroup"]},
            "memorySize": live["MemorySize"],
            "name": live["FunctionName"],
            "packageType": live["PackageType"],
            "qualifiedArn": f"{arn}:{live['Version']}",
            "region": aws.region,
            "reservedConcurrentExecutions": UNRESERVED if reserved is None else reserved,
            "role": live["Role"],
            "runtime": live["Runtime"],
            "sourceCodeHash": live["CodeSha256"],
            "sourceCodeSize": live["CodeSize"],
            "timeout": live["Timeout"],
            "version": live["Version"],
            **aws.tag_outputs(found.get("Tags", {})),
        }

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        functions = aws.client("lambda")
        changed = set(self.changes(old, new))
        if changed - self.elsewhere:
            functions.update_function_configuration(FunctionName=id_, **self._configuration(new))
        if changed & self.of_code:
            architectures = new.get("architectures") or old["architectures"]
            functions.update_function_code(FunctionName=id_, ZipFile=zipped(new["code"]), Architectures=architectures)
        if "reservedConcurrentExecutions" in changed:
            self._reserve(functions, id_, new)
        added, removed = aws.tag_changes(old, new)
        if removed:
            functions.untag_resource(Resource=old["arn"], TagKeys=removed)
        if added:
            functions.tag_resource(Resource=old["arn"], Tags=added)

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        if not state.get("skipDestroy"):
            _found(aws.client("lambda").delete_function, FunctionName=id_)

    def _configuration(self, inputs: Values) -> Values:
        """What creating and changing have in common."""
        arguments: Values = {
            "Description": inputs.get("description", ""),
            "Environment": {"Variables": _variables(inputs)},
            "Handler": inputs["handler"],
            "MemorySize": inputs.get("memorySize", 128),
            "Role": inputs["role"],
            "Runtime": inputs["runtime"],
            "Timeout": inputs.get("timeout", 3),
        }
        if logging := inputs.get("loggingConfig"):
            arguments["LoggingConfig"] = {f"{key[0].upper()}{key[1:]}": value for key, value in logging.items()}
        return arguments

    def _reserve(self, functions: Any, name: str, inputs: Values) -> None:
        reserved = inputs.get("reservedConcurrentExecutions", UNRESERVED)
        if reserved == UNRESERVED:
            functions.delete_function_concurrency(FunctionName=name)
        else:
            functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)


class Permission(Resource):
    """One statement of a function's policy; any change makes a new one. The id is the statement's alone."""

    type_name = "aws:lambda/permission:Permission"
    label = "Lambda Permission"
    id_form = "FUNCTION/STATEMENT"
    autonamed = "statementId"
    imported_by = ("function", "statementId")
    properties: ClassVar = {
        "action": Property(required=True, replaces=True, pattern=r"lambda:\w+"),
        "function": Property(required=True, replaces=True),
        "principal": Property(required=True, replaces=True),
        "sourceAccount": Property(replaces=True, pattern=r"\d{12}"),
        "sourceArn": Property(replaces=True, pattern=r"arn:.+"),
        "statementId": Property(replaces=True, pattern=r"[\w-]{1,100}"),
    }
    argument_of: ClassVar = {
        "action": "Action",
        "function": "FunctionName",
        "principal": "Principal",
        "sourceAccount": "SourceAccount",
        "sourceArn": "SourceArn",
        "statementId": "StatementId",
    }

    def id_of(self, found: str, live: Values) -> str:
        del found
        return str(live["statementId"])

    def create(self, aws: Clients, inputs: Values) -> str:
        arguments = {argument: inputs[key] for key, argument in self.argument_of.items() if key in inputs}
        aws.client("lambda").add_permission(**arguments)
        return str(inputs["statementId"])

    def read(self, aws: Clients, id_: str) -> Values | None:
        function, _, statement_id = id_.rpartition("/")
        found = _found(aws.client("lambda").get_policy, FunctionName=function)
        statements = json.loads(found["Policy"])["Statement"] if found else []
        statement = next((one for one in statements if one["Sid"] == statement_id), None)
        if statement is None:
            return None
        conditions, principal = statement.get("Condition", {}), statement["Principal"]
        return {
            "action": statement["Action"],
            "function": function,
            "principal": next(iter(principal.values())) if isinstance(principal, dict) else principal,
            "region": aws.region,
            "sourceAccount": conditions.get("StringEquals", {}).get("AWS:SourceAccount"),
            "sourceArn": conditions.get("ArnLike", {}).get("AWS:SourceArn"),
            "statementId": statement_id,
        }

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        """Every change replaces."""

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        _found(aws.client("lambda").remove_permission, FunctionName=state["function"], StatementId=id_)


def _variables(inputs: Values) -> dict[str, str]:
    environment = inputs.get("environment")
    variables = environment.get("variables") if isinstance(environment, dict) else None
    return variables if isinstance(variables, dict) else {}


TYPES: tuple[Resource, ...] = (Function(), Permission())
