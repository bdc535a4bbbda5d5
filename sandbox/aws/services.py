"""The applications that answer for AWS's services: moto's, with what we add to them.

What we add is imported when a service is first asked for, as moto does it with the service itself.
"""

from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask
from moto.kms.models import KmsBackend
from moto.kms.responses import KmsResponse
from moto.moto_server.werkzeug_app import create_backend_app
from moto.sns.models import Topic

from sandbox import inbox
from sandbox.aws.faults import Faults
from sandbox.aws.key_rights import enforce_policies
from sandbox.aws.kms import enforce_rotation_rules, enforce_states, refuse_unknown_principals, remember_rotation_period

if TYPE_CHECKING:
    from sandbox.aws.events import EventBridge
    from sandbox.aws.functions import Functions


class Services:
    """`folder` keeps functions and logs, `endpoint` is where they find AWS."""

    def __init__(self, folder: Path, endpoint: str, messages: Path, faults: Faults) -> None:
        self._folder = folder
        self._endpoint = endpoint
        self._faults = faults
        remember_rotation_period(KmsResponse)
        enforce_rotation_rules(KmsBackend)
        enforce_states(KmsBackend)
        refuse_unknown_principals(KmsResponse)
        enforce_policies(KmsResponse)
        inbox.keep(Topic, messages)

    def app(self, service: Any) -> Flask:
        match service:
            case "awslambda":
                from moto.awslambda.models import LambdaBackend, LambdaFunction

                from sandbox.aws.functions import remember_configuration, serve_invocations

                remember_configuration(LambdaFunction)
                serve_invocations(LambdaBackend, self.functions)
            case "cloudtrail":
                from sandbox.aws.trail import log_calls

                log_calls()
            case "cloudwatch":
                mend_cloudwatch()
            case "events":
                from moto.core.responses import BaseResponse
                from moto.events.models import EventsBackend

                from sandbox.aws.events import serve_rules
                from sandbox.aws.trail import follow_calls

                serve_rules(EventsBackend, self.event_bridge)
                follow_calls(BaseResponse, self.event_bridge)
            case "iam":
                from moto.iam.models import IAMBackend, User
                from moto.iam.responses import IamResponse

                from sandbox.aws.roles import refuse_unknown_trust, show_late
                from sandbox.aws.users import remember_boundaries

                remember_boundaries(IamResponse, User)
                refuse_unknown_trust(IamResponse)
                show_late(IAMBackend, self._faults)
            case "logs":
                from moto.logs.responses import LogsResponse

                from sandbox.aws.logs import change_keys

                change_keys(LogsResponse)
            case "s3" | "s3bucket_path":
                from moto.s3.models import FakeBucket

                from sandbox.aws.buckets import enforce_no_policy

                enforce_no_policy(FakeBucket)
            case "sns":
                from moto.sns.responses import SNSResponse

                from sandbox.aws.topics import show_attributes

                show_attributes(SNSResponse)
            case "sts":
                from moto.sts.responses import TokenResponse

                from sandbox.aws.roles import enforce_trust

                enforce_trust(TokenResponse)
            case _:
                pass
        return create_backend_app(service)

    @cached_property
    def functions(self) -> "Functions":
        from sandbox.aws.functions import Functions
        from sandbox.aws.invocations import Invocations

        mend_cloudwatch()  # functions publish metrics, and alarms may stand on them
        return Functions(Invocations(self._folder, self._endpoint))

    @cached_property
    def event_bridge(self) -> "EventBridge":
        from sandbox.aws.events import EventBridge

        return EventBridge(self.functions)


@cache
def mend_cloudwatch() -> None:
    from moto.cloudwatch.models import CloudWatchBackend
    from moto.cloudwatch.responses import CloudWatchResponse

    from sandbox.aws.alarms import evaluate_alarms
    from sandbox.aws.cloudwatch import answer_percentiles, order_dimensions, serve_composite_alarms

    answer_percentiles()
    order_dimensions()
    serve_composite_alarms(CloudWatchResponse)
    evaluate_alarms(CloudWatchResponse, CloudWatchBackend)
