"""Candidates, one network through all rates, and the range that is read off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np

from training.engine import rules
from training.engine.record import Array
from training.engine.schedules import rising
from training.engine.steps import epochs, iterations
from training.errors import TrainingError
from training.experiments.base import check_range
from training.experiments.fixed import at_least, exactly
from training.experiments.minigooglenet.experiment import Arm, MiniGoogLeNet, Plan
from training.experiments.preset import PRESET

LEAST: Final = 1e-9
MOST: Final = 10.0
GRID: Final = "grid"
SWEEP: Final = "sweep"
BLOG: Final = (10, 1)  # of a sweep's first and last losses, which the blog leaves out
FASTAI_LAST: Final = 5  # of the last ones that fastai does; and of the first a tenth


@dataclass(frozen=True, kw_only=True)
class LrFinder(MiniGoogLeNet):
    """Rates from 1e-9 to 10: one network each for some epochs, and one network through all.

    Args:
        candidates: rates, by the same factor from one to the next.
        epochs: of each candidate.
        sweep: epochs in which one network's rate rises from the least to the largest.
        lr_min: what a person reads off the curve, in place of the rule's reading.
        lr_max: likewise.
    """

    name = "lr-finder"
    title = "The learning-rate finder"
    question = MiniGoogLeNet.question | {
        "batch": exactly(64),
        "candidates": at_least(10),
        "epochs": exactly(5),
    }
    own: ClassVar = {
        preset: {"sweep": 5 if preset == "quick" else 3} for preset in MiniGoogLeNet.presets
    }
    chooses = MiniGoogLeNet.chooses | {"candidates", "lr_min", "lr_max"}
    candidates: int = 10
    epochs: int = 5
    sweep: int = PRESET
    lr_min: float | None = None
    lr_max: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("--candidates", self.candidates, 2, 1000)
        check_range("--epochs", self.epochs, 1, 1000)
        check_range("--sweep", self.sweep, 1, 1000)
        ordered(self.lr_min, self.lr_max)

    def rates(self) -> list[float]:
        """The candidates."""
        return [float(f"{rate:.4g}") for rate in np.geomspace(LEAST, MOST, self.candidates)]

    def plans(self, count: int) -> list[Plan]:
        """The candidates as one population, and the sweep."""
        arms = tuple(Arm(f"{rate:g}", rate) for rate in self.rates())
        looks = tuple(map(epochs, range(self.epochs + 1)))
        grid = Plan(GRID, arms, self.batch, until=epochs(self.epochs), looks=looks)
        updates = self.sweep * -(-count // self.batch)
        sweep = Arm(SWEEP, MOST, rising(updates, LEAST / MOST))
        moments = tuple(map(iterations, range(updates + 1)))
        until = iterations(updates)
        return [grid, Plan(SWEEP, (sweep,), self.batch, until=until, looks=moments, scored=False)]

    def summarise(self, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """Both curves, what every rule reads off them, and what is to be used."""
        found = self.found(arrays)
        sweep = found["arms"].pop(SWEEP)
        rates = np.array(self.rates())
        losses = np.array([arm["learning_loss"][:, -1] for arm in found["arms"].values()])
        grid = {
            "rates": rates,
            "loss": losses.mean(1),
            "each": losses,
            **read(rates, losses.mean(1)),
        }
        grid["start"] = [arm["learning_loss"][:, 0].mean() for arm in found["arms"].values()]
        every = sweep["learning_loss"].mean(0)
        schedule = rising(len(every), LEAST / MOST)
        risen = np.array([MOST * schedule(t) for t in range(len(every))])
        beta = smoothing(len(every))
        smooth = rules.smoothed(every, beta)
        end = rules.stopped(smooth)
        swept = {"rates": risen, "raw": every, "loss": smooth, "beta": beta, "stopped": end}
        blog = slice(BLOG[0], max(end - BLOG[1], 0))
        swept |= read(risen[blog], smooth[blog])
        tenth = slice(end // 10, max(end - FASTAI_LAST, 0))
        swept["fastai"] = suggested(risen[tenth], smooth[tenth])
        basin = grid["basin"]
        chosen = {"lr_min": self.lr_min or basin["low"], "lr_max": self.lr_max or basin["high"]}
        read_by_it = sweep["examples"][-1] * self.seeds
        return found | {"grid": grid, "sweep": swept, "swept": read_by_it, **chosen}


def smoothing(updates: int) -> float:
    """How much of the average is kept from update to update: that of a fiftieth of the sweep.

    At the length of the blog's sweep that is its 0.98; a short one it would smear.
    """
    return min(max(1 - 50 / updates, 0.0), 0.98)


def read(rates: Array, losses: Array) -> dict[str, Any]:
    """What each rule makes of a curve: ours, Smith's, fastai's."""
    ours = rules.basin(rates, losses)
    ends = {
        name: None if end is None else rules.rounded(end)
        for name, end in (("low", ours.low), ("high", ours.high))
    }
    return {
        "basin": ours._asdict() | ends,
        "smith": rules.smith(rates, losses),
        "fastai": suggested(rates, losses),
    }


def suggested(rates: Array, losses: Array) -> dict[str, float | None]:
    """What fastai's rules suggest."""
    return {name: rule(rates, losses) for name, rule in rules.FASTAI.items()}


def ordered(low: float | None, high: float | None, names: str = "--lr-min, --lr-max") -> None:
    """Refuse a range that is none.

    Raises:
        TrainingError: naming the options.
    """
    if low is not None and high is not None and not 0 < low < high:
        raise TrainingError(f"{names}: {low:g} is not less than {high:g}")
