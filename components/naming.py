"""Every physical name, from one place, so that the program and its operators can't disagree about one.

Imports nothing of Pulumi: `settings` and the operations tool use it too.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

APPLICATION = "parker-flight"

# No dash: `prod-eu` would begin as `prod` and a dash do, and the rights of `prod` would reach its alarms and topics.
ENVIRONMENT = r"^[a-z][a-z0-9]{1,19}$"

# What AWS accepts; it says so only in the middle of a deployment.
LONGEST = {
    "alarm": 255,
    "alias": 256,
    "bucket": 63,
    "dashboard": 255,
    "function": 64,
    "log group": 512,
    "policy": 128,
    "role": 64,
    "rule": 64,
    "topic": 256,
    "user": 64,
}


class NameTooLongError(ValueError):
    """A name that AWS would refuse."""


@dataclass(frozen=True, kw_only=True)
class DataClass:
    """A kind of data with a key of its own. `purpose` goes into the encryption context of each ciphertext."""

    name: str
    purpose: str
    holds: str


GENERAL = DataClass(name="general", purpose="general-data", holds="data that is neither personal nor about payment")
PII = DataClass(name="pii", purpose="user-profile-data", holds="personal data")
PAYMENT = DataClass(name="payment", purpose="payment-method-data", holds="payment methods")
DATA_CLASSES = (GENERAL, PII, PAYMENT)

# The policies inside the functions' role and user.
ROLE_POLICY, USER_POLICY = "functions", "assume-role"
GITHUB = "token.actions.githubusercontent.com"  # who says which job it is
REPOSITORY = r"^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}$"  # OWNER/NAME there
PULUMI_SECRETS = "pulumi-secrets"  # the purpose in the encryption context of a stack's secrets
BOUNDARIES = "/boundaries/"  # the path of policies that limit; the policy pack holds that nobody attaches one

METRICS_KMS = "ParkerFlight/KMS"
METRICS_FUNCTIONS = "ParkerFlight/Functions"
METRICS_OPERATIONS = "ParkerFlight/Operations"
DEPLOYMENTS, ROLLBACKS = "Deployments", "Rollbacks"  # one when it starts, so that graphs show what came after it


class Severity(StrEnum):
    """How bad it is: `critical` wakes somebody, `warning` waits for the morning, `info` is for the record."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Topic(StrEnum):
    """Who is told: a level of escalation at once, the readers of warnings in the morning, of information at leisure."""

    LEVEL_1 = "level-1"
    LEVEL_2 = "level-2"
    LEVEL_3 = "level-3"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a stack stands, and what its resources are called there. `limited`: its roles carry a boundary."""

    environment: str
    account_id: str
    region: str
    limited: bool = False

    def _checked(self, kind: str, name: str) -> str:
        if len(name) > LONGEST[kind]:
            raise NameTooLongError(f"the {kind} {name!r} has {len(name)} characters, AWS allows {LONGEST[kind]}")
        return name

    def alias(self, data_class: DataClass) -> str:
        return self._checked("alias", f"alias/{APPLICATION}-{data_class.name}-{self.environment}")

    @property
    def role(self) -> str:
        return self._checked("role", f"{APPLICATION}-{self.environment}-role")

    @property
    def role_arn(self) -> str:
        return f"arn:aws:iam::{self.account_id}:role/{self.role}"

    @property
    def function_user(self) -> str:
        return self._checked("user", f"{APPLICATION}-{self.environment}-functions")

    @property
    def function_user_arn(self) -> str:
        return f"arn:aws:iam::{self.account_id}:user/{self.function_user}"

    @property
    def log_group(self) -> str:
        return self._checked("log group", f"/{APPLICATION}/{self.environment}/kms-operations")

    @property
    def probe(self) -> str:
        """The function, and the rule that calls it."""
        return self._checked("function", f"{APPLICATION}-{self.environment}-probe")

    @property
    def probe_arn(self) -> str:
        return self.arn("lambda", f"function:{self.probe}")

    @property
    def probe_rule_arn(self) -> str:
        return self.arn("events", f"rule/{self.probe}")

    @property
    def probe_role(self) -> str:
        return self._checked("role", f"{APPLICATION}-{self.environment}-probe-role")

    @property
    def probe_role_arn(self) -> str:
        return f"arn:aws:iam::{self.account_id}:role/{self.probe_role}"

    @property
    def probe_log_group(self) -> str:
        """Lambda writes to the group of this name, and to no other without being told."""
        return self._checked("log group", f"/aws/lambda/{self.probe}")

    @property
    def probe_parameters(self) -> str:
        """The path below which the probe's keys are kept."""
        return f"/{APPLICATION}/{self.environment}/probe"

    def topic(self, severity: str) -> str:
        return self._checked("topic", f"{APPLICATION}-{self.environment}-{severity}")

    def rule(self, what: str) -> str:
        """On the default event bus."""
        return self._checked("rule", f"{APPLICATION}-{self.environment}-{what}")

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account_id}:{resource}"

    def alarm(self, what: str) -> str:
        return self._checked("alarm", f"{APPLICATION}-{self.environment}-{what}")

    @property
    def dashboard(self) -> str:
        return self._checked("dashboard", f"{APPLICATION}-{self.environment}")

    @property
    def dashboard_url(self) -> str:
        console = f"https://{self.region}.console.aws.amazon.com/cloudwatch/home?region={self.region}"
        return f"{console}#dashboards/dashboard/{quote(self.dashboard)}"

    # What `bootstrap/` makes, and the stack itself may not change.

    def bucket(self, what: str) -> str:
        """Names of buckets are everybody's: the account keeps ours apart."""
        return self._checked("bucket", f"{APPLICATION}-{self.environment}-{what}-{self.account_id}")

    @property
    def state_bucket(self) -> str:
        return self.bucket("state")

    @property
    def report_bucket(self) -> str:
        return self.bucket("reports")

    @property
    def bucket_alias(self) -> str:
        """Of the key that encrypts both buckets."""
        return self._checked("alias", f"alias/{APPLICATION}-buckets-{self.environment}")

    @property
    def secrets_alias(self) -> str:
        """Of the key that the engine encrypts a stack's secrets with."""
        return self._checked("alias", f"alias/{APPLICATION}-pulumi-{self.environment}")

    @property
    def secrets_provider(self) -> str:
        """As the engine takes it; the context is what the key's policy demands."""
        context = f"context_application={APPLICATION}&context_purpose={PULUMI_SECRETS}"
        return f"awskms://{self.secrets_alias}?region={self.region}&{context}"

    def ci_role(self, what: str) -> str:
        """`preview` and `check` read, `deploy` changes."""
        return self._checked("role", f"{APPLICATION}-{self.environment}-{what}")

    def ci_role_arn(self, what: str) -> str:
        return f"arn:aws:iam::{self.account_id}:role/{self.ci_role(what)}"

    @property
    def identity_provider_arn(self) -> str:
        return f"arn:aws:iam::{self.account_id}:oidc-provider/{GITHUB}"

    def policy(self, what: str) -> str:
        return self._checked("policy", f"{APPLICATION}-{self.environment}-{what}")

    def policy_arn(self, what: str) -> str:
        return f"arn:aws:iam::{self.account_id}:policy/{self.policy(what)}"

    def boundary_arn(self, what: str) -> str:
        """`ci` for the jobs' roles, `workload` for what they make."""
        return f"arn:aws:iam::{self.account_id}:policy{BOUNDARIES}{self.policy(what)}-boundary"

    @property
    def workload_boundary(self) -> str | None:
        """Of the roles and the user that the program makes."""
        return self.boundary_arn("workload") if self.limited else None

    @property
    def key_aliases(self) -> dict[str, str]:
        """Purpose to key alias."""
        return {data_class.purpose: self.alias(data_class) for data_class in DATA_CLASSES}

    @property
    def tags(self) -> dict[str, str]:
        return {"Application": APPLICATION, "Environment": self.environment, "ManagedBy": "pulumi"}


def pascal(text: str) -> str:
    """`user-profile-data` as `UserProfileData`, the only spelling that a policy's Sid allows."""
    return "".join(part.capitalize() for part in re.split(r"[^A-Za-z0-9]+", text))
