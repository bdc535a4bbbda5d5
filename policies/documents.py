"""Policy documents, read strictly: what a rule can't read for certain is a violation of that rule.

IAM itself is lenient about duplicate keys and unknown elements; a document that two readers could read differently has
no place here.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, cast

from pulumi_policy import ReportViolation, ResourceValidationArgs

KEYS = frozenset(
    f"aws:kms/{name[0].lower()}{name[1:]}:{name}" for name in ("Key", "ExternalKey", "ReplicaKey", "ReplicaExternalKey")
)
KEY_POLICY = "aws:kms/keyPolicy:KeyPolicy"
ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/policy:Policy"
BOUNDARIES = "/boundaries/"  # the path of policies that limit and grant nothing; a rule holds that nobody attaches one
PERMISSION = "aws:lambda/permission:Permission"  # a statement of a function's own policy, spelled as properties
IDENTITY = frozenset(
    {
        "aws:iam/groupPolicy:GroupPolicy",
        POLICY,
        "aws:iam/rolePolicy:RolePolicy",
        "aws:iam/userPolicy:UserPolicy",
    }
)
# Every property of this name on any type of AWS holds a document; a type that is new here is judged like the others.
PROPERTIES = ("policy", "assumeRolePolicy", "resourcePolicy", "policyDocument", "accessPolicy", "repositoryPolicy")

_STATEMENT = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)


class Kind(StrEnum):
    """What a document is attached to, which decides what may stand in it."""

    KEY = "key"
    TRUST = "trust"
    IDENTITY = "identity"
    RESOURCE = "resource"
    BOUNDARY = "boundary"


class DocumentError(Exception):
    """A document that can't be read for certain; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement; what may be a string or a list is a tuple here, empty where it isn't given."""

    label: str
    allows: bool
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    principals: Mapping[str, tuple[str, ...]]  # {"AWS": …}; a bare "*" is {"*": ("*",)}
    not_principals: Mapping[str, tuple[str, ...]]
    conditions: Mapping[str, Mapping[str, tuple[str, ...]]]

    def covers(self, action: str) -> bool:
        """Whether the statement is about that action, however it is spelled."""
        if self.not_actions:
            return not any(matches(action, pattern) for pattern in self.not_actions)
        return any(matches(action, pattern) for pattern in self.actions)

    def condition(self, key: str, *operators: str) -> tuple[str, ...]:
        """The values that one of the operators demands of a context key; none if there is no such condition."""
        return next((self.conditions[o][key] for o in operators if key in self.conditions.get(o, {})), ())


def unnamed(statement: Statement) -> Iterator[str]:
    """What is wrong with whom a statement lets in, so that nobody gets in by a wildcard."""
    if statement.not_principals:
        yield "NotPrincipal means everybody else; name a Principal"
    if not statement.allows:
        return
    if not statement.principals and not statement.not_principals:
        yield "it names no Principal; name one"
    for principal in (one for several in statement.principals.values() for one in several):
        if has_wildcard(principal):
            yield f"the Principal {principal} is a wildcard; name accounts, roles, users or services"


def matches(text: str, pattern: str) -> bool:
    """IAM's wildcards: `*` and `?`, in any case."""
    return fnmatchcase(text.lower(), pattern.lower().replace("[", "[[]"))


def has_wildcard(text: str) -> bool:
    return "*" in text or "?" in text


def belongs(name: str, account: str) -> bool:
    """Whether an account id or an ARN `arn:aws:<service>:<region>:<account>:…` is of that account."""
    return bool(account) and (name == account or name.split(":")[4:5] == [account])


@dataclass(frozen=True, kw_only=True)
class Document:
    kind: Kind
    where: str  # the property
    statements: tuple[Statement, ...]

    @property
    def allowing(self) -> Iterator[Statement]:
        return (statement for statement in self.statements if statement.allows)


def documents(args: ResourceValidationArgs, report: ReportViolation, *kinds: Kind) -> list[Document]:
    """Those of one resource; one that is missing or can't be read is reported, a resource without any is let be."""
    if args.resource_type == PERMISSION and Kind.RESOURCE in kinds:
        return [Document(kind=Kind.RESOURCE, where="principal", statements=(_permission(args.props),))]
    places = _places(args, kinds)
    if not places:
        args.not_applicable(f"holds no {' or '.join(kinds)} policy")
    found: list[Document] = []
    for where, kind in places:
        try:
            found.append(Document(kind=kind, where=where, statements=parse(_value(args.props, where))))
        except DocumentError as error:
            report(f"{args.name}: `{where}` can't be read for certain: {error}", None)
    return found


def _kind(args: ResourceValidationArgs, name: str) -> Kind:
    type_ = args.resource_type
    if type_ in KEYS or type_ == KEY_POLICY:
        return Kind.KEY
    if name == "assumeRolePolicy":
        return Kind.TRUST
    if type_ == POLICY and args.props.get("path") == BOUNDARIES:
        return Kind.BOUNDARY
    return Kind.IDENTITY if type_ in IDENTITY else Kind.RESOURCE


def _places(args: ResourceValidationArgs, kinds: Collection[Kind]) -> list[tuple[str, Kind]]:
    """Of these kinds only: whether another is there isn't asked, since it may not be known."""
    type_ = args.resource_type
    if not type_.startswith("aws:"):
        return []
    found = [(name, kind) for name in PROPERTIES if (kind := _kind(args, name)) in kinds and args.props.get(name)]
    own = _kind(args, "policy")
    if not found and own in kinds and type_ in KEYS | IDENTITY | {KEY_POLICY}:
        found = [("policy", own)]
    if type_ == ROLE and Kind.IDENTITY in kinds:
        inline: Sequence[Any] = args.props.get("inlinePolicies") or ()
        found += [(f"inlinePolicies.{i}.policy", Kind.IDENTITY) for i in range(len(inline)) if inline[i].get("policy")]
    return found


def _permission(props: Mapping[str, Any]) -> Statement:
    """What AWS makes of it. `sourceArn` may have wildcards, and is compared as an ARN."""
    principal, action = str(props.get("principal") or ""), str(props.get("action") or "")
    given = {
        "ArnLike": {"aws:SourceArn": props.get("sourceArn")},
        "StringEquals": {"aws:SourceAccount": props.get("sourceAccount")},
    }
    return Statement(
        label="the permission",
        allows=True,
        actions=(action,),
        not_actions=(),
        resources=(),
        not_resources=(),
        principals={"Service" if principal.endswith(".amazonaws.com") else "AWS": (principal,)} if principal else {},
        not_principals={},
        conditions={
            operator: {key: (str(value),) for key, value in keys.items()}
            for operator, keys in given.items()
            if all(keys.values())
        },
    )


def _value(props: Any, where: str) -> Any:
    for part in where.split("."):
        props = props[int(part)] if part.isdigit() else props.get(part)
    return props


def parse(source: object) -> tuple[Statement, ...]:
    """From JSON text, or from the object that the SDK takes as well."""
    value = _plain(source)
    if not value:
        raise DocumentError("it is missing; write it out")
    if isinstance(value, str):
        try:
            value = json.loads(value, object_pairs_hook=_without_duplicates)
        except ValueError as error:
            raise DocumentError(f"it is no JSON ({error})") from error
    if not isinstance(value, dict):
        raise DocumentError("it is no object")
    document = cast("dict[str, Any]", value)
    _only(document, {"Version", "Id", "Statement"}, "the document")
    if document.get("Version") != "2012-10-17":
        raise DocumentError('its Version is not "2012-10-17"')
    statements = document.get("Statement")
    entries = cast("list[Any]", statements if isinstance(statements, list) else [statements])
    if not entries:
        raise DocumentError("it has no statement")
    return tuple(_statement(entry, number) for number, entry in enumerate(entries, 1))


def _plain(value: Any) -> Any:
    """Out of the SDK's wrappers, which refuse unknown values on the way."""
    if isinstance(value, Mapping):
        mapping = cast("Mapping[str, Any]", value)
        return {key: _plain(mapping[key]) for key in mapping}
    if isinstance(value, Sequence) and not isinstance(value, str):
        sequence = cast("Sequence[Any]", value)
        return [_plain(sequence[index]) for index in range(len(sequence))]
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise DocumentError(f"{', '.join(twice)} stands in it twice")
    return dict(pairs)


def _only(value: Mapping[str, Any], known: set[str] | frozenset[str], what: str) -> None:
    if strange := sorted(set(value) - known):
        raise DocumentError(f"{what} has {', '.join(strange)}, which no rule knows")


def _statement(entry: object, number: int) -> Statement:
    if not isinstance(entry, dict):
        raise DocumentError(f"statement {number} is no object")
    fields = cast("dict[str, Any]", entry)
    label = f"statement {fields.get('Sid') or number}"
    _only(fields, _STATEMENT, label)
    if fields.get("Effect") not in ("Allow", "Deny"):
        raise DocumentError(f"{label} has neither the Effect Allow nor Deny")
    for name in ("Action", "Resource", "Principal"):
        if name in fields and f"Not{name}" in fields:
            raise DocumentError(f"{label} has both {name} and Not{name}")
    actions, not_actions = (_texts(fields, name, label) for name in ("Action", "NotAction"))
    if not actions and not not_actions:
        raise DocumentError(f"{label} has no Action")
    return Statement(
        label=label,
        allows=fields["Effect"] == "Allow",
        actions=actions,
        not_actions=not_actions,
        resources=_texts(fields, "Resource", label),
        not_resources=_texts(fields, "NotResource", label),
        principals=_principals(fields, "Principal", label),
        not_principals=_principals(fields, "NotPrincipal", label),
        conditions=_conditions(fields.get("Condition", {}), label),
    )


def _texts(fields: Mapping[str, Any], name: str, label: str) -> tuple[str, ...]:
    """A string or a list of strings; given but empty is an error."""
    if name not in fields:
        return ()
    value = fields[name]
    texts = cast("list[Any]", value if isinstance(value, list) else [value])
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise DocumentError(f"{label} has a {name} that is neither a string nor a list of strings")
    return tuple(texts)


def _principals(fields: Mapping[str, Any], name: str, label: str) -> Mapping[str, tuple[str, ...]]:
    value = fields.get(name, {})
    if isinstance(value, str):
        return {value: (value,)}
    if not isinstance(value, dict) or (name in fields and not value):
        raise DocumentError(f"{label} has a {name} that names nobody")
    named = cast("dict[str, Any]", value)
    return {kind: _texts(named, kind, label) for kind in named}


def _conditions(value: object, label: str) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    if not isinstance(value, dict):
        raise DocumentError(f"{label} has a Condition that is no object")
    found: dict[str, Mapping[str, tuple[str, ...]]] = {}
    for operator, keys in cast("dict[str, object]", value).items():
        if not isinstance(keys, dict):
            raise DocumentError(f"{label} has a Condition {operator} that is no object")
        spelled = {key: _spelled(values) for key, values in cast("dict[str, Any]", keys).items()}
        found[operator] = {key: _texts(spelled, key, label) for key in spelled}
    return found


def _spelled(value: Any) -> Any:
    """IAM takes true for "true"."""
    if isinstance(value, list):
        return [_spelled(entry) for entry in cast("list[Any]", value)]
    return json.dumps(value) if isinstance(value, bool | int | float) else value
