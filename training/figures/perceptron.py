"""Figures of the perceptron and the hinge loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from archcalc.render.style import COLOURS, drawn
from training.answers.perceptron import name
from training.experiments.perceptron import predicted
from training.figures.style import epochs_axis

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from training.experiments.perceptron import Perceptron
    from training.record import Array

LINES: Final = 100  # of training sets, drawn on top of one another


def figures(
    experiment: Perceptron, arrays: Mapping[str, Array], results: Mapping[str, Any]
) -> Iterator[tuple[str, bytes]]:
    """Names and PNGs: accuracy and disagreement over epochs and sets; the lines themselves."""
    groups = results["groups"]
    footer = (
        f"{experiment.sets:,} training sets of {experiment.points} points, the same "
        f"{experiment.test_points:,} test points, seed {experiment.seed}"
    )
    yield (
        "accuracy",
        drawn(
            11,
            3.9,
            "Perceptron criterion and hinge loss",
            footer,
            lambda f: _curves(f, experiment, arrays, groups),
        ),
    )
    count = min(LINES, experiment.sets)
    many = f"{count} training sets of {experiment.points} points, {experiment.epochs:,} epochs"
    yield (
        "lines",
        drawn(
            3.4 * len(groups),
            4.2,
            "What different training sets learn",
            f"{many}; points: the first of them; dashed: the true line",
            lambda f: _lines(f, experiment, arrays, groups),
        ),
    )


def _curves(
    figure: Figure, experiment: Perceptron, arrays: Mapping[str, Array], groups: list[Any]
) -> None:
    left, middle, right = figure.subplots(1, 3)
    x, y = (value.numpy() for value in experiment.test_set())
    for place, (group, weights) in enumerate(zip(groups, experiment.weights(arrays), strict=True)):
        colour = COLOURS[place % len(COLOURS)]
        curve = group["curve"]
        epochs = [point["epochs"] for point in curve]
        accuracy = np.array([point["accuracy"][:3] for point in curve], dtype=float)
        left.fill_between(
            epochs, accuracy[:, 1], accuracy[:, 2], color=colour, alpha=0.15, linewidth=0
        )
        left.plot(epochs, accuracy[:, 0], color=colour, label=name(group))
        found = [np.nan if p["disagreement"] is None else p["disagreement"] for p in curve]
        right.plot(epochs[1:], found[1:], color=colour, label=name(group))
        each = (predicted(weights[:, -1], x) == (y[:, 0] > 0)).mean(1)
        shares = np.arange(1, len(each) + 1) / len(each)
        middle.step(np.sort(each), shares, where="post", color=colour, label=name(group))
    left.set_title("mean test accuracy, 95 % interval")
    left.set_ylim(0.45, 1.0)
    left.legend(loc="lower right")
    middle.set_title(f"test accuracy after {experiment.epochs:,} epochs")
    middle.set_xlabel("accuracy")
    middle.set_ylabel("share of training sets at or below")
    middle.set(xlim=(0.8, 1.0), xticks=[0.8, 0.85, 0.9, 0.95, 1.0])
    middle.legend(loc="upper left")
    right.set_title("disagreement between training sets")
    right.set_ylim(bottom=0)
    for axes in (left, right):
        epochs_axis(axes, experiment.epochs)


def _lines(
    figure: Figure, experiment: Perceptron, arrays: Mapping[str, Array], groups: list[Any]
) -> None:
    x, y = (value.numpy() for value in experiment.training_set(0))
    grid: list[Axes] = list(np.atleast_1d(figure.subplots(1, len(groups), sharey=True)))
    for axes, group, weights in zip(grid, groups, experiment.weights(arrays), strict=True):
        ends = weights[: min(LINES, experiment.sets), -1].astype(float)
        for w in ends:
            # w1 x1 + w2 x2 = 0 along the direction (-w2, w1), both ways
            along = np.array([-w[1], w[0]]) / max(float(np.hypot(*w)), 1e-12) * 2
            axes.plot([-along[0], along[0]], [-along[1], along[1]], color="#0072B2", alpha=0.12)
        axes.plot([0, 1], [0, 1], "--", color="black", linewidth=1)
        positive = y[:, 0] > 0
        for own, marker, colour, what in (
            (x[positive], "o", "#D55E00", "x1 > x2"),
            (x[~positive], "s", "#009E73", "x1 <= x2"),
        ):
            axes.plot(own[:, 0], own[:, 1], marker, color=colour, markersize=4, label=what)
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="x1", title=name(group))
    grid[0].set_ylabel("x2")
    handles, names = grid[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=2)
