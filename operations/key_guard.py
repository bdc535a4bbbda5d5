"""What the state says of keys, held against AWS and what was applied before the engine is asked.

A state that lacks a key that is there would make a new one beside it. A refresh drops a key whose deletion is scheduled
(the AWS provider reads it as gone), and the next update would make another and move the alias, while there is still
time to keep the first. Either loses what the key encrypted.

A key that an update adopted and was then denied is protected, and stands in the way of every other update.
"""

from collections import Counter
from collections.abc import Collection

from components.naming import DATA_CLASSES
from gate.surface import stable_urn
from operations.aws import Aws, AwsError, code_of, explained
from operations.errors import ExitCode, OperationError
from operations.found import ALIAS, KEY, is_to_be_deleted, tagged_keys
from operations.gate import gate_of, judged
from operations.stack import Stack
from operations.state import Recorded, State


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


def adopted_only(stack: Stack, state: State, wanted: Collection[str] = ()) -> list[Recorded]:
    """Keys that an update adopted, and that none was ever applied with: the engine imports before the gate is asked.

    An adopted key is named by its id. Not among them: what the settings name (`wanted`, ids), and the one key of the
    state that an alias of it points to.

    Raises: OperationError.
    """
    keys = [one for one in state.resources if one.type == KEY]
    adopted = [one for one in keys if one.id and one.name.endswith(f"-{one.id}") and one.id not in wanted]
    if not adopted:
        return []
    with judged():
        records = gate_of(stack).records
        live = records.live()
        applied = records.surface(live.surface).resources if live else {}
    aliased = {str(one.outputs.get("targetKeyId")) for one in state.resources if one.type == ALIAS}
    count = Counter(one.id for one in keys)
    return [
        one for one in adopted if stable_urn(one.urn) not in applied and (one.id not in aliased or count[one.id] > 1)
    ]


def refuse_adopted_only(stack: Stack, state: State, wanted: Collection[str] = ()) -> None:
    """Raises: OperationError where there are any; see `adopted_only`."""
    if found := adopted_only(stack, state, wanted):
        raise OperationError(
            f"the state of {stack.name} has keys that no update was ever applied with: "
            f"{', '.join(one.name for one in found)}. One adopted them, and was denied or broke off",
            f"Take them out of the state (AWS keeps them as they are): ./pf recover{stack.command}",
        )


def _to_be_deleted(stack: Stack, key: str, then: str) -> OperationError:
    return OperationError(
        f"the key {key} of {stack.name} is scheduled for deletion: a deployment would replace it, and what it "
        "encrypted would be lost",
        f"Keep it: aws kms cancel-key-deletion --key-id {key}; aws kms enable-key --key-id {key}; then: {then}",
        ExitCode.FAILED,
    )
