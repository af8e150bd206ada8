"""Figures of batch normalization and dropout: curves, what was learnt, drift, co-adaptation."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from archcalc.render.style import COLOURS, STYLES, drawn
from training.engine import datasets
from training.engine.probes import PERCENTILES
from training.engine.record import Array
from training.experiments.base import rows, seeded
from training.experiments.batchnorm_dropout.experiment import MEASURED, UNITS, WATCHED
from training.experiments.batchnorm_dropout.grid import (
    HIDDEN_LAYERS,
    KINDS,
    PLACEMENTS,
    SHARES,
    Grid,
)
from training.experiments.style import Arrays, Drawings, Results, filled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST: Final = 1e-3  # of the variances that are drawn
PANELS: Final = {
    "train_loss": "training loss",
    "test_loss": "test loss",
    "train_accuracy": "training accuracy",
    "test_accuracy": "test accuracy",
}


def figures(experiment: Grid, arrays: Arrays, results: Results) -> Drawings:
    """Names and PNGs."""
    groups, looks, seeds = results["groups"], results["looks"], experiment.seeds
    named, normed = {g["name"]: g for g in groups}, [g for g in groups if g["norms"]]
    run = f"{datasets.title(experiment.dataset)}, {seeds} seeds, {experiment.epochs} epochs, "
    run += f"seed {experiment.seed}"
    if experiment.epochs:
        title = "LeNet-5: loss and accuracy"
        said = f"{run}; training: the first {MEASURED:,} images; lines: means, bands: from "
        said += "the lowest seed to the highest"
        yield "curves", drawn(10, 7, title, said, lambda f: _curves(f, looks, groups))
    if normed:
        title, wide = "What batch norm has learnt", max(3.2 * len(normed), 7)
        said = f"{run}; all channels of all seeds; dots where a layer has one; variances below "
        said += f"{LEAST:g}, of pixels that are hardly ever lit, are left out"
        draw = partial(_learnt, arrays=arrays, seeds=seeds, groups=normed)
        yield "batch-norm", drawn(wide, 9, title, said, draw)
    if {"plain", "bn"} <= set(named) and experiment.epochs:
        title, (low, _, high) = "Internal covariate shift", (round(100 * p) for p in PERCENTILES)
        said = f"{run}; above: one unit, median and {low}th to {high}th percentile; below: mean "
        said += f"of {UNITS} units; {WATCHED:,} training images"
        yield "covariate-shift", drawn(11, 7.5, title, said, lambda f: _drift(f, looks, named))
    said = f"{run}; units of F6; colours as on the right; bars: 95 % Student intervals"
    draw = partial(_together, groups=groups)
    yield "co-adaptation", drawn(10, 4.2, "Co-adaptation", said, draw)
    if len(experiment.dropout_placement) > 1:
        draw = partial(_placed, arrays=arrays, seeds=seeds, groups=groups)
        yield "dropout-placement", drawn(11, 4.6, "Where dropout sits", run, draw)


def _look(place: int) -> dict[str, Any]:
    """Colour and dashes of the group at a place: more groups than colours are told apart."""
    dashes = STYLES[place // len(COLOURS) % len(STYLES)]
    return {"color": COLOURS[place % len(COLOURS)], "linestyle": dashes}


def _curves(figure: Figure, looks: list[int], groups: list[Any]) -> None:
    panels = figure.subplots(2, 2, sharex=True)
    for axes, (score, said) in zip(panels.flat, PANELS.items(), strict=True):
        later: list[float] = []
        for place, group in enumerate(groups):
            curve, look = group["curves"][score], {"marker": ".", "markersize": 4, **_look(place)}
            ends = (curve["min"], curve["max"])
            filled(axes, looks, ends, curve["mean"], label=group["name"], **look)
            later += curve["mean"][1:]
        if "loss" in score:
            axes.set(yscale="log", ylim=(min(later) * 0.8, max(later) * 1.25))
        else:
            room = max(1 - min(later), 1e-3)
            axes.set_ylim(min(later) - 0.05 * room, 1 + 0.02 * room)
        axes.set(title=said, xlim=(0.5, max(looks) + 0.2))
    for axes in panels[1]:
        axes.set_xlabel("epochs")
    panels[1, 1].legend(loc="lower right", ncols=1 + (len(groups) > 6))  # noqa: PLR2004


def _learnt(figure: Figure, arrays: Arrays, seeds: int, groups: list[Any]) -> None:
    panels = figure.subplots(len(KINDS), len(groups), squeeze=False, sharey="row")
    for column, group in zip(panels.T, groups, strict=True):
        names = [norm["name"] for norm in group["norms"]]
        layers = [name.partition("/")[0] for name in names]
        for axes, kind in zip(column, KINDS, strict=True):
            if kind == "var":
                axes.set_yscale("log")
            for place, name in enumerate(names):
                values = rows(arrays, seeded(group["name"], seeds), f"{name}.{kind}").astype(float)
                # counted from the last, so that a layer has its colour with and without the input's
                _violin(axes, values, place, COLOURS[len(names) - 1 - place])
            labels = [layer if layer == "input" else layer.upper() for layer in layers]
            axes.set_xticks(range(len(names)), labels)
            axes.set_xlim(-0.6, len(names) - 0.4)
        column[0].set_title(group["name"])
    for axes, said in zip(panels[:, 0], KINDS.values(), strict=True):
        axes.set_ylabel(said)


def _violin(axes: Axes, values: Array, place: int, colour: str) -> None:
    """A violin of all values, or their dots where a layer has one channel."""
    if values.shape[1] == 1:
        axes.plot([place] * len(values), values[:, 0], "o", color=colour, markersize=4, alpha=0.7)
        return
    flat = values[values >= LEAST] if axes.get_yscale() == "log" else values.ravel()
    parts: Any = axes.violinplot(flat, [place], widths=0.85, showextrema=False)
    parts["bodies"][0].set(facecolor=colour, alpha=0.75, linewidth=0)
    axes.plot([place], [np.median(flat)], "_", color="black", markersize=9)


def _drift(figure: Figure, looks: list[int], groups: Results) -> None:
    panels = figure.subplots(3, len(HIDDEN_LAYERS), sharex=True)
    plain, bn = groups["plain"]["drift"], groups["bn"]["drift"]
    before = {"color": COLOURS[0], "linestyle": ":", "label": "bn, in front of batch norm"}
    shown = (("plain", plain, COLOURS[1]), ("bn", bn, COLOURS[0]))
    for place, (layer, column) in enumerate(zip(HIDDEN_LAYERS, panels.T, strict=True)):
        below = column[2]
        for axes, (name, drift, colour) in zip(column, shown, strict=False):
            low, middle, high = np.array(drift["read"]["percentiles"])[:, place].T
            filled(axes, looks, (low, high), middle, 0.25, color=colour)
            moved = np.array(drift["read"]["mean"])[:, place]
            below.plot(looks[1:], moved, color=colour, marker=".", label=name)
        below.plot(looks[1:], np.array(bn["weighted"]["mean"])[:, place], **before)
        below.set(yscale="log", xlabel="epochs")
        column[0].set_title(layer.upper())
    for row, (name, *_) in zip(panels, shown, strict=False):
        lows, highs = zip(*(axes.get_ylim() for axes in row), strict=True)
        for axes in row:
            axes.set_ylim(min(lows), max(highs))
        row[0].set_ylabel(f"{name}: what tanh reads")
    panels[2, 0].set_ylabel("mean moves by, in\nstandard deviations an epoch")
    figure.legend(*panels[2, 0].get_legend_handles_labels(), loc="outside upper right", ncols=3)


def _together(figure: Figure, groups: list[Any]) -> None:
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    for place, group in enumerate(groups):
        mean = [100 * score for score, *_ in group["silenced"]]
        left.plot([100 * share for share in SHARES], mean, marker=".", **_look(place))
        value, low, high, _ = group["correlation"]
        room = [[value - low], [high - value]] if low is not None else None
        right.errorbar([value], [place], xerr=room, fmt="o", color=_look(place)["color"], capsize=3)
    left.set(xlabel="units silenced, %", ylabel="test accuracy, %")
    right.set_yticks(range(len(groups)), [group["name"] for group in groups])
    right.invert_yaxis()
    most = max(group["correlation"][0] or 0 for group in groups)
    right.set(xlim=(0, 1.15 * most), xlabel="mean absolute correlation of two units")


def _placed(figure: Figure, arrays: Arrays, seeds: int, groups: list[Any]) -> None:
    left, right = figure.subplots(1, 2)
    colours = {"": "#777777", **dict(zip(PLACEMENTS, COLOURS, strict=False))}
    dropped = [group for group in groups if group["placement"]]
    for place, group in enumerate(dropped):
        colour, tasks = colours[group["placement"]], seeded(group["name"], seeds)
        values = 100 * rows(arrays, tasks, "test_accuracy")[:, -1]
        left.plot(values, [place - 0.12] * seeds, "o", color=colour, alpha=0.7)
        if group["adjusted"] is not None:
            again = 100 * rows(arrays, tasks, "adjusted_accuracy")
            left.plot(again, [place + 0.12] * seeds, "x", color=colour)
    left.set_yticks(range(len(dropped)), [group["name"] for group in dropped])
    left.invert_yaxis()
    left.set_xlabel("test accuracy, %; each dot a seed\ncrosses: running statistics adjusted")
    normed = [group for group in groups if group["norms"] and group["variant"] in {"bn", "both"}]
    for group in normed:
        shifts = {norm["name"]: norm["shift"][0] for norm in group["norms"]}
        heights = [shifts[f"{layer}/bn"] for layer in HIDDEN_LAYERS]
        look = {"color": colours[group["placement"]], "label": group["name"]}
        right.plot(range(len(heights)), heights, marker="o", **look)
    right.axhline(1, color="black", linewidth=0.8)
    right.set_xticks(range(len(HIDDEN_LAYERS)), [layer.upper() for layer in HIDDEN_LAYERS])
    right.set_ylabel("variance at test time / running variance")
    if normed:
        right.legend()
