"""Taking over a production that was made by hand: what is there, what a deployment does with it, the settings.

Only the stack's file is ever written. The import itself is the next deployment's, previewed and approved like any.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

from pydantic import BaseModel

from operations.adoptable import Finding, Found, Values
from operations.adoptable_keys import find_keys
from operations.adoptable_parts import find_functions, find_log_group, find_role, find_user
from operations.aws import Aws
from operations.config_file import write_settings
from operations.engine import Engine
from operations.environment import RUNS_THE_ENGINE, SEES_SUPABASE
from operations.errors import OperationError, together
from operations.found import KEY
from operations.preflight import account, tools
from operations.stack import Stack
from operations.state import read_state
from operations.supabase import ManagementApi
from settings import file_name

NEEDS = (*SEES_SUPABASE, "AWS", *RUNS_THE_ENGINE)


class AdoptionReport(BaseModel):
    """`pf adopt --json`. Fields are only ever added within a schema version.

    `settings` take over what was found, by their names without the namespace; `missing` are those of them that the
    stack's file lacks. `then` is the next command.
    """

    schema_version: Literal[1] = 1
    stack: str
    environment: str
    file: str
    findings: list[Finding]
    settings: Values
    missing: Values
    written: bool
    then: str


def adopt(stack: Stack, *, write: bool = False) -> AdoptionReport:
    """Raises: OperationError with everything that stands in the way at once; nothing has been changed then."""
    tools(stack)
    account(stack)
    _refuse_deployed(stack)
    found = _found(stack)
    if found.problems:
        raise together(found.problems)
    missing = _missing(found.values, stack)
    if write and missing:
        write_settings(stack.name, stack.root, missing)
    return AdoptionReport(
        stack=stack.name,
        environment=stack.settings.environment,
        file=file_name(stack.name),
        findings=found.findings,
        settings=found.values,
        missing=missing,
        written=write and bool(missing),
        then=_then(stack, found.values, to_write=bool(missing) and not write),
    )


def _refuse_deployed(stack: Stack) -> None:
    keys = [one.name for one in read_state(Engine(stack)).resources if one.type == KEY]
    if keys:
        raise OperationError(
            f"{stack.name} is deployed already: its state holds the keys {', '.join(keys)}",
            f"What was changed beside Pulumi since: ./pf doctor{stack.command}",
        )


def _found(stack: Stack) -> Found:
    aws, api = Aws(stack), ManagementApi(stack)
    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(find, stack, aws) for find in (find_keys, find_role, find_log_group)]
        live, secrets = pool.submit(api.functions), api.secrets()
        user = find_user(stack, aws, secrets)
        keys, role, log_group = (one.result() for one in asked)
        parts = [keys, role, user, log_group, find_functions(stack, live.result(), secrets)]
    return Found(
        findings=[one for part in parts for one in part.findings],
        values={name: value for part in parts for name, value in part.values.items()},
        problems=[one for part in parts for one in part.problems],
    )


def _missing(values: Mapping[str, Any], stack: Stack) -> Values:
    """What the stack's settings don't say yet."""
    settings = stack.settings
    said = {
        "adoptRole": settings.adopt_role,
        "adoptUser": settings.adopt_user,
        "adoptLogGroup": settings.adopt_log_group,
    }
    missing: Values = {name: True for name in values.keys() & said.keys() if not said[name]}
    named = settings.existing_key_ids.model_dump()
    keys = {name: key for name, key in values.get("existingKeyIds", {}).items() if named[name] != key}
    return {"existingKeyIds": keys, **missing} if keys else missing


def _then(stack: Stack, values: Values, *, to_write: bool) -> str:
    if to_write:
        return f"./pf adopt --write{stack.command}"
    return f"./pf preview{stack.command}" if values else f"./pf deploy{stack.command}"
