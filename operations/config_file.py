"""Settings written into Pulumi.<stack>.yaml, in which all else stays as it is to the letter: people comment that file.

What a YAML library writes back is formatted anew. So lines are put in where the parser says that they belong, and what
comes out is read again and compared: an edit that would say anything else is refused.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from operations.errors import OperationError
from settings import NAMESPACE, content_of, file_name, file_of

INDENT = 2  # blanks, as in all of our files

Values = Mapping[str, "str | bool | Values"]


def write_settings(stack: str, root: Path, values: Values) -> None:
    """Put settings of the project (their names without its namespace) into the stack's file, whole or not at all.

    Raises: OperationError where the file can't be edited by lines or written; SettingsError where it can't be read.
    """
    file = file_of(stack, root)
    before, wanted = file.read_bytes().decode(), content_of(stack, root)
    config: Any = wanted["config"]
    _merge(config, {_key_in(config, name): value for name, value in values.items()})
    after = _edited(before, values, wanted)
    if not after:
        raise OperationError(
            f"{file_name(stack)} is not written as a setting could be put into it by lines; nothing was written",
            f"Write it there yourself, below `config:`:\n{yaml.safe_dump(_namespaced(values), sort_keys=False)}",
        )
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        unfinished.write_bytes(after.encode())
        unfinished.chmod(file.stat().st_mode)
        unfinished.replace(file)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise OperationError(f"{file.name} can't be written, and is as it was: {error.strerror}") from error


def with_settings(text: str, values: Values) -> str:
    """The text of a stack's file with settings put in or changed."""
    for path, value in _leaves(values):
        text = _with(text, path, value)
    return text


def _with(text: str, path: tuple[str, ...], value: str | bool) -> str:
    node, left = _find(yaml.compose(text, Loader=yaml.SafeLoader), ("config", *path))
    if not left:
        return text[: node.start_mark.index] + _scalar(value) + text[node.end_mark.index :]
    first = left[0] if len(left) < len(path) else f"{NAMESPACE}:{left[0]}"
    if node.flow_style:
        end = node.end_mark.index - 1
        inner = _scalar(value)
        for name in reversed(left[1:]):
            inner = f"{{{name}: {inner}}}"
        comma = ", " if node.value else ""
        return f"{text[:end].rstrip()}{comma}{first}: {inner}{text[end:]}"
    column, at = node.start_mark.column, _end_of_line(text, node)
    names = [first, *left[1:]]
    lines = [f"{' ' * (column + INDENT * depth)}{name}:" for depth, name in enumerate(names)]
    inserted = "\n".join([*lines[:-1], f"{lines[-1]} {_scalar(value)}"])
    missing = "" if text[:at].endswith("\n") else "\n"
    return f"{text[:at]}{missing}{inserted}\n{text[at:]}"


def _find(node: Any, path: tuple[str, ...]) -> tuple[Any, tuple[str, ...]]:
    """The innermost node on the path that is there, and the names below it that aren't."""
    for number, name in enumerate(path):
        if not isinstance(node, yaml.MappingNode):
            return node, path[number:]
        inner = next((value for key, value in node.value if key.value in (name, f"{NAMESPACE}:{name}")), None)
        if inner is None:
            return node, path[number:]
        node = inner
    return node, ()


def _end_of_line(text: str, node: Any) -> int:
    """Behind the last line of a block: what its end mark says lies behind the comments that follow."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    mark = node.end_mark
    if mark.column == 0:
        return int(mark.index)
    found = text.find("\n", mark.index)
    return len(text) if found < 0 else found + 1


def _leaves(values: Values, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str | bool]]:
    found: list[tuple[tuple[str, ...], str | bool]] = []
    for name, value in values.items():
        found += _leaves(value, (*path, name)) if isinstance(value, Mapping) else [((*path, name), value)]
    return found


def _scalar(value: str | bool) -> str:
    """A key's id is quoted: one of digits alone, or with an `e` among them, would be a number."""
    return str(value).lower() if isinstance(value, bool) else f'"{value}"'


def _edited(text: str, values: Values, wanted: object) -> str:
    """Empty where the edit didn't come out as it was meant."""
    try:
        after = with_settings(text, values)
        return after if json.loads(json.dumps(yaml.safe_load(after), default=str)) == wanted else ""
    except yaml.YAMLError:
        return ""


def _key_in(config: Mapping[str, object], name: str) -> str:
    """As the file spells it: the engine takes a name alone for one of the project's."""
    return name if name in config else f"{NAMESPACE}:{name}"


def _namespaced(values: Values) -> dict[str, object]:
    return {f"{NAMESPACE}:{name}": value for name, value in values.items()}


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, Mapping) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = dict(value) if isinstance(value, Mapping) else value
