"""IAM roles and users with their inline policies; policies of their own, and identity providers."""

import json
from functools import partial
from typing import Any, ClassVar

from sandbox.providers.aws.clients import Clients, once_seen, unless_gone
from sandbox.providers.resource import TAGS, Property, Resource
from sandbox.providers.wire import Values

GONE = ("NoSuchEntity",)
UNSEEN = "Invalid principal in policy"
NAME = r"[\w+=,.@-]{1,%d}"  # IAM's rule for names
OLDER_VERSIONS = 4  # that a policy may have beside the one that counts

_found = partial(unless_gone, GONE)


class Role(Resource):
    type_name = "aws:iam/role:Role"
    label = "IAM Role"
    computed = ("arn", "createDate", "tagsAll", "uniqueId")
    properties: ClassVar = {
        "assumeRolePolicy": Property(kind="document", required=True, longest=2048),
        "description": Property(default="", longest=1000),
        "forceDetachPolicies": Property(kind="boolean", write_only=True),
        "maxSessionDuration": Property(kind="integer", default=3600, between=(3600, 43200)),
        "name": Property(replaces=True, pattern=NAME % 64),
        "path": Property(default="/", replaces=True),
        "permissionsBoundary": Property(default=""),
        "tags": TAGS,
    }

    def create(self, aws: Clients, inputs: Values) -> str:
        arguments: Values = {
            "RoleName": inputs["name"],
            "AssumeRolePolicyDocument": inputs["assumeRolePolicy"],
            "Description": inputs.get("description", ""),
            "MaxSessionDuration": inputs.get("maxSessionDuration", 3600),
            "Path": inputs.get("path", "/"),
            "Tags": aws.tag_list(inputs),
        }
        if boundary := inputs.get("permissionsBoundary"):
            arguments["PermissionsBoundary"] = boundary
        once_seen(UNSEEN, aws.client("iam").create_role, **arguments)
        return str(inputs["name"])

    def read(self, aws: Clients, id_: str) -> Values | None:
        role = _found(aws.client("iam").get_role, RoleName=id_)
        if role is None:
            return None
        role = role["Role"]
        return {
            "arn": role["Arn"],
            "assumeRolePolicy": json.dumps(role["AssumeRolePolicyDocument"]),
            "createDate": role["CreateDate"].strftime("%Y-%m-%dT%H:%M:%SZ"),
            "description": role.get("Description", ""),
            "maxSessionDuration": role.get("MaxSessionDuration", 3600),
            "name": role["RoleName"],
            "path": role["Path"],
            "permissionsBoundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
            "uniqueId": role["RoleId"],
            **aws.tag_outputs(_tags(role)),
        }

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        iam = aws.client("iam")
        changed = self.changes(old, new)
        if "assumeRolePolicy" in changed:
            trust = new["assumeRolePolicy"]
            once_seen(UNSEEN, iam.update_assume_role_policy, RoleName=id_, PolicyDocument=trust)
        if {"description", "maxSessionDuration"} & set(changed):
            iam.update_role(
                RoleName=id_,
                Description=new.get("description", ""),
                MaxSessionDuration=new.get("maxSessionDuration", 3600),
            )
        if "permissionsBoundary" in changed:
            _set_boundary(iam, "role", {"RoleName": id_}, new)
        added, removed = aws.tag_changes(old, new)
        if removed:
            iam.untag_role(RoleName=id_, TagKeys=removed)
        if added:
            iam.tag_role(RoleName=id_, Tags=_tag_list(added))

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        iam = aws.client("iam")
        if state.get("forceDetachPolicies"):
            for policy in iam.list_attached_role_policies(RoleName=id_)["AttachedPolicies"]:
                iam.detach_role_policy(RoleName=id_, PolicyArn=policy["PolicyArn"])
        _found(iam.delete_role, RoleName=id_)


class User(Resource):
    type_name = "aws:iam/user:User"
    label = "IAM User"
    computed = ("arn", "tagsAll", "uniqueId")
    properties: ClassVar = {
        "forceDestroy": Property(kind="boolean", write_only=True),
        "name": Property(replaces=True, pattern=NAME % 64),
        "path": Property(default="/"),
        "permissionsBoundary": Property(default=""),
        "tags": TAGS,
    }

    def create(self, aws: Clients, inputs: Values) -> str:
        arguments: Values = {
            "UserName": inputs["name"],
            "Path": inputs.get("path", "/"),
            "Tags": aws.tag_list(inputs),
        }
        if boundary := inputs.get("permissionsBoundary"):
            arguments["PermissionsBoundary"] = boundary
        aws.client("iam").create_user(**arguments)
        return str(inputs["name"])

    def read(self, aws: Clients, id_: str) -> Values | None:
        iam = aws.client("iam")
        found = _found(iam.get_user, UserName=id_)
        if found is None:
            return None
        user = found["User"]
        return {
            "arn": user["Arn"],
            "name": user["UserName"],
            "path": user["Path"],
            "permissionsBoundary": user.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
            "uniqueId": user["UserId"],
            **aws.tag_outputs(_tags(iam.list_user_tags(UserName=id_))),
        }

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        iam = aws.client("iam")
        changed = self.changes(old, new)
        if "path" in changed:
            iam.update_user(UserName=id_, NewPath=new.get("path", "/"))
        if "permissionsBoundary" in changed:
            _set_boundary(iam, "user", {"UserName": id_}, new)
        added, removed = aws.tag_changes(old, new)
        if removed:
            iam.untag_user(UserName=id_, TagKeys=removed)
        if added:
            iam.tag_user(UserName=id_, Tags=_tag_list(added))

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        iam = aws.client("iam")
        if state.get("forceDestroy"):
            for key in iam.list_access_keys(UserName=id_)["AccessKeyMetadata"]:
                iam.delete_access_key(UserName=id_, AccessKeyId=key["AccessKeyId"])
        _found(iam.delete_user, UserName=id_)


class InlinePolicy(Resource):
    """A policy inside a role or a user; its id is `owner:name`."""

    owner: ClassVar[str]
    argument: ClassVar[str]

    def create(self, aws: Clients, inputs: Values) -> str:
        self._put(aws, inputs[self.owner], inputs["name"], inputs["policy"])
        return f"{inputs[self.owner]}:{inputs['name']}"

    def read(self, aws: Clients, id_: str) -> Values | None:
        owner, _, name = id_.rpartition(":")
        get = getattr(aws.client("iam"), f"get_{self.owner}_policy")
        found = _found(get, **{self.argument: owner}, PolicyName=name)
        if found is None:
            return None
        return {self.owner: owner, "name": name, "policy": json.dumps(found["PolicyDocument"])}

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        del old
        owner, _, name = id_.rpartition(":")
        self._put(aws, owner, name, new["policy"])

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        del state
        owner, _, name = id_.rpartition(":")
        remove = getattr(aws.client("iam"), f"delete_{self.owner}_policy")
        _found(remove, **{self.argument: owner}, PolicyName=name)

    def _put(self, aws: Clients, owner: str, name: str, policy: str) -> None:
        put = getattr(aws.client("iam"), f"put_{self.owner}_policy")
        put(**{self.argument: owner}, PolicyName=name, PolicyDocument=policy)


class RolePolicy(InlinePolicy):
    type_name = "aws:iam/rolePolicy:RolePolicy"
    label = "IAM Role Policy"
    id_form = "ROLE:NAME"
    owner = "role"
    argument = "RoleName"
    properties: ClassVar = {
        "name": Property(replaces=True, pattern=NAME % 128),
        "policy": Property(kind="document", required=True, longest=10240),
        "role": Property(required=True, replaces=True),
    }


class UserPolicy(InlinePolicy):
    type_name = "aws:iam/userPolicy:UserPolicy"
    label = "IAM User Policy"
    id_form = "USER:NAME"
    owner = "user"
    argument = "UserName"
    properties: ClassVar = {
        "name": Property(replaces=True, pattern=NAME % 128),
        "policy": Property(kind="document", required=True, longest=2048),
        "user": Property(required=True, replaces=True),
    }


class Policy(Resource):
    """A policy that stands by itself; its id is its ARN."""

    type_name = "aws:iam/policy:Policy"
    label = "IAM Policy"
    id_form = "arn:PARTITION:iam::ACCOUNT:policy/NAME"
    computed = ("arn", "attachmentCount", "policyId", "tagsAll")
    properties: ClassVar = {
        "description": Property(default="", replaces=True, longest=1000),
        "name": Property(replaces=True, pattern=NAME % 128),
        "path": Property(default="/", replaces=True),
        "policy": Property(kind="document", required=True, longest=6144),
        "tags": TAGS,
    }

    def create(self, aws: Clients, inputs: Values) -> str:
        made = aws.client("iam").create_policy(
            PolicyName=inputs["name"],
            Path=inputs.get("path", "/"),
            Description=inputs.get("description", ""),
            PolicyDocument=inputs["policy"],
            Tags=aws.tag_list(inputs),
        )
        return str(made["Policy"]["Arn"])

    def read(self, aws: Clients, id_: str) -> Values | None:
        iam = aws.client("iam")
        found = _found(iam.get_policy, PolicyArn=id_)
        if found is None:
            return None
        policy = found["Policy"]
        version = iam.get_policy_version(PolicyArn=id_, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
        return {
            "arn": id_,
            "attachmentCount": policy.get("AttachmentCount", 0),
            "description": policy.get("Description", ""),
            "name": policy["PolicyName"],
            "path": policy["Path"],
            "policy": json.dumps(version["Document"]),
            "policyId": policy["PolicyId"],
            **aws.tag_outputs(_tags(policy)),
        }

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        iam = aws.client("iam")
        if "policy" in self.changes(old, new):
            versions = [
                one for one in iam.list_policy_versions(PolicyArn=id_)["Versions"] if not one["IsDefaultVersion"]
            ]
            if len(versions) >= OLDER_VERSIONS:
                oldest = min(versions, key=lambda one: one["CreateDate"])
                iam.delete_policy_version(PolicyArn=id_, VersionId=oldest["VersionId"])
            iam.create_policy_version(PolicyArn=id_, PolicyDocument=new["policy"], SetAsDefault=True)
        added, removed = aws.tag_changes(old, new)
        if removed:
            iam.untag_policy(PolicyArn=id_, TagKeys=removed)
        if added:
            iam.tag_policy(PolicyArn=id_, Tags=_tag_list(added))

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        del state
        iam = aws.client("iam")
        for version in (_found(iam.list_policy_versions, PolicyArn=id_) or {}).get("Versions", ()):
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=id_, VersionId=version["VersionId"])
        _found(iam.delete_policy, PolicyArn=id_)


class RolePolicyAttachment(Resource):
    type_name = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    label = "IAM Role Policy Attachment"
    id_form = "ROLE/POLICY"
    autonamed = ""
    properties: ClassVar = {
        "policyArn": Property(required=True, replaces=True),
        "role": Property(required=True, replaces=True),
    }

    def create(self, aws: Clients, inputs: Values) -> str:
        aws.client("iam").attach_role_policy(RoleName=inputs["role"], PolicyArn=inputs["policyArn"])
        return f"{inputs['role']}/{inputs['policyArn']}"

    def read(self, aws: Clients, id_: str) -> Values | None:
        role, _, policy = id_.partition("/")
        found = _found(aws.client("iam").list_attached_role_policies, RoleName=role) or {}
        if policy not in [one["PolicyArn"] for one in found.get("AttachedPolicies", ())]:
            return None
        return {"policyArn": policy, "role": role}

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        """Every change replaces."""

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        del id_
        _found(aws.client("iam").detach_role_policy, RoleName=state["role"], PolicyArn=state["policyArn"])


class OpenIdConnectProvider(Resource):
    """Whose tokens a role may trust; its id is its ARN. AWS itself knows the thumbprints of the common ones."""

    type_name = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
    label = "IAM OIDC Provider"
    id_form = "arn:PARTITION:iam::ACCOUNT:oidc-provider/HOST"
    autonamed = ""
    computed = ("arn", "tagsAll")
    properties: ClassVar = {
        "clientIdLists": Property(kind="strings", required=True),
        "tags": TAGS,
        "thumbprintLists": Property(kind="strings", filled_in=True),
        "url": Property(required=True, replaces=True, pattern=r"https://.+"),
    }

    def create(self, aws: Clients, inputs: Values) -> str:
        made = aws.client("iam").create_open_id_connect_provider(
            Url=inputs["url"],
            ClientIDList=inputs["clientIdLists"],
            Tags=aws.tag_list(inputs),
            ThumbprintList=inputs.get("thumbprintLists") or [],
        )
        return str(made["OpenIDConnectProviderArn"])

    def read(self, aws: Clients, id_: str) -> Values | None:
        found = _found(aws.client("iam").get_open_id_connect_provider, OpenIDConnectProviderArn=id_)
        if found is None:
            return None
        return {
            "arn": id_,
            "clientIdLists": found["ClientIDList"],
            "thumbprintLists": found.get("ThumbprintList", []),
            "url": f"https://{found['Url'].removeprefix('https://')}",
            **aws.tag_outputs(_tags(found)),
        }

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        iam = aws.client("iam")
        named = {"OpenIDConnectProviderArn": id_}
        changed = self.changes(old, new)
        if "clientIdLists" in changed:
            raise NotImplementedError("moto changes no audience of an identity provider; take it away and make it anew")
        if "thumbprintLists" in changed:
            iam.update_open_id_connect_provider_thumbprint(**named, ThumbprintList=new.get("thumbprintLists", []))
        added, removed = aws.tag_changes(old, new)
        if removed:
            iam.untag_open_id_connect_provider(**named, TagKeys=removed)
        if added:
            iam.tag_open_id_connect_provider(**named, Tags=_tag_list(added))

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        del state
        _found(aws.client("iam").delete_open_id_connect_provider, OpenIDConnectProviderArn=id_)


def _tags(answer: Values) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in answer.get("Tags", [])}


def _tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _set_boundary(iam: Any, owner: str, name: dict[str, str], new: Values) -> None:
    if boundary := new.get("permissionsBoundary"):
        getattr(iam, f"put_{owner}_permissions_boundary")(**name, PermissionsBoundary=boundary)
    else:
        getattr(iam, f"delete_{owner}_permissions_boundary")(**name)


TYPES: tuple[Resource, ...] = (
    Role(),
    RolePolicy(),
    User(),
    UserPolicy(),
    Policy(),
    RolePolicyAttachment(),
    OpenIdConnectProvider(),
)
