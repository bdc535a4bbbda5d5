"""Prometheus's text format, read strictly: an error page is no reading.

A parser of our own, since the library's package brings an HTTP server and collectors along, 200 KB of code that people
would have to approve. Source: https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*"'
# Possessive, so that a line without end is refused at once.
_VALUE = r"[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?|NaN|[-+]?Inf"
_SAMPLE = re.compile(
    rf"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{(?P<labels>(?:{_LABEL},?)*)\}})?"
    rf"[ \t]+(?P<value>{_VALUE})(?:[ \t]+-?\d+)?"
)
_PAIR = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


class FormatError(Exception):
    """A text that is not in this format."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    name: str
    labels: Mapping[str, str]  # as they stand, escapes and all
    value: float


def samples(text: str, names: Collection[str]) -> list[Sample]:
    """Those of these names.

    Raises: FormatError, whichever line it is that can't be read.
    """
    found: list[Sample] = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip(" \t\r")
        if not line or line.startswith("#"):
            continue
        match = _SAMPLE.fullmatch(line)
        if match is None:
            raise FormatError(f"line {number} is no sample")
        if match["name"] in names:
            labels = dict(_PAIR.findall(match["labels"] or ""))
            found.append(Sample(name=match["name"], labels=labels, value=float(match["value"])))
    return found
