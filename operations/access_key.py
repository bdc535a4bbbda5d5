"""The AWS access key of the functions: made in IAM, handed to Supabase, and forgotten.

It passes neither Pulumi nor a disk nor a command line. Supabase shows the SHA-256 of each secret: a key in place is
recognised without its value, and by a checksum of both hashes beside it whether its secret is still its own.
"""

from collections.abc import Mapping

from operations.aws import Aws, AwsError, code_of, explained
from operations.errors import ExitCode, OperationError
from operations.stack import Stack
from operations.supabase import ManagementApi, Secret, sha256

KEY_ID = "PF_AWS_ACCESS_KEY_ID"
KEY = "PF_AWS_SECRET_ACCESS_KEY"
CHECKSUM = "PF_AWS_ACCESS_KEY_CHECKSUM"  # ties the two together; of no use to anybody who doesn't have them
HELD = (KEY_ID, KEY, CHECKSUM)


class UserMissingError(OperationError):
    """AWS has no such user: it was deleted beside Pulumi, whose state still has it."""


def is_whole(secrets: Mapping[str, Secret]) -> bool:
    """Whether Supabase holds an id and a secret that were handed over together."""
    if not all(name in secrets for name in HELD):
        return False
    return secrets[CHECKSUM].holds(_checksum(secrets[KEY_ID].value, secrets[KEY].value))


def _checksum(id_hash: str, secret_hash: str) -> str:
    return f"{id_hash} {secret_hash}".lower()


def ensure(stack: Stack) -> bool:
    """Whether a key had to be made. Raises: UserMissingError.

    It is made when Supabase holds no active key as a whole. A key that Supabase knows by its id alone may still serve
    (what was changed may be the checksum), and stays until the new one is handed over. All others were left by a
    deployment that died and can be used by nobody: they go first, since IAM allows two a user.
    """
    aws, supabase = Aws(stack), ManagementApi(stack)
    user = stack.settings.function_user_name
    secrets = supabase.secrets()
    try:
        keys = aws.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
        active = [key.get("AccessKeyId", "") for key in keys if key.get("Status") == "Active"]
        held = next((one for one in active if KEY_ID in secrets and secrets[KEY_ID].holds(one)), None)
        for key in keys:
            if key.get("AccessKeyId") != held:
                aws.iam.delete_access_key(UserName=user, AccessKeyId=key.get("AccessKeyId", ""))
        if held and is_whole(secrets):
            return False
        made = aws.iam.create_access_key(UserName=user)["AccessKey"]
    except AwsError as error:
        if code_of(error) == "NoSuchEntity":
            raise UserMissingError(
                f"AWS has no user {user}", f"Bring it back: ./pf deploy{stack.command}", ExitCode.FAILED
            ) from error
        raise explained(error, stack, f"making the access key of {user}") from error
    identity, secret = made["AccessKeyId"], made["SecretAccessKey"]
    try:
        checksum = _checksum(sha256(identity), sha256(secret))
        supabase.set_secrets({KEY_ID: identity, KEY: secret, CHECKSUM: checksum})
    except OperationError:
        # Nobody will ever know its secret: it must not stay.
        aws.iam.delete_access_key(UserName=user, AccessKeyId=identity)
        raise
    if held:
        try:
            aws.iam.delete_access_key(UserName=user, AccessKeyId=held)
        except AwsError as error:
            raise explained(error, stack, f"deleting the access key of {user} that was replaced") from error
    return True


def remove(stack: Stack) -> None:
    """Take the functions' key away: IAM deletes no user that has one."""
    aws, supabase = Aws(stack), ManagementApi(stack)
    user = stack.settings.function_user_name
    if held := [name for name in HELD if name in supabase.secrets()]:
        supabase.unset_secrets(held)
    try:
        for key in aws.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
            aws.iam.delete_access_key(UserName=user, AccessKeyId=key.get("AccessKeyId", ""))
    except AwsError as error:
        if code_of(error) != "NoSuchEntity":
            raise explained(error, stack, f"deleting the access key of {user}") from error
