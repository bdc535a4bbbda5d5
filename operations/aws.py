"""AWS by botocore, with short time-outs; what `boto3` adds to it (resources, S3 transfers) is not used here."""

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from operations.errors import ExitCode, OperationError
from operations.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sts import STSClient

AwsError = (BotoCoreError, ClientError)
CURES = {
    "ExpiredToken": "The AWS credentials have expired: log in again (aws sso login), or export new ones.",
    "ExpiredTokenException": "The AWS credentials have expired: log in again (aws sso login), or export new ones.",
    "InvalidClientTokenId": "AWS does not know AWS_ACCESS_KEY_ID: export the key of this account.",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID: export both again.",
    "ProfileNotFound": "Name one of ~/.aws/config in AWS_PROFILE, or use none: unset AWS_PROFILE",
    "NoCredentialsError": "Export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.",
    "AccessDenied": "These credentials may not do that: use the deploying role.",
    "AccessDeniedException": "These credentials may not do that: use the deploying role.",
}


_MAKING = Lock()


@cache
def _session(profile: str) -> botocore.session.Session:
    """One for all: each would read the descriptions of the services anew, and that takes as long as a call."""
    return botocore.session.Session(profile=profile or None)


class Aws:
    """Clients of one stack's account, made when first asked for and shared by threads."""

    def __init__(self, stack: Stack, *, seconds: float = 10, attempts: int = 3) -> None:
        environment = stack.environment
        self._stack = stack
        self._clients: dict[str, Any] = {}
        self._config = Config(
            connect_timeout=min(seconds, 3),
            read_timeout=seconds,
            retries={"total_max_attempts": attempts, "mode": "standard"},
        )
        self._session = _session(environment.aws_profile)

    def _client(self, service: str) -> Any:
        with _MAKING:  # isn't safe in threads; using them is
            if service not in self._clients:
                environment = self._stack.environment
                self._clients[service] = self._session.create_client(
                    service,
                    region_name=self._stack.settings.aws_region,
                    endpoint_url=environment.aws_endpoint_url,
                    aws_access_key_id=environment.aws_access_key_id or None,
                    aws_secret_access_key=environment.aws_secret_access_key.get_secret_value() or None,
                    aws_session_token=environment.aws_session_token.get_secret_value() or None,
                    config=self._config,
                )
            return self._clients[service]

    def prepare(self) -> None:
        """Read what botocore knows of the services that are asked after an update; the session keeps it."""
        for service in ("iam", "kms", "ssm", "sns"):
            self._client(service)

    @property
    def kms(self) -> "KMSClient":
        return self._client("kms")

    @property
    def cloudwatch(self) -> "CloudWatchClient":
        return self._client("cloudwatch")

    @property
    def cloudtrail(self) -> Any:
        return self._client("cloudtrail")

    @property
    def iam(self) -> "IAMClient":
        return self._client("iam")

    @property
    def logs(self) -> "CloudWatchLogsClient":
        return self._client("logs")

    @property
    def s3(self) -> Any:
        return self._client("s3")

    @property
    def sns(self) -> "SNSClient":
        return self._client("sns")

    @property
    def ssm(self) -> Any:
        return self._client("ssm")

    @property
    def sts(self) -> "STSClient":
        return self._client("sts")


def code_of(error: BaseException) -> str:
    """The error code that AWS gave, or the kind of failure before AWS answered."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "unknown"))
    return type(error).__name__


def explained(error: BaseException, stack: Stack, doing: str) -> OperationError:
    """AWS's refusal as people read it."""
    code = code_of(error)
    if isinstance(error, EndpointConnectionError):
        address = stack.environment.aws_endpoint_url or f"AWS in {stack.settings.aws_region}"
        return OperationError(f"{doing}: {address} does not answer", stack.start_hint or "Is this machine online?")
    said = "" if isinstance(error, BotoCoreError) else f"AWS said {code}: "
    return OperationError(f"{doing}: {said}{error}", CURES.get(code, "Try again."), ExitCode.FAILED)
