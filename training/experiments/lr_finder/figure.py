"""The figure of the learning-rate finder: ten candidates, and one network through all rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from archcalc.render.style import COLOURS, drawn
from training.experiments.base import counted
from training.experiments.lr_finder.experiment import LrFinder
from training.experiments.minigooglenet import figure as shared
from training.experiments.style import Arrays, Drawings, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES: Final = ("lr-min", "lr-max")
BEYOND: Final = 0.02  # of a sweep, drawn beyond the update at which it would stop
MARKERS: Final = ("s", "^", "v", "P")


def figures(experiment: LrFinder, _arrays: Arrays, results: Results) -> Drawings:
    """One figure, both ways to find the range."""
    said = f"{experiment.short()}; green: the range in which the loss stays low"
    title = "The learning-rate finder"
    yield "lr-finder", drawn(11, 5.4, title, said, lambda f: _both(f, experiment, results))


def _both(figure: Figure, experiment: LrFinder, results: Results) -> None:
    left, right = figure.subplots(1, 2, sharex=True)
    _grid(left, experiment, results)
    _sweep(right, experiment, results)
    least, *_, most = results["grid"]["rates"]
    for axes in (left, right):
        axes.set(xscale="log", xlim=(least / 2, most * 2), xlabel="learning rate")
        axes.set_ylabel("training loss, nats")
        axes.legend(ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.14))


def _titled(axes: Axes, title: str, results: Results, basin: Results) -> None:
    """The rule's range and the chosen one, their values in rows between the axes and the title."""
    shared.bounded(axes, basin, list(zip(NAMES, (basin["low"], basin["high"]), strict=True)))
    rule, chosen = results["grid"]["basin"], [results["lr_min"], results["lr_max"]]
    # what a person says in place of the rule's
    human = [None if c == rule[end] else c for c, end in zip(chosen, ("low", "high"), strict=True)]
    ends = [(f"chosen {name} ", at) for name, at in zip(NAMES, human, strict=True)]
    shared.lines(axes, ends, shared.HUMAN, "-", row=1)
    axes.set_title(title, pad=18 + 11 * any(at is not None for at in human))


def _grid(axes: Axes, experiment: LrFinder, results: Results) -> None:
    grid, classes = results["grid"], results["counts"]["classes"]
    shared.loss_axis(axes, [grid["each"], grid["start"]], classes, "linear")
    label = f"mean of {experiment.seeds}, each a dot"
    shared.candidates(axes, grid["rates"], grid["each"], label)
    passes = "epoch" if experiment.epochs == 1 else f"last of {experiment.epochs} epochs"
    title = f"{len(grid['rates'])} candidates: loss of the {passes}"
    _titled(axes, title, results, grid["basin"])


def _sweep(axes: Axes, experiment: LrFinder, results: Results) -> None:
    sweep = results["sweep"]
    end = min(sweep["stopped"] + round(BEYOND * len(sweep["rates"])) + 1, len(sweep["rates"]))
    x, raw, smooth = (shared.numbers(sweep[name][:end]) for name in ("rates", "raw", "loss"))
    shared.loss_axis(axes, [raw, smooth], results["counts"]["classes"], "linear")
    axes.plot(x, raw, color=COLOURS[4], alpha=0.55, linewidth=0.7, label="each update")
    axes.plot(x, smooth, color=COLOURS[0], linewidth=1.8, label="smoothed")

    def mark(rates: list[float], label: str, marker: str, colour: str) -> None:
        heights = np.interp(np.log(rates), np.log(x), smooth)
        look: Any = {"color": colour, "markeredgecolor": "white", "markersize": 8, "zorder": 4}
        axes.plot(rates, heights, marker, label=label, **look)

    if sweep["smith"] is not None:
        low, high = sweep["smith"]
        mark([low, high], f"Smith: {low:.2g} to {high:.2g}", "D", COLOURS[6])
    for marker, (name, rate) in zip(MARKERS, sweep["fastai"].items(), strict=True):
        if rate is not None:
            mark([rate], f"fastai, {name}: {rate:.2g}", marker, COLOURS[3])
    title = f"one network through all rates in {counted(experiment.sweep)}"
    _titled(axes, title, results, sweep["basin"])
