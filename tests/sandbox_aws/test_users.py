"""The sandbox's IAM users: their permissions boundary is kept, answered and taken away, as that of roles is."""

import json

import pytest
from botocore.exceptions import ClientError

from tests.sandbox_aws.server import Aws

pytestmark = pytest.mark.rows("K3", "K7")


def test_a_users_permissions_boundary_is_what_was_set_last(aws: Aws) -> None:
    iam = aws.client("iam")
    statement = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    one, other = (iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"] for name in "ab")

    def boundary() -> str | None:
        user = iam.get_user(UserName="bounded")["User"]
        return user.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")

    made = iam.create_user(UserName="bounded", PermissionsBoundary=one)["User"]
    assert made["PermissionsBoundary"] == {
        "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
        "PermissionsBoundaryArn": one,
    }
    assert boundary() == one
    iam.put_user_permissions_boundary(UserName="bounded", PermissionsBoundary=other)
    assert boundary() == other
    assert "PermissionsBoundary" not in iam.list_users()["Users"][0], "a list doesn't say it, as AWS's doesn't"
    iam.delete_user_permissions_boundary(UserName="bounded")
    assert boundary() is None
    iam.create_user(UserName="unbounded")
    assert "PermissionsBoundary" not in iam.get_user(UserName="unbounded")["User"]


def test_what_is_no_policy_is_no_boundary(aws: Aws) -> None:
    iam = aws.client("iam")
    iam.create_user(UserName="free")
    with pytest.raises(ClientError, match="InvalidInput"):
        iam.put_user_permissions_boundary(UserName="free", PermissionsBoundary="no-arn-but-long-enough")
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.put_user_permissions_boundary(UserName="nobody", PermissionsBoundary="arn:aws:iam::123456789012:policy/a")
    with pytest.raises(ClientError, match="InvalidInput"):
        iam.create_user(UserName="never", PermissionsBoundary="no-arn-but-long-enough")
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_user(UserName="never")
