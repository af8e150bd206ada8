"""What a person reads off a curve of losses, made into rules.

A curve is the loss ``y`` over a learning rate or a batch size ``x``, positive and ascending. A loss
that is not finite has diverged: it lies above every level. Between two points the curve is
straight over ``log(x)``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]

SHARE: Final = 0.1  # of the whole fall, by which the loss may lie above its least
FLAT: Final = 0.05  # a fall of no more than this share of the start is none
SPAN: Final = 15  # points between the two slopes that `slide` compares


class Reading(NamedTuple):
    """The range of good values on a curve; without one, ``why`` says so and the rest is empty."""

    low: float | None = None
    """Where the range begins."""
    high: float | None = None
    """Where it ends."""
    best: float | None = None
    """Where the loss is least."""
    level: float | None = None
    """The height that the loss may not exceed within the range."""
    open_low: bool = False
    """The range begins at the curve's first point: its true end may lie below."""
    open_high: bool = False
    """It ends at the curve's last point."""
    why: str = ""
    """Why there is no range."""


def smoothed(losses: npt.ArrayLike, beta: float = 0.98) -> Array:
    """The exponential average of the losses so far, ``(points,)``, corrected for its start at 0.

    Loss ``i`` of ``t`` has the weight ``beta^(t - i)``, and the weights are divided by their sum,
    as in fastai and in Rosebrock's ``LearningRateFinder``.
    """
    average, means = 0.0, []
    for t, loss in enumerate(np.asarray(losses, dtype=np.float64).tolist(), 1):
        average = beta * average + (1 - beta) * loss
        means.append(average / (1 - beta**t))
    return np.array(means)


def stopped(losses: npt.ArrayLike, factor: float = 4.0) -> int:
    """How many points of a smoothed curve come before the one at which a sweep stops.

    That is the first that exceeds ``factor`` times the least before it (Rosebrock's
    ``LearningRateFinder``), or is not finite. All points come before it if there is none.
    """
    y = np.asarray(losses, dtype=np.float64)
    stop = ~np.isfinite(y)
    stop[1:] |= y[1:] > factor * np.minimum.accumulate(y)[:-1]
    return int(stop.argmax()) if stop.any() else len(y)


def rounded(value: float, digits: int = 2) -> float:
    """A number to so many significant digits."""
    return float(f"{value:.{digits - 1}e}")


def basin(
    x: npt.ArrayLike, y: npt.ArrayLike, start: float | None = None, share: float = SHARE
) -> Reading:
    """The range of ``x`` around the least loss in which the loss stays low.

    Low is at most ``least + share * (start - least)``. The range ends where the curve crosses that
    height, or at the last point before a loss that is not finite. Of several least losses the
    first counts. Noise ends a range early: smooth what is noisier than ``share`` of its fall.

    Args:
        x: ``(points,)``.
        y: ``(points,)``.
        start: the loss of a network that has learnt nothing; otherwise the median of the first
            tenth of the finite losses, of the first alone where they are fewer than 20.
        share: of the whole fall, from 0 to 1.

    Raises:
        ValueError: ``x`` and ``y`` are no curve, ``start`` is not finite, or ``share`` is none.
    """
    rates, losses = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if rates.ndim != 1 or rates.shape != losses.shape:
        raise ValueError(f"x {rates.shape} and y {losses.shape} are not of one length")
    if not ((rates > 0) & (rates < np.inf)).all() or not (np.diff(rates) > 0).all():
        raise ValueError("x is not positive and ascending")
    if not 0 <= share <= 1:
        raise ValueError(f"a share of {share}")
    if start is not None and not np.isfinite(start):
        raise ValueError(f"a start of {start}")
    finite = losses[np.isfinite(losses)]
    if len(finite) < 2:  # noqa: PLR2004 - one loss has not fallen
        return Reading(why="too few finite losses")
    if start is None:
        start = float(np.median(finite[: max(1, len(finite) // 10)]))
    least = float(finite.min())
    if start - least <= FLAT * abs(start):
        return Reading(why=f"the loss hardly falls: from {start:.3g} to {least:.3g}")
    level = least + share * (start - least)
    height = np.where(np.isfinite(losses), losses, np.inf)
    best = int(height.argmin())
    low, open_low = _edge(rates[best::-1], height[best::-1], level)
    high, open_high = _edge(rates[best:], height[best:], level)
    return Reading(low, high, float(rates[best]), level, open_low, open_high)


def _edge(x: Array, y: Array, level: float) -> tuple[float, bool]:
    """Where a curve first rises above a level that it begins below, and whether it never does."""
    above = np.flatnonzero(y > level)
    if not above.size:
        return float(x[-1]), True
    after = above[0]
    before = after - 1
    part = (level - y[before]) / (y[after] - y[before])  # 0 where the loss after is infinite
    return float(x[before] * (x[after] / x[before]) ** part), False


def smith(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[float, float] | None:
    """The range that Smith (arXiv 1506.01186, section 3.3) and Rosebrock read by eye.

    From where the loss has made the first tenth of its fall, for good, to where it is least. None
    where :func:`basin` finds no range, and where the loss does not fall on the way to its least.

    Raises:
        ValueError: as :func:`basin` does.
    """
    low, _, best, *_ = basin(x, y, share=1 - SHARE)
    return None if low is None or best is None or low == best else (low, best)


def _finite(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Array, Array]:
    """A curve without the points that have diverged."""
    rates, losses = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    finite = np.isfinite(losses)
    return rates[finite], losses[finite]


# The rules of fastai/callback/schedule.py. There they see a curve without its first tenth and its
# last five points, cut off at the first NaN.


def valley(x: npt.ArrayLike, y: npt.ArrayLike) -> float | None:
    """About half way down the longest strictly falling subsequence, the first of these to end.

    Its points need not be neighbours; it is taken to begin as many points before its end as it is
    long, hence one point too early. None where that is before the curve: then no more than its
    first two points fall, and fastai gives its first rate or, by an index of -1, its last.
    """
    rates, losses = _finite(x, y)
    tails: list[float] = []  # of the falling subsequences of each length, the highest end, negated
    lengths = []  # of the longest that ends at each point
    for loss in losses.tolist():
        shorter = bisect_left(tails, -loss)
        tails[shorter : shorter + 1] = [-loss]
        lengths.append(shorter + 1)
    if not lengths:
        return None
    length = len(tails)
    at = lengths.index(length) - length + length // 3 + length // 6
    return None if at < 0 else float(rates[at])


def slide(
    x: npt.ArrayLike, y: npt.ArrayLike, thresh: float = 0.005, adjust: float = 1.0
) -> float | None:
    """Where the steep part at the curve's end begins (Andrew Chang's interval slide rule).

    From the end backwards for as long as the slopes at two points, :data:`SPAN` apart, differ by
    more than ``thresh``; there the left of the two, times ``adjust``. A slope is the change of the
    loss from point to point, so that ``thresh`` depends on how dense they are.
    """
    rates, losses = _finite(x, y)
    if len(losses) <= SPAN:
        return None
    slope = np.gradient(losses)
    alike = np.flatnonzero(np.abs(slope[SPAN:] - slope[:-SPAN]) <= thresh)
    begin = alike[-1] + 1 if alike.size else 0
    # the last pair's left point stands even where its slopes are alike
    return float(rates[min(begin, len(rates) - SPAN - 1)]) * adjust


def minimum(x: npt.ArrayLike, y: npt.ArrayLike) -> float | None:
    """A tenth of where the loss is least."""
    rates, losses = _finite(x, y)
    return float(rates[losses.argmin()]) / 10 if losses.size else None


def steepest(x: npt.ArrayLike, y: npt.ArrayLike) -> float | None:
    """Where the loss begins its steepest step over ``log(x)`` from one point to the next."""
    rates, losses = _finite(x, y)
    slope = np.diff(losses) / np.diff(np.log(rates))
    return float(rates[slope.argmin()]) if slope.size else None


FASTAI: Final[dict[str, Callable[[npt.ArrayLike, npt.ArrayLike], float | None]]] = {
    "valley": valley,
    "slide": slide,
    "minimum / 10": minimum,
    "steepest": steepest,
}
