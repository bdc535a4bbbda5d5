"""What else is live already: the functions' role and user, the log group, and in Supabase functions and settings."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.naming import ROLE_POLICY, USER_POLICY
from operations.access_key import HELD, KEY_ID
from operations.adoptable import Finding, Found, Plan, asked, lost, there
from operations.aws import Aws
from operations.errors import OperationError
from operations.stack import Stack
from operations.supabase import DeployedFunction, Secret

SETTING = "PF_"  # what the program sets for the functions begins with it
SUPABASES_OWN = "SUPABASE_"


def find_role(stack: Stack, aws: Aws) -> Found:
    """The functions' role and what it holds."""
    site = stack.settings.site
    name, doing = site.role, f"looking at the role {site.role}"
    answer = asked(stack, doing, lambda: aws.iam.get_role(RoleName=name))
    if answer is None:
        return _absent("role", name, "adoptRole", wanted=stack.settings.adopt_role)
    role: Mapping[str, Any] = answer["Role"]
    if role["Path"] != "/":
        problem = OperationError(
            f"the role {name} is in the path {role['Path']}, which AWS can't change: an import would replace it",
            f"Delete it once nothing uses it, and the program makes it: aws iam delete-role --role-name {name}",
        )
        return Found(problems=[problem])
    changes = [f"{site.function_user} alone may assume it"]
    trust: Any = role.get("AssumeRolePolicyDocument", {})
    changes += lost("may not assume it any more", trust, site.account_id, site.function_user_arn)
    inline = there(stack, doing, lambda: aws.iam.list_role_policies(RoleName=name))["PolicyNames"]
    attached = there(stack, doing, lambda: aws.iam.list_attached_role_policies(RoleName=name))["AttachedPolicies"]
    return Found(
        findings=[
            Finding(what="role", name=name, plan=Plan.IMPORT, changes=[*changes, *_boundary(stack, role)]),
            *_policies("role", name, ROLE_POLICY, inline, attached),
        ],
        values={"adoptRole": True},
    )


def find_user(stack: Stack, aws: Aws, secrets: Mapping[str, Secret]) -> Found:
    """The functions' user, what it holds, and its access keys."""
    name, doing = stack.settings.function_user_name, f"looking at the user {stack.settings.function_user_name}"
    answer = asked(stack, doing, lambda: aws.iam.get_user(UserName=name))
    if answer is None:
        return _absent("user", name, "adoptUser", wanted=stack.settings.adopt_user)
    user: Mapping[str, Any] = answer["User"]
    if user["Path"] != "/":
        problem = OperationError(
            f"the user {name} is in the path {user['Path']}: the functions' role would not know it by that name",
            f"aws iam update-user --user-name {name} --new-path /",
        )
        return Found(problems=[problem])
    inline = there(stack, doing, lambda: aws.iam.list_user_policies(UserName=name))["PolicyNames"]
    attached = there(stack, doing, lambda: aws.iam.list_attached_user_policies(UserName=name))["AttachedPolicies"]
    groups = there(stack, doing, lambda: aws.iam.list_groups_for_user(UserName=name))["Groups"]
    keys = there(stack, doing, lambda: aws.iam.list_access_keys(UserName=name))["AccessKeyMetadata"]
    return Found(
        findings=[
            Finding(what="user", name=name, plan=Plan.IMPORT, changes=_boundary(stack, user)),
            *_policies("user", name, USER_POLICY, inline, attached),
            *(_group(name, str(one.get("GroupName"))) for one in groups),
            *(_access_key(str(one.get("AccessKeyId")), secrets) for one in keys),
        ],
        values={"adoptUser": True},
    )


def find_log_group(stack: Stack, aws: Aws) -> Found:
    name, days = stack.settings.site.log_group, stack.settings.log_retention_days
    doing = f"looking for the log group {name}"
    groups = there(stack, doing, lambda: aws.logs.describe_log_groups(logGroupNamePrefix=name))["logGroups"]
    group = next((one for one in groups if one.get("logGroupName") == name), None)
    if group is None:
        return _absent("log group", name, "adoptLogGroup", wanted=stack.settings.adopt_log_group)
    changes: list[str] = []
    kept = group.get("retentionInDays")
    if kept is None or kept > days:
        changes.append(f"kept for {days} days instead of {kept or 'ever'}: what is older goes")
    elif kept < days:
        changes.append(f"kept for {days} days instead of {kept}")
    if key := group.get("kmsKeyId"):
        changes.append(f"is encrypted with CloudWatch's own key instead of {key}")
    return Found(
        findings=[Finding(what="log group", name=name, plan=Plan.IMPORT, changes=changes)],
        values={"adoptLogGroup": True},
    )


def find_functions(stack: Stack, live: Mapping[str, DeployedFunction], secrets: Mapping[str, Secret]) -> Found:
    """Of Supabase nothing is imported: the release takes the place of what is there under its names."""
    found = Found()
    for name, function in stack.release.functions.items():
        plan = Plan.REPLACE if name in live else Plan.MAKE
        changes = (
            [f"verify_jwt becomes {str(function.verify_jwt).lower()}"]
            if name in live and live[name].verify_jwt != function.verify_jwt
            else []
        )
        found.findings.append(Finding(what="function", name=name, plan=plan, changes=changes))
    reference = stack.settings.supabase_project_ref
    for name in sorted(live.keys() - stack.release.functions.keys()):
        advice = f"the function {name} is not of this source, and runs with the project's secrets"
        command = f"supabase functions delete {shlex.quote(name)} --project-ref {reference}"
        found.findings.append(Finding(what="function", name=name, plan=Plan.LEAVE, advice=advice, command=command))
    for name in sorted(secrets.keys() - set(HELD)):
        if name.startswith(SETTING):
            found.findings.append(Finding(what="setting", name=name, plan=Plan.REPLACE))
        elif not name.startswith(SUPABASES_OWN):
            advice = f"every function can read the secret {name}; once none does any more"
            command = f"supabase secrets unset {shlex.quote(name)} --project-ref {reference}"
            found.findings.append(Finding(what="secret", name=name, plan=Plan.LEAVE, advice=advice, command=command))
    return found


def _absent(what: str, name: str, setting: str, *, wanted: bool) -> Found:
    if wanted:
        problem = OperationError(
            f"the config says parker-flight:{setting}, and AWS has no {what} {name}",
            "Take that line out, and the program makes it.",
        )
        return Found(problems=[problem])
    return Found(findings=[Finding(what=what, name=name, plan=Plan.MAKE)])


def _policies(
    owner: str, name: str, ours: str, inline: Sequence[str], attached: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    """The program writes one policy, and knows of no other: the rights that the others give stay."""
    what = f"policy of the {owner}"
    yield Finding(what=what, name=ours, plan=Plan.REPLACE if ours in inline else Plan.MAKE)
    rights = f"gives the {owner} {name} rights that it doesn't need"
    for policy in sorted(set(inline) - {ours}):
        command = f"aws iam delete-{owner}-policy --{owner}-name {name} --policy-name {policy}"
        yield Finding(what=what, name=policy, plan=Plan.LEAVE, advice=f"{policy} {rights}", command=command)
    for policy in attached:
        arn = str(policy["PolicyArn"])
        command = f"aws iam detach-{owner}-policy --{owner}-name {name} --policy-arn {arn}"
        yield Finding(what=what, name=arn, plan=Plan.LEAVE, advice=f"{policy['PolicyName']} {rights}", command=command)


def _group(user: str, group: str) -> Finding:
    advice = f"the group {group} gives the user {user} rights that it doesn't need"
    command = f"aws iam remove-user-from-group --user-name {user} --group-name {group}"
    return Finding(what="group of the user", name=group, plan=Plan.LEAVE, advice=advice, command=command)


def _access_key(identity: str, secrets: Mapping[str, Secret]) -> Finding:
    """As `access_key.ensure` will decide."""
    if KEY_ID in secrets and secrets[KEY_ID].holds(identity):
        return Finding(what="access key", name=identity, plan=Plan.LEAVE)
    gone = f"pf deploy deletes it: Supabase doesn't hold it as {KEY_ID}"
    return Finding(what="access key", name=identity, plan=Plan.REPLACE, changes=[gone])


def _boundary(stack: Stack, owner: Mapping[str, Any]) -> list[str]:
    now = owner.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    wanted = stack.settings.site.workload_boundary
    if now == wanted:
        return []
    if wanted is None:
        return [f"its permissions boundary is taken away: {now}"]
    return [f"its permissions boundary becomes {wanted}" + (f" instead of {now}" if now else "")]
