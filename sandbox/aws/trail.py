"""API calls as CloudTrail hands them to EventBridge, for the rules that wait for them."""

import json
import re
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.responses import BaseResponse
from moto.events.models import Rule
from moto.sts.models import sts_backends

from sandbox.aws.events import EventBridge, event_of, rules
from sandbox.providers.aws.events import ALL_MANAGEMENT_EVENTS

# By moto's names. In others, requests hold what CloudTrail hides.
SOURCES = {"cloudwatch": "monitoring", "events": "events", "iam": "iam", "kms": "kms", "logs": "logs", "sns": "sns"}
GLOBAL = ("iam",)
GLOBAL_REGION = "us-east-1"
BUCKET = "sandbox-trail"
# What only reads, and the use of keys, reaches no rule unless it asks for all management events.
READ_ONLY = re.compile(r"(Get|List|Describe|Filter|Simulate|Test|Verify|Encrypt|Decrypt|ReEncrypt|Generate|Sign).*")
DATA_EVENTS = ("Publish", "PublishBatch", "PutEvents", "PutLogEvents", "PutMetricData")
HIDDEN = re.compile(r"plaintext|ciphertextblob|.*password", re.IGNORECASE)


def log_calls() -> None:
    """A trail stands there from the first, as in an account that somebody has set up."""
    from moto.cloudtrail.models import cloudtrail_backends
    from moto.s3.models import s3_backends

    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(BUCKET, GLOBAL_REGION)
    cloudtrail_backends[DEFAULT_ACCOUNT_ID][GLOBAL_REGION].create_trail(
        name="management-events",
        bucket_name=BUCKET,
        s3_key_prefix="",
        sns_topic_name="",
        is_global=True,
        is_multi_region=True,
        log_validation=True,
        is_org_trail=False,
        cw_log_group_arn="",
        cw_role_arn="",
        kms_key_id="",
        tags_list=[],
    ).start_logging()


def follow_calls(response: type[BaseResponse], bridge: EventBridge) -> None:
    """Hand every call to the rules whose pattern it matches, before it is answered."""
    call = response.call_action

    def call_action(self: BaseResponse) -> Any:
        answer: Any = call(self)
        if self.service_name in SOURCES and (waiting := _waiting(self)):
            record, source = _record(self, answer), f"aws.{SOURCES[self.service_name]}"
            for rule in waiting:
                event: Any = event_of(rule, source, "AWS API Call via CloudTrail", record, [])
                if _delivered(rule, record["eventName"]) and rule.event_pattern.matches_event(event):
                    bridge.send(rule, event)
        return answer

    response.call_action = call_action


def _waiting(call: BaseResponse) -> list[Rule]:
    """The rules with a pattern where this call's events go."""
    region = GLOBAL_REGION if call.service_name in GLOBAL else call.region
    return [
        rule
        for rule in rules()
        if rule.event_pattern.get_pattern() and (rule.account_id, rule.region_name) == (call.current_account, region)
    ]


def _delivered(rule: Rule, name: str) -> bool:
    if name in DATA_EVENTS:
        return False
    return rule.state == ALL_MANAGEMENT_EVENTS or not READ_ONLY.fullmatch(name)


def _record(call: BaseResponse, answer: Any) -> dict[str, Any]:
    name = str(call._get_action())  # pyright: ignore[reportPrivateUsage]
    status, _, body = answer
    user_id, arn, account = sts_backends[call.current_account]["aws"].get_caller_identity(call.access_key, call.region)
    failure = {} if status < 400 else {"errorCode": _error_code(str(body))}
    return {
        "eventVersion": "1.08",
        "userIdentity": {
            "type": "AssumedRole" if ":assumed-role/" in arn else "IAMUser",
            "principalId": user_id,
            "arn": arn,
            "accountId": account,
            "accessKeyId": call.access_key,
        },
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": f"{SOURCES[str(call.service_name)]}.amazonaws.com",
        "eventName": name,
        "awsRegion": call.region,
        "sourceIPAddress": "127.0.0.1",
        "userAgent": str(call.headers.get("User-Agent", "")),
        "requestParameters": _cleaned(_parameters(call)),
        "responseElements": None,
        "requestID": str(uuid4()),
        "eventID": str(uuid4()),
        "readOnly": bool(READ_ONLY.fullmatch(name)),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
        **failure,
    }


def _parameters(call: BaseResponse) -> Any:
    """In whichever of AWS's protocols the request came."""
    if not call.automated_parameter_parsing and call.headers.get("X-Amz-Target"):
        return json.loads(call.body or "{}")
    given = call._get_params()  # pyright: ignore[reportPrivateUsage]
    return {key: value for key, value in given.items() if key not in ("Action", "Version")}


def _cleaned(value: Any) -> Any:
    """CloudTrail's names begin with a small letter, and it hides what is nobody's business."""
    if isinstance(value, dict):
        return {
            f"{key[:1].lower()}{key[1:]}": _cleaned(one) for key, one in value.items() if not HIDDEN.fullmatch(str(key))
        }
    if isinstance(value, list):
        return [_cleaned(one) for one in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _error_code(body: str) -> str:
    """From JSON or XML."""
    found = re.search(r'"__type":\s*"(?:[^"#]*#)?([^"]+)"|<Code>([^<]+)</Code>', body)
    return (found[1] or found[2]) if found else "Failure"
