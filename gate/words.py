"""What changes between two surfaces, in words that a person can approve by.

Every property that differs is in some sentence; one that nobody thought of stands there by its path, as it was and as
it will be. Of a new resource, a default provider and a missing protection of what needs none are left out.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from gate.canonical import digest
from gate.policy_words import Document, document_sentences
from gate.surface import CONTENT, Surface
from gate.text import LONGEST_COMMAND, plain, quoted, shown, shown_change

SETTINGS = "settings"

KEY, ALIAS, ROLE = "aws:kms/key:Key", "aws:kms/alias:Alias", "aws:iam/role:Role"
ALARM, COMMAND = "aws:cloudwatch/metricAlarm:MetricAlarm", "command:local:Command"
PROVIDERS = "pulumi:providers:"
NOUNS: Mapping[str, str] = {
    KEY: "key",
    ALIAS: "alias",
    ROLE: "role",
    ALARM: "alarm",
    COMMAND: "command",
    "aws:cloudwatch/logGroup:LogGroup": "log group",
    "aws:iam/accessKey:AccessKey": "access key",
    "aws:iam/group:Group": "group",
    "aws:iam/groupPolicy:GroupPolicy": "group policy",
    "aws:iam/policy:Policy": "managed policy",
    "aws:iam/rolePolicy:RolePolicy": "role policy",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "attached policy",
    "aws:iam/user:User": "user",
    "aws:iam/userPolicy:UserPolicy": "user policy",
    "aws:kms/grant:Grant": "grant",
    "aws:kms/keyPolicy:KeyPolicy": "key policy",
    "aws:sns/topic:Topic": "topic",
    "aws:sns/topicPolicy:TopicPolicy": "topic policy",
    "aws:sns/topicSubscription:TopicSubscription": "subscription",
}
# Which property names the holder of the rights that a policy gives.
HOLDERS = {
    "aws:iam/rolePolicy:RolePolicy": ("role", "role"),
    "aws:iam/userPolicy:UserPolicy": ("user", "user"),
    "aws:iam/groupPolicy:GroupPolicy": ("group", "group"),
    "aws:iam/policy:Policy": ("name", "whoever has the managed policy"),
}
PROTECTED = (KEY, ALIAS)
RUNS = {"create": "on creation", "update": "on each update", "delete": "on deletion"}
RINGS = {
    "GreaterThanThreshold": "above",
    "GreaterThanOrEqualToThreshold": "at or above",
    "LessThanThreshold": "below",
    "LessThanOrEqualToThreshold": "at or below",
}
FUNCTION = re.compile(rf"(?P<name>[\w-]+) {re.escape(CONTENT)}(?: verify_jwt=(?P<checks>true|false))?", re.ASCII)


class ChangeKind(StrEnum):
    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One resource that differs. All but `urn` may be printed anywhere; `type` is empty for the gate's settings."""

    urn: str
    name: str
    type: str
    kind: ChangeKind
    sentences: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"{noun(self.type)} {self.name}" if self.type else self.name


def differences(before: Surface, after: Surface) -> list[Difference]:
    """Removals first, then by what is at risk: the gate itself, keys, access, what runs, the rest."""
    found = [
        _difference(urn, before.resources.get(urn, {}), after.resources.get(urn, {}))
        for urn in before.digests.keys() | after.digests.keys()
        if before.digests.get(urn) != after.digests.get(urn)
    ]
    if digest(before.settings) != digest(after.settings):
        sentences = _settings(before.settings, after.settings)
        found.append(
            Difference(
                urn=SETTINGS,
                name="the gate's own settings",
                type="",
                kind=ChangeKind.CHANGED if before.settings else ChangeKind.ADDED,
                sentences=tuple(sentences),
            )
        )
    return sorted(found, key=lambda one: (one.kind is not ChangeKind.REMOVED, _risk(one.type), one.type, one.urn))


def noun(type_: str) -> str:
    if type_.startswith(PROVIDERS):
        return f"provider {shown(type_.removeprefix(PROVIDERS))}"
    return NOUNS.get(type_) or plain(type_)


def _risk(type_: str) -> int:
    if not type_:
        return 0
    if type_.startswith("aws:kms/"):
        return 1
    if type_.startswith("aws:iam/") or "Policy" in type_ or type_.endswith("Permission"):
        return 2
    if type_ in NOUNS and type_ != COMMAND:
        return 4
    return 3  # commands, providers, and whatever nobody has named here


def _difference(urn: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference:
    kind = ChangeKind.ADDED if not before else ChangeKind.REMOVED if not after else ChangeKind.CHANGED
    either = after or before
    told = _Telling(
        type=str(either.get("type", "")),
        name=urn.rpartition("::")[2],
        kind=kind,
        before=_inputs(before),
        after=_inputs(after),
    )
    return Difference(
        urn=urn,
        name=plain(told.name),
        type=plain(told.type),
        kind=kind,
        sentences=tuple(told.sentences(before, after)),
    )


def _inputs(document: Mapping[str, Any]) -> Mapping[str, Any]:
    inputs = document.get("inputs")
    return cast("Mapping[str, Any]", inputs) if isinstance(inputs, Mapping) else {}


def _settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    branch = "protectedBranch"
    sentences: list[str] = []
    if before.get(branch) != after.get(branch):
        was = f" (it was {shown(before[branch])})" if before.get(branch) else ""
        now = after.get(branch)
        sentences.append(
            f"only what is on the branch {shown(now)} counts as reviewed{was}"
            if now
            else f"no branch is protected{was}: what is deployed need not have been reviewed"
        )
    rest = _generic("", *({name: item for name, item in one.items() if name != branch} for one in (before, after)))
    return sentences + rest


@dataclass(frozen=True, kw_only=True)
class _Telling:
    """One resource, on its way from `before` to `after`: its inputs, empty where it isn't there."""

    type: str
    name: str
    kind: ChangeKind
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    def sentences(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
        sentences = self._fate()
        sentences += self._protection(before.get("protect"), after.get("protect"))
        sentences += self._provider(before.get("provider"), after.get("provider"))
        rest = {"protect", "provider", "inputs"} | (set[str]() if self.kind is ChangeKind.CHANGED else {"type"})
        for name in sorted((before.keys() | after.keys()) - rest):
            sentences += _of_key(name, name, before, after)
        if not isinstance(before.get("inputs", {}), Mapping) or not isinstance(after.get("inputs", {}), Mapping):
            sentences += _of_key("inputs", "inputs", before, after)
        for name in sorted(self.before.keys() | self.after.keys()):
            sentences += self._property(name)
        if not sentences and self.kind is ChangeKind.CHANGED:
            sentences.append(f"{shown(dict(before))} → {shown(dict(after))}")
        return sentences

    def _fate(self) -> list[str]:
        if self.kind is ChangeKind.CHANGED:
            return []
        removed = self.kind is ChangeKind.REMOVED
        if self.type == KEY:
            return ["the key would go: what it encrypted can't be read any more"] if removed else ["a new key"]
        if self.type == ALIAS:
            return ["whoever encrypts or decrypts by this alias would find no key"] if removed else ["a new alias"]
        if self.type.startswith(PROVIDERS) and not removed:
            return [
                "a provider: what it manages goes to the account, region and address that it is given, "
                "with the rights of whoever deploys"
            ]
        if self.type.startswith("command:"):
            return [] if removed else ["a command that runs on the deploying machine, with that machine's rights"]
        return [f"the {noun(self.type)} would be taken away"] if removed else []

    def _protection(self, before: Any, after: Any) -> list[str]:
        if before is after:
            return []
        if self.kind is ChangeKind.REMOVED:
            return ["it was protected from deletion"] if before else []
        if after is True:
            return ["protected from deletion"]
        if before is True:
            return ["no longer protected from deletion"]
        if before is None and after is False:
            return ["not protected from deletion"] if self.type in PROTECTED else []
        return [f"protect: {shown(before)} → {shown(after)}"]

    def _provider(self, before: Any, after: Any) -> list[str]:
        if before == after:
            return []
        if self.kind is not ChangeKind.CHANGED:
            urn = str(before or after or "")
            return [] if not urn or urn.endswith("::default") else [f"managed by {_resource(urn)}"]
        names = _apart(str(before or ""), str(after or ""))
        return [f"managed by {names[1]} instead of {names[0]}"]

    def _property(self, name: str) -> list[str]:
        if name in self.before and name in self.after and digest(self.before[name]) == digest(self.after[name]):
            return []
        known: dict[tuple[str, str], Callable[[], list[str]]] = {
            (KEY, "enableKeyRotation"): self._rotation,
            (KEY, "rotationPeriodInDays"): lambda: self._days(name, "rotates every {} days"),
            (KEY, "deletionWindowInDays"): lambda: self._days(name, "a deletion could be stopped for {} days"),
            (ALIAS, "targetKeyId"): self._target,
            (ALARM, "alarmActions"): lambda: self._notified(name, "when it rings"),
            (ALARM, "okActions"): lambda: self._notified(name, "when it is over"),
            (ALARM, "threshold"): self._threshold,
        }
        if (self.type, name) in known:
            return known[self.type, name]()
        if self.type.startswith("command:"):
            if name in RUNS:
                return self._command(name)
            if name == "environment":
                return self._variables()
            if name == "triggers":
                return self._triggers()
            if name == "interpreter":
                return _two(name, shown(self.before.get(name)), shown(self.after.get(name)))
        if name in self._documents:
            return self._document(name)
        return _of_key(shown(name), name, self.before, self.after)

    @property
    def _documents(self) -> set[str]:
        return {name for one in (self.before, self.after) for name, value in one.items() if _is_document(value)}

    def _document(self, name: str) -> list[str]:
        values = [one.get(name) for one in (self.before, self.after)]
        if any(value is not None and not _is_document(value) for value in values):
            return _of_key(shown(name), name, self.before, self.after)
        which = self._which(name)
        return document_sentences(which, *(value["policy"] if value else {} for value in values))

    def _which(self, name: str) -> Document:
        inputs = self.after or self.before
        own = shown(inputs.get("name", self.name))
        if name == "policy" and self.type in HOLDERS:
            field, words = HOLDERS[self.type]
            return Document(what=noun(self.type), holder=f"{words} {_value(inputs.get(field, self.name))}")
        if name == "policy" and self.type in (KEY, "aws:kms/keyPolicy:KeyPolicy"):
            return Document(what="key policy", itself="this key")
        if name == "policy" and self.type in ("aws:sns/topicPolicy:TopicPolicy", "aws:sns/topic:Topic"):
            return Document(what="topic policy", itself="this topic")
        if name == "assumeRolePolicy" and self.type == ROLE:
            return Document(what=f"trust policy of role {own}")
        return Document(what=f"policy in {shown(name)}")

    def _rotation(self) -> list[str]:
        before, after = (one.get("enableKeyRotation") for one in (self.before, self.after))
        if self.kind is ChangeKind.REMOVED:
            return []
        if after is True:
            return ["rotates automatically" if self.kind is ChangeKind.ADDED else "automatic rotation is switched on"]
        became = "not set" if after is None else shown(after)
        was = "not set" if before is None else shown(before)
        return [f"automatic rotation is switched off (enableKeyRotation: {was} → {became})"]

    def _days(self, name: str, words: str) -> list[str]:
        before, after = self.before.get(name), self.after.get(name)
        if before is None or after is None:
            return _of_key(name, name, self.before, self.after)
        return [f"{words.format(shown(after))} instead of {shown(before)} ({name})"]

    def _target(self) -> list[str]:
        before, after = self.before.get("targetKeyId"), self.after.get("targetKeyId")
        alias = shown((self.after or self.before).get("name", self.name))
        if before is None:
            return [f"{alias} would point to {_value(after)}"]
        if after is None:
            return [f"{alias} would no longer point to {_value(before)}"]
        old, new = _values_apart(before, after)
        return [f"{alias} would point to {new} instead of {old}"]

    def _notified(self, name: str, when: str) -> list[str]:
        lost, gained = _lost_and_gained(self.before.get(name), self.after.get(name))
        sentences = [f"no longer notifies {one} {when} ({name})" for one in lost]
        sentences += [f"notifies {one} {when} ({name})" for one in gained]
        if self.kind is ChangeKind.ADDED and not gained:
            sentences.append(f"notifies nobody {when} ({name})")
        return sentences or _of_key(name, name, self.before, self.after)

    def _threshold(self) -> list[str]:
        if self.kind is not ChangeKind.CHANGED:
            return _of_key("threshold", "threshold", self.before, self.after)
        words = RINGS.get(str(self.after.get("comparisonOperator")), "at")
        before, after = (shown(one.get("threshold")) for one in (self.before, self.after))
        return [f"rings {words} {after} instead of {before} (threshold)"]

    def _command(self, name: str) -> list[str]:
        before, after = self.before.get(name), self.after.get(name)
        when = RUNS[name]
        if self.kind is ChangeKind.REMOVED:
            return [f"{when} it runs {_text(before)}" if name == "delete" else f"{when} it ran {_text(before)}"]
        if before is None:
            return [f"{when} it runs {_text(after)}"]
        if after is None:
            return [f"{when} it no longer runs {_text(before)}"]
        if isinstance(before, str) and isinstance(after, str) and max(len(before), len(after)) > LONGEST_COMMAND:
            before, after = shown_change(before, after, LONGEST_COMMAND)
        else:
            before, after = _text(before), _text(after)
        return [f"{when} it runs {after} instead of {before}"]

    def _variables(self) -> list[str]:
        before, after = self.before.get("environment"), self.after.get("environment")
        if not isinstance(before or {}, Mapping) or not isinstance(after or {}, Mapping):
            return _of_key("environment", "environment", self.before, self.after)
        sentences: list[str] = []
        old, new = cast("Mapping[str, Any]", before or {}), cast("Mapping[str, Any]", after or {})
        for name in sorted(old.keys() | new.keys()):
            label = f"its variable {shown(name)}"
            if name not in new:
                sentences.append(f"{label} is gone (was {shown(old[name])})")
            elif name not in old:
                sentences.append(f"{label} is {shown(new[name])}")
            elif digest(old[name]) != digest(new[name]):
                sentences.append(f"{label} is {' instead of '.join(reversed(shown_change(old[name], new[name])))}")
        return sentences or _of_key("environment", "environment", self.before, self.after)

    def _triggers(self) -> list[str]:
        before, after = _functions(self.before.get("triggers")), _functions(self.after.get("triggers"))
        if before is None or after is None:
            return _of_key("triggers", "triggers", self.before, self.after)
        sentences = [f"the edge function {shown(name)} is taken away" for name in before if name not in after]
        for name, checks in after.items():
            what = {"true": "checks tokens", "false": "checks no token: anybody may call it"}.get(checks, "")
            if name not in before:
                sentences.append(f"the edge function {shown(name)} is deployed" + (f" and {what}" if what else ""))
            elif before[name] != checks:
                became = f"verify_jwt: {before[name] or 'not set'} → {checks or 'not set'}"
                sentences.append(f"the edge function {shown(name)} {what or 'has another setting'} ({became})")
        return sentences or _of_key("triggers", "triggers", self.before, self.after)


def _functions(triggers: Any) -> dict[str, str] | None:
    """Name to `verify_jwt`, where the list is one of functions."""
    found: dict[str, str] = {}
    for trigger in cast("list[object]", triggers or []):
        match = FUNCTION.fullmatch(trigger) if isinstance(trigger, str) else None
        if match is None or match["name"] in found:
            return None
        found[match["name"]] = match["checks"] or ""
    return found


def _text(value: Any) -> str:
    return quoted(value, LONGEST_COMMAND) if isinstance(value, str) else shown(value)


def _is_document(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"policy"} and isinstance(value["policy"], dict)


def _is_reference(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"resources", "literal"}
        and all(isinstance(one, list) for one in cast("dict[str, Any]", value).values())
    )


def _is_plain_mapping(value: Any) -> bool:
    return isinstance(value, Mapping) and not _is_document(value) and not _is_reference(value)


def _resource(urn: Any, *, whole: bool = False) -> str:
    """`whole` where two resources of one kind and name have to be told apart."""
    if not isinstance(urn, str) or not urn.startswith("urn:pulumi:"):
        return shown(urn)
    type_, _, name = urn.split("::", 2)[2].rpartition("::")
    return f"{noun(type_.rpartition('$')[2])} {shown(urn if whole else name)}"


def _literal(item: Any) -> str:
    return f"the literal {shown(item)}, which is no resource of this stack"


def _value(value: Any, *, whole: bool = False) -> str:
    if not _is_reference(value):
        return shown(value)
    names = [_resource(urn, whole=whole) for urn in value["resources"]]
    return " and ".join([*names, *(_literal(item) for item in value["literal"])]) or "nothing"


def _values_apart(before: Any, after: Any) -> tuple[str, str]:
    if not _is_reference(before) and not _is_reference(after):
        return shown_change(before, after)
    old, new = _value(before), _value(after)
    return (old, new) if old != new else (_value(before, whole=True), _value(after, whole=True))


def _apart(before: str, after: str) -> tuple[str, str]:
    old, new = _resource(before), _resource(after)
    return (old, new) if old != new else (_resource(before, whole=True), _resource(after, whole=True))


def _lost_and_gained(before: Any, after: Any) -> tuple[list[str], list[str]]:
    """The items of two references, or of two lists, that stand in one only."""
    old, new = _labels(before), _labels(after)
    if sorted(old.values()) == sorted(new.values()):
        old, new = _labels(before, whole=True), _labels(after, whole=True)
    lost = [label for key, label in old.items() if key not in new]
    return lost, [label for key, label in new.items() if key not in old]


def _labels(value: Any, *, whole: bool = False) -> dict[str, str]:
    """Keyed by what each item is and how many of the same came before it."""
    if _is_reference(value):
        pairs = [(f"resource {digest(urn)}", _resource(urn, whole=whole)) for urn in value["resources"]]
        pairs += [(f"literal {digest(item)}", _literal(item)) for item in value["literal"]]
    else:
        pairs = [(digest(item), shown(item)) for item in (value if isinstance(value, list) else [])]
    found: dict[str, str] = {}
    for key, label in pairs:
        count = sum(other.startswith(key) for other in found)
        found[f"{key} {count}"] = label
    return found


def _of_key(path: str, name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """A property that may be missing on one side; what is missing differs from what is null."""
    if name in before and name in after:
        return _generic(path, before[name], after[name])
    is_new = name in after
    value = after[name] if is_new else before[name]
    if _holds_document(value):
        empty: Any = {} if isinstance(value, Mapping) else []
        return _generic(path, empty, value) if is_new else _generic(path, value, empty)
    return [f"{path}: {_value(value)}" if is_new else f"{path} is gone (was {_value(value)})"]


def _holds_document(value: Any) -> bool:
    if _is_document(value):
        return True
    items: Sequence[Any] = (
        list(value.values())
        if isinstance(value, Mapping)
        else cast("list[Any]", value)
        if isinstance(value, list)
        else []
    )
    return any(_holds_document(item) for item in items)


def _generic(path: str, before: Any, after: Any) -> list[str]:
    if digest(before) == digest(after):
        return []
    documents = [value["policy"] if _is_document(value) else {} if value == {} else None for value in (before, after)]
    if None not in documents and any(documents):
        return document_sentences(Document(what=f"policy in {path}"), *cast("Any", documents))
    if _is_plain_mapping(before) and _is_plain_mapping(after):
        sentences: list[str] = []
        for name in sorted(before.keys() | after.keys()):
            sentences += _of_key(f"{path}.{shown(name)}" if path else shown(name), name, before, after)
        return sentences
    if isinstance(before, list) and isinstance(after, list):
        return _lists(path, cast("list[Any]", before), cast("list[Any]", after))
    if (
        _is_reference(before)
        and _is_reference(after)
        and [len(before[k]) for k in before] != [len(after[k]) for k in before]
    ):
        lost, gained = _lost_and_gained(before, after)
        return [*(f"{path}: without {one}" for one in lost), *(f"{path}: with {one}" for one in gained)]
    return _two(path, *_values_apart(before, after))


def _two(path: str, before: str, after: str) -> list[str]:
    return [f"{path}: {before} → {after}"]


def _lists(path: str, before: list[Any], after: list[Any]) -> list[str]:
    for name in ("id", "name"):
        old, new = _by_name(before, name), _by_name(after, name)
        if old is not None and new is not None:
            sentences: list[str] = []
            for key in sorted(old.keys() | new.keys()):
                sentences += _of_key(f"{path}[{shown(key)}]", key, old, new)
            return sentences or [f"{path}: in another order: {', '.join(map(shown, new))}"]
    if len(before) == len(after) and any(isinstance(item, (Mapping, list)) for item in before):
        sentences = []
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            sentences += _generic(f"{path}[{index}]", one, other)
        return sentences
    lost, gained = _lost_and_gained(before, after)
    if not lost and not gained:
        return _two(f"{path}, in another order", shown(before), shown(after))
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
