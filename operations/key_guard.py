"""Two ways in which a key could be made a second time, closed before the engine is asked.

A state that lacks a key that is there would make a new one beside it. A refresh drops a key whose deletion is scheduled
(the AWS provider reads it as gone), and the next update would make another and move the alias, while there is still
time to keep the first. Either loses what the key encrypted.
"""

from components.naming import DATA_CLASSES
from operations.aws import Aws, AwsError, code_of, explained
from operations.errors import ExitCode, OperationError
from operations.found import KEY, is_to_be_deleted, tagged_keys
from operations.stack import Stack
from operations.state import State


def refuse_stray_keys(stack: Stack, state: State) -> None:
    """Raises: OperationError where AWS has keys of this stack that neither the state nor the config knows."""
    adopted = stack.settings.existing_key_ids.model_dump()
    stated = {resource.name.rpartition("-")[0] for resource in state.resources if resource.type == KEY}
    missing = [one.name for one in DATA_CLASSES if one.name not in stated and not adopted[one.name]]
    if not missing or state.pending_operations:  # what an interrupted update left is for `recover`
        return
    aws, known = Aws(stack), state.ids(KEY)
    try:
        stray = [
            key
            for name in missing
            for key in tagged_keys(aws, {**stack.settings.site.tags, "DataClass": name})
            if key not in known
        ]
        for key in stray:
            if is_to_be_deleted(aws, key):
                raise _to_be_deleted(stack, key, f"./pf recover{stack.command}")
    except AwsError as error:
        raise explained(error, stack, "looking for keys of this stack") from error
    if stray:
        raise OperationError(
            f"AWS has keys of {stack.name} that its state doesn't know: {', '.join(stray)}. Another deployment would "
            "make more of them",
            f"If an update of it broke off, take over what that has made: ./pf recover{stack.command}\n"
            "  If the state was lost, restore it first. Is PULUMI_BACKEND_URL the right one?",
        )


def refuse_keys_to_be_deleted(stack: Stack, state: State) -> None:
    """Raises: OperationError where a key of the state is scheduled for deletion."""
    aws = Aws(stack)
    for resource in state.resources:
        if resource.type != KEY:
            continue
        try:
            going = is_to_be_deleted(aws, resource.id)
        except AwsError as error:
            if code_of(error) == "NotFoundException":
                continue
            raise explained(error, stack, f"asking for the key {resource.name}") from error
        if going:
            raise _to_be_deleted(stack, resource.id, f"./pf deploy{stack.command}")


def _to_be_deleted(stack: Stack, key: str, then: str) -> OperationError:
    return OperationError(
        f"the key {key} of {stack.name} is scheduled for deletion: a deployment would replace it, and what it "
        "encrypted would be lost",
        f"Keep it: aws kms cancel-key-deletion --key-id {key}; aws kms enable-key --key-id {key}; then: {then}",
        ExitCode.FAILED,
    )
