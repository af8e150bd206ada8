"""Floor 0: what a sample allows to say."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit  # scipy.stats takes a second to load

Z: Final = 1.959963984540054  # a normal variable lies within +-Z with probability 0.95


class Interval(NamedTuple):
    """An estimate and its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """Whether the interval leaves a value out."""
        return not self.low <= value <= self.high


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


def student(values: npt.ArrayLike) -> Interval:
    """A mean with Student's interval, for samples of any size (Biometrika 6, 1908).

    Of one value the interval is infinite.
    """
    sample = np.asarray(values, dtype=np.float64)
    centre = float(sample.mean())
    if sample.size < 2:  # noqa: PLR2004 - one value has no spread
        return Interval(centre, -math.inf, math.inf)
    half = float(stdtrit(sample.size - 1, 0.975) * sample.std(ddof=1) / math.sqrt(sample.size))
    return Interval(centre, centre - half, centre + half)


def mean(values: npt.ArrayLike) -> Interval:
    """A mean with its normal interval, +-1.96 standard errors; for samples of 30 and more."""
    sample = np.asarray(values, dtype=np.float64)
    half = Z * float(sample.std(ddof=1)) / math.sqrt(sample.size) if sample.size > 1 else math.inf
    centre = float(sample.mean())
    return Interval(centre, centre - half, centre + half)
