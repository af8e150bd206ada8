"""What a sample allows to say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, stdtrit  # scipy.stats takes a second to load

Z: Final = 1.959963984540054  # a normal variable lies within +-Z with probability 0.95
FEWEST: Final = 5  # values of which an interval is given; fewer are shown themselves


class Interval(NamedTuple):
    """An estimate and its 95 % confidence interval."""

    value: float
    low: float
    high: float


class Estimate(NamedTuple):
    """A mean, its 95 % confidence interval, and the values where they are too few for one.

    Attributes:
        value: the mean.
        low: the interval's lower end, minus infinity for fewer than :data:`FEWEST` values.
        high: its upper end, likewise.
        each: the values, if they are so few; else empty.
    """

    value: float
    low: float
    high: float
    each: tuple[float, ...] = ()


def wilson(successes: int, trials: int) -> Interval:
    """A fraction with its score interval (Wilson, JASA 22, 1927).

    Raises:
        ValueError: no trials, or more successes than trials.
    """
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"{successes} successes of {trials} trials")
    p = successes / trials
    scale = 1 + Z * Z / trials
    centre = (p + Z * Z / (2 * trials)) / scale
    half = Z * math.sqrt(p * (1 - p) / trials + Z * Z / (4 * trials * trials)) / scale
    # at the ends the formula is 0 and 1 but for rounding
    low = 0.0 if successes == 0 else centre - half
    return Interval(p, low, 1.0 if successes == trials else centre + half)


def student(values: npt.ArrayLike) -> Estimate:
    """A mean with Student's interval (Biometrika 6, 1908)."""
    sample = np.asarray(values, dtype=np.float64)
    centre = float(sample.mean())
    if sample.size < FEWEST:
        return Estimate(centre, -math.inf, math.inf, tuple(sample.tolist()))
    half = float(stdtrit(sample.size - 1, 0.975) * sample.std(ddof=1) / math.sqrt(sample.size))
    return Estimate(centre, centre - half, centre + half)


def proportion(values: npt.ArrayLike) -> Estimate:
    """A mean of proportions, such as accuracies over seeds, its interval within 0 and 1.

    Student's interval of the mean, made on the scale of its logit, by whose derivative the
    standard error is divided: the logit interval of Brown, Cai, DasGupta (Statistical Science 16,
    2001) for a mean of several proportions. Where all are 0, or all 1, it has no width.
    """
    found = student(values)
    slope = found.value * (1 - found.value)
    if found.each or slope == 0:
        return found
    centre, half = logit(found.value), (found.high - found.value) / slope
    return Estimate(found.value, float(expit(centre - half)), float(expit(centre + half)))


def score(name: str, values: npt.ArrayLike) -> Estimate:
    """A mean over networks: of proportions, if the score's name ends with ``accuracy``."""
    return (proportion if name.endswith("accuracy") else student)(values)


def scores(found: Mapping[str, npt.NDArray[Any]]) -> dict[str, dict[str, Any]]:
    """Of every score its mean over networks, and ``each`` network's own, ``(networks,)``."""
    return {name: {"mean": score(name, each), "each": each} for name, each in found.items()}
