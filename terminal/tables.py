"""Tables as wide as the terminal; colour only where it is wanted."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence

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
    """A column in which nothing stands is left out, and no word is broken that fits.

    The last column takes the room that the others leave. Where that is less than one of its words needs, it stands
    below its row, indented, rather than that the others are folded; so do more columns on a terminal that is narrower.

    `right` names the columns of numbers, set to the right and never folded; so many of the last stand `below` even
    where they would fit.
    """
    width, last = console().width, len(columns) - below
    kept = [number for number in range(len(columns)) if not rows or any(str(row[number]) for row in rows)]
    lines = [[Text(columns[number], "bold") for number in kept]]
    lines += [[cell if isinstance(cell := row[number], Text) else Text(cell) for number in kept] for row in rows]
    names, last = [columns[number] for number in kept], sum(number < last for number in kept)
    whole = _widths(lines, str.splitlines)
    words = [
        wide if name in right else word
        for name, wide, word in zip(names, whole, _widths(lines, str.split), strict=True)
    ]
    inside = next(count for count in range(last, -1, -1) if _line(whole[:count]) <= width)
    beside = _line([*whole[:-1], words[-1]]) <= width
    below_alone = inside == last - 1 and words[-1] < whole[-1]
    if last == len(kept) and (beside or (_line(words) <= width and not below_alone)):
        return _grid(names, lines, _shares(words, whole, width), right)
    return Group(*(part for line in lines for part in _row(line, names, whole, inside, last, right)))


def _row(
    line: Sequence[Text], names: Sequence[str], widths: Sequence[int], inside: int, last: int, right: Collection[str]
) -> Iterator[RenderableType]:
    """Its first columns, and below them what didn't fit: in one line, or in as many as there are columns."""
    yield _grid(names[:inside], [line[:inside]], widths[:inside], right)
    rest, below = [cell for cell in line[inside:last] if cell], [cell for cell in line[last:] if cell]
    joined = Text(" " * GAP).join(rest)
    single = "\n" not in joined.plain and INDENT + len(joined) <= console().width
    for cell in [*([joined] if rest and single else rest), *below]:
        yield Padding(cell, (0, 0, 0, INDENT))


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
