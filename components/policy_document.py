"""IAM and KMS policy documents: known in full before anything exists, so that what is approved is what is applied."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

Statement = Mapping[str, Any]


def document(statements: Sequence[Statement]) -> str:
    """The canonical text: the same policy never shows as a change."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, sort_keys=True, separators=(",", ":"))


def publish_metrics(*namespaces: str) -> Statement:
    return {
        "Sid": "PublishMetrics",
        "Effect": "Allow",
        "Action": "cloudwatch:PutMetricData",
        "Resource": "*",  # the action knows no resources; the namespace is its limit
        "Condition": {"StringEquals": {"cloudwatch:namespace": list(namespaces)}},
    }


def write_log(sid: str, log_group_arn: str) -> Statement:
    """`log_group_arn` ends with the group's name."""
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": f"{log_group_arn}:*",
    }


def account_root(account_id: str) -> dict[str, str]:
    """The account as principal. It grants nobody anything by itself: an identity needs its own policy as well.

    Documents name a role or user by `aws:PrincipalArn` on top of it, since IAM and KMS refuse a principal that doesn't
    exist yet, and replace one that was deleted and made again by a dead unique id.
    """
    return {"AWS": f"arn:aws:iam::{account_id}:root"}
