"""Rates in cycles, constant, and in one cycle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

from training.engine.loop import Task
from training.engine.record import Array
from training.engine.schedules import Schedule, cyclical, onecycle
from training.engine.steps import epochs
from training.errors import TrainingError
from training.experiments.base import PLACE, check_range, choice, compared
from training.experiments.fixed import all_of, exactly
from training.experiments.lr_finder.experiment import ordered
from training.experiments.minigooglenet import finders
from training.experiments.minigooglenet.experiment import Arm, MiniGoogLeNet, Plan
from training.experiments.preset import PRESET

POLICIES: Final = {
    "triangular": "the rate between lr-min and lr-max and back",
    "triangular2": "as triangular, each cycle half as high as the one before",
    "exp_range": "the rate from lr-min towards lr-max and back, the height decaying all the time",
    "constant": "the mean of lr-min and lr-max, which is triangular's mean",
    "one-cycle": "the rate once up to lr-max and down to nearly nothing",
}
DECAYING: Final = "exp_range"
# Whether a preset has what the question asks for alone, without what it can be compared with.
ASKED: Final = {"quick": False, "reduced": True, "assignment": True, "full": False}


@dataclass(frozen=True, kw_only=True)
class Cycling(MiniGoogLeNet):
    """What experiments with a rate or a batch in cycles share.

    Args:
        lr_min: the lowest rate.
        lr_max: the highest.
        epochs: passes over the training set.
        step: epochs of half a cycle.
        decay: to what share of its first height a decaying cycle has come at the end.
        lr_finder: the folder of a finished run of ``lr-finder``, in place of the two rates.
        cyclical_lr: the folder of a run of ``cyclical-lr``, whose network with exp_range is not
            trained again where it is the same.
    """

    own: ClassVar = {
        "quick": {"epochs": 12, "step": 2} | finders.QUICK_RATES,
        "reduced": {"epochs": 24, "step": 4},
        "assignment": {"epochs": 24, "step": 4},
        "full": {"epochs": 48, "step": 8} | finders.BLOG_RATES,
    }
    question = MiniGoogLeNet.question | {"batch": exactly(64)}
    lr_min: float = PRESET
    lr_max: float = PRESET
    epochs: int = PRESET
    step: int = PRESET
    decay: float = 0.1
    lr_finder: str | None = field(default=None, compare=False, metadata=PLACE)
    cyclical_lr: str | None = field(default=None, compare=False, metadata=PLACE)

    def __post_init__(self) -> None:
        finders.fill(self, "lr-finder", self.lr_finder)
        super().__post_init__()
        ordered(self.lr_min, self.lr_max)
        check_range("--epochs", self.epochs, 1, 10_000)
        check_range("--step", self.step, 1, 10_000)
        if not 0 < self.decay < 1 - 1e-6:
            hint = "1 would not decay at all"
            raise TrainingError(f"--decay: {self.decay:g} is not between 0 and 1", hint=hint)

    def tasks(self) -> tuple[Task, ...]:
        """One population a plan; what nobody has said is told first."""
        finders.known(self, "lr-finder")
        return super().tasks()

    def schedule(self, policy: str, count: int) -> Schedule:
        """The factor on lr-max of a policy, with a training set of so many examples."""
        per_epoch = -(-count // self.batch)
        updates, floor = self.epochs * per_epoch, self.lr_min / self.lr_max
        if policy == "constant":
            share = (1 + floor) / 2
            return Schedule(f"constant({share})", lambda _: share)
        if policy == "one-cycle":
            return onecycle(updates)
        gamma = self.decay ** (1 / updates) if policy == DECAYING else 1.0
        return cyclical(self.step * per_epoch, floor, policy, gamma)

    def cycling(self, count: int, *policies: str) -> Plan:
        """Networks whose rate follows each of some policies, their batch constant."""
        arms = (Arm(p, self.lr_max, self.schedule(p, count), POLICIES[p]) for p in policies)
        looks = tuple(map(epochs, range(self.epochs + 1)))
        return Plan("rates", tuple(arms), self.batch, until=epochs(self.epochs), looks=looks)


@dataclass(frozen=True, kw_only=True)
class CyclicalLr(Cycling):
    """Policies of a rate between lr-min and lr-max.

    Args:
        policy: some of :data:`POLICIES`.
    """

    name = "cyclical-lr"
    title = "Cyclical learning rates"
    question = Cycling.question | {"policy": all_of(DECAYING)}
    own: ClassVar = {
        preset: Cycling.own[preset] | {"policy": (DECAYING,) if asked else tuple(POLICIES)}
        for preset, asked in ASKED.items()
    }
    chooses = Cycling.chooses | {"policy"}
    policy: tuple[str, ...] = PRESET

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("--policy", self.policy, POLICIES)

    def having(self, has: Callable[[str], bool]) -> CyclicalLr | None:
        """The policies whose networks are trained."""
        trained = tuple(p for p in self.policy if all(map(has, self.trained(p))))
        return replace(self, policy=trained) if trained else None

    def plans(self, count: int) -> list[Plan]:
        """All policies as one population."""
        return [self.cycling(count, *self.policy)]

    def summarise(self, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """Every policy's curves and scores, and comparisons with the one that decays."""
        found = self.found(arrays)
        pairs = [(DECAYING, other) for other in self.policy if other != DECAYING]
        return found | {"pairs": list(compared(found["arms"], pairs))}
