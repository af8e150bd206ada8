"""The figure of the learning-rate finder: ten candidates, and one network through all rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from archcalc.render.style import COLOURS, drawn
from training.experiments.base import counted
from training.figures.minigooglenet import (
    HUMAN,
    bounded,
    candidates,
    lines,
    loss_axis,
    numbers,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from training.experiments.lr_finder import LrFinder
    from training.record import Array

NAMES: Final = ("lr-min", "lr-max")
BEYOND: Final = 0.02  # of a sweep, drawn beyond the update at which it would stop
MARKERS: Final = ("s", "^", "v", "P")


def figures(
    experiment: LrFinder,
    arrays: Mapping[str, Array],  # noqa: ARG001 - all that is drawn is in the results
    results: Mapping[str, Any],
) -> Iterator[tuple[str, bytes]]:
    """One figure, both ways to find the range."""

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharex=True)
        _grid(left, experiment, results)
        _sweep(right, experiment, results)
        least, *_, most = results["grid"]["rates"]
        for axes in (left, right):
            axes.set_xscale("log")
            axes.set_xlim(least / 2, most * 2)
            axes.set_xlabel("learning rate")
            axes.set_ylabel("training loss, nats")
            below: Any = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14)}
            axes.legend(ncols=2, **below)

    said = f"{experiment.short()}; green: the range in which the loss stays low"
    yield "lr-finder", drawn(11, 5.4, "The learning-rate finder", said, draw)


def _chosen(axes: Axes, results: Mapping[str, Any]) -> bool:
    """The rates that a person says in place of the rule's."""
    basin = results["grid"]["basin"]
    ends = [
        (f"chosen {name} ", None if results[key] == basin[end] else results[key])
        for name, key, end in zip(NAMES, ("lr_min", "lr_max"), ("low", "high"), strict=True)
    ]
    lines(axes, ends, HUMAN, "-", row=1)
    return any(at is not None for _, at in ends)


def _titled(axes: Axes, title: str, results: Mapping[str, Any], basin: Mapping[str, Any]) -> None:
    """The rule's range and the chosen one, their values in rows between the axes and the title."""
    bounded(axes, basin, list(zip(NAMES, (basin["low"], basin["high"]), strict=True)))
    axes.set_title(title, pad=18 + 11 * _chosen(axes, results))


def _grid(axes: Axes, experiment: LrFinder, results: Mapping[str, Any]) -> None:
    grid = results["grid"]
    loss_axis(axes, [grid["each"], grid["start"]], results["counts"]["classes"], "linear")
    candidates(axes, grid["rates"], grid["each"], f"mean of {experiment.seeds}, each a dot")
    passes = "epoch" if experiment.epochs == 1 else f"last of {experiment.epochs} epochs"
    title = f"{len(grid['rates'])} candidates: loss of the {passes}"
    _titled(axes, title, results, grid["basin"])


def _sweep(axes: Axes, experiment: LrFinder, results: Mapping[str, Any]) -> None:
    sweep = results["sweep"]
    end = min(sweep["stopped"] + round(BEYOND * len(sweep["rates"])) + 1, len(sweep["rates"]))
    x, raw, smooth = (numbers(sweep[name][:end]) for name in ("rates", "raw", "loss"))
    loss_axis(axes, [raw, smooth], results["counts"]["classes"], "linear")
    axes.plot(x, raw, color=COLOURS[4], alpha=0.55, linewidth=0.7, label="each update")
    axes.plot(x, smooth, color=COLOURS[0], linewidth=1.8, label="smoothed")

    def mark(rates: list[float], label: str, marker: str, colour: str) -> None:
        heights = np.interp(np.log(rates), np.log(x), smooth)
        look: Any = {"color": colour, "markeredgecolor": "white", "markersize": 8, "zorder": 4}
        axes.plot(rates, heights, marker, linestyle="", label=label, **look)

    if sweep["smith"] is not None:
        low, high = sweep["smith"]
        mark([low, high], f"Smith: {low:.2g} to {high:.2g}", "D", COLOURS[6])
    for marker, (name, rate) in zip(MARKERS, sweep["fastai"].items(), strict=True):
        if rate is not None:
            mark([rate], f"fastai, {name}: {rate:.2g}", marker, COLOURS[3])
    passes = counted(experiment.sweep)
    title = f"one network through all rates in {passes}"
    _titled(axes, title, results, sweep["basin"])
