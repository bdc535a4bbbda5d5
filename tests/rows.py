"""`make rows`: each requirement with the tests that prove it and the command that shows it.

Fails when a test names a row that docs/requirements.md doesn't have or calls not built, or when the tests can't be
collected.
"""

import contextlib
import io
import re
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs/requirements.md"
UNBUILT = "-"  # as a row's command

_ROW = re.compile(r"^\| (?P<id>[A-Z][0-9]+) \| (?P<text>.+) \| (?P<command>.+) \|$")


class CollectionError(Exception):
    """The tests can't be listed; the message is pytest's."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One requirement, as the table has it."""

    id: str
    text: str
    command: str


def read_table(text: str) -> list[Row]:
    return [Row(**match.groupdict()) for line in text.splitlines() if (match := _ROW.match(line))]


class _Collector:
    """A pytest plugin: which test functions carry which rows."""

    def __init__(self) -> None:
        self.tests: dict[str, dict[str, None]] = defaultdict(dict)  # in the order of collection, each once

    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        for item in items:
            name = item.nodeid.partition("[")[0]
            for marker in item.iter_markers("rows"):
                for row in marker.args:
                    self.tests[str(row)][name] = None


def collect(paths: Sequence[str]) -> dict[str, list[str]]:
    """Row id to the tests that carry it."""
    collector, output = _Collector(), io.StringIO()
    arguments = ["--collect-only", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "-p", "no:cacheprovider"]
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = pytest.main([*arguments, *paths], plugins=[collector])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise CollectionError(output.getvalue())
    return {row: list(tests) for row, tests in collector.tests.items()}


def report(rows: Sequence[Row], tests: Mapping[str, Sequence[str]]) -> str:
    lines: list[str] = []
    for row in rows:
        lines.append(f"{row.id:<4} {row.text}")
        lines += [f"       run   {row.command.strip('`')}"] if row.command != UNBUILT else []
        lines += [f"       test  {name}" for name in tests.get(row.id, ())] or [
            "       not built yet" if row.command == UNBUILT else "       no test proves it"
        ]
    proved = sum(1 for row in rows if tests.get(row.id))
    return "\n".join([*lines, "", f"{proved} of {len(rows)} rows have a test"])


def main(paths: Sequence[str]) -> int:
    rows = read_table(TABLE.read_text())
    try:
        tests = collect(paths or [str(ROOT / "tests")])
    except CollectionError as error:
        print(error, file=sys.stderr)
        return 1
    print(report(rows, tests))
    unknown = sorted(set(tests) - {row.id for row in rows})
    for row in unknown:
        print(
            f"error: {row} is no row of docs/requirements.md; it is named by {', '.join(tests[row])}", file=sys.stderr
        )
    built = [row.id for row in rows if row.command == UNBUILT and row.id in tests]
    for row in built:
        print(f"error: {row} has tests and so is built, and docs/requirements.md names no command", file=sys.stderr)
    return 1 if unknown or built else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
