"""Homework 2, problem 4.5: an algorithm that finds the least and the largest useful batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from training.experiments.base import whole
from training.experiments.batch_size import climbed, fitting, swept
from training.experiments.cyclical_lr import Cycling
from training.experiments.minigooglenet import Arm, Plan, ladder
from training.experiments.preset import PRESET
from training.rules import SHARE
from training.steps import iterations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training.record import Array

TAIL: Final = 4  # the last one of so many parts of a run is its loss
STEPS: Final = (  # the block diagram's; a figure draws them
    ("start", "network, training set, rate lr-min"),
    ("step", "candidates: powers of two from smallest to largest"),
    ("step", "next candidate b: the same weights at birth, the same order of examples"),
    ("step", "train for the same number of examples with batch b"),
    ("step", f"loss(b): mean training loss of the last 1/{TAIL} of the updates"),
    ("choice", "another candidate?"),
    ("step", f"level: the least loss + {SHARE:g} of the fall from log(classes) to it"),
    ("choice", "does the loss fall at all?"),
    ("step", "from the least loss, walk to smaller and larger b while loss(b) <= level"),
    ("end", "b-min, b-max: the ends of the walk"),
    ("end", "no range: raise the rate or train for longer"),
)


@dataclass(frozen=True, kw_only=True)
class BatchFinder(Cycling):
    """Each batch for as many examples from the same birth, and the range of those that learn well.

    Args:
        smallest: the first candidate; powers of two from here
        largest: to here.
        trial: epochs of each.
    """

    name = "batch-finder"
    title = "The batch finder"
    own: ClassVar = {
        preset: Cycling.own[preset] | more
        for preset, more in {
            "quick": {"smallest": 8, "largest": 512, "trial": 3},
            "full": {"smallest": 16, "largest": 8192, "trial": 1},
        }.items()
    }
    smallest: int = PRESET
    largest: int = PRESET
    trial: int = PRESET

    def __post_init__(self) -> None:
        super().__post_init__()
        climbed(self.smallest, self.largest)
        whole("--trial", self.trial, 1, 1000)

    def plans(self, count: int) -> list[Plan]:
        """A population a candidate."""
        fitting("--largest", self.largest, count)
        found = []
        for b in ladder(self.smallest, self.largest):
            updates = self.trial * -(-count // b)
            looks = tuple(map(iterations, (0, updates - -(-updates // TAIL), updates)))
            arm = Arm(f"{b}", self.lr_min)
            found.append(Plan(f"{b}", (arm,), b, until=iterations(updates), looks=looks))
        return found

    def summarise(self, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """The curve and the range that the algorithm reads off it."""
        found = self.found(arrays)
        curve = swept(found["arms"], found["counts"]["classes"])
        return found | {"curve": curve, "b_min": curve["b_min"], "b_max": curve["b_max"]}
