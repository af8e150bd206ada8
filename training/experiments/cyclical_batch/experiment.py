"""Batches in cycles, growing or decaying, and the rate in cycles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from training.engine.loop import Task
from training.engine.record import Array
from training.engine.steps import epochs, iterations
from training.experiments.base import PLACE, check_range, choice, compared
from training.experiments.batch_size.experiment import fitting
from training.experiments.cyclical_lr.experiment import ASKED, DECAYING, Cycling
from training.experiments.fixed import all_of
from training.experiments.lr_finder.experiment import ordered
from training.experiments.minigooglenet import finders
from training.experiments.minigooglenet.experiment import Arm, Plan
from training.experiments.preset import PRESET

POLICIES: Final = {
    "growing": "from b-min up to b-max and back, the lower end rising towards b-max",
    "decaying": "from b-min up to b-max and back, the upper end falling towards b-min",
}


@dataclass(frozen=True, kw_only=True)
class CyclicalBatch(Cycling):
    """A batch between b-min and b-max at lr-min, and a rate between lr-min and lr-max.

    Args:
        policy: some of :data:`POLICIES`.
        b_min: the smallest batch.
        b_max: the largest.
        batch_finder: the folder of a finished run of ``batch-finder``, in place of the two.
    """

    name = "cyclical-batch"
    title = "Cyclical batch sizes"
    question = Cycling.question | {"policy": all_of("growing")}
    own: ClassVar = {
        preset: Cycling.own[preset]
        | {"policy": ("growing",) if asked else tuple(POLICIES)}
        | (finders.QUICK_BATCHES if preset == "quick" else {})
        for preset, asked in ASKED.items()
    }
    chooses = Cycling.chooses | {"policy"}
    policy: tuple[str, ...] = PRESET
    b_min: int = PRESET
    b_max: int = PRESET
    batch_finder: str | None = field(default=None, compare=False, metadata=PLACE)

    def __post_init__(self) -> None:
        finders.fill(self, "batch-finder", self.batch_finder)
        super().__post_init__()
        choice("--policy", self.policy, POLICIES)
        for option, value in (("--b-min", self.b_min), ("--b-max", self.b_max)):
            if value is not None:
                check_range(option, value, 2)
        ordered(self.b_min, self.b_max, "--b-min, --b-max")

    def tasks(self) -> tuple[Task, ...]:
        """One population a plan; what nobody has said is told first."""
        finders.known(self, "batch-finder")
        return super().tasks()

    def plans(self, count: int) -> list[Plan]:
        """A population a policy, and the cyclical rate."""
        fitting("--b-max", self.b_max, count)
        found = []
        for policy in self.policy:
            sizes = self.sizes(policy, count)
            arm = Arm(policy, self.lr_min, description=POLICIES[policy])
            looks = (*map(epochs, range(self.epochs)), iterations(len(sizes)))
            until = iterations(len(sizes))
            found.append(Plan(policy, (arm,), self.batch, sizes, until, looks))
        return [*found, self.cycling(count, DECAYING)]

    def observed(self) -> dict[str, Array]:
        """With the cyclical rate's network, where another run has trained it."""
        return super().observed() | finders.borrowed(self, self.cyclical_lr, DECAYING)

    def sizes(self, policy: str, count: int) -> tuple[int, ...]:
        """The batch of every update, until all epochs are read.

        With ``e`` epochs read, ``x`` the distance from a cycle's middle in half cycles, and
        ``height = decay^(e/epochs)``, the logarithm of the batch lies between those of b-min and
        b-max at the share ``(1 - x) height``, and for a growing batch at ``1 - x height``.
        """
        found: list[int] = []
        read = 0
        while read < self.epochs * count:
            e = read / count
            cycle = math.floor(1 + e / (2 * self.step))
            x = abs(e / self.step - 2 * cycle + 1)
            height = self.decay ** (e / self.epochs)
            share = 1 - x * height if policy == "growing" else (1 - x) * height
            size = round(self.b_min * (self.b_max / self.b_min) ** share)
            size = min(size, self.epochs * count - read)
            found.append(size)
            read += size
        if found[-1] == 1:  # batch norm needs two
            found[-2:] = [found[-2] + 1]
        return tuple(found)

    def summarise(self, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """Scores, updates and examples of every policy, and the comparison in pairs."""
        found = self.found(arrays)
        for arm in found["arms"].values():
            arm["total_updates"], arm["total_examples"] = arm["updates"][-1], arm["examples"][-1]
        pairs = [(policy, DECAYING) for policy in self.policy]
        pairs += [("growing", "decaying")]
        return found | {"pairs": list(compared(found["arms"], pairs))}
