"""What changes between two policy documents, statement by statement: who gains or loses which right, on what, if what.

Each element of a statement that differs is named. A statement is followed from one document to the other by its Sid,
else by its content; one that can't be followed is a loss and a gain, both in full.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from gate.text import LONGEST_RIGHT, shown, shown_change

Statement = Mapping[str, Any]

ACCOUNT = re.compile(r"(?P<root>arn:aws:iam::)?(?P<id>\d{12})(?(root):root)")
SAID = frozenset({"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource"})
USUAL_VERSION = "2012-10-17"
OPERATORS: Mapping[str, str] = {
    "StringEquals": "is",
    "StringNotEquals": "is not",
    "StringLike": "is like",
    "ArnEquals": "is the ARN",
    "ArnLike": "is like the ARN",
    "ForAnyValue:StringEquals": "has any of",
    "ForAllValues:StringEquals": "has nothing but",
}
ALIASES = ("ForAnyValue:StringEquals", "kms:ResourceAliases")


@dataclass(frozen=True, kw_only=True)
class Document:
    """Which document it is, in words; who has its rights, where its statements name nobody; what `*` stands for."""

    what: str
    holder: str = ""
    itself: str = ""


def document_sentences(which: Document, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """An empty mapping stands for no document."""
    told = _Telling(which)
    lost, gained, kept = _followed(_statements(before), _statements(after))
    sentences = [told.whole(one, gains=False) for one in lost]
    sentences += [told.whole(one, gains=True) for one in gained]
    for old, new in kept:
        sentences += told.difference(old, new)
    for name in sorted((before.keys() | after.keys()) - {"Statement"}):
        if name == "Version" and not (before and after) and USUAL_VERSION in (before.get(name), after.get(name)):
            continue
        sentences += _element(which.what, name, before, after)
    if not sentences and _shown(before) != _shown(after):
        sentences.append(f"{which.what}: its statements stand in another order, each as it was")
    return sentences


def _shown(value: Any) -> str:
    return shown(value, LONGEST_RIGHT)


def _statements(document: Mapping[str, Any]) -> list[Statement]:
    return [
        cast("Statement", one) if isinstance(one, dict) else {"no statement": one}
        for one in cast("list[object]", document.get("Statement", []))
    ]


def _followed(
    before: Sequence[Statement], after: Sequence[Statement]
) -> tuple[list[Statement], list[Statement], list[tuple[Statement, Statement]]]:
    """Lost, gained, and those that stand in both in some form."""
    lost, gained = list(before), list(after)
    kept: list[tuple[Statement, Statement]] = []
    for is_same in (_is_equal, _has_sid, _is_renamed, _is_near):
        for old in list(lost):
            fitting = [new for new in gained if is_same(old, new)]
            # Two of the same Sid can't be told apart by it.
            if len(fitting) == 1 or (fitting and is_same is _is_equal):
                lost.remove(old)
                gained.remove(fitting[0])
                kept.append((old, fitting[0]))
    return lost, gained, kept


def _is_equal(old: Statement, new: Statement) -> bool:
    return _form(old) == _form(new)


def _has_sid(old: Statement, new: Statement) -> bool:
    return "Sid" in old and _form(old["Sid"]) == _form(new.get("Sid")) and _is_comparable(old, new)


def _is_renamed(old: Statement, new: Statement) -> bool:
    return _form({**old, "Sid": ""}) == _form({**new, "Sid": ""})


def _is_near(old: Statement, new: Statement) -> bool:
    """Nameless in both, and different in one element only."""
    if "Sid" in old or "Sid" in new or not _is_comparable(old, new):
        return False
    return sum(_form(old.get(name)) != _form(new.get(name)) for name in old.keys() | new.keys()) == 1


def _is_comparable(old: Statement, new: Statement) -> bool:
    """Of the same effect and built alike: else a difference would say less than both in full."""
    free = {"Sid", "Condition"}
    return _form(old.get("Effect")) == _form(new.get("Effect")) and old.keys() - free == new.keys() - free


def _form(value: object) -> str:
    """Unlike `==`, it tells 1 from true."""
    if isinstance(value, Mapping):
        items = sorted(cast("Mapping[str, object]", value).items())
        return "{" + ",".join(f"{name!r}:{_form(item)}" for name, item in items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_form(item) for item in cast("list[object]", value)) + "]"
    return repr(value)


def _element(where: str, name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    label = f"{where}, {_shown(name)}"
    if name not in before:
        return [f"{label}: {_shown(after[name])}"]
    if name not in after:
        return [f"{label} is gone (was {_shown(before[name])})"]
    if _form(before[name]) == _form(after[name]):
        return []
    return [f"{label}: {' → '.join(shown_change(before[name], after[name], LONGEST_RIGHT))}"]


@dataclass(frozen=True)
class _Telling:
    which: Document

    def whole(self, one: Statement, *, gains: bool) -> str:
        """A statement that is there on one side only."""
        return self._sentence(one, self._principals(one), self._actions(one), self._on(one), gains=gains)

    def difference(self, old: Statement, new: Statement) -> list[str]:
        label = self._label(old)
        sentences: list[str] = []
        if _form(old.get("Sid")) != _form(new.get("Sid")):
            sentences += _element(label, "Sid", old, new)
        for name in sorted((old.keys() | new.keys()) - {"Sid"}):
            if _form(old.get(name)) == _form(new.get(name)) and (name in old) == (name in new):
                continue
            if name == "Condition":
                found = _conditions(label, old, new)
            elif name in ("Principal", "Action", "Resource"):
                found = [*self._differing(name, old, new, gains=False), *self._differing(name, new, old, gains=True)]
            else:
                found = []
            # A form that the words don't tell apart is shown as it is.
            sentences += found or _element(label, name, old, new)
        return sentences

    def _differing(self, name: str, one: Statement, other: Statement, *, gains: bool) -> list[str]:
        """What `one` says in this element and `other` doesn't."""
        who, actions, on = self._principals(one), self._actions(one), self._on(one)
        if name == "Principal":
            items = who = _only(_named(one[name]), _named(other[name]))
        elif name == "Action":
            items = _only(_items(one[name]), _items(other[name]))
            actions = _listed(items)
        else:
            items = _only(_items(one[name]), _items(other[name]))
            on = f" on {self._resources(items)}"
        return [self._sentence(one, who, actions, on, gains=gains)] if items else []

    def _sentence(self, one: Statement, who: Sequence[str], actions: str, on: str, *, gains: bool) -> str:
        effect = one.get("Effect")
        several = len(who) > 1
        if effect == "Allow":
            verb = ("gain" if gains else "lose") + ("" if several else "s")
        elif effect == "Deny":
            verb = ("are" if several else "is") + (" denied" if gains else " no longer denied")
        else:
            verb = f"{'from now on' if gains else 'no longer'} under the effect {_shown(effect)}:"
        rest = {name: item for name, item in one.items() if name not in SAID and name != "Condition"}
        extra = f", with {_shown(rest)}" if rest else ""
        return f"{', '.join(who)} {verb} {actions}{on}{self._if(one)}{extra} ({self._label(one)})"

    def _label(self, one: Statement) -> str:
        return f"{self.which.what}, statement {_shown(one['Sid'])}" if "Sid" in one else self.which.what

    def _principals(self, one: Statement) -> list[str]:
        if "NotPrincipal" in one:
            return [f"everyone except {', '.join(_named(one['NotPrincipal']))}"]
        if "Principal" in one:
            return _named(one["Principal"]) or ["nobody"]
        return [self.which.holder or "nobody in particular"]

    def _actions(self, one: Statement) -> str:
        if "NotAction" in one:
            return f"every action except {', '.join(map(_shown, _items(one['NotAction'])))}"
        return _listed(_items(one.get("Action"))) or "no action"

    def _on(self, one: Statement) -> str:
        if "NotResource" in one:
            return f" on everything except {', '.join(map(_shown, _items(one['NotResource'])))}"
        if "Resource" not in one:
            return ""
        resources = self._resources(_items(one["Resource"]))
        if aliases := _aliases(one):
            return f" on {' or '.join(map(_shown, aliases))} (its keys among {resources})"
        return f" on {resources}"

    def _resources(self, items: Iterable[Any]) -> str:
        return ", ".join(f"{self.which.itself or 'everything'} (*)" if item == "*" else _shown(item) for item in items)

    def _if(self, one: Statement) -> str:
        skipped = {ALIASES} if _aliases(one) and "Resource" in one else set[tuple[str, str]]()
        found = [
            _condition(operator, key, values)
            for (operator, key), values in _by_key(one).items()
            if (operator, key) not in skipped
        ]
        if found:
            return f", if {' and '.join(found)}"
        open_to_all = one.get("Effect") == "Allow" and not self.which.holder and not skipped
        return ", without any condition" if open_to_all else ""


def _items(value: Any) -> list[Any]:
    if value is None:
        return []
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _listed(actions: Iterable[Any]) -> str:
    return ", ".join("every action (*)" if item == "*" else _shown(item) for item in actions)


def _only(here: Sequence[Any], there: Sequence[Any]) -> list[Any]:
    others = {_form(item) for item in there}
    return [item for item in here if _form(item) not in others]


def _named(principal: Any) -> list[str]:
    """Each principal in words; the two ways to write `everyone` stay two."""
    if not isinstance(principal, dict):
        return ["everyone (*)" if item == "*" else _shown(item) for item in _items(principal)]
    found: list[str] = []
    for kind, values in sorted(cast("dict[str, Any]", principal).items()):
        for value in _items(values):
            if kind == "AWS" and value == "*":
                found.append("everyone (AWS: *)")
            elif kind == "AWS" and isinstance(value, str) and (account := ACCOUNT.fullmatch(value)):
                found.append(f"account {account['id']}" + (" (root)" if account["root"] else ""))
            elif kind == "AWS":
                found.append(_shown(value))
            elif kind == "Service":
                found.append(f"the service {_shown(value)}")
            elif kind == "Federated":
                found.append(f"the identity provider {_shown(value)}")
            else:
                found.append(f"{_shown(kind)} {_shown(value)}")
    return found


def _by_key(one: Statement) -> dict[tuple[str, str], Any]:
    """Conditions by operator and key; what has another shape under an empty key."""
    given = one.get("Condition", {})
    if not isinstance(given, dict):
        return {("", ""): given}
    found: dict[tuple[str, str], Any] = {}
    for operator, keys in cast("dict[str, Any]", given).items():
        if isinstance(keys, dict) and keys:
            found |= {(operator, key): values for key, values in cast("dict[str, Any]", keys).items()}
        else:
            found[operator, ""] = keys
    return found


def _aliases(one: Statement) -> list[Any]:
    return _items(_by_key(one).get(ALIASES))


def _condition(operator: str, key: str, values: Any) -> str:
    words = OPERATORS.get(operator, f"({_shown(operator)})")
    return f"{_shown(key)} {words} {' or '.join(map(_shown, _items(values))) or _shown(values)}"


def _conditions(label: str, old: Statement, new: Statement) -> list[str]:
    before, after = _by_key(old), _by_key(new)
    sentences = [
        f"the condition {_condition(*where, before[where])} is gone from {label}"
        for where in before
        if where not in after
    ]
    sentences += [
        f"the condition {_condition(*where, after[where])} is new in {label}" for where in after if where not in before
    ]
    sentences += [
        f"the condition {_condition(*where, before[where])} becomes {_condition(*where, after[where])} in {label}"
        for where in before
        if where in after and _form(before[where]) != _form(after[where])
    ]
    return sentences
