"""Methods, the grid of their rates, what each network is called, and which rate is chosen."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, NamedTuple, Self

import numpy as np

from training.engine import datasets, updates
from training.engine.record import Array
from training.errors import TrainingError
from training.experiments.base import (
    NOT_ASSIGNED,
    check_range,
    choice,
    counted,
    distinct,
    rows,
    seeded,
)
from training.experiments.fixed import ALL, Fixed, all_of, exactly
from training.experiments.preset import PRESET, Preset

PIXELS: Final = 32
UNITS: Final = 1000  # of each hidden layer, in the assignment
EPOCHS: Final = 200  # likewise
BATCH: Final = 128  # likewise
INPUT: Final = 0.2  # what dropout leaves out of the input
HIDDEN: Final = 0.5  # and of hidden units
DECADES: Final = tuple(10.0**n for n in range(-5, 2))
HALVES: Final = tuple(float(f"{10.0 ** (n / 2):.2g}") for n in range(-10, 3))
START: Final = HALVES[2:7]  # 1e-4 to 1e-2; where the best lies at an end, there are more
WATCHED: Final = ("val_loss", "val_accuracy")  # in the search
LOSS, TRAINING = "learning_loss", "training_loss"  # as it learns: in results, in records
SCORES: Final = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
DROPPED: Final = ("without", "with")
SETTINGS: Final = {"without": "plain", "with": "dropout"}  # in the names of tasks
# What is seen of the two forms of dropout, each member a number.
FORMS: Final = (
    "same_masks",
    "same_outputs",
    "inverted_accuracy",
    "scaled_accuracy",
    "unscaled_accuracy",
    "averaged_accuracy",
)


class Method(NamedTuple):
    """A way to learn.

    Args:
        title: its name in words.
        rule: with its hyperparameters, save the L2 penalty and the rate.
        asked: whether the assignment names it; else it is a reference.
    """

    title: str
    rule: updates.Rule
    asked: bool = True


METHODS: Final = {
    "adagrad": Method("AdaGrad", updates.Adagrad()),
    "rmsprop": Method("RMSProp", updates.RMSprop(alpha=0.9)),
    "rmsprop-nesterov": Method("RMSProp + Nesterov", updates.RMSpropNesterov(rho=0.9, alpha=0.9)),
    "adadelta": Method("AdaDelta", updates.Adadelta(rho=0.9)),
    "adam": Method("Adam", updates.Adam()),
    "nadam": Method("NAdam", updates.NAdam(), asked=False),
    "adamw": Method("AdamW", updates.AdamW(), asked=False),
    "sgd-nesterov": Method(
        "SGD + Nesterov momentum", updates.SGD(momentum=0.9, nesterov=True), asked=False
    ),
}
ASKED: Final = tuple(name for name, method in METHODS.items() if method.asked)
ASSIGNMENT: Final = {
    "method": ASKED,
    "widen": 6,
    "examples": 0,
    "validation": 5000,
    "test_examples": 0,
    "size": PIXELS,
    "width": UNITS,
    "rate": START,
    "search_epochs": 5,
    "epochs": EPOCHS,
    "seeds": 1,
    "precision": "fp32",
}


class Criterion(NamedTuple):
    """What a method can be best by.

    Args:
        title: in words.
        highest: whether more is better.
    """

    title: str
    highest: bool = False


CRITERIA: Final = {
    "learning_loss": Criterion("training loss, as it learns"),
    "train_loss": Criterion("training loss, all units at work"),
    "test_loss": Criterion("test loss"),
    "test_accuracy": Criterion("test accuracy", highest=True),
}


@dataclass(frozen=True, kw_only=True)
class Grid(Preset):
    """Methods, the grid of their rates, and how long they learn; see also :class:`Preset`.

    Args:
        method: some of :data:`METHODS`.
        dropout: ``without``, ``with``, or both.
        rate: the grid, the same for all methods.
        widen: so many more rates are tried beyond an end of the grid where a method's best one
            lies at that end.
        search_epochs: epochs of every method with every rate.
        epochs: of every method with the rate that it does best with, over all training images.
        width: units of each of the two hidden layers.
        weight_decay: of the L2 penalty, in the gradient of weights and biases (coupled). AdamW,
            whose decay is decoupled, has its own, 0.01.
    """

    name = "optimizers"
    title = "Adaptive methods"
    question = {
        "dataset": exactly("cifar10"),
        "examples": ALL,
        "test_examples": ALL,
        "size": exactly(PIXELS),
        "width": exactly(UNITS),
        "batch": exactly(BATCH),
        "epochs": exactly(EPOCHS),
        "method": all_of(*ASKED),
        "dropout": all_of(*DROPPED),
        "weight_decay": Fixed("above 0", lambda penalty: penalty > 0),
    }
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "quick": {
            "method": tuple(METHODS),
            "widen": 0,
            "examples": 3000,
            "validation": 1000,
            "test_examples": 2000,
            "size": 16,
            "width": 250,
            "rate": DECADES,
            "search_epochs": 6,
            "epochs": 15,
            "seeds": 3,
            "precision": "fp32",
        },
        "assignment": ASSIGNMENT,
        "full": ASSIGNMENT
        | {"method": tuple(METHODS), "widen": 0, "rate": HALVES, "search_epochs": 40, "seeds": 3},
    }
    chooses = frozenset({"preset", "method", "dropout", "rate", "widen", "seeds", "precision"})
    dataset: str = "cifar10"
    batch: int = BATCH
    method: tuple[str, ...] = PRESET
    dropout: tuple[str, ...] = DROPPED
    rate: tuple[float, ...] = PRESET
    widen: int = PRESET
    search_epochs: int = PRESET
    epochs: int = PRESET
    width: int = PRESET
    weight_decay: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("--method", self.method, METHODS)
        choice("--dropout", self.dropout, DROPPED)
        distinct("--rate", self.rate)
        object.__setattr__(self, "rate", tuple(sorted(self.rate)))
        object.__setattr__(self, "dropout", tuple(one for one in DROPPED if one in self.dropout))
        check_range("--widen", self.widen, 0, 100)
        check_range("--search-epochs", self.search_epochs, 1, 10_000)
        check_range("--epochs", self.epochs, 1, 10_000)
        check_range("--width", self.width, 1, 100_000)
        if not 0 <= self.weight_decay < math.inf:
            raise TrainingError(f"--weight-decay: {self.weight_decay:g} is no penalty")

    def rule(self, method: str) -> updates.Rule:
        """A method's rule, with the L2 penalty."""
        rule = METHODS[method].rule
        if isinstance(rule, updates.AdamW):
            return rule
        return replace(rule, weight_decay=self.weight_decay)

    # ------------------------------------------------------------------- how it is written

    def full(self) -> str:
        """The assignment."""
        return f"archcalc training {self.name} --preset assignment"

    def short(self) -> str:
        """What was trained, in a line below a figure."""
        images = f"{self.examples + self.validation:,}" if self.examples else "all"
        smaller = "" if self.assignment else f"; {NOT_ASSIGNED}"
        return (
            f"{datasets.title(self.dataset)}, {images} training images, {self.size}x{self.size}, "
            f"{self.width:,} units a hidden layer, {counted(self.epochs)}, {self._seeds()}{smaller}"
        )

    def text(self, dropout: str, channels: int, classes: int) -> str:
        """The network in archcalc's notation."""
        first, behind = (f"drop{p:g} ".replace("0.", ".") for p in (INPUT, HIDDEN))
        if dropout == "without":
            first = behind = ""
        hidden = f"fc-{self.width} relu {behind}"
        return f"{self.size}x{self.size}x{channels} flatten {first}{hidden}{hidden}fc-{classes}"

    # ------------------------------------------------------------------- what is tried and chosen

    def having(self, has: Callable[[str], bool]) -> Self | None:
        """The methods that are trained with as many seeds as most, without and with dropout."""
        parts = []
        for dropout in {self.dropout, *((one,) for one in self.dropout)}:
            for seeds in range(1, self.seeds + 1):
                methods = tuple(
                    method
                    for method in self.method
                    if all(has(task) for one in dropout for task in self.final(one, method, seeds))
                )
                parts.append((len(methods) * len(dropout), seeds, dropout, methods))
        count, seeds, dropout, methods = max(parts)
        if not count:
            return None
        return replace(self, seeds=seeds, dropout=dropout, method=methods)

    def final(self, dropout: str, method: str, seeds: int | None = None) -> list[str]:
        """The tasks of a method's networks: ``adam/plain/seed0``, ..."""
        return seeded(f"{method}/{SETTINGS[dropout]}", seeds or self.seeds)

    def searched(self, dropout: str, method: str, rate: float | None = None) -> str:
        """The task of a rate that is tried, ``search/adam/plain/0.001``, or where all lie."""
        place = f"search/{method}/{SETTINGS[dropout]}"
        return place if rate is None else f"{place}/{rate:g}"

    def grid(self, dropout: str, method: str, arrays: Mapping[str, Array]) -> tuple[float, ...]:
        """The rates that are tried for a method, with those beyond the grid that have to be.

        As long as the best of all is the lowest or the highest, one more is tried there, as far
        from it as the grid's are from one another in the mean.
        """
        rates = list(self.rate)
        gaps = len(rates) - 1
        factor = (rates[-1] / rates[0]) ** (1 / gaps) if gaps else 1.0
        for end in (0, -1):
            for _ in range(self.widen if gaps else 0):
                best = self.best_rate(dropout, method, arrays, rates)
                if best != rates[end]:  # or not all are tried yet
                    break
                more = rates[end] * factor if end else rates[end] / factor
                rates.insert(len(rates) if end else 0, float(f"{more:.2g}"))
        return tuple(rates)

    def best_rate(
        self, dropout: str, method: str, arrays: Mapping[str, Array], rates: Sequence[float]
    ) -> float | None:
        """The rate that a method does best with; None as long as not all of some are tried.

        The one with the highest accuracy on the held-out images after the search's last epoch; of
        two with the same, the one with the lower loss. What has diverged is not chosen.
        """
        names = [self.searched(dropout, method, rate) for rate in rates]
        if any(f"{name}/{what}" not in arrays for name in names for what in WATCHED):
            return None
        loss, accuracy = (rows(arrays, names, what)[:, -1].astype(np.float64) for what in WATCHED)
        finite = np.isfinite(loss)
        score = np.where(finite, accuracy, -1.0)
        lost = np.where(finite, loss, np.inf)
        return rates[int(np.lexsort((lost, -score))[0])]
