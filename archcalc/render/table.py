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


class Table(NamedTuple):
    """A table as plain data.

    Attributes:
        title: one line.
        columns: headings.
        rows: one cell a column.
        footer: rows of totals.
        notes: sentences below the table.
        narrow: the same for a terminal in which this one does not fit.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    footer: tuple[tuple[Cell, ...], ...] = ()
    notes: tuple[str, ...] = ()
    narrow: Table | None = None


class Formula(NamedTuple):
    """Equations, one a line.

    Attributes:
        lines: of each its text, with ``=`` in it, and its LaTeX, likewise.
    """

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


def number(value: Number | None, digits: int = 0) -> Cell:
    """A cell of a number, exact, or short with so many digits and a prefix; empty for None."""
    if value is None:
        return Cell("", "", None)
    shown = rounded(value, digits) if digits else exact(value)
    return Cell(shown, _tex(value, shown), value)


def working(count: Count) -> Cell:
    """A cell with a working and its result."""
    return Cell(count.equation(), f"${count.latex()}$", count.value)


def _tex(value: Number, shown: str) -> str:
    if isinstance(value, int):
        return shown.replace(",", "{,}") if "," in shown else shown
    return f"${value.latex()}$"
