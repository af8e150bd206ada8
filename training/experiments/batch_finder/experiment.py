"""Candidates of every batch, and the range that is read off."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np

from training.engine import rules
from training.engine.record import Array
from training.engine.rules import SHARE
from training.engine.steps import iterations
from training.experiments.base import check_range
from training.experiments.batch_size.experiment import climbed, fitting
from training.experiments.cyclical_lr.experiment import Cycling
from training.experiments.fixed import at_least, at_most
from training.experiments.minigooglenet.experiment import Arm, Plan, ladder
from training.experiments.preset import PRESET

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
        largest: the last one.
        trial: epochs of each.
    """

    name = "batch-finder"
    title = "The batch finder"
    question = Cycling.question | {"smallest": at_most(64), "largest": at_least(8192)}
    own: ClassVar = {
        preset: Cycling.own[preset] | {"smallest": smallest, "largest": largest, "trial": trial}
        for preset, smallest, largest, trial in (
            ("quick", 8, 512, 3),
            ("reduced", 64, 8192, 5),
            ("assignment", 64, 8192, 5),
            ("full", 16, 8192, 5),
        )
    }
    chooses = Cycling.chooses | {"smallest", "largest"}
    smallest: int = PRESET
    largest: int = PRESET
    trial: int = PRESET

    def __post_init__(self) -> None:
        super().__post_init__()
        climbed(self.smallest, self.largest)
        check_range("--trial", self.trial, 1, 1000)

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
        for b, arm in found["arms"].items():
            # Smith, Kindermans, Ying, Le, arXiv 1711.00489, section 2
            arm["noise"] = self.noise(self.lr_min, int(b), found["counts"]["train"])
        curve = swept(found["arms"], found["counts"]["classes"])
        return found | {"curve": curve, "b_min": curve["b_min"], "b_max": curve["b_max"]}


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
