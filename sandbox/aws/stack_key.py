"""The key that encrypts what would be secret in the sandbox's stack, as the one of `pf bootstrap` does in production.

A passphrase would do as well, and cost each start of the engine 0.2 s: that long it takes to derive a key from one.
"""

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.kms.models import kms_backends

# In a region of its own, so that the sandbox's region holds the keys of the program and no other.
REGION = "us-west-2"
ID = "00000000-0000-4000-8000-000000000000"
# The same in every sandbox, so that Pulumi.sandbox.yaml stays as it was committed. It protects nothing.
MATERIAL = b"no secret is kept in the sandbox"


def make_stack_key() -> None:
    backend = kms_backends[DEFAULT_ACCOUNT_ID][REGION]
    key = backend.create_key(
        policy=None,
        key_usage="ENCRYPT_DECRYPT",
        key_spec="SYMMETRIC_DEFAULT",
        description="What would be secret in the sandbox's stack",
        tags=None,
    )
    backend.keys[ID] = backend.keys.pop(key.id)
    key.arn = key.arn.replace(key.id, ID)
    key.id = ID
    key.key_material = MATERIAL
