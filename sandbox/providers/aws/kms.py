"""KMS keys and aliases."""

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from sandbox.providers.aws.clients import Clients, once_seen, unless_gone
from sandbox.providers.resource import TAGS, IncompleteError, Property, Resource
from sandbox.providers.wire import UNKNOWN, Values

GONE = ("NotFoundException",)
UNSEEN = "MalformedPolicyDocumentException"
KEY_SPECS = (
    *("SYMMETRIC_DEFAULT", "RSA_2048", "RSA_3072", "RSA_4096", "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512"),
    *("ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1"),
)


class Key(Resource):
    type_name = "aws:kms/key:Key"
    label = "KMS Key"
    autonamed = ""
    computed = ("arn", "keyId", "tagsAll")
    properties: ClassVar = {
        "bypassPolicyLockoutSafetyCheck": Property(kind="boolean", write_only=True),
        "customerMasterKeySpec": Property(default="SYMMETRIC_DEFAULT", replaces=True, choices=KEY_SPECS),
        "deletionWindowInDays": Property(kind="integer", between=(7, 30), write_only=True),
        "description": Property(filled_in=True, default="", longest=8192),
        "enableKeyRotation": Property(kind="boolean", default=False),
        "isEnabled": Property(kind="boolean", default=True),
        "keyUsage": Property(
            default="ENCRYPT_DECRYPT",
            replaces=True,
            choices=("ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC"),
        ),
        "multiRegion": Property(kind="boolean", default=False, replaces=True),
        "policy": Property(kind="document", filled_in=True, longest=32768),
        "rotationPeriodInDays": Property(kind="integer", between=(90, 2560), filled_in=True),
        "tags": TAGS,
    }

    def combined_failures(self, inputs: Values) -> Iterator[tuple[str, str]]:
        if "rotationPeriodInDays" in inputs and not inputs.get("enableKeyRotation"):
            yield "rotationPeriodInDays", "rotationPeriodInDays: needs enableKeyRotation to be true"
        policy = inputs.get("policy")
        if policy in (None, UNKNOWN) or inputs.get("bypassPolicyLockoutSafetyCheck"):
            return
        if not any(map(_lets_change, _listed(json.loads(policy).get("Statement")))):
            yield "policy", "policy: it lets nobody change the key's policy any more (kms:PutKeyPolicy)"

    def create(self, aws: Clients, inputs: Values) -> str:
        kms = aws.client("kms")
        arguments: Values = {
            "Description": inputs.get("description", ""),
            "KeyUsage": inputs.get("keyUsage", "ENCRYPT_DECRYPT"),
            "KeySpec": inputs.get("customerMasterKeySpec", "SYMMETRIC_DEFAULT"),
            "MultiRegion": inputs.get("multiRegion", False),
            "BypassPolicyLockoutSafetyCheck": inputs.get("bypassPolicyLockoutSafetyCheck", False),
            # With the call that makes the key, so that a key whose reply was lost can be found again.
            "Tags": aws.tag_list(inputs, "TagKey", "TagValue"),
        }
        if "policy" in inputs:
            arguments["Policy"] = inputs["policy"]
        key: str = once_seen(UNSEEN, kms.create_key, **arguments)["KeyMetadata"]["KeyId"]
        try:
            self._set_rotation(kms, key, inputs)
            if inputs.get("isEnabled") is False:
                kms.disable_key(KeyId=key)
        except Exception as error:
            raise IncompleteError(key, f"the key {key} stands, but: {error}") from error
        return key

    def read(self, aws: Clients, id_: str) -> Values | None:
        kms = aws.client("kms")
        try:
            key = kms.describe_key(KeyId=id_)["KeyMetadata"]
        except kms.exceptions.NotFoundException:
            return None
        if key["KeyState"] in ("PendingDeletion", "PendingReplicaDeletion"):
            return None
        rotation = kms.get_key_rotation_status(KeyId=id_)
        tags = kms.list_resource_tags(KeyId=id_, Limit=50).get("Tags", [])
        return {
            "arn": key["Arn"],
            "keyId": key["KeyId"],
            "customerMasterKeySpec": key.get("KeySpec", "SYMMETRIC_DEFAULT"),
            "description": key.get("Description", ""),
            "enableKeyRotation": rotation["KeyRotationEnabled"],
            "isEnabled": key["Enabled"],
            "keyUsage": key.get("KeyUsage") or "ENCRYPT_DECRYPT",
            "multiRegion": key.get("MultiRegion", False),
            "policy": kms.get_key_policy(KeyId=id_, PolicyName="default")["Policy"],
            "rotationPeriodInDays": rotation.get("RotationPeriodInDays"),
            "region": aws.region,
            **aws.tag_outputs({tag["TagKey"]: tag["TagValue"] for tag in tags}),
        }

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        kms = aws.client("kms")
        changed = self.changes(old, new)
        if "isEnabled" in changed and new.get("isEnabled", True):
            kms.enable_key(KeyId=id_)  # first: a disabled key refuses the other changes
        if "description" in changed:
            kms.update_key_description(KeyId=id_, Description=new.get("description", ""))
        if "policy" in changed and "policy" in new:
            once_seen(
                UNSEEN,
                kms.put_key_policy,
                KeyId=id_,
                PolicyName="default",
                Policy=new["policy"],
                BypassPolicyLockoutSafetyCheck=new.get("bypassPolicyLockoutSafetyCheck", False),
            )
        if {"enableKeyRotation", "rotationPeriodInDays"} & set(changed):
            self._set_rotation(kms, id_, new)
        added, removed = aws.tag_changes(old, new)
        if removed:
            kms.untag_resource(KeyId=id_, TagKeys=removed)
        if added:
            kms.tag_resource(KeyId=id_, Tags=[{"TagKey": key, "TagValue": value} for key, value in added.items()])
        if "isEnabled" in changed and not new.get("isEnabled", True):
            kms.disable_key(KeyId=id_)

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        kms = aws.client("kms")
        try:
            kms.schedule_key_deletion(KeyId=id_, PendingWindowInDays=state.get("deletionWindowInDays", 30))
        except (kms.exceptions.NotFoundException, kms.exceptions.KMSInvalidStateException):
            return  # gone, or on its way

    def _set_rotation(self, kms: Any, key: str, inputs: Values) -> None:
        if inputs.get("enableKeyRotation"):
            period = inputs.get("rotationPeriodInDays")
            kms.enable_key_rotation(KeyId=key, **({"RotationPeriodInDays": period} if period else {}))
        else:
            kms.disable_key_rotation(KeyId=key)


class Alias(Resource):
    type_name = "aws:kms/alias:Alias"
    label = "KMS Alias"
    computed = ("arn", "targetKeyArn")
    properties: ClassVar = {
        "name": Property(replaces=True, pattern=r"alias/(?!aws/)[a-zA-Z0-9/_-]{1,250}"),
        "targetKeyId": Property(required=True),
    }

    def check(self, inputs: Values, old: Values, name: str) -> tuple[Values, list[tuple[str, str]]]:
        return super().check(inputs, old, f"alias/{name}")

    def create(self, aws: Clients, inputs: Values) -> str:
        aws.client("kms").create_alias(AliasName=inputs["name"], TargetKeyId=inputs["targetKeyId"])
        return str(inputs["name"])

    def read(self, aws: Clients, id_: str) -> Values | None:
        pages = aws.client("kms").get_paginator("list_aliases").paginate()
        alias = next((one for page in pages for one in page["Aliases"] if one["AliasName"] == id_), None)
        if alias is None or "TargetKeyId" not in alias:
            return None
        key = alias["TargetKeyId"]
        return {
            "arn": alias["AliasArn"],
            "name": alias["AliasName"],
            "targetKeyId": key,
            "targetKeyArn": f"{alias['AliasArn'].rpartition(':')[0]}:key/{key}",
            "region": aws.region,
        }

    def outputs(self, live: Values, inputs: Values) -> Values:
        """A target that was given by its ARN stays so."""
        if inputs.get("targetKeyId") == live["targetKeyArn"]:
            return live | {"targetKeyId": live["targetKeyArn"]}
        return super().outputs(live, inputs)

    def inputs_of(self, live: Values, known: Values) -> Values:
        return super().inputs_of(self.outputs(live, known), known)

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        del old
        if new["targetKeyId"] != UNKNOWN:
            aws.client("kms").update_alias(AliasName=id_, TargetKeyId=new["targetKeyId"])

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        del state
        unless_gone(GONE, aws.client("kms").delete_alias, AliasName=id_)


def _lets_change(statement: Any) -> bool:
    """Whether it lets somebody put another policy. Who calls isn't known at a preview, so anybody will do."""
    return (
        isinstance(statement, dict)
        and statement.get("Effect") == "Allow"
        and any(fnmatchcase("kms:putkeypolicy", str(one).lower()) for one in _listed(statement.get("Action")))
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


TYPES: tuple[Resource, ...] = (Key(), Alias())
