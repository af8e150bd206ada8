"""The learning rate as a function of the update, relative to a member's own rate.

A schedule gives a factor for update ``t``, counted from 0. Schedules multiply:
``warmup(100) * cosine(5000)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

SCALES: Final = ("triangular", "triangular2", "exp_range")


@dataclass(frozen=True)
class Schedule:
    """A factor for each update, and how it is written in a record: of one text, one schedule."""

    text: str
    factor: Callable[[int], float] = field(compare=False)

    def __call__(self, t: int) -> float:
        """The factor of update ``t``, counted from 0."""
        return self.factor(t)

    def __mul__(self, other: Schedule) -> Schedule:
        return Schedule(f"{self.text} * {other.text}", lambda t: self(t) * other(t))

    def __str__(self) -> str:
        return self.text


def constant() -> Schedule:
    """Always 1."""
    return Schedule("constant", lambda _: 1.0)


def warmup(updates: int) -> Schedule:
    """Linearly up to 1 in so many updates (Goyal et al., arXiv 1706.02677, section 2.2)."""
    return Schedule(f"warmup({updates})", lambda t: min(1.0, (t + 1) / updates))


def multistep(milestones: Sequence[int], gamma: float = 0.1) -> Schedule:
    """``gamma`` to the number of milestones passed, as ``torch.optim.lr_scheduler.MultiStepLR``."""
    listed = tuple(milestones)
    return Schedule(
        f"multistep({', '.join(map(str, listed))}; {gamma})",
        lambda t: gamma ** sum(t >= milestone for milestone in listed),
    )


def cosine(updates: int) -> Schedule:
    """From 1 to 0 along half a cosine (Loshchilov, Hutter, arXiv 1608.03983, equation 5)."""
    return Schedule(
        f"cosine({updates})", lambda t: (1 + math.cos(math.pi * min(t, updates) / updates)) / 2
    )


def cyclical(step: int, floor: float, scale: str = "triangular", gamma: float = 1.0) -> Schedule:
    """A rate between a member's own, the highest, and ``floor`` times it (Smith, arXiv 1506.01186).

    ``cycle = floor(1 + t/(2 step))``, ``x = |t/step - 2 cycle + 1|``,
    ``factor = floor + (1 - floor) max(0, 1 - x) scale``.

    Args:
        step: half a cycle, in updates.
        floor: the lowest rate divided by the highest.
        scale: of a cycle's height: ``triangular``, 1; ``triangular2``, ``2^-(cycle - 1)``;
            ``exp_range``, ``gamma^t``.
        gamma: of ``exp_range``; below 1, or nothing decays.

    Raises:
        ValueError: another scale, or a gamma that is no decay.
    """
    if scale not in SCALES or (scale == "exp_range" and not 0 < gamma < 1):
        raise ValueError(scale, gamma)

    def factor(t: int) -> float:
        cycle = math.floor(1 + t / (2 * step))
        x = abs(t / step - 2 * cycle + 1)
        height = {"triangular": 1.0, "triangular2": 2.0 ** (1 - cycle)}.get(scale, gamma**t)
        return floor + (1 - floor) * max(0.0, 1 - x) * height

    decay = f", gamma {gamma}" if scale == "exp_range" else ""
    return Schedule(f"{scale}({step}, floor {floor}{decay})", factor)


def onecycle(updates: int, rise: float = 0.3, first: float = 25.0, last: float = 1e4) -> Schedule:
    """Up to a member's own rate and down to nearly nothing (Smith, Topin, arXiv 1708.07120).

    Along half cosines, as ``torch.optim.lr_scheduler.OneCycleLR``, whose defaults these are; the
    momentum stays what it is.

    Args:
        updates: of the whole run.
        rise: the share of them on the way up.
        first: the highest rate is so many times the first.
        last: the first rate is so many times the last.
    """
    top, end = rise * updates - 1, updates - 1

    def between(a: float, b: float, share: float) -> float:
        return b + (a - b) / 2 * (1 + math.cos(math.pi * min(max(share, 0.0), 1.0)))

    def factor(t: int) -> float:
        if t <= top:
            return between(1 / first, 1.0, t / top if top > 0 else 1.0)
        return between(1.0, 1 / first / last, (t - top) / (end - top) if end > top else 1.0)

    return Schedule(f"onecycle({updates}, {rise:g}, {first:g}, {last:g})", factor)


def rising(updates: int, lowest: float) -> Schedule:
    """From ``lowest`` to 1, by the same factor from update to update: a range test."""
    return Schedule(
        f"rising({updates}, {lowest})", lambda t: lowest ** (1 - min(t / max(updates - 1, 1), 1.0))
    )
