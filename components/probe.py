"""The probe: a Lambda function that asks Supabase from outside every minute, and publishes what it saw.

No concurrency is reserved: in a young account the reservation fails in the middle of a deployment, and two runs at
once only publish twice. For the same reason Lambda may try a failed run again: it asks about its own moment. Its keys
come from the parameter store at run time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.naming import Site
from components.policy_document import document, publish_metrics, write_log
from components.probe_package import HANDLER
from probe.data import ACCESS, DATABASE, NAMESPACE
from probe.settings import ANON_KEY, SERVICE_ROLE_KEY, Settings

SCHEDULE = "rate(1 minute)"
TIMEOUT_SECONDS = 58  # a run is over before the next
MEMORY_MB = 256
LOG_DAYS = 30  # it says what was unwell when; the figures are CloudWatch's


@dataclass(frozen=True, kw_only=True)
class ProbeArgs:
    """Whom it asks: the gateway, and these functions under each of the purposes. `code` as `probe_package` makes it."""

    site: Site
    code: pulumi.AssetArchive
    gateway_url: str
    functions: Sequence[str]

    @property
    def settings(self) -> Settings:
        return Settings(
            environment=self.site.environment,
            gateway_url=self.gateway_url.rstrip("/"),
            functions=sorted(self.functions),
            functions_user=self.site.function_user,
            purposes=sorted(self.site.key_aliases),
            parameters=self.site.probe_parameters,
        )


def trust_policy(site: Site) -> str:
    """Lambda, in this account. It names no function when it assumes a role: that would be a condition nobody meets."""
    return document(
        [
            {
                "Sid": "TheProbe",
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": site.account_id}},
            }
        ]
    )


def role_policy(site: Site) -> str:
    """No right on a key: AWS's own key for parameters admits whoever may read the parameter."""
    return document(
        [
            {
                "Sid": "ReadItsKeys",
                "Effect": "Allow",
                "Action": "ssm:GetParameters",
                "Resource": [
                    site.arn("ssm", f"parameter{site.probe_parameters}/{name}") for name in (ANON_KEY, SERVICE_ROLE_KEY)
                ],
            },
            publish_metrics(ACCESS, DATABASE, NAMESPACE),
            {
                "Sid": "CompareWithLastWeek",
                "Effect": "Allow",
                "Action": "cloudwatch:GetMetricData",
                "Resource": "*",  # the action knows neither resources nor conditions; figures are no secret
            },
            {
                "Sid": "SeeHowOldTheAccessKeyIs",
                "Effect": "Allow",
                "Action": "iam:ListAccessKeys",
                "Resource": site.function_user_arn,
            },
            write_log("WriteItsLog", site.arn("logs", f"log-group:{site.probe_log_group}")),
        ]
    )


class Probe(pulumi.ComponentResource):
    """Function, role, log and schedule. Names are built from the site: a preview shows all there is to approve."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]

    def __init__(self, name: str, args: ProbeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("parkerflight:lambda:Probe", name, None, opts)
        site, child = args.site, pulumi.ResourceOptions(parent=self)
        log = aws.cloudwatch.LogGroup(
            name, name=site.probe_log_group, retention_in_days=LOG_DAYS, tags=site.tags, opts=child
        )
        role = aws.iam.Role(
            name,
            name=site.probe_role,
            description="What Parker Flight's probe may do",
            assume_role_policy=trust_policy(site),
            permissions_boundary=site.workload_boundary,
            tags=site.tags,
            opts=child,
        )
        policy = aws.iam.RolePolicy(name, name="probe", role=role.name, policy=role_policy(site), opts=child)
        function = aws.lambda_.Function(
            name,
            name=site.probe,
            description="Asks Supabase from outside every minute",
            runtime=aws.lambda_.Runtime.PYTHON3D13,
            architectures=["arm64"],
            handler=HANDLER,
            code=args.code,
            role=site.probe_role_arn,
            timeout=TIMEOUT_SECONDS,
            memory_size=MEMORY_MB,
            environment=aws.lambda_.FunctionEnvironmentArgs(variables=args.settings.as_variables()),
            tags=site.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[log, policy]),  # Lambda would make a log without end
        )
        rule = aws.cloudwatch.EventRule(
            name,
            name=site.probe,
            description="Calls the probe",
            schedule_expression=SCHEDULE,
            state="ENABLED",
            tags=site.tags,
            opts=child,
        )
        permission = aws.lambda_.Permission(
            name,
            statement_id="schedule",
            action="lambda:InvokeFunction",
            function=site.probe,
            principal="events.amazonaws.com",
            source_arn=site.probe_rule_arn,  # names the account; with a `source_account` EventBridge can't invoke it
            # A function has one statement of that id: a second beside it would be refused.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[function], delete_before_replace=True),
        )
        aws.cloudwatch.EventTarget(
            name,
            rule=site.probe,
            target_id="probe",
            arn=site.probe_arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[rule, permission]),
        )
        self.name = function.name
        self.arn = function.arn
        self.register_outputs({"name": self.name, "arn": self.arn})
