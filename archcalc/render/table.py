"""What every format draws: titled tables of cells, and paragraphs."""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from archcalc.count import Count, Number, exact
from archcalc.units import rounded


class Cell(NamedTuple):
    """One cell: its text, its LaTeX where that differs, and the bare value for CSV."""

    text: str
    latex: str = ""
    value: Number | None = None


EMPTY: Final = Cell("")


class Column(NamedTuple):
    """A column's heading; numbers stand to the right."""

    heading: str
    right: bool = False


def left(*headings: str) -> tuple[Column, ...]:
    """Columns of words."""
    return tuple(Column(heading) for heading in headings)


def right(*headings: str) -> tuple[Column, ...]:
    """Columns of numbers."""
    return tuple(Column(heading, right=True) for heading in headings)


class Table(NamedTuple):
    """A table as plain data, with one cell a column in every row."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    footer: tuple[tuple[Cell, ...], ...] = ()  # totals
    notes: tuple[str, ...] = ()  # sentences below the table
    narrow: Table | None = None  # the same for a terminal in which this one does not fit


class Formula(NamedTuple):
    """Equations, one a line: of each its text, with ``=`` in it, and its LaTeX, likewise."""

    lines: tuple[tuple[str, str], ...]

    def latex(self) -> str:
        """All of them; where they are several, aligned, which needs amsmath."""
        if len(self.lines) == 1:
            return self.lines[0][1]
        lines = (latex.replace(" = ", " &= ", 1) for _, latex in self.lines)
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


Block: TypeAlias = Table | Formula | str  # a string is a paragraph


def text(words: object) -> Cell:
    """A cell of words."""
    return Cell(str(words))


def texts(*words: object) -> tuple[Cell, ...]:
    """Cells of words, side by side."""
    return tuple(map(text, words))


def number(value: Number | None, digits: int = 0) -> Cell:
    """A cell of a number, exact, or short with so many digits and a prefix; empty for None."""
    if value is None:
        return EMPTY
    shown = rounded(value, digits) if digits else exact(value)
    latex = shown.replace(",", "{,}") if isinstance(value, int) else f"${value.latex()}$"
    return Cell(shown, latex, value)


def working(count: Count) -> Cell:
    """A cell with a working and its result."""
    return Cell(count.equation(), f"${count.latex()}$", count.value)
