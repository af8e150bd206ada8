"""Blocks in a terminal, by rich: the only module that loads it."""

import io
from collections.abc import Iterator, Sequence
from typing import Final, TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.constrain import Constrain
from rich.table import Table as RichTable
from rich.text import Text

from archcalc.render.table import EMPTY, Block, Cell, Formula, Table, left, texts

READABLE: Final = 100  # no paragraph is wider than this
UNBOUNDED: Final = 10_000


class Drawing:
    """Blocks that know how to draw themselves in a rich console, whatever its width."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = blocks

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        for place, block in enumerate(self.blocks):
            if place:
                yield Text()
            if isinstance(block, str):
                yield _paragraph(block, width)
            elif isinstance(block, Formula):
                lines, latex = zip(*block.lines, strict=True)
                for line in (*lines, "", *latex):  # neither broken nor cut, so as to be copied
                    yield Text(f"    {line}", no_wrap=True, overflow="ignore")
            else:
                if block.title:
                    yield Text(block.title, style="bold")
                yield _fitting(block, width)
                yield from (_paragraph(note, width) for note in block.notes)


def _paragraph(words: str, width: int) -> Constrain:
    return Constrain(Text(words), min(width, READABLE))


def _rich(block: Table, gap: int = 1, widths: list[int] | None = None) -> RichTable:
    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, gap, 0, 0), show_edge=False)
    for place, column in enumerate(block.columns):
        table.add_column(
            Text(column.heading),
            justify="right" if column.right else "left",
            overflow="fold",
            width=widths[place] if widths else None,
        )
    for place, row in enumerate(block.rows, 1):
        last = place == len(block.rows) and bool(block.footer)
        table.add_row(*(Text(cell.text) for cell in row), end_section=last)
    for row in block.footer:
        table.add_row(*(Text(cell.text) for cell in row), style="bold")
    return table


def _fitting(block: Table, width: int) -> RichTable:
    """The first layout that fits: the table, its narrow one, or all columns one below the other.

    A layout fits if no word or number in it is broken; sentences may be wrapped.
    """
    if width >= UNBOUNDED:
        return _rich(block)
    if widths := _widths(block, width, gap=1, wrap=block.narrow is None):
        return _rich(block, widths=widths)
    if block.narrow and (widths := _widths(block.narrow, width, gap=0, wrap=True)):
        return _rich(block.narrow, gap=0, widths=widths)
    return _rich(_stacked(block))


def _widths(block: Table, width: int, *, gap: int, wrap: bool) -> list[int] | None:
    """A width for each column such that no word is broken; None where there is no room.

    What is left after the longest word of every column goes where it takes least to be enough.
    """
    rows = (texts(*(column.heading for column in block.columns)), *block.rows, *block.footer)
    columns = [[cell.text for cell in column] for column in zip(*rows, strict=True)]
    enough = [max(map(cell_len, column)) for column in columns]
    widths = [max(map(cell_len, " ".join(column).split()), default=0) for column in columns]
    spare = width - sum(widths) - (gap + 1) * (len(columns) - 1)
    missing = sum(enough) - sum(widths)
    if spare < (0 if wrap else missing):
        return None
    for place in sorted(range(len(columns)), key=lambda i: enough[i] - widths[i]):
        more = min(spare, enough[place] - widths[place])
        widths[place] += more
        spare -= more
    return widths


def _stacked(block: Table) -> Table:
    """One line a cell, the first column in front of each row's lines."""
    first, *others = (column.heading for column in block.columns)

    def lines(rows: tuple[tuple[Cell, ...], ...]) -> Iterator[tuple[Cell, ...]]:
        for label, *cells in rows:
            pairs = [(Cell(h), cell) for h, cell in zip(others, cells, strict=True) if cell.text]
            for place, pair in enumerate(pairs or [(EMPTY, EMPTY)]):
                yield (label if place == 0 else EMPTY, *pair)

    columns = left(first, "what", "value")
    return Table(block.title, columns, tuple(lines(block.rows)), tuple(lines(block.footer)))


def draw(blocks: Sequence[Block], stream: TextIO) -> None:
    """Draw in a terminal."""
    Console(file=stream, highlight=False).print(Drawing(blocks), crop=False)


def plain(blocks: Sequence[Block], width: int | None = None) -> str:
    """The text for a pipe or a file; as wide as it has to be where no width is given."""
    stream = io.StringIO()
    console = Console(file=stream, width=width or UNBOUNDED, height=25, color_system=None)
    console.print(Drawing(blocks), crop=False)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"
