"""Exceptions to the rules, as data: one rule, one resource, a reason, who answers for it, and an end.

A waiver that is expired, names no known rule, or names more than one resource keeps the whole pack from starting.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

import yaml
from typing_extensions import override

FILE = Path(__file__).with_name("waivers.yaml")
FIELDS = ("rule", "resource", "reason", "approver", "expires")
# `aws:sns/topic:Topic::notifications-level-1`: the end of a URN, whatever component holds the resource.
_RESOURCE = re.compile(r"[A-Za-z0-9_-]+:[A-Za-z0-9_/-]+:[A-Za-z0-9_]+::[^*?\s]+")


class WaiverError(Exception):
    """Waivers that can't be used; the message names the entry and what to change."""


@dataclass(frozen=True, kw_only=True)
class Waiver:
    rule: str
    resource: str
    reason: str
    approver: str
    expires: date

    @override
    def __str__(self) -> str:
        return f"waived until {self.expires} by {self.approver}: {self.reason}"


class Waivers:
    def __init__(self, waivers: Sequence[Waiver]) -> None:
        self._by_place = {(waiver.rule, waiver.resource): waiver for waiver in waivers}

    def of(self, rule: str, urn: str) -> Waiver | None:
        return self._by_place.get((rule, place(urn)))

    def all(self) -> list[Waiver]:
        return list(self._by_place.values())


NO_WAIVERS = Waivers(())


def place(urn: str) -> str:
    """Type and name of a URN `urn:pulumi:<stack>::<project>::<parents>$<type>::<name>`."""
    types, _, name = urn.partition("::")[2].partition("::")[2].partition("::")
    return f"{types.rpartition('$')[2]}::{name}"


def read(text: str, rules: Collection[str], today: date) -> Waivers:
    """All of the file, or a WaiverError that lists everything that is wrong with it."""
    try:
        entries: object = yaml.safe_load(text) or []
    except yaml.YAMLError as error:
        raise WaiverError(f"{FILE.name} is no YAML: {error}") from error
    if not isinstance(entries, list):
        raise WaiverError(f"{FILE.name} is no list of waivers")
    waivers: list[Waiver] = []
    wrong: list[str] = []
    for number, entry in enumerate(cast("list[object]", entries), 1):
        problems = list(_problems(entry, rules, today))
        if problems:
            wrong.append(f"  waiver {number} of {FILE.name}: {'; '.join(problems)}")
            continue
        waiver = Waiver(**cast("dict[str, Any]", entry))
        if any((waiver.rule, waiver.resource) == (other.rule, other.resource) for other in waivers):
            wrong.append(f"  waiver {number} of {FILE.name}: {waiver.rule} is waived for {waiver.resource} already")
        waivers.append(waiver)
    if wrong:
        raise WaiverError("\n".join(["the policy pack does not start with waivers that can't be used:", *wrong]))
    return Waivers(waivers)


def _problems(entry: object, rules: Collection[str], today: date) -> Sequence[str]:
    if not isinstance(entry, dict) or set(cast("dict[str, Any]", entry)) != set(FIELDS):
        return [f"it has not exactly the fields {', '.join(FIELDS)}"]
    fields = cast("Mapping[str, Any]", entry)
    found: list[str] = []
    if fields["rule"] not in rules:
        found.append(f"{fields['rule']!r} is no rule that can be waived; docs/policies.md lists them")
    if not isinstance(fields["resource"], str) or not _RESOURCE.fullmatch(fields["resource"]):
        found.append(f"{fields['resource']!r} is not one resource, written <type>::<name> without wildcards")
    found += [f"`{name}` is empty" for name in ("reason", "approver") if not str(fields[name] or "").strip()]
    expires = fields["expires"]
    if not isinstance(expires, date) or isinstance(expires, datetime):
        found.append(f"`expires` is {expires!r}, not a date like 2027-05-31")
    elif expires < today:
        found.append(f"it expired on {expires}: mend {fields['resource']}, or have {fields['approver']} renew it")
    return found


def load(rules: Collection[str]) -> Waivers:
    """The pack's own."""
    return read(FILE.read_text(), rules, datetime.now(UTC).date())
