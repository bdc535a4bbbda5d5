"""Foreign text, made safe to show: one line, printable ASCII, bounded, and never mistaken for words of ours.

What is shown here is what people approve, so that a letter of another alphabet, a text that runs backwards or a control
character must not pass for something else. Our own words use an arrow and an ellipsis, which no value can contain.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, cast

LONGEST = 1000
LONGEST_NAME = 100
LONGEST_RIGHT = 4000  # what runs, and what a policy says: shown whole as long as anybody can read it
CONTEXT = 30

_UNSAFE = re.compile(r"[^ -~]|\\")
# What can't be taken for anything but one value: no space, no quote, not empty, not a number.
_BARE = re.compile(r"(?!(?:true|false|null|none|nan|inf)$)[A-Za-z/*_.][A-Za-z0-9./:@*+_-]*", re.IGNORECASE)


def _escaped(text: str) -> str:
    return _UNSAFE.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def plain(text: str, longest: int = LONGEST_NAME) -> str:
    """In one harmless line, without quotes.

    The middle of a long text is left out, and said to be; the digest keeps two texts that differ there apart.
    """
    if len(text) <= longest:
        return _escaped(text)
    head, tail = text[: longest // 2], text[-(longest // 2) :]
    left_out = f"{len(text) - len(head) - len(tail):,} characters, SHA-256 of all {_digest(text)}"
    return f"{_escaped(head)}… {left_out} …{_escaped(tail)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:12]


def quoted(text: str, longest: int = LONGEST) -> str:
    return '"' + plain(text, longest).replace('"', '\\"') + '"'


def shown(value: Any, longest: int = LONGEST) -> str:
    """Any value; a text stands without quotes only where it can't be taken for anything else."""
    if isinstance(value, str):
        return value if len(value) <= longest and _BARE.fullmatch(value) else quoted(value, longest)
    if isinstance(value, Mapping):
        pairs = sorted(cast("Mapping[str, Any]", value).items())
        return "{" + ", ".join(f"{shown(name)}: {shown(item, longest)}" for name, item in pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(shown(item, longest) for item in cast("list[Any]", value)) + "]"
    return json.dumps(value)


def shown_change(before: Any, after: Any, longest: int = LONGEST) -> tuple[str, str]:
    """Both, so that what differs can be seen: of two long texts the part that does, with what is around it."""
    if not isinstance(before, str) or not isinstance(after, str) or max(len(before), len(after)) <= longest:
        return shown(before, longest), shown(after, longest)
    shorter = min(len(before), len(after))
    start = next((index for index in range(shorter) if before[index] != after[index]), shorter)
    end = next((index for index in range(shorter - start) if before[-1 - index] != after[-1 - index]), shorter - start)
    first, last = max(0, start - CONTEXT), max(0, end - CONTEXT)
    return _part(before, first, last, longest), _part(after, first, last, longest)


def _part(text: str, first: int, last: int, longest: int) -> str:
    before = f"… {first:,} characters … " if first else ""
    after = f" … {last:,} characters …" if last else ""
    return before + quoted(text[first : len(text) - last], longest) + after
