"""The AWS access key of the functions: made in IAM, handed to Supabase, and forgotten.

It passes neither Pulumi nor a disk nor a command line. Supabase shows the SHA-256 of each secret: a key in place is
recognised without its value.
"""

from operations.aws import Aws, AwsError, code_of, explained
from operations.errors import ExitCode, OperationError
from operations.stack import Stack
from operations.supabase import ManagementApi, Secret

KEY_ID = "PF_AWS_ACCESS_KEY_ID"
KEY = "PF_AWS_SECRET_ACCESS_KEY"


class UserMissingError(OperationError):
    """AWS has no such user: it was deleted beside Pulumi, whose state still has it."""


def in_use(ids: list[str], secrets: dict[str, Secret]) -> str | None:
    """Which of the user's active keys Supabase holds."""
    if KEY_ID not in secrets or KEY not in secrets:
        return None
    return next((one for one in ids if secrets[KEY_ID].holds(one)), None)


def ensure(stack: Stack) -> bool:
    """Whether a key had to be made. Raises: UserMissingError.

    No active key that Supabase holds means that the functions can use none: any key that is there was left by a
    deployment that died before it handed it over, and goes first (IAM allows two a user).
    """
    aws, supabase = Aws(stack), ManagementApi(stack)
    user = stack.settings.function_user_name
    try:
        keys = aws.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
        active = [key.get("AccessKeyId", "") for key in keys if key.get("Status") == "Active"]
        if in_use(active, supabase.secrets()):
            return False
        for key in keys:
            aws.iam.delete_access_key(UserName=user, AccessKeyId=key.get("AccessKeyId", ""))
        made = aws.iam.create_access_key(UserName=user)["AccessKey"]
    except AwsError as error:
        if code_of(error) == "NoSuchEntity":
            raise UserMissingError(
                f"AWS has no user {user}", f"Bring it back: ./pf deploy{stack.command}", ExitCode.FAILED
            ) from error
        raise explained(error, stack, f"making the access key of {user}") from error
    try:
        supabase.set_secrets({KEY_ID: made["AccessKeyId"], KEY: made["SecretAccessKey"]})
    except OperationError:
        # Nobody will ever know its secret: it must not stay.
        aws.iam.delete_access_key(UserName=user, AccessKeyId=made["AccessKeyId"])
        raise
    return True


def remove(stack: Stack) -> None:
    """Take the functions' key away: IAM deletes no user that has one."""
    aws, supabase = Aws(stack), ManagementApi(stack)
    user = stack.settings.function_user_name
    if held := [name for name in (KEY_ID, KEY) if name in supabase.secrets()]:
        supabase.unset_secrets(held)
    try:
        for key in aws.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
            aws.iam.delete_access_key(UserName=user, AccessKeyId=key.get("AccessKeyId", ""))
    except AwsError as error:
        if code_of(error) != "NoSuchEntity":
            raise explained(error, stack, f"deleting the access key of {user}") from error
