"""The keys that are live already, each found by its alias: what encrypted the data must be what is taken over."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.naming import DATA_CLASSES, DataClass
from operations.adoptable import Finding, Found, Plan, asked, lost, there
from operations.aws import Aws
from operations.errors import OperationError
from operations.found import tagged_keys
from operations.stack import Stack


def find_keys(stack: Stack, aws: Aws) -> Found:
    """Each key by its alias. Raises: OperationError where AWS doesn't answer, as all of these."""
    found, site, named = Found(), stack.settings.site, stack.settings.existing_key_ids.model_dump()
    with_tags = there(stack, "looking for keys of this stack", lambda: tagged_keys(aws, site.tags))
    ids: dict[str, str] = {}
    for one in DATA_CLASSES:
        alias = site.alias(one)
        key = asked(stack, f"looking for {alias}", lambda alias=alias: aws.kms.describe_key(KeyId=alias))
        metadata: Mapping[str, Any] | None = key["KeyMetadata"] if key else None
        tagged = [key for key, tags in with_tags.items() if tags.get("DataClass") == one.name]
        problem = key_problem(one, alias, metadata, _alive(stack, aws, tagged), named[one.name], site.account_id)
        if problem:
            found.problems.append(problem)
        elif metadata is None:
            found.findings.append(Finding(what=f"key {one.name}", name=alias, plan=Plan.MAKE))
        else:
            ids[one.name] = str(metadata["KeyId"])
            found.findings += _key(stack, aws, one, ids[one.name])
    found.problems += _shared(ids, {one.name: site.alias(one) for one in DATA_CLASSES})
    if ids:
        found.values["existingKeyIds"] = ids
        for one in found.findings:
            if one.plan is Plan.MAKE:  # beside others that are live: more likely has another name than isn't there
                one.advice = f"the {one.what} would be new: what another has encrypted for it could not be read"
                one.command = f"aws kms create-alias --alias-name {one.name} --target-key-id <key id>"
    return found


def key_problem(
    one: DataClass,
    alias: str,
    metadata: Mapping[str, Any] | None,
    tagged: Sequence[str],
    named: str | None,
    account: str,
) -> OperationError | None:
    """Why a key can't be taken over. `tagged` carry the tags that the program gives it, `named` is the config's."""
    if metadata is None:
        if named:
            return OperationError(
                f"the config names the key {named} for {one.name} (parker-flight:existingKeyIds), AWS has no {alias}",
                "If it is the right one, give it its alias: "
                f"aws kms create-alias --alias-name {alias} --target-key-id {named}; else take that line out.",
            )
        if tagged:
            return OperationError(
                f"no {alias} is there, but keys that carry this stack's tags for it: {', '.join(tagged)}",
                f"Give the right one its alias: aws kms create-alias --alias-name {alias} --target-key-id <key id>",
            )
        return None
    key, owner = str(metadata["KeyId"]), str(metadata["Arn"]).split(":")[4]
    if owner != account:
        return OperationError(
            f"{alias} points at the key {key} of account {owner}; the stack belongs to {account}",
            "Use credentials of that account, or name the account right: parker-flight:awsAccountId.",
        )
    if named and named != key:
        return OperationError(
            f"the config names the key {named} for {one.name} (parker-flight:existingKeyIds), {alias} points at {key}",
            "Find out which of them encrypted what is stored, and mend the other: take that line out, or: "
            f"aws kms update-alias --alias-name {alias} --target-key-id {named}",
        )
    if others := [other for other in tagged if other != key]:
        return OperationError(
            f"two keys could be meant for {one.name}: {alias} points at {key}, and this stack's tags for it are on "
            f"{', '.join(others)}",
            "Take the tag off the one that isn't it: "
            f"aws kms untag-resource --key-id {others[0]} --tag-keys DataClass; or move the alias.",
        )
    return _unfit(alias, key, metadata)


def _unfit(alias: str, key: str, metadata: Mapping[str, Any]) -> OperationError | None:
    """An import that would replace the key, or a key that the program could not bring to what it declares."""
    here = f"{alias} points at the key {key}, which"
    state = metadata.get("KeyState", "Enabled")
    if state == "PendingDeletion":
        return OperationError(
            f"{here} is scheduled for deletion: what it encrypted would be lost",
            f"aws kms cancel-key-deletion --key-id {key}; aws kms enable-key --key-id {key}",
        )
    if state == "Disabled":
        return OperationError(f"{here} is disabled", f"aws kms enable-key --key-id {key}")
    if state != "Enabled":
        return OperationError(f"{here} can't be used: its state is {state}", f"aws kms describe-key --key-id {key}")
    other = f"Point the alias at another: aws kms update-alias --alias-name {alias} --target-key-id <key id>"
    kind = (metadata.get("KeySpec", "SYMMETRIC_DEFAULT"), metadata.get("KeyUsage", "ENCRYPT_DECRYPT"))
    if kind != ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"):
        return OperationError(
            f"{here} is of another kind ({kind[0]}, for {kind[1]}): only a symmetric one encrypts this data", other
        )
    if (origin := metadata.get("Origin", "AWS_KMS")) != "AWS_KMS":
        return OperationError(f"{here} has material from elsewhere ({origin}): KMS can't rotate it", other)
    if metadata.get("MultiRegionConfiguration", {}).get("MultiRegionKeyType") == "REPLICA":
        return OperationError(f"{here} is a replica of a key in another region, and is rotated there alone", other)
    return None


def _shared(ids: Mapping[str, str], aliases: Mapping[str, str]) -> Iterator[OperationError]:
    for key, count in Counter(ids.values()).items():
        if count > 1:
            sharing = [aliases[name] for name, identity in ids.items() if identity == key]
            yield OperationError(
                f"{' and '.join(sharing)} point at the same key {key}: each data class has its own",
                "Make a key for each but one of them, and encrypt anew what stands under it: "
                f"aws kms update-alias --alias-name {sharing[-1]} --target-key-id <key id>",
            )


def _alive(stack: Stack, aws: Aws, keys: Sequence[str]) -> list[str]:
    """Without those that are to be deleted: no tag can be taken off them."""

    def state(key: str) -> str:
        return str(aws.kms.describe_key(KeyId=key)["KeyMetadata"].get("KeyState"))

    return [
        key
        for key in keys
        if asked(stack, f"asking for the key {key}", lambda key=key: state(key)) != "PendingDeletion"
    ]


def _key(stack: Stack, aws: Aws, one: DataClass, key: str) -> list[Finding]:
    site, days = stack.settings.site, stack.settings.key_rotation_days
    doing = f"looking at the key {one.name}"
    rotation = there(stack, doing, lambda: aws.kms.get_key_rotation_status(KeyId=key))
    policy = there(stack, doing, lambda: aws.kms.get_key_policy(KeyId=key, PolicyName="default"))["Policy"]
    grants = there(stack, doing, lambda: aws.kms.list_grants(KeyId=key))["Grants"]
    changes: list[str] = []
    if not rotation["KeyRotationEnabled"]:
        changes.append(f"rotation is turned on, every {days} days")
    elif (now := rotation.get("RotationPeriodInDays", days)) != days:
        changes.append(f"rotates every {days} days instead of {now}")
    changes.append(f"its policy lets {site.role} alone use it")
    changes += lost("may not use it any more", json.loads(policy), site.account_id, site.role_arn)
    finding = Finding(what=f"key {one.name}", name=key, plan=Plan.IMPORT, changes=changes)
    if grants:
        finding.advice = f"grants let others use the key {one.name}: {len(grants)}"
        finding.command = f"aws kms list-grants --key-id {key}"
    return [finding, Finding(what=f"alias {one.name}", name=site.alias(one), plan=Plan.IMPORT)]
