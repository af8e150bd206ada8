"""Figures of the perceptron and the hinge loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from archcalc.render.style import COLOURS, drawn
from training.experiments.perceptron.answer import name
from training.experiments.perceptron.experiment import Perceptron, predicted
from training.experiments.style import Arrays, Drawings, Results, epochs_axis, filled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINES: Final = 100  # of training sets, drawn on top of one another


def figures(experiment: Perceptron, arrays: Arrays, results: Results) -> Drawings:
    """Names and PNGs: accuracy and disagreement over epochs and sets; the lines themselves."""
    groups, points = results["groups"], experiment.points
    title = "Perceptron criterion and hinge loss"
    said = f"{experiment.sets:,} training sets of {points} points, the same "
    said += f"{experiment.test_points:,} test points, seed {experiment.seed}"
    yield "accuracy", drawn(11, 3.9, title, said, lambda f: _curves(f, experiment, arrays, groups))
    title, wide = "What different training sets learn", 3.4 * len(groups)
    said = f"{min(LINES, experiment.sets)} training sets of {points} points, "
    said += f"{experiment.epochs:,} epochs; points: the first of them; dashed: the true line"
    yield "lines", drawn(wide, 4.2, title, said, lambda f: _lines(f, experiment, arrays, groups))


def _curves(figure: Figure, experiment: Perceptron, arrays: Arrays, groups: list[Any]) -> None:
    left, middle, right = figure.subplots(1, 3)
    x, y = (value.numpy() for value in experiment.test_set())
    for place, (group, weights) in enumerate(zip(groups, experiment.weights(arrays), strict=True)):
        look: Any = {"color": COLOURS[place % len(COLOURS)], "label": name(group)}
        curve = group["curve"]
        epochs = [point["epochs"] for point in curve]
        mean, *ends = np.array([point["accuracy"][:3] for point in curve], dtype=float).T
        filled(left, epochs, ends, mean, **look)
        disagreement = np.array([point["disagreement"] for point in curve[1:]], dtype=float)
        right.plot(epochs[1:], disagreement, **look)
        each = (predicted(weights[:, -1], x) == (y[:, 0] > 0)).mean(1)
        shares = np.arange(1, len(each) + 1) / len(each)
        middle.step(np.sort(each), shares, where="post", **look)
    left.set(title="mean test accuracy, 95 % interval", ylim=(0.45, 1.0))
    left.legend(loc="lower right")
    middle.set_title(f"test accuracy after {experiment.epochs:,} epochs")
    middle.set(xlabel="accuracy", ylabel="share of training sets at or below")
    middle.set(xlim=(0.8, 1.0), xticks=[0.8, 0.85, 0.9, 0.95, 1.0])
    middle.legend(loc="upper left")
    right.set(title="disagreement between training sets", ylim=(0, None))
    for axes in (left, right):
        epochs_axis(axes, experiment.epochs)


def _lines(figure: Figure, experiment: Perceptron, arrays: Arrays, groups: list[Any]) -> None:
    x, y = (value.numpy() for value in experiment.training_set(0))
    grid = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    for axes, group, weights in zip(grid, groups, experiment.weights(arrays), strict=True):
        for w in weights[:LINES, -1].astype(float):
            # w1 x1 + w2 x2 = 0 along the direction (-w2, w1), both ways
            along = np.array([-w[1], w[0]]) / max(float(np.hypot(*w)), 1e-12) * 2
            axes.plot([-along[0], along[0]], [-along[1], along[1]], color="#0072B2", alpha=0.12)
        axes.plot([0, 1], [0, 1], "--", color="black", linewidth=1)
        positive = y[:, 0] > 0
        axes.plot(*x[positive].T, "o", color="#D55E00", markersize=4, label="x1 > x2")
        axes.plot(*x[~positive].T, "s", color="#009E73", markersize=4, label="x1 <= x2")
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="x1", title=name(group))
    grid[0].set_ylabel("x2")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
