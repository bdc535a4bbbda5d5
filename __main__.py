"""The program: a stack's settings become components, components become the stack's outputs."""

import asyncio
import os
from pathlib import Path

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env

from components.edge_functions import EdgeFunctions, EdgeFunctionsArgs, function_settings
from components.encryption_key import EncryptionKey, EncryptionKeyArgs
from components.function_access import FunctionAccess, FunctionAccessArgs
from components.function_source import SourceError, read_release
from components.monitoring import Monitoring, MonitoringArgs
from components.naming import DATA_CLASSES
from components.notifications import Notifications, NotificationsArgs
from components.operations_log import OperationsLog, OperationsLogArgs
from components.probe_package import probe_package
from settings import Settings, SettingsError

root = Path(__file__).resolve().parent
try:
    settings = Settings.from_config({**get_config_env(), **CONFIG.get()}, stack := pulumi.get_stack())
    settings.require_gate(stack, os.environ)
    release = read_release(root)
except (SettingsError, SourceError) as error:
    raise pulumi.RunError(str(error)) from None

site, existing = settings.site, settings.existing_key_ids.model_dump()
supabase_url = os.environ.get("SUPABASE_URL") or settings.supabase_url

keys = {
    one.name: EncryptionKey(
        one.name,
        EncryptionKeyArgs(
            site=site, data_class=one, rotation_days=settings.key_rotation_days, existing_key_id=existing[one.name]
        ),
    )
    for one in DATA_CLASSES
}
log = OperationsLog(
    "operations",
    OperationsLogArgs(site=site, retention_days=settings.log_retention_days, adopt=settings.adopt_log_group),
)
access = FunctionAccess(
    "functions",
    FunctionAccessArgs(
        site=site, external_id=settings.external_id, adopt_role=settings.adopt_role, adopt_user=settings.adopt_user
    ),
)
notifications = Notifications(
    "notifications", NotificationsArgs(site=site, roles=settings.escalation.roles, contacts=settings.contacts)
)
functions = EdgeFunctions(
    "functions",
    EdgeFunctionsArgs(
        project_ref=settings.supabase_project_ref,
        release=release,
        functions_url=f"{supabase_url}/functions/v1",
        settings=function_settings(site, settings.external_id),
        after=[access, *keys.values()],
    ),
)
Monitoring(
    "monitoring",
    MonitoringArgs(
        site=site,
        functions=sorted(release.functions),
        topic_arns=notifications.topic_arns,
        minutes=settings.escalation.minutes,
        links=settings.links,
        gateway_url=supabase_url,
        probe_code=probe_package(root),
    ),
)

pulumi.export("keys", {name: {"id": key.key_id, "arn": key.arn, "alias": key.alias_name} for name, key in keys.items()})
pulumi.export("roleArn", access.role_arn)
pulumi.export("functionsUser", access.user_name)
pulumi.export("functionUrls", functions.urls)
pulumi.export("release", release.digest)
pulumi.export("logGroup", log.name)
pulumi.export("links", settings.links)
pulumi.export("topics", notifications.topic_arns)

# Where registrations are under way, the SDK awaits one after the other. If it found none, it would wait for all outputs
# of all resources at once, and begin anew with thousands of them each time that one is there.
pulumi.run(lambda: asyncio.sleep(0))
