"""What the numbers of some networks allow to say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from archcalc.render.table import Table
from training.engine.record import plain
from training.engine.statistics import FEWEST, student
from training.experiments.base import counted
from training.experiments.words import Found, listed, points, signed, table, values

UNPROVED: Final = ", too few to prove anything"


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
    pairs: Iterable[Mapping[str, Any]],
    scores: Mapping[str, str],
    judged: str,
    seeds: int,
    alike: str,
) -> Table:
    """A row a comparison: the first's scores less the second's, and a verdict on one of them.

    Args:
        pairs: names of the two and differences by score.
        scores: which, and what is written above them.
        judged: the score with a verdict.
        seeds: how many pairs of networks there are.
        alike: what these have in common beside their weights at birth.
    """
    lines = [
        (
            f"{row['one']} - {row['two']}",
            *(difference(one, row[one]) for one in scores),
            verdict(row[judged]).removesuffix(UNPROVED),
        )
        for row in pairs
    ]
    by = " The verdict is that of the interval, one comparison at a time." * (seeds >= FEWEST)
    notes = (
        f"Pairs of networks with the same initial weights {alike}; accuracy in percentage points. "
        f"{brackets(seeds)}{by}",
    )
    headings = ("first less second", *scores.values(), f"in {scores[judged]}")
    return table("The comparison in pairs", headings, lines, notes)
