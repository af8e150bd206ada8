"""How answers write numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from archcalc.render.table import Block, Cell, Column, Table, text

Named: TypeAlias = tuple[str, Block]  # an answer's block, and what the report calls it
Found: TypeAlias = "Sequence[Any]"  # a statistics.Estimate or Interval, as results have it


def under(name: str, blocks: Iterable[Block]) -> Iterator[Named]:
    """Blocks that have one name."""
    return ((name, block) for block in blocks)


def percent(value: float, digits: int = 1) -> str:
    """``91.4 %``."""
    return f"{100 * value:.{digits}f} %"


def estimate(found: Found, number: Callable[[float], str], unit: str = "") -> str:
    """``0.51 [0.49, 0.53]``; where an interval would be of too few, the values: ``0.50, 0.52``."""
    if few := values(found):
        return ", ".join("not finite" if one is None else number(one) for one in few) + unit
    value, low, high = found[:3]
    if value is None:
        return "not finite"
    ends = "" if low is None or high is None else f" [{number(low)}, {number(high)}]"
    return f"{number(value)}{unit}{ends}"


def values(found: Found) -> list[float | None]:
    """What there is in place of an interval, where fewer than five values would make one."""
    return [*found[3]] if found[3:] else []


def interval(found: Found, digits: int = 1) -> str:
    """``91.4 % [89.5, 93.0]`` of a proportion."""
    return estimate(found, lambda one: f"{100 * one:.{digits}f}", " %")


def points(found: Found, digits: int = 1) -> str:
    """``+0.4 [+0.2, +0.6]`` percentage points of a difference."""
    return estimate(found, lambda one: _plus(100 * one, digits))


def signed(found: Found, digits: int = 4) -> str:
    """``+0.0123 [-0.0021, +0.0267]`` of a difference."""
    return estimate(found, lambda one: _plus(one, digits))


def _plus(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:+.{digits}f}"  # -0.0 is +0.0


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def short(value: float | None) -> str:
    """Three significant digits."""
    if value is None:
        return "not finite"
    return "0" if value == 0 else f"{value:.3g}"


def table(
    title: str,
    headings: Iterable[str],
    rows: Iterable[Iterable[Any]],
    notes: Sequence[str] = (),
    words: int = 1,
) -> Table:
    """A table whose first ``words`` columns are words and whose others are numbers."""
    columns = tuple(Column(heading, place >= words) for place, heading in enumerate(headings))
    cells: tuple[tuple[Cell, ...], ...] = tuple(tuple(text(one) for one in row) for row in rows)
    return Table(title, columns, cells, notes=tuple(notes))
