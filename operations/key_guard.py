"""Two ways in which a key could be made a second time, closed before the engine is asked.

A state that lost its keys would make new ones beside them. A refresh drops a key whose deletion is scheduled (the AWS
provider reads it as gone), and the next update would make another and move the alias, while there is still time to keep
the first. Either loses what the key encrypted.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from components.naming import DATA_CLASSES
from operations.aws import Aws, AwsError, code_of, explained
from operations.errors import ExitCode, OperationError
from operations.stack import Stack
from settings import file_name

if TYPE_CHECKING:
    from operations.recover import State

KEY = "aws:kms/key:Key"
GONE = frozenset({"NotFoundException", "NoSuchEntity", "ResourceNotFoundException"})


def refuse_stray_keys(stack: Stack, state: "State") -> None:
    """Raises: OperationError where AWS has keys of this stack that neither the state nor the config knows."""
    adopted = stack.settings.existing_key_ids.model_dump()
    stated = {resource.name.rpartition("-")[0] for resource in state.resources if resource.type == KEY}
    missing = {one.name for one in DATA_CLASSES if one.name not in stated and not adopted[one.name]}
    if not missing or state.pending_operations:  # what an interrupted update left is for `recover`
        return
    aws, known = Aws(stack), state.ids(KEY)
    tags = [{**stack.settings.site.tags, "DataClass": name} for name in sorted(missing)]
    try:
        keys = [
            str(listed.get("KeyId"))
            for page in aws.kms.get_paginator("list_keys").paginate()
            for listed in page["Keys"]
        ]
        stray = [key for key in keys if key not in known and any(has_tags(aws, key, wanted) for wanted in tags)]
    except AwsError as error:
        raise explained(error, stack, "looking for keys of this stack") from error
    if stray:
        raise OperationError(
            f"AWS has keys of {stack.name} that its state doesn't know: {', '.join(stray)}. Another deployment would "
            "make more of them",
            "Was the state lost? Restore it. Else name them under parker-flight:existingKeyIds in "
            f"{file_name(stack.name)}, and deploy again.",
        )


def refuse_keys_to_be_deleted(stack: Stack, state: "State") -> None:
    """Raises: OperationError where a key of the state is scheduled for deletion."""
    aws = Aws(stack)
    for resource in state.resources:
        if resource.type != KEY:
            continue
        try:
            found = aws.kms.describe_key(KeyId=resource.id)["KeyMetadata"]
        except AwsError as error:
            if code_of(error) == "NotFoundException":
                continue
            raise explained(error, stack, f"asking for the key {resource.name}") from error
        if found.get("KeyState") == "PendingDeletion":
            raise OperationError(
                f"the key {resource.name} ({resource.id}) is scheduled for deletion: a deployment would replace it, "
                "and what it encrypted would be lost",
                f"Keep it: aws kms cancel-key-deletion --key-id {resource.id}; aws kms enable-key --key-id "
                f"{resource.id}; then: ./pf deploy{stack.command}",
                ExitCode.FAILED,
            )


def has_tags(aws: Aws, key: str, wanted: Mapping[str, str]) -> bool:
    try:
        tags = aws.kms.list_resource_tags(KeyId=key)["Tags"]
    except AwsError as error:
        if code_of(error) in ("AccessDeniedException", *GONE):
            return False  # a key of AWS, or of someone else in this account
        raise
    return wanted.items() <= {tag["TagKey"]: tag["TagValue"] for tag in tags}.items()
