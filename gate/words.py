"""What changes between two surfaces, in words that a person can approve by.

Every property that differs is in some sentence; one that nobody thought of stands there by its path, as it was and as
it will be. Of a new resource, a default provider and a missing protection of what needs none are left out.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from gate.canonical import digest
from gate.policy_words import Document, document_sentences
from gate.surface import CONTENT, RELEASE_FUNCTIONS, Surface
from gate.text import LONGEST_RIGHT, plain, quoted, shown, shown_change
from gate.value_words import (
    ALARM,
    ALIAS,
    COMMAND,
    FUNCTION,
    KEY,
    NOUNS,
    PROVIDERS,
    ROLE,
    TARGET,
    apart,
    generic,
    holds_document,
    is_document,
    is_reference,
    lost_and_gained,
    noun,
    of_key,
    resource,
    right,
    value_words,
    values_apart,
)

SETTINGS = "settings"

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
EDGE_FUNCTION = re.compile(rf"(?P<name>[\w-]+) {re.escape(CONTENT)}(?: verify_jwt=(?P<checks>true|false))?", re.ASCII)


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


def _risk(type_: str) -> int:
    if not type_:
        return 0
    if type_.startswith("aws:kms/"):
        return 1
    if type_.startswith("aws:iam/") or "Policy" in type_ or type_.endswith(("Permission", "PublicAccessBlock")):
        return 2
    if type_ in NOUNS and type_ not in (COMMAND, FUNCTION, TARGET):
        return 4
    return 3  # what runs, providers, and whatever nobody has named here


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


# By setting: what one with a value means, and one without.
_OF_THE_GATE = {
    "protectedBranch": (
        "only what is on the branch {now} counts as reviewed{was}",
        "no branch is protected{was}: what is deployed need not have been reviewed",
    ),
    "repository": (
        "the GitHub repository {now} is asked whether a commit's checks passed{was}",
        "nobody is asked whether a commit's checks passed{was}",
    ),
}


def _settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    sentences: list[str] = []
    for name, (with_value, without) in _OF_THE_GATE.items():
        if before.get(name) == after.get(name):
            continue
        was = f" (it was {shown(before[name])})" if before.get(name) else ""
        now = after.get(name)
        sentences.append(with_value.format(now=shown(now), was=was) if now else without.format(was=was))
    rest = generic(
        "", *({name: item for name, item in one.items() if name not in _OF_THE_GATE} for one in (before, after))
    )
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
        told = {"protect", "provider", "inputs"} | (set[str]() if self.kind is ChangeKind.CHANGED else {"type"})
        for name in sorted((before.keys() | after.keys()) - told):
            sentences += of_key(shown(name), name, before, after)
        if not isinstance(before.get("inputs", {}), Mapping) or not isinstance(after.get("inputs", {}), Mapping):
            sentences += of_key("inputs", "inputs", before, after)
        names = sorted(self.before.keys() | self.after.keys())
        if self.kind is ChangeKind.REMOVED:
            links = [name for name in names if self._says_more_than_it_was(name)]
            rest = {name: self.before[name] for name in names if name not in links}
            sentences += [f"it had {shown(rest)}"] if rest else []
            names = links
        for name in names:
            sentences += self._property(name)
        if not sentences and self.kind is ChangeKind.CHANGED:
            sentences.append(f"{shown(dict(before))} → {shown(dict(after))}")
        return sentences

    def _says_more_than_it_was(self, name: str) -> bool:
        """Of what goes: rights that somebody loses, links, and what runs; the rest was approved as it is."""
        value = self.before[name]
        if self.type.startswith("command:") and name in (*RUNS, "environment", "triggers"):
            return True
        return is_reference(value) or holds_document(value)

    def _fate(self) -> list[str]:
        if self.kind is ChangeKind.CHANGED:
            return []
        removed = self.kind is ChangeKind.REMOVED
        if self.type == KEY:
            return ["the key would go: what it encrypted can't be read any more"] if removed else []
        if self.type == ALIAS:
            return ["whoever encrypts or decrypts by this alias would find no key"] if removed else []
        if self.type.startswith(PROVIDERS) and not removed:
            return (
                []
                if self.name == "default"
                else [
                    "a provider of its own: what it manages goes to the account, region and address that it is given, "
                    "with the rights of whoever deploys"
                ]
            )
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
            return [] if not urn or urn.endswith("::default") else [f"managed by {resource(urn)}"]
        was, becomes = apart(before, after)
        return [f"managed by {becomes} instead of {was}"]

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
            if name == "interpreter":
                return [f"{name}: {shown(self.before.get(name))} → {shown(self.after.get(name))}"]
        if name in self._documents:
            return self._document(name)
        return of_key(shown(name), name, self.before, self.after)

    @property
    def _documents(self) -> set[str]:
        return {name for one in (self.before, self.after) for name, value in one.items() if is_document(value)}

    def _document(self, name: str) -> list[str]:
        values = [one.get(name) for one in (self.before, self.after)]
        if any(value is not None and not is_document(value) for value in values):
            return of_key(shown(name), name, self.before, self.after)
        which = self._which(name)
        return document_sentences(which, *(value["policy"] if value else {} for value in values))

    def _which(self, name: str) -> Document:
        inputs = self.after or self.before
        own = shown(inputs.get("name", self.name))
        if name == "policy" and self.type in HOLDERS:
            field, words = HOLDERS[self.type]
            return Document(what=noun(self.type), holder=f"{words} {value_words(inputs.get(field, self.name))}")
        if name == "policy" and self.type in (KEY, "aws:kms/keyPolicy:KeyPolicy"):
            return Document(what="key policy", itself="this key")
        if name == "policy" and self.type in ("aws:sns/topicPolicy:TopicPolicy", "aws:sns/topic:Topic"):
            return Document(what="topic policy", itself="this topic")
        if name == "assumeRolePolicy" and self.type == ROLE:
            return Document(what=f"trust policy of role {own}")
        return Document(what=f"policy in {shown(name)}")

    def _rotation(self) -> list[str]:
        before, after = (one.get("enableKeyRotation") for one in (self.before, self.after))
        if after is True:
            return ["rotates automatically" if self.kind is ChangeKind.ADDED else "automatic rotation is switched on"]
        became = "not set" if after is None else shown(after)
        was = "not set" if before is None else shown(before)
        return [f"automatic rotation is switched off (enableKeyRotation: {was} → {became})"]

    def _days(self, name: str, words: str) -> list[str]:
        before, after = self.before.get(name), self.after.get(name)
        if before is None or after is None:
            return of_key(name, name, self.before, self.after)
        return [f"{words.format(shown(after))} instead of {shown(before)} ({name})"]

    def _target(self) -> list[str]:
        before, after = self.before.get("targetKeyId"), self.after.get("targetKeyId")
        alias = shown((self.after or self.before).get("name", self.name))
        if before is None:
            return [f"{alias} would point to {value_words(after)}"]
        if after is None:
            return [f"{alias} would no longer point to {value_words(before)}"]
        old, new = values_apart(before, after)
        return [f"{alias} would point to {new} instead of {old}"]

    def _notified(self, name: str, when: str) -> list[str]:
        values = [one[name] for one in (self.before, self.after) if name in one]
        if not all(is_reference(value) for value in values):
            return of_key(name, name, self.before, self.after)
        lost, gained = lost_and_gained(self.before.get(name), self.after.get(name))
        sentences = [f"no longer notifies {one} {when} ({name})" for one in lost]
        sentences += [f"notifies {one} {when} ({name})" for one in gained]
        if self.kind is ChangeKind.ADDED and not gained:
            sentences.append(f"notifies nobody {when} ({name})")
        return sentences or of_key(name, name, self.before, self.after)

    def _threshold(self) -> list[str]:
        if self.kind is not ChangeKind.CHANGED:
            return of_key("threshold", "threshold", self.before, self.after)
        words = RINGS.get(str(self.after.get("comparisonOperator")), "at")
        before, after = (shown(one.get("threshold")) for one in (self.before, self.after))
        return [f"rings {words} {after} instead of {before} (threshold)"]

    def _command(self, name: str) -> list[str]:
        before, after = self.before.get(name), self.after.get(name)
        when = RUNS[name]
        if self.kind is ChangeKind.REMOVED:
            return [f"{when} it runs {_text(before)}" if name == "delete" else f"{when} it ran {_text(before)}"]
        if name not in self.before:
            return [f"{when} it runs {_text(after)}"]
        if name not in self.after:
            return [f"{when} it no longer runs {_text(before)}"]
        if isinstance(before, str) and isinstance(after, str) and max(len(before), len(after)) > LONGEST_RIGHT:
            before, after = shown_change(before, after, LONGEST_RIGHT)
        else:
            before, after = _text(before), _text(after)
        return [f"{when} it runs {after} instead of {before}"]

    def _variables(self) -> list[str]:
        before, after = self.before.get("environment"), self.after.get("environment")
        if not isinstance(before or {}, Mapping) or not isinstance(after or {}, Mapping):
            return of_key("environment", "environment", self.before, self.after)
        sentences: list[str] = []
        old, new = cast("Mapping[str, Any]", before or {}), cast("Mapping[str, Any]", after or {})
        for name in sorted(old.keys() | new.keys()):
            label = f"its variable {shown(name)}"
            if name == RELEASE_FUNCTIONS and (said := _function_sentences(old.get(name), new.get(name))):
                sentences += said
            elif name not in new:
                sentences.append(f"{label} is gone (was {right(old[name])})")
            elif name not in old:
                sentences.append(f"{label} is {right(new[name])}")
            elif digest(old[name]) != digest(new[name]):
                was, becomes = shown_change(old[name], new[name], LONGEST_RIGHT)
                sentences.append(f"{label} is {becomes} instead of {was}")
        return sentences or of_key("environment", "environment", self.before, self.after)


def _function_sentences(before: Any, after: Any) -> list[str]:
    """What becomes of the edge functions; nothing where the lines aren't all of functions."""
    old, new = _functions(before), _functions(after)
    if old is None or new is None:
        return []
    sentences = [f"the edge function {shown(name)} is taken away" for name in old if name not in new]
    for name, checks in new.items():
        what = {"true": "checks tokens", "false": "checks no token: anybody may call it"}.get(checks, "")
        if name not in old:
            sentences.append(f"the edge function {shown(name)} is deployed" + (f" and {what}" if what else ""))
        elif old[name] != checks:
            became = f"verify_jwt: {old[name] or 'not set'} → {checks or 'not set'}"
            sentences.append(f"the edge function {shown(name)} {what or 'has another setting'} ({became})")
    return sentences


def _functions(lines: Any) -> dict[str, str] | None:
    """Name to `verify_jwt`, where each line is a function's."""
    if not isinstance(lines or "", str):
        return None
    found: dict[str, str] = {}
    for line in lines.split("\n") if lines else ():
        match = EDGE_FUNCTION.fullmatch(line)
        if match is None or match["name"] in found:
            return None
        found[match["name"]] = match["checks"] or ""
    return found


def _text(value: Any) -> str:
    return quoted(value, LONGEST_RIGHT) if isinstance(value, str) else right(value)
