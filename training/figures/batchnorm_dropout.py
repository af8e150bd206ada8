"""Figures of batch normalization and dropout: curves, what was learnt, drift, co-adaptation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from archcalc.render.style import COLOURS, STYLES, drawn
from training import datasets
from training.experiments.base import rows, seeded
from training.experiments.batchnorm_dropout import (
    HIDDEN_LAYERS,
    KINDS,
    MEASURED,
    PLACEMENTS,
    SHARES,
    UNITS,
    WATCHED,
)
from training.probes import PERCENTILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from training.experiments.batchnorm_dropout import BatchnormDropout
    from training.record import Array

    Seeds = Callable[[Any, str], Array]  # of a group and what was seen of it: a row a seed

LEAST: Final = 1e-3  # of the variances that are drawn
PANELS: Final = {
    "train_loss": "training loss",
    "test_loss": "test loss",
    "train_accuracy": "training accuracy",
    "test_accuracy": "test accuracy",
}


def figures(
    experiment: BatchnormDropout, arrays: Mapping[str, Array], results: Mapping[str, Any]
) -> Iterator[tuple[str, bytes]]:
    """Names and PNGs."""
    groups = results["groups"]
    footer = (
        f"{datasets.title(experiment.dataset)}, {experiment.seeds} seeds, "
        f"{experiment.epochs} epochs, seed {experiment.seed}"
    )

    def of(group: Any, what: str) -> Array:  # noqa: ANN401 - a group's results
        return rows(arrays, seeded(group["name"], experiment.seeds), what)

    def curves(figure: Figure) -> None:
        _curves(figure, results["looks"], groups)

    if experiment.epochs:
        wide = (
            f"{footer}; training: the first {MEASURED:,} images; lines: means, bands: from "
            "the lowest seed to the highest"
        )
        yield "curves", drawn(10, 7, "LeNet-5: loss and accuracy", wide, curves)
    normed = [group for group in groups if group["norms"]]
    if normed:

        def learnt(figure: Figure) -> None:
            _learnt(figure, of, normed)

        said = (
            f"{footer}; all channels of all seeds; dots where a layer has one; variances below "
            f"{LEAST:g}, of pixels that are hardly ever lit, are left out"
        )
        width = max(3.2 * len(normed), 7)
        yield "batch-norm", drawn(width, 9, "What batch norm has learnt", said, learnt)
    if {"plain", "bn"} <= {group["name"] for group in groups} and experiment.epochs:

        def drift(figure: Figure) -> None:
            _drift(figure, results["looks"], {g["name"]: g for g in groups})

        low, _, high = (round(100 * one) for one in PERCENTILES)
        said = (
            f"{footer}; above: one unit, median and {low}th to {high}th percentile; below: mean "
            f"of {UNITS} units; {WATCHED:,} training images"
        )
        yield "covariate-shift", drawn(11, 7.5, "Internal covariate shift", said, drift)

    def together(figure: Figure) -> None:
        _together(figure, groups)

    said = f"{footer}; units of F6; colours as on the right; bars: 95 % Student intervals"
    yield "co-adaptation", drawn(10, 4.2, "Co-adaptation", said, together)
    if len(experiment.dropout_placement) > 1:

        def placed(figure: Figure) -> None:
            _placed(figure, of, groups)

        yield "dropout-placement", drawn(11, 4.6, "Where dropout sits", footer, placed)


def _look(place: int) -> dict[str, Any]:
    """Colour and dashes of the group at a place: more groups than colours are told apart."""
    dashes = STYLES[place // len(COLOURS) % len(STYLES)]
    return {"color": COLOURS[place % len(COLOURS)], "linestyle": dashes}


def _curves(figure: Figure, looks: list[int], groups: list[Any]) -> None:
    panels = figure.subplots(2, 2, sharex=True)
    for axes, (score, said) in zip(panels.flat, PANELS.items(), strict=True):
        ends = []
        for place, group in enumerate(groups):
            found = group["curves"][score]
            mean, look = found["mean"], _look(place)
            axes.plot(looks, mean, label=group["name"], marker=".", markersize=4, **look)
            axes.fill_between(
                looks, found["min"], found["max"], color=look["color"], alpha=0.15, linewidth=0
            )
            ends += mean[1:]
        axes.set_title(said)
        if "loss" in score:
            axes.set_yscale("log")
            axes.set_ylim(min(ends) * 0.8, max(ends) * 1.25)
        else:
            room = max(1 - min(ends), 1e-3)
            axes.set_ylim(min(ends) - 0.05 * room, 1 + 0.02 * room)
        axes.set_xlim(0.5, max(looks) + 0.2)
    for axes in panels[1]:
        axes.set_xlabel("epochs")
    panels[1, 1].legend(loc="lower right", ncols=1 + (len(groups) > 6))  # noqa: PLR2004


def _learnt(figure: Figure, of: Seeds, groups: list[Any]) -> None:
    panels = figure.subplots(len(KINDS), len(groups), squeeze=False, sharey="row")
    for column, group in enumerate(groups):
        names = [norm["name"] for norm in group["norms"]]
        for row, (kind, said) in enumerate(KINDS.items()):
            axes: Axes = panels[row, column]
            if kind == "var":
                axes.set_yscale("log")
            for place, name in enumerate(names):
                values = of(group, f"{name}.{kind}").astype(np.float64)
                # counted from the last, so that a layer has its colour with and without the input's
                _violin(axes, values, place, COLOURS[len(names) - 1 - place])
            axes.set_xticks(range(len(names)), [_short(name) for name in names])
            axes.set_xlim(-0.6, len(names) - 0.4)
            if column == 0:
                axes.set_ylabel(said)
            if row == 0:
                axes.set_title(group["name"])


def _violin(axes: Axes, values: Array, place: int, colour: str) -> None:
    """A violin of all values, or their dots where a layer has one channel."""
    if values.shape[1] == 1:
        axes.plot([place] * len(values), values[:, 0], "o", color=colour, markersize=4, alpha=0.7)
        return
    flat = values[values >= LEAST] if axes.get_yscale() == "log" else values.ravel()
    parts: Any = axes.violinplot(flat, [place], widths=0.85, showextrema=False)
    for body in parts["bodies"]:
        body.set(facecolor=colour, alpha=0.75, linewidth=0)
    axes.plot([place], [np.median(flat)], "_", color="black", markersize=9)


def _short(name: str) -> str:
    layer = name.partition("/")[0]
    return layer if layer == "input" else layer.upper()


def _drift(figure: Figure, looks: list[int], groups: Mapping[str, Any]) -> None:
    panels = figure.subplots(3, len(HIDDEN_LAYERS), sharex=True)
    shown = (("plain", COLOURS[1]), ("bn", COLOURS[0]))
    for column, layer in enumerate(HIDDEN_LAYERS):
        for row, (name, colour) in enumerate(shown):
            axes: Axes = panels[row, column]
            low, middle, high = np.array(groups[name]["drift"]["read"]["percentiles"])[:, column].T
            axes.fill_between(looks, low, high, color=colour, alpha=0.25, linewidth=0)
            axes.plot(looks, middle, color=colour)
            if column == 0:
                axes.set_ylabel(f"{name}: what tanh reads")
        axes = panels[2, column]
        for name, colour in shown:
            moved = np.array(groups[name]["drift"]["read"]["mean"])[:, column]
            axes.plot(looks[1:], moved, color=colour, marker=".", label=name)
        sums = np.array(groups["bn"]["drift"]["weighted"]["mean"])[:, column]
        axes.plot(
            looks[1:], sums, color=COLOURS[0], linestyle=":", label="bn, in front of batch norm"
        )
        axes.set_yscale("log")
        axes.set_xlabel("epochs")
        panels[0, column].set_title(layer.upper())
    for row in range(2):
        ends = [axes.get_ylim() for axes in panels[row]]
        for axes in panels[row]:
            axes.set_ylim(min(low for low, _ in ends), max(high for _, high in ends))
    panels[2, 0].set_ylabel("mean moves by, in\nstandard deviations an epoch")
    figure.legend(*panels[2, 0].get_legend_handles_labels(), loc="outside upper right", ncols=3)


def _together(figure: Figure, groups: list[Any]) -> None:
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    for place, group in enumerate(groups):
        mean = [100 * found[0] for found in group["silenced"]]
        shares = [100 * share for share in SHARES]
        left.plot(shares, mean, marker=".", **_look(place))
        value, low, high, _ = group["correlation"]
        room = [[value - low], [high - value]] if low is not None else None
        right.errorbar([value], [place], xerr=room, fmt="o", color=_look(place)["color"], capsize=3)
    left.set_xlabel("units silenced, %")
    left.set_ylabel("test accuracy, %")
    right.set_yticks(range(len(groups)), [group["name"] for group in groups])
    right.invert_yaxis()
    right.set_xlim(0, 1.15 * max(group["correlation"][0] or 0 for group in groups))
    right.set_xlabel("mean absolute correlation of two units")


def _placed(figure: Figure, of: Seeds, groups: list[Any]) -> None:
    left, right = figure.subplots(1, 2)
    dropped = [group for group in groups if group["placement"]]
    for place, group in enumerate(dropped):
        colour = COLOURS[list(PLACEMENTS).index(group["placement"])]
        values = 100 * of(group, "test_accuracy")[:, -1]
        left.plot(values, [place - 0.12] * len(values), "o", color=colour, alpha=0.7)
        if group["adjusted"] is not None:
            again = 100 * of(group, "adjusted_accuracy")
            left.plot(again, [place + 0.12] * len(again), "x", color=colour)
    left.set_yticks(range(len(dropped)), [group["name"] for group in dropped])
    left.invert_yaxis()
    left.set_xlabel("test accuracy, %; each dot a seed\ncrosses: running statistics adjusted")
    normed = [group for group in groups if group["norms"] and group["variant"] in {"bn", "both"}]
    for group in normed:
        shifts = {norm["name"]: norm["shift"][0] for norm in group["norms"]}
        colour = (
            COLOURS[list(PLACEMENTS).index(group["placement"])] if group["placement"] else "#777777"
        )
        heights = [shifts[f"{layer}/bn"] for layer in HIDDEN_LAYERS]
        right.plot(range(len(heights)), heights, marker="o", color=colour, label=group["name"])
    right.axhline(1, color="black", linewidth=0.8)
    right.set_xticks(range(len(HIDDEN_LAYERS)), [layer.upper() for layer in HIDDEN_LAYERS])
    right.set_ylabel("variance at test time / running variance")
    if normed:
        right.legend()
