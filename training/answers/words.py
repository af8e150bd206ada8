"""How answers write numbers, and what the numbers of some networks allow to say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from archcalc.render.table import Block, Cell, Column, Table, text
from training.experiments.base import counted
from training.record import plain
from training.statistics import FEWEST, student

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Named: TypeAlias = tuple[str, Block]  # an answer's block, and what the report calls it
Found: TypeAlias = "Sequence[Any]"  # a statistics.Estimate or Interval, as results have it
UNPROVED: Final = ", too few to prove anything"


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


def brackets(count: int, noun: str = "seed") -> str:
    """What stands beside a mean: the note of a table of some networks' scores."""
    if count < FEWEST:
        return f"Of {counted(count, noun)} the values themselves are shown; they prove nothing."
    return (
        f"In brackets: 95 % intervals of the mean of {count:,} {noun}s, Student's, of a share on "
        "the scale of its logit."
    )


def side(found: Found) -> int | None:
    """Where a difference lies: 1 above 0, -1 below it, 0 not shown; None of too few pairs."""
    _, low, high = found[:3]
    if low is None or high is None or low == high:
        return None
    return int(low > 0) - int(high < 0)


def verdict(
    found: Found, more: str = "better", less: str = "worse", neither: str = "no difference shown"
) -> str:
    """What a difference allows to say: by its interval, or of too few pairs whether they agree."""
    told = side(found)
    if told is None:
        return f"{agreement(found)}{UNPROVED}" if values(found) else "too few to say"
    return (neither, more, less)[told]


def paired(ours: Sequence[float | None], theirs: Sequence[float | None]) -> Found:
    """The first less the second, of networks with the same number."""
    pairs = zip(ours, theirs, strict=True)
    gaps = [math.nan if one is None or two is None else one - two for one, two in pairs]
    found: Found = plain(student(gaps))
    return found


def agreement(found: Found) -> str:
    """``higher in both pairs``, ``lower in all 3 pairs``, ``higher in 2 of 3 pairs``."""
    signs = [(one or 0) > 0 or -((one or 0) < 0) for one in values(found)]
    if len({*signs}) > 1:
        return f"higher in {signs.count(1)} of {len(signs)} pairs"
    pairs = {1: "the one pair", 2: "both pairs"}.get(len(signs), f"all {len(signs)} pairs")
    return f"{('equal', 'higher', 'lower')[signs[0]]} in {pairs}"


def told(found: Mapping[str, Found], join: str, *words: str, few: str = "") -> str:
    """``higher with a and b; lower with c``: names by what :func:`verdict` says of each.

    Args:
        found: differences by name.
        join: stands in front of names; ``few`` in its place behind what too few pairs say.
        words: see :func:`verdict`.
        few: likewise.
    """
    said: dict[str, list[str]] = {}
    for name, one in found.items():
        word = verdict(one, *words).removesuffix(UNPROVED)
        said.setdefault(f"{word} {few or join if values(one) else join}", []).append(name)
    groups = "; ".join(f"{word.strip()} {listed(names)}" for word, names in said.items())
    return groups + UNPROVED * any(map(values, found.values()))


def apart(others: Mapping[str, Found]) -> str:
    """From whom the best is told apart: by name, the difference of the best less another."""
    words = ("told apart from", "told apart from", "not told apart from")
    return told(others, "", *words, few="than that of") or "alone"


def difference(score: str, found: Found) -> str:
    """Of an accuracy in percentage points."""
    return points(found, 2) if score.endswith("accuracy") else signed(found)


def differences(
    title: str,
    rows: Iterable[tuple[str, Mapping[str, Any]]],
    scores: Mapping[str, str],
    judged: tuple[str, str],
    seeds: int,
    note: str,
) -> Table:
    """A row a comparison, by its name: the differences of some scores, and a verdict on one.

    Args:
        title: above the table.
        rows: names and differences by score.
        scores: which, and what is written above them; above the names it is that of ``""``.
        judged: the score with a verdict, and what is written above that.
        seeds: how many pairs there are.
        note: below the table.
    """
    score, heading = judged
    lines = [
        (
            name,
            *(difference(one, row[one]) for one in scores if one),
            verdict(row[score]).removesuffix(UNPROVED),
        )
        for name, row in rows
    ]
    by = " The verdict is that of the interval, one comparison at a time." * (seeds >= FEWEST)
    notes = (f"{note} {brackets(seeds)}{by}",)
    return table(title, (*scores.values(), heading), lines, notes)


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
