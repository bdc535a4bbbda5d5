"""Edge functions and the commands that deploy them: callers are checked, secrets are nowhere."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

from gate.surface import RELEASE_FUNCTIONS
from policies.configuration import ENVIRONMENT, stack_config

COMMAND = "command:local:Command"
LAMBDA = "aws:lambda/function:Function"
STACK = "pulumi:pulumi:Stack"
RELEASE = re.compile(r"\bcomponents\.functions_release deploy\b")
FUNCTION_LINE = re.compile(r"(?P<name>[a-z0-9][a-z0-9_-]*) [0-9a-f]{64} verify_jwt=(?P<verify>true|false)")
# Functions that take no user's token because they check a signature of their own: name and which one.
WEBHOOKS: Mapping[str, str] = {}

_SECRETS: Mapping[str, re.Pattern[str]] = {
    "a Supabase access token": re.compile(r"\bsbp_[A-Za-z0-9]{20,}"),
    "a Supabase secret key": re.compile(r"\bsb_secret_[A-Za-z0-9_-]{10,}"),
    "an AWS access key id": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "a Stripe key": re.compile(r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{3,}|\bwhsec_[A-Za-z0-9]{10,}"),
    "a token": re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "a GitHub token": re.compile(r"\bgh[opsur]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{20,}"),
}
# An AWS secret access key has no mark of its own: 40 characters, of which a name or a hash has never all three kinds.
_AWS_SECRET = re.compile(r"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")


def secrets_in(text: str) -> Iterator[str]:
    """What kinds of secrets a text holds; never the secret."""
    yield from (kind for kind, pattern in _SECRETS.items() if pattern.search(text))
    for found in _AWS_SECRET.findall(text):
        if re.search(r"[a-z]", found) and re.search(r"[A-Z]", found) and re.search(r"[0-9]", found):
            yield "an AWS secret access key"
            return


def texts(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Every string of a property with its place; a place that is a key of an environment names the variable."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, Mapping):
        mapping = cast("Mapping[str, Any]", value)
        for key in mapping:
            yield from texts(mapping[key], f"{where}.{key}" if where else key)
    elif isinstance(value, Sequence):
        sequence = cast("Sequence[Any]", value)
        for index in range(len(sequence)):
            yield from texts(sequence[index], f"{where}[{index}]")


def released(resources: Sequence[PolicyResource]) -> Iterator[str]:
    """The functions that the stack's release deploys."""
    for resource in resources:
        if resource.resource_type == COMMAND and RELEASE.search(str(resource.props.get("create"))):
            for line in _function_lines(resource.props):
                if match := FUNCTION_LINE.fullmatch(line):
                    yield match["name"]


def _function_lines(props: Mapping[str, Any]) -> list[str]:
    functions = (props.get("environment") or {}).get(RELEASE_FUNCTIONS)
    return str(functions).split("\n") if functions else []


def verify_jwt(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    commands = [args.props.get(name) or "" for name in ("create", "update")] if args.resource_type == COMMAND else []
    if any("--no-verify-jwt" in line for line in commands):
        report_violation(f"{args.name}: it deploys with --no-verify-jwt; leave that out", None)
    elif not any(RELEASE.search(line) for line in commands):
        args.not_applicable("no release of functions")
    lines = _function_lines(args.props)
    if not lines:
        report_violation(
            f"{args.name}: `environment.{RELEASE_FUNCTIONS}` is missing; write a line for each function", None
        )
    for number, line in enumerate(lines, 1):
        match = FUNCTION_LINE.fullmatch(line)
        where = f"`environment.{RELEASE_FUNCTIONS}`, line {number}"
        if match is None:
            report_violation(
                f"{args.name}: {where}, is not `<name> <sha256> verify_jwt=<true or false>`; "
                "components/edge_functions.py writes it so",
                None,
            )
        elif match["verify"] == "false" and match["name"] not in WEBHOOKS:
            report_violation(
                f"{args.name}: {where}: {match['name']} takes calls without a token; set verify_jwt = true "
                "in supabase/config.toml, or list it under WEBHOOKS in policies/functions.py",
                None,
            )


def command_no_secret(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    if args.resource_type == LAMBDA:
        found = texts(args.props.get("environment") or {}, "environment")
    elif args.resource_type.startswith("command:"):
        found = texts(args.props)
    else:
        args.not_applicable("neither a command nor a function")
        return
    for where, text in found:
        for kind in secrets_in(text):
            report_violation(
                f"{args.name}: `{where}` holds {kind}, which state, history and error messages would repeat; let a "
                "command read it from the environment of who deploys, a function from the parameter store",
                None,
            )


def config_no_test_key(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    config = stack_config()
    if args.resource_type != STACK or config.get(ENVIRONMENT) != "production":
        args.not_applicable("not the stack of production")
    for key, value in sorted(config.items()):
        if re.search(r"\b[prs]k_test_", value):
            report_violation(
                f"the setting {key} is a key of Stripe's test mode, with which no customer is charged; "
                f"`pulumi config rm {key}`, and keep the live key in Supabase's secret store",
                None,
            )


POLICIES: list[Policy] = [
    ResourceValidationPolicy(
        name="function-verify-jwt",
        description="Functions take calls with a valid token only, except listed webhooks.",
        validate=verify_jwt,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="command-no-secret",
        description="No secret stands in a command, or in the environment of a command or a Lambda function.",
        validate=command_no_secret,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="config-no-test-key",
        description="Production is configured with no key of Stripe's test mode.",
        validate=config_no_test_key,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
]
