"""Lab 3, problem 3.3 (homework 2, problem 4.4): a batch that grows, and a batch that is chosen."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import torch

from training import rules, statistics
from training.errors import TrainingError
from training.experiments.base import choice, whole
from training.experiments.cyclical_lr import DECAYING, Cycling
from training.experiments.minigooglenet import Arm, Plan, compared, ladder
from training.experiments.preset import PRESET
from training.steps import Steps, epochs, iterations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from training.cohort import Cohort
    from training.networks import Net
    from training.record import Array

POLICIES: Final = {
    "grow": "the rate fixed at lr-max, the batch doubled step by step",
    "sweep": "the rate fixed at lr-min, one network for each batch",
}
GROW: Final = "grow"
LOOKS: Final = 4  # of each size, while the batch grows
WHOLE: Final = 512  # examples of the batch that is computed whole and in parts


@dataclass(frozen=True, kw_only=True)
class BatchSize(Cycling):
    """A batch that doubles in one run at lr-max, or one network a batch at lr-min.

    Args:
        policy: one of :data:`POLICIES`.
        smallest: the first batch; powers of two from here
        largest: to here.
        hold: how long a size is kept while the batch grows, such as ``80it`` or ``2ep``.
        sweep_epochs: passes over the training set of each network of the sweep.
    """

    name = "batch-size"
    title = "Batch size"
    own: ClassVar = {
        preset: Cycling.own[preset] | more
        for preset, more in {
            "quick": {"hold": "30it", "grow": (32, 1024), "sweep": (16, 1024)},
            "full": {"hold": "80it", "grow": (32, 16384), "sweep": (64, 8192)},
        }.items()
    }
    policy: str = GROW
    smallest: int = PRESET
    largest: int = PRESET
    hold: str = PRESET
    sweep_epochs: int = 5

    def __post_init__(self) -> None:
        choice("--policy", [self.policy], POLICIES)
        smallest, largest = self.own.get(self.preset, {}).get(self.policy, (1, 1))
        for name, value in (("smallest", smallest), ("largest", largest)):
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        super().__post_init__()
        if not Steps.read(self.hold).length:
            raise TrainingError(f"--hold: {self.hold} is no time", hint="80it, 2ep")
        whole("--sweep-epochs", self.sweep_epochs, 1, 1000)
        climbed(self.smallest, self.largest)

    def baseline(self) -> BatchSize:
        """With its policy, which decides between which sizes."""
        return type(self)(preset=self.preset, policy=self.policy)

    def command(self) -> str:
        """With its policy."""
        return self.said(super().command(), "policy")

    def batches(self) -> list[int]:
        """Powers of two."""
        return ladder(self.smallest, self.largest)

    def plans(self, count: int) -> list[Plan]:
        """A growing batch, and a cyclical rate with as many examples; or every batch."""
        fitting("--largest", self.largest, count)
        if self.policy == GROW:
            sizes = self.growing(count)
            arm = Arm(GROW, self.lr_max, said=POLICIES[GROW])
            ends = list(accumulate((sizes.count(b) for b in self.batches()), initial=0))
            looks = tuple(
                iterations(begin + round((end - begin) * part / LOOKS))
                for begin, end in pairwise(ends)
                for part in range(LOOKS + 1)
            )
            grow = Plan(GROW, (arm,), self.batch, sizes, iterations(len(sizes)), looks)
            # the cyclical rate reads about as many examples, in whole epochs
            same = replace(self, epochs=max(round(sum(sizes) / count), 1))
            return [grow, same.cycling(count, DECAYING)]
        looks = tuple(map(epochs, range(self.sweep_epochs + 1)))
        until = epochs(self.sweep_epochs)
        return [
            Plan(f"{b}", (Arm(f"{b}", self.lr_min),), b, until=until, looks=looks)
            for b in self.batches()
        ]

    def growing(self, count: int) -> tuple[int, ...]:
        """The batch of every update: each size for as long as it is held."""
        hold = Steps.read(self.hold)
        return tuple(
            b for b in self.batches() for _ in range(hold.iterations(math.ceil(count / b)))
        )

    def more(self, cohort: Cohort[Net], plan: Plan) -> Mapping[str, Tensor]:
        """At the end, a batch as a whole and in parts; only of the growing batch's networks."""
        if plan.name != GROW:
            return {}
        train = self.sets(str(cohort.parameters.device)).train
        x, y = train.x[None, :WHOLE], train.y[None, :WHOLE]
        return accumulated(cohort, x, y)

    def summarise(self, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """Curves, noise scales, what is read off them, and the comparison in pairs."""
        found = self.found(arrays)
        count, arms = found["counts"]["train"], found["arms"]
        if self.policy == GROW:
            sizes = self.growing(count)
            ends = {b: sizes.index(b) + sizes.count(b) for b in self.batches()}
            found["stages"] = [
                {
                    "batch": b,
                    "updates": sizes.count(b),
                    "examples": b * sizes.count(b),
                    "noise": self.noise(self.lr_max, b, count),
                    # of the last quarter of the stage
                    "loss": arms[GROW]["learning_loss"][:, arms[GROW]["updates"].index(end) - 1],
                }
                for b, end in ends.items()
            ]
            found["parts"] = {
                name: statistics.student(arrays[f"{GROW}/{name}"].astype(np.float64))
                for name in PARTS
            }
            return found | {"pairs": list(compared(arms, [(GROW, DECAYING)]))}
        curve = swept(arms, found["counts"]["classes"])
        noise = [self.noise(self.lr_min, b, count) for b in self.batches()]
        return found | {"curve": curve | {"noise": noise}}

    def noise(self, rate: float, batch: int, count: int) -> float:
        """The noise scale ``rate count / (batch (1 - momentum))``.

        Smith, Kindermans, Ying, Le, arXiv 1711.00489, section 2, of a batch much smaller than the
        training set.
        """
        return rate * count / (batch * (1 - self.momentum))


def climbed(smallest: int, largest: int) -> None:
    """Refuse sizes between which there are not two powers of two.

    Raises:
        TrainingError: naming the options.
    """
    if smallest < 2 or largest < smallest or len(ladder(smallest, largest)) < 2:  # noqa: PLR2004
        fact = f"--smallest {smallest}, --largest {largest}: no two powers of two lie between them"
        raise TrainingError(fact, hint="e.g. 32 and 1024")


def fitting(option: str, largest: int, count: int) -> None:
    """Refuse a batch that is larger than the training set.

    Raises:
        TrainingError: naming the option.
    """
    if largest > count:
        fact = f"{option} {largest}: there are {count:,} images to learn from"
        raise TrainingError(fact, hint="a smaller one")


def swept(arms: Mapping[str, Any], classes: int) -> dict[str, Any]:
    """Training loss against batch size, and the range that is read off it.

    The loss is that of the last interval between looks, in training; the loss of a network that
    has learnt nothing is the logarithm of the number of classes.
    """
    batches = np.array([int(name) for name in arms])
    each = np.array([arm["learning_loss"][:, -1] for arm in arms.values()])
    basin = rules.basin(batches, each.mean(1), start=math.log(classes))
    inside = basin.high is not None and basin.low is not None
    within = [int(b) for b in batches if inside and basin.low <= b <= basin.high]
    return {
        "batches": batches,
        "loss": each.mean(1),
        "each": each,
        "basin": basin._asdict(),
        "b_min": within[0] if within else None,
        "b_max": within[-1] if within else None,
    }


PARTS: Final = ("parts_loss", "parts_gradient", "frozen_loss", "frozen_gradient")


def accumulated(cohort: Cohort[Net], x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """How far a batch in four parts is from the batch as a whole, in loss and gradient, by member.

    Relative differences, the gradient's in the Euclidean norm: ``parts_*`` with batch norm as in
    training, by the statistics of what is computed at once; ``frozen_*`` with running statistics,
    where there is none but that of rounding.
    """
    found = {}
    micro = math.ceil(x.shape[1] / 4)
    for word, training in (("parts", True), ("frozen", False)):
        sides = []
        for step in (0, micro):
            there = replace(
                cohort,
                micro=step,
                precision="fp32",
                buffers={name: value.clone() for name, value in cohort.buffers.items()},
            )
            sides.append(there.gradients(cohort.parameters, x, y, training=training))
        (loss, gradient), (other, another) = sides
        found[f"{word}_loss"] = (other - loss).abs() / loss.abs()
        found[f"{word}_gradient"] = torch.linalg.norm(another - gradient, dim=1) / (
            torch.linalg.norm(gradient, dim=1)
        )
    return found
