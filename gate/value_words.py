"""Any values that differ, in words: by the property's path, references by the resource's name, lists by their items."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

from gate.canonical import digest
from gate.policy_words import Document, document_sentences
from gate.text import LONGEST_RIGHT, plain, shown, shown_change

KEY, ALIAS, ROLE = "aws:kms/key:Key", "aws:kms/alias:Alias", "aws:iam/role:Role"
ALARM, COMMAND = "aws:cloudwatch/metricAlarm:MetricAlarm", "command:local:Command"
FUNCTION, TARGET = "aws:lambda/function:Function", "aws:cloudwatch/eventTarget:EventTarget"
PROVIDERS = "pulumi:providers:"
NOUNS: Mapping[str, str] = {
    KEY: "key",
    ALIAS: "alias",
    ROLE: "role",
    ALARM: "alarm",
    COMMAND: "command",
    FUNCTION: "Lambda function",
    TARGET: "event target",
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": "composite alarm",
    "aws:cloudwatch/dashboard:Dashboard": "dashboard",
    "aws:cloudwatch/eventRule:EventRule": "event rule",
    "aws:cloudwatch/logGroup:LogGroup": "log group",
    "aws:iam/accessKey:AccessKey": "access key",
    "aws:iam/group:Group": "group",
    "aws:iam/groupPolicy:GroupPolicy": "group policy",
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": "identity provider",
    "aws:iam/policy:Policy": "managed policy",
    "aws:iam/rolePolicy:RolePolicy": "role policy",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "attached policy",
    "aws:iam/user:User": "user",
    "aws:iam/userPolicy:UserPolicy": "user policy",
    "aws:kms/grant:Grant": "grant",
    "aws:kms/keyPolicy:KeyPolicy": "key policy",
    "aws:lambda/permission:Permission": "Lambda permission",
    "aws:s3/bucket:Bucket": "bucket",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": "bucket lifecycle",
    "aws:s3/bucketPolicy:BucketPolicy": "bucket policy",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "public access block",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": "bucket encryption",
    "aws:s3/bucketVersioning:BucketVersioning": "bucket versioning",
    "aws:sns/topic:Topic": "topic",
    "aws:sns/topicPolicy:TopicPolicy": "topic policy",
    "aws:sns/topicSubscription:TopicSubscription": "subscription",
}


def noun(type_: str) -> str:
    if type_.startswith(PROVIDERS):
        return f"provider {shown(type_.removeprefix(PROVIDERS))}"
    return NOUNS.get(type_) or plain(type_)


def right(value: Any) -> str:
    return shown(value, LONGEST_RIGHT)


def is_document(value: Any) -> bool:
    if not isinstance(value, dict) or value.keys() != {"policy"}:
        return False
    document = cast("dict[str, Any]", value)["policy"]
    return isinstance(document, dict) and isinstance(cast("dict[str, Any]", document).get("Statement"), list)


def is_reference(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"resources", "literal"}
        and all(isinstance(one, list) for one in cast("dict[str, Any]", value).values())
    )


def _is_single(reference: Any) -> bool:
    return len(reference["resources"]) + len(reference["literal"]) == 1


def _is_plain_mapping(value: Any) -> bool:
    return isinstance(value, Mapping) and not is_document(value) and not is_reference(value)


def resource(urn: Any, *, whole: bool = False) -> str:
    """`whole` where two resources of one kind and name have to be told apart."""
    if not isinstance(urn, str) or not urn.startswith("urn:pulumi:"):
        return shown(urn)
    type_, _, name = urn.split("::", 2)[2].rpartition("::")
    return f"{noun(type_.rpartition('$')[2])} {shown(urn if whole else name)}"


def _literal(item: Any) -> str:
    return f"the literal {right(item)}, which is no resource of this stack"


def value_words(value: Any, *, whole: bool = False) -> str:
    if not is_reference(value):
        return shown(value)
    names = [resource(urn, whole=whole) for urn in value["resources"]]
    return " and ".join([*names, *(_literal(item) for item in value["literal"])]) or "nothing"


def values_apart(before: Any, after: Any) -> tuple[str, str]:
    if not is_reference(before) and not is_reference(after):
        return shown_change(before, after)
    old, new = value_words(before), value_words(after)
    return (old, new) if old != new else (value_words(before, whole=True), value_words(after, whole=True))


def apart(before: Any, after: Any) -> tuple[str, str]:
    """Two resources by their URNs."""
    old, new = resource(before), resource(after)
    return (old, new) if old != new else (resource(before, whole=True), resource(after, whole=True))


def lost_and_gained(before: Any, after: Any) -> tuple[list[str], list[str]]:
    """The items of two references, or of two lists, that stand in one only."""
    old, new = _labels(before), _labels(after)
    if sorted(old.values()) == sorted(new.values()):
        old, new = _labels(before, whole=True), _labels(after, whole=True)
    lost = [label for key, label in old.items() if key not in new]
    return lost, [label for key, label in new.items() if key not in old]


def _labels(value: Any, *, whole: bool = False) -> dict[str, str]:
    """Keyed by what each item is and how many of the same came before it."""
    if is_reference(value):
        pairs = [(f"resource {digest(urn)}", resource(urn, whole=whole)) for urn in value["resources"]]
        pairs += [(f"literal {digest(item)}", _literal(item)) for item in value["literal"]]
    else:
        pairs = [(digest(item), right(item)) for item in (value if isinstance(value, list) else [])]
    before: Counter[str] = Counter()
    found: dict[str, str] = {}
    for key, label in pairs:
        found[f"{key} {before[key]}"] = label
        before[key] += 1
    return found


def of_key(path: str, name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """A property that may be missing on one side; what is missing differs from what is null."""
    if name in before and name in after:
        return generic(path, before[name], after[name])
    is_new = name in after
    value = after[name] if is_new else before[name]
    if holds_document(value):
        empty: Any = {} if isinstance(value, Mapping) else []
        return generic(path, empty, value) if is_new else generic(path, value, empty)
    return [f"{path}: {value_words(value)}" if is_new else f"{path} is gone (was {value_words(value)})"]


def holds_document(value: Any) -> bool:
    if is_document(value):
        return True
    if isinstance(value, Mapping):
        return any(holds_document(item) for item in cast("Mapping[str, Any]", value).values())
    return isinstance(value, list) and any(holds_document(item) for item in cast("list[Any]", value))


def generic(path: str, before: Any, after: Any) -> list[str]:
    if digest(before) == digest(after):
        return []
    if (is_document(before) or before == {}) and (is_document(after) or after == {}):
        return document_sentences(
            Document(what=f"policy in {path}"), *(one.get("policy", {}) for one in (before, after))
        )
    if _is_plain_mapping(before) and _is_plain_mapping(after):
        sentences: list[str] = []
        for name in sorted(before.keys() | after.keys()):
            sentences += of_key(f"{path}.{shown(name)}" if path else shown(name), name, before, after)
        return sentences
    if isinstance(before, list) and isinstance(after, list):
        return _lists(path, cast("list[Any]", before), cast("list[Any]", after))
    if is_reference(before) and is_reference(after) and not (_is_single(before) and _is_single(after)):
        return _items(path, before, after) or _two(path, shown(before), shown(after))
    return _two(path, *values_apart(before, after))


def _two(path: str, before: str, after: str) -> list[str]:
    return [f"{path}: {before} → {after}"]


def _lists(path: str, before: list[Any], after: list[Any]) -> list[str]:
    for name in ("id", "name"):
        old, new = _by_name(before, name), _by_name(after, name)
        if old is not None and new is not None:
            sentences: list[str] = []
            for key in sorted(old.keys() | new.keys()):
                sentences += of_key(f"{path}[{shown(key)}]", key, old, new)
            return sentences or [f"{path}: in another order: {', '.join(map(shown, new))}"]
    if len(before) == len(after) and any(isinstance(item, (Mapping, list)) for item in before):
        sentences = []
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            sentences += generic(f"{path}[{index}]", one, other)
        return sentences
    return _items(path, before, after) or _two(f"{path}, in another order", shown(before), shown(after))


def _items(path: str, before: Any, after: Any) -> list[str]:
    lost, gained = lost_and_gained(before, after)
    return [*(f"{path}: without {one}" for one in lost), *(f"{path}: with {one}" for one in gained)]


def _by_name(items: list[Any], name: str) -> dict[str, Any] | None:
    """Where every item has a name of its own under that property."""
    found: dict[str, Any] = {}
    for item in items:
        key = cast("Mapping[str, Any]", item).get(name) if isinstance(item, Mapping) else None
        if not isinstance(key, str) or key in found:
            return None
        found[key] = item
    return found
