"""Statements of policies, as IAM reads them: which actions and resources they cover, whether their conditions hold."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

Statement = Mapping[str, Any]
# Condition keys in small letters; a key that the call doesn't have is missing or empty.
Context = Mapping[str, Sequence[str]]

TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "arnequals": lambda value, pattern: matches(value, pattern),
    "arnlike": lambda value, pattern: matches(value, pattern),
    "bool": lambda value, wanted: value.lower() == wanted.lower(),
    "stringequals": lambda value, wanted: value == wanted,
    "stringlike": lambda value, pattern: matches(value, pattern),
}


def of(document: Mapping[str, Any]) -> list[Statement]:
    """A document's, which may be one alone."""
    statements = document.get("Statement", [])
    return statements if isinstance(statements, list) else [statements]


def listed(value: Any) -> list[str]:
    """What may be given as one or as a list; IAM takes true for "true"."""
    if value is None:
        return []
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in _several(value)]


def matches(text: str, pattern: str) -> bool:
    """IAM's wildcards: `*` and `?`."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def covers(statement: Statement, action: str, resource: str = "") -> bool:
    """Without a resource only the action counts."""
    return _named(statement, "Action", action.lower(), str.lower) and (
        not resource or _named(statement, "Resource", resource, str)
    )


def holds(statement: Statement, context: Context) -> bool:
    """Whether its conditions do. One that isn't understood never lets anybody in."""
    conditions: Mapping[str, Mapping[str, Any]] = statement.get("Condition") or {}
    met = [
        _met(operator.lower(), context.get(key.lower(), ()), listed(values))
        for operator, keys in conditions.items()
        for key, values in keys.items()
    ]
    return all(statement["Effect"] == "Deny" if one is None else one for one in met)


def _met(operator: str, values: Sequence[str], wanted: list[str]) -> bool | None:
    """None where the operator isn't known here."""
    quantifier, _, name = operator.rpartition(":")
    if name == "null":
        return (wanted == ["true"]) == (not values)
    plain = name.removesuffix("ifexists")
    if plain != name and not values:
        return True
    negated = plain.replace("not", "", 1) if "not" in plain else ""
    test = TESTS.get(negated or plain)
    if test is None or quantifier not in ("", "foranyvalue", "forallvalues"):
        return None
    each = [any(test(value, one) for one in wanted) != bool(negated) for value in values]
    every = quantifier == "forallvalues" or (negated and not quantifier)
    return all(each) if every else any(each)


def _named(statement: Statement, element: str, text: str, spelled: Callable[[str], str]) -> bool:
    def among(patterns: Iterable[str]) -> bool:
        return any(matches(text, spelled(one)) for one in patterns)

    if f"Not{element}" in statement:
        return not among(listed(statement[f"Not{element}"]))
    return among(listed(statement.get(element)))


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
