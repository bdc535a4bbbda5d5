"""Tables as wide as the terminal; colour only where it is wanted."""

import os
from collections.abc import Callable, Collection, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

GAP = 2  # blanks between columns
INDENT = 2


def console(*, stderr: bool = False) -> Console:
    """Where NO_COLOR is set nothing is bold either."""
    return Console(highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto", stderr=stderr)


def show(*parts: RenderableType) -> None:
    """Print, with no blanks at the ends of lines where no terminal hides them."""
    target = console()
    if target.is_terminal:
        target.print(*parts, sep="\n")
        return
    with target.capture() as captured:
        target.print(*parts, sep="\n")
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def table(
    columns: Sequence[str], rows: Sequence[Sequence[Text | str]], right: Collection[str] = (), below: int = 0
) -> RenderableType:
    """No word is broken that fits. Where a row doesn't fit into the width, its last columns stand below, indented.

    `right` names the columns that are set to the right; so many of the last stand `below` even where they would fit.
    """
    width = console().width
    lines = [[Text(column, "bold") for column in columns]]
    lines += [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    words, whole = _widths(lines, str.split), _widths(lines, str.splitlines)
    if not below and _line(words) <= width:
        return _grid(columns, lines, _shares(words, whole, width), right)
    leading = next(count for count in range(len(whole) - below, -1, -1) if _line(whole[:count]) <= width)
    return Group(
        *(
            part
            for row in lines
            for part in (
                _grid(columns[:leading], [row[:leading]], whole[:leading], right),
                *(Padding(cell, (0, 0, 0, INDENT)) for cell in row[leading:] if cell),
            )
        )
    )


def _widths(lines: Sequence[Sequence[Text]], pieces: Callable[[str], list[str]]) -> list[int]:
    """Of each column, the width of its widest piece."""
    columns = zip(*lines, strict=True)
    return [max(len(piece) for cell in column for piece in ["", *pieces(cell.plain)]) for column in columns]


def _line(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _shares(words: Sequence[int], whole: Sequence[int], width: int) -> list[int]:
    """What is left over goes to the columns in turn, until each is as wide as it would like to be."""
    shares = list(words)
    for number, wanted in enumerate(whole):
        shares[number] += min(wanted - shares[number], width - _line(shares))
    return shares


def _grid(
    columns: Sequence[str], lines: Sequence[Sequence[Text]], widths: Sequence[int], right: Collection[str]
) -> Table:
    grid = Table.grid(padding=(0, GAP, 0, 0))
    for column, width in zip(columns, widths, strict=True):
        grid.add_column(width=width, justify="right" if column in right else "left", overflow="fold")
    for line in lines:
        grid.add_row(*line)
    return grid
