"""A batch that doubles at a fixed rate, and rates that fall in its place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any, ClassVar, Final

import numpy as np
import torch
from torch import Tensor

from training.engine import statistics
from training.engine.cohort import Cohort
from training.engine.networks import Net
from training.engine.record import Array
from training.engine.schedules import constant, multistep
from training.engine.steps import Steps, iterations
from training.errors import TrainingError
from training.experiments.base import choice, compared, rows
from training.experiments.cyclical_lr.experiment import DECAYING, Cycling
from training.experiments.fixed import all_of, exactly
from training.experiments.minigooglenet import finders
from training.experiments.minigooglenet.experiment import Arm, Plan, ladder
from training.experiments.preset import PRESET

POLICIES: Final = {
    "grow": "the rate fixed at lr-max, the batch doubled step by step",
    "halve": "the batch fixed at the smallest, the rate halved from lr-max whenever the other "
    "arm's batch doubles",
}
GROW, HALVE = POLICIES
LOOKS: Final = 4  # of each size, while the batch grows
PARTED: Final = 512  # examples of the batch that is computed whole and in parts


@dataclass(frozen=True, kw_only=True)
class BatchSize(Cycling):
    """A batch that doubles at lr-max, a rate that is halved as often, and a cyclical rate.

    All read as many examples as the first, the third in whole epochs.

    Args:
        policy: some of :data:`POLICIES`.
        smallest: the first batch; powers of two from here
        largest: the last one.
        hold: how long a size is kept while the batch grows, such as ``80it`` or ``2ep``.
    """

    name = "batch-size"
    title = "Batch size"
    question = Cycling.question | {
        "policy": all_of(GROW, HALVE),
        "smallest": exactly(32),
        "largest": exactly(16_384),
    }
    own: ClassVar = {
        preset: Cycling.own[preset] | {"smallest": 32, "largest": largest, "hold": hold}
        for preset, largest, hold in (
            ("quick", 1024, "30it"),
            ("reduced", 16384, "40it"),
            ("assignment", 16384, "40it"),
            ("full", 16384, "80it"),
        )
    }
    chooses = Cycling.chooses | {"policy"}
    policy: tuple[str, ...] = tuple(POLICIES)
    smallest: int = PRESET
    largest: int = PRESET
    hold: str = PRESET

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("--policy", self.policy, POLICIES)
        if not Steps.read(self.hold).length:
            raise TrainingError(f"--hold: {self.hold} is no time", hint="80it, 2ep")
        climbed(self.smallest, self.largest)

    def batches(self) -> list[int]:
        """Powers of two."""
        return ladder(self.smallest, self.largest)

    def plans(self, count: int) -> list[Plan]:
        """A growing batch, a falling rate, and a cyclical rate."""
        fitting("--largest", self.largest, count)
        sizes = self.growing(count)
        ends = list(accumulate((sizes.count(b) for b in self.batches()), initial=0))
        # updates of the smallest batch that read as many examples as the other's at each size
        same = [round(sum(sizes[:end]) / self.smallest) for end in ends]
        falling = multistep(same[1:-1], 0.5)
        found = []
        for name, batches, stages, schedule in (
            (GROW, sizes, ends, constant()),
            (HALVE, (self.smallest,) * same[-1], same, falling),
        ):
            arm = Arm(name, self.lr_max, schedule, POLICIES[name])
            looks = tuple(
                iterations(begin + round((end - begin) * part / LOOKS))
                for begin, end in pairwise(stages)
                for part in range(LOOKS + 1)
            )
            until = iterations(stages[-1])
            found.append(Plan(name, (arm,), self.batch, batches, until, looks))
        arms = [plan for plan in found if plan.name in self.policy]
        return [*arms, self.beside(count).cycling(count, DECAYING)]

    def beside(self, count: int) -> BatchSize:
        """With as many whole epochs as the growing batch reads, for the cyclical rate."""
        return replace(self, epochs=max(round(sum(self.growing(count)) / count), 1))

    def observed(self) -> dict[str, Array]:
        """With the cyclical rate's network, where another run has trained it."""
        found = super().observed()
        asked = self.beside(self.counts()["train"])
        return found | finders.borrowed(asked, self.cyclical_lr, DECAYING)

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
        x, y = train.x[None, :PARTED], train.y[None, :PARTED]
        return accumulated(cohort, x, y)

    def summarise(self, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """Curves, noise scales, what is read off them, and the comparison in pairs."""
        found = self.found(arrays)
        count, arms = found["counts"]["train"], found["arms"]
        if GROW in arms:
            found |= self._grown(arms[GROW], count)
            tasks = self.trained(GROW)
            found["parts"] = {
                name: statistics.student(rows(arrays, tasks, name).astype(np.float64))
                for name in PARTS
            }
        pairs = ((GROW, DECAYING), (HALVE, DECAYING), (GROW, HALVE))
        return found | {"pairs": list(compared(arms, pairs))}

    def _grown(self, arm: Mapping[str, Any], count: int) -> dict[str, Any]:
        sizes = self.growing(count)
        ends = {b: sizes.index(b) + sizes.count(b) for b in self.batches()}
        stages = [
            {
                "batch": b,
                "updates": sizes.count(b),
                "examples": b * sizes.count(b),
                "noise": self.noise(self.lr_max, b, count),
                # of the last quarter of the stage
                "loss": arm["learning_loss"][:, arm["updates"].index(end) - 1],
            }
            for b, end in ends.items()
        ]
        return {"stages": stages}


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
