"""Whether a caller may use a key: by the key's policy, its own policies and its boundary. moto lets everybody.

Asked is for each call about one key, but for those that make or move an alias. Grants let nobody in.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.kms.exceptions import NotFoundException
from moto.kms.models import Key
from moto.kms.responses import KmsResponse
from moto.kms.utils import KEY_ID_LEN

from sandbox.aws.callers import caller_of
from sandbox.aws.rights import refusal


def enforce_policies(response: type[KmsResponse]) -> None:
    """In the place where moto's own enforcement would be asked."""

    def authorize(self: KmsResponse, resource: str = "*") -> None:
        del resource
        caller = caller_of(self)
        if caller is None:
            return
        for action, key, encryption in _uses(self):
            context = caller.context | _context(self, key, encryption)
            if reason := refusal(caller, action, key.arn, key.policy, context):
                message = f"User: {caller.arn} is not authorized to perform: {action} on resource: {key.arn} {reason}"
                raise JsonRESTError("AccessDeniedException", message)

    response._authenticate_and_authorize_normal_action = authorize  # pyright: ignore[reportPrivateUsage]


def _uses(call: KmsResponse) -> Iterator[tuple[str, Key, Mapping[str, str]]]:
    """(action, key, encryption context); nothing where it is about no key, or about none that there is."""
    operation = call._get_action()  # pyright: ignore[reportPrivateUsage]
    given: Any = call._get_param  # pyright: ignore[reportPrivateUsage]
    of_ciphertext = (given("CiphertextBlob") or b"")[:KEY_ID_LEN].decode(errors="replace")
    if operation == "ReEncrypt":
        named = [
            ("ReEncryptFrom", of_ciphertext, given("SourceEncryptionContext")),
            ("ReEncryptTo", given("DestinationKeyId"), given("DestinationEncryptionContext")),
        ]
    else:
        named = [(operation, given("KeyId") or of_ciphertext, given("EncryptionContext"))]
    for action, name, context in named:
        try:
            key = call.kms_backend.describe_key(name or "")
        except (KeyError, NotFoundException, AttributeError):
            continue  # moto's own refusal follows
        yield f"kms:{action}", key, context or {}


def _context(call: KmsResponse, key: Key, encryption: Mapping[str, str]) -> dict[str, list[str]]:
    named = str(call._get_param("KeyId") or "")  # pyright: ignore[reportPrivateUsage]
    asked: Any = call._get_param("Tags") or []  # pyright: ignore[reportPrivateUsage]
    tags: Mapping[str, str] = call.kms_backend.tagger.get_tag_dict_for_resource(key.id)
    return {
        "aws:requestedregion": [call.region],
        "kms:calleraccount": [call.current_account],
        "kms:encryptioncontextkeys": [*encryption],
        "kms:requestalias": [alias] if (alias := call.kms_backend.get_alias_name(named)).startswith("alias/") else [],
        "kms:resourcealiases": [*key.aliases],
        **{f"aws:requesttag/{one['TagKey']}".lower(): [one["TagValue"]] for one in asked},
        **{f"aws:resourcetag/{name}".lower(): [value] for name, value in tags.items()},
        **{f"kms:encryptioncontext:{name}".lower(): [value] for name, value in encryption.items()},
    }
