"""Training sets drawn anew, two losses on each, and how far the classifiers disagree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from training.engine import losses, statistics, streams
from training.engine.cohort import Cohort, Member, member_keys
from training.engine.data import Data
from training.engine.loop import Task
from training.engine.models import Mlp
from training.engine.record import Array
from training.engine.steps import epochs
from training.engine.updates import SGD
from training.errors import TrainingError
from training.experiments.base import Experiment, check_range, choice, distinct, spaced
from training.experiments.fixed import all_of, at_least, exactly

MODEL: Final = Mlp.read("1x1x2 fc-1 nobias")
MARGINS: Final = {"perceptron": 0.0, "hinge": 1.0}  # the assignment's a


@dataclass(frozen=True, kw_only=True)
class Perceptron(Experiment):
    """Losses and rates on many training sets; the same sets for all of them.

    Args:
        sets: training sets.
        points: points in each of them.
        test_points: test points, the same for all.
        epochs: passes over a training set, a point at a time, in an order drawn anew.
        loss: some of ``perceptron`` and ``hinge``.
        rate: learning rates; the zero vector is where all begin, so the perceptron's path only
            scales with the rate and is run for the first one alone.
        seed: of everything that is drawn.
    """

    name = "perceptron"
    title = "Perceptron criterion and hinge loss"
    question = {
        "sets": at_least(2),  # what would a different one change?
        "points": exactly(20),
        "test_points": exactly(1000),
        "loss": all_of(*MARGINS),
    }
    sets: int = 1000
    points: int = 20
    test_points: int = 1000
    epochs: int = 1000
    loss: tuple[str, ...] = ("perceptron", "hinge")
    rate: tuple[float, ...] = (1.0, 0.1)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("--sets", self.sets)
        check_range("--points", self.points, 1, 10_000)
        check_range("--test-points", self.test_points)
        check_range("--epochs", self.epochs, 1)
        choice("--loss", self.loss, MARGINS)
        distinct("--rate", self.rate)
        if min(self.rate) <= 0:
            raise TrainingError(f"--rate: {min(self.rate)} is not positive")

    def groups(self) -> list[tuple[str, float]]:
        """Loss and rate of each group of members, one member a training set."""
        return [
            (loss, rate)
            for loss in self.loss
            for rate in (self.rate if MARGINS[loss] else self.rate[:1])
        ]

    def tasks(self) -> tuple[Task, ...]:
        """One population of all groups."""
        members = tuple(
            Member(number, "zero", "id", rate, loss)
            for loss, rate in self.groups()
            for number in range(self.sets)
        )

        def build(own: tuple[Member, ...], device: torch.device) -> tuple[Cohort[Mlp], Data]:
            margins = torch.tensor([MARGINS[member.variant] for member in own], device=device)
            cohort = Cohort.born(
                MODEL, own, self.seed, loss=losses.margin(margins), rule=SGD(), device=device
            )
            x = square(cohort.keys, self.points)
            return cohort, Data(x, labels(x), 1, streams.root(self.seed))

        def probe(cohort: Cohort[Mlp]) -> Mapping[str, Tensor]:
            return {"weights": cohort.parameters}

        looks = tuple(map(epochs, spaced(self.epochs)))
        return (Task("lines", members, build, epochs(self.epochs), looks, probe),)

    def training_set(self, number: int) -> tuple[Tensor, Tensor]:
        """Points ``(points, 2)`` and labels ``(points, 1)`` of one set."""
        x = square(member_keys(self.seed, [Member(number)]), self.points)[0]
        return x, labels(x)

    def test_set(self) -> tuple[Tensor, Tensor]:
        """Points ``(test points, 2)`` and labels ``(test points, 1)``."""
        x = square(streams.fold(streams.root(self.seed), "test"), self.test_points)
        return x, labels(x)

    def weights(self, arrays: Mapping[str, Array]) -> Array:
        """Weights after each look, ``(groups, sets, looks, 2)``."""
        found = arrays["lines/weights"]
        return found.reshape(len(self.groups()), self.sets, *found.shape[1:])

    def summarise(self, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """Accuracy, its spread, and how far training sets disagree, at every look."""
        x, y = (value.numpy() for value in self.test_set())
        looks = spaced(self.epochs)
        accuracies, groups = [], []
        for (loss, rate), weights in zip(self.groups(), self.weights(arrays), strict=True):
            curve = []
            accuracy = np.empty((len(looks), self.sets))
            for place, epoch in enumerate(looks):
                positive = predicted(weights[:, place], x)
                accuracy[place] = (positive == (y[:, 0] > 0)).mean(1)
                curve.append(
                    {
                        "epochs": epoch,
                        "accuracy": statistics.proportion(accuracy[place]),
                        "std": accuracy[place].std(ddof=1) if self.sets > 1 else None,
                        "fifth_percentile": np.quantile(accuracy[place], 0.05),
                        "disagreement": disagreement(positive.mean(0), self.sets),
                        "separated": float(self._separated(weights[:, place])),
                    }
                )
            accuracies.append(accuracy)
            first_x, first_y = self.training_set(0)
            first = predicted(weights[0, -1:], first_x.numpy())[0] == (first_y[:, 0] > 0).numpy()
            first_set = {"training_accuracy": first.mean(), "test_accuracy": accuracy[-1, 0]}
            groups.append({"loss": loss, "rate": rate, "curve": curve, "first_set": first_set})
        pairs = []
        for place, (loss, rate) in enumerate(self.groups()):
            if loss == "hinge" and "perceptron" in self.loss:
                first = self.groups().index(("perceptron", self.rate[0]))
                gains = accuracies[place] - accuracies[first]
                pairs.append(
                    {
                        "rate": rate,
                        "gain": [
                            {"epochs": epoch, "accuracy": statistics.student(gain)}
                            for epoch, gain in zip(looks, gains, strict=True)
                        ],
                        "disagreement": self._paired(arrays, first, place),
                    }
                )
        return {"looks": looks, "groups": groups, "hinge_minus_perceptron": pairs}

    def _separated(self, weights: Array) -> float:
        """The fraction of training sets that their line classifies without an error."""
        keys = member_keys(self.seed, [Member(number) for number in range(self.sets)])
        x = square(keys, self.points)
        score = torch.einsum("spi,si->sp", x, torch.from_numpy(weights))
        return ((score > 0) == (labels(x)[..., 0] > 0)).all(1).float().mean().item()

    def _paired(self, arrays: Mapping[str, Array], first: int, second: int) -> dict[str, float]:
        """The second's disagreement less the first's at the end, by a bootstrap over the sets."""
        x, _ = (value.numpy() for value in self.test_set())
        ends = self.weights(arrays)[:, :, -1]
        a, b = (predicted(ends[group], x).astype(np.float32) for group in (first, second))
        resamples = 500
        draws = streams.integers(
            streams.fold(streams.root(self.seed), "bootstrap"), self.sets, resamples, self.sets
        ).numpy()
        counts = np.stack([np.bincount(draw, minlength=self.sets) for draw in draws])
        shares = [(counts.astype(np.float32) @ group) / self.sets for group in (a, b)]
        differences = [
            disagreement(q, self.sets) - disagreement(p, self.sets)
            for p, q in zip(*shares, strict=True)
        ]
        value = disagreement(b.mean(0), self.sets) - disagreement(a.mean(0), self.sets)
        low, high = np.quantile(differences, [0.025, 0.975])
        return statistics.Interval(value, float(low), float(high))._asdict()


def square(keys: Tensor, count: int) -> Tensor:
    """Points of the unit square, ``(*keys.shape, count, 2)``, 32-bit floats."""
    return streams.uniform(streams.fold(keys, "points"), count, 2).float()


def labels(x: Tensor) -> Tensor:
    """1 where x1 > x2 and -1 elsewhere, ``(..., 1)``: a tie is negative."""
    return torch.where(x[..., :1] > x[..., 1:], 1.0, -1.0)


def predicted(weights: Array, x: Array) -> Array:
    """Which points each line calls positive, ``(lines, points)``; a score of 0 is negative."""
    return (weights @ x.T) > 0


def disagreement(positive: Array, lines: int) -> float:
    """The chance that two different lines do not agree on a point, from shares of positives.

    Args:
        positive: for each point, the fraction of lines that call it positive.
        lines: how many there are.
    """
    if lines < 2:  # noqa: PLR2004 - two lines
        return float("nan")
    return float((2 * positive * (1 - positive)).mean() * lines / (lines - 1))
