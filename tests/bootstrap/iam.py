"""IAM's decision over documents, as far as this project's documents go: an explicit denial, else an allowance.

Both a role's policies and its boundary have to allow. A condition that this doesn't know fails the test.
"""

from collections.abc import Iterable, Mapping

from policies.documents import Statement, matches, parse

Context = Mapping[str, str | list[str]]


def _values(context: Context, key: str) -> list[str]:
    found = context.get(key, [])
    return [found] if isinstance(found, str) else found


def _holds(operator: str, key: str, demanded: tuple[str, ...], context: Context) -> bool:
    values = _values(context, key)
    match operator:
        case "StringEquals" | "ArnEquals":
            return bool(values) and values[0] in demanded
        case "StringNotEquals":
            return not values or values[0] not in demanded
        case "ForAnyValue:StringEquals":
            return any(value in demanded for value in values)
        case "ForAllValues:StringNotEquals":
            return all(value not in demanded for value in values)
        case "Null":
            return (demanded == ("true",)) == (not values)
        case _:
            raise AssertionError(f"no test knows the condition {operator}")


def _applies(statement: Statement, action: str, resource: str, context: Context) -> bool:
    at = (
        not any(matches(resource, pattern) for pattern in statement.not_resources)
        if statement.not_resources
        else any(matches(resource, pattern) for pattern in statement.resources)
    )
    return (
        at
        and statement.covers(action)
        and all(
            _holds(operator, key, demanded, context)
            for operator, keys in statement.conditions.items()
            for key, demanded in keys.items()
        )
    )


def _decision(documents: Iterable[str], action: str, resource: str, context: Context) -> bool:
    about = [one for document in documents for one in parse(document) if _applies(one, action, resource, context)]
    return bool(about) and all(one.allows for one in about)


def allows(policies: Iterable[str], boundary: str, action: str, resource: str, **context: str | list[str]) -> bool:
    """`context`: condition keys, with `__` for the colons."""
    spelled = {key.replace("__", ":"): value for key, value in context.items()}
    return all(_decision(documents, action, resource, spelled) for documents in (policies, [boundary]))
