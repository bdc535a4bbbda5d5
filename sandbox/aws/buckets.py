"""Buckets, whose policies are stored and not enforced."""

from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket


def enforce_no_policy(bucket: type[FakeBucket]) -> None:
    """moto knows no condition on a transport: it takes "denied without TLS" for "denied", and everybody is shut out."""

    def get_permission(self: FakeBucket, action: str, resource: str) -> Any:
        del self, action, resource
        return PermissionResult.NEUTRAL

    bucket.get_permission = get_permission
