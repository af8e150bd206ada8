"""Floor 0: the learning rate as a function of the update, relative to a member's own rate.

A schedule gives a factor for update ``t``, counted from 0. Schedules multiply:
``warmup(100) * cosine(5000)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Schedule:
    """A factor for each update, and how it is written in a record."""

    text: str
    factor: Callable[[int], float]

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


def exponential(gamma: float) -> Schedule:
    """``gamma^t``."""
    return Schedule(f"exponential({gamma})", lambda t: gamma**t)


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
