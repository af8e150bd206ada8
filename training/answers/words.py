"""How answers write numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from archcalc.render.table import Block, Cell, Column, Table, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Named: TypeAlias = tuple[str, Block]  # an answer's block, and what the report calls it


def under(name: str, blocks: Iterable[Block]) -> Iterator[Named]:
    """Blocks that have one name."""
    return ((name, block) for block in blocks)


def percent(value: float, digits: int = 1) -> str:
    """``91.4 %``."""
    return f"{100 * value:.{digits}f} %"


def interval(found: Sequence[float | None], digits: int = 1) -> str:
    """``91.4 % [89.5, 93.0]`` of value, lower and upper end."""
    if found[0] is None:
        return "not finite"
    if found[1] is None or found[2] is None:  # one observation has no spread
        return percent(found[0], digits)
    value, low, high = (100 * one for one in found if one is not None)
    return f"{value:.{digits}f} % [{low:.{digits}f}, {high:.{digits}f}]"


def points(found: Sequence[float | None], digits: int = 1) -> str:
    """``+0.4 [+0.2, +0.6]`` percentage points of a difference and its ends."""
    return signed([None if one is None else 100 * one for one in found], digits)


def signed(found: Sequence[float | None], digits: int = 4) -> str:
    """``+0.0123 [-0.0021, +0.0267]`` of a difference and its ends."""
    if found[0] is None:
        return "not finite"
    if None in found:
        return _plus(found[0], digits)
    value, low, high = (_plus(one, digits) for one in found if one is not None)
    return f"{value} [{low}, {high}]"


def _plus(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:+.{digits}f}"  # -0.0 is +0.0


def verdict(found: Sequence[float | None]) -> str:
    """What an interval of a difference in accuracy says."""
    _, low, high = found
    if low is None or high is None or low == high:
        return "too few seeds to say"
    if low > 0:
        return "better"
    return "worse" if high < 0 else "no difference shown"


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
