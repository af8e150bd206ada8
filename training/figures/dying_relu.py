"""Figures of the dying ReLU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from archcalc.render.style import COLOURS, STYLES, drawn
from training.experiments.dying_relu import (
    BIRTH_WIDTHS,
    END,
    FUNCTIONS,
    NEARLY,
    PICTURE,
    DyingRelu,
)
from training.figures.style import epochs_axis

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from training.record import Array

LINES: Final = 8  # functions drawn in one panel


def figures(
    experiment: DyingRelu, arrays: Mapping[str, Array], results: Mapping[str, Any]
) -> Iterator[tuple[str, bytes]]:
    """Names and PNGs: collapse over epochs, the theory of birth, functions."""
    footer = (
        f"{experiment.simulations:,} simulations each, width {experiment.width}, "
        f"{experiment.points:,} points, batch {experiment.batch}, Adam, seed {experiment.seed}; "
        "bands: 95 % Wilson intervals"
    )
    groups = results["groups"]
    tall = 1.0 + 2.9 * len(experiment.hidden_layers)
    yield "collapse", drawn(9.5, tall, "Collapsed networks", footer, lambda f: _epochs(f, groups))
    if results["birth"]:
        count = f"{experiment.born:,} networks a width, He's initialization, no training; "
        yield (
            "birth",
            drawn(
                6.5,
                4.2,
                "Born dead: simulation and theory",
                f"{count}bands: bounds of Lu et al.",
                lambda f: _birth(f, results["birth"]),
            ),
        )
    for hidden in experiment.hidden_layers:
        rows = [g for g in groups if g["hidden"] == hidden]
        name = f"functions-{hidden}" if len(experiment.hidden_layers) > 1 else "functions"

        def draw(figure: Figure, rows: list[Any] = rows, hidden: int = hidden) -> None:
            _functions(figure, experiment, arrays, rows, hidden)

        title = f"What was learnt, {hidden} hidden layers, after {experiment.epochs} epochs"
        high = 0.8 + 1.9 * len(rows)
        what = (
            f"up to {LINES} networks a panel, width {experiment.width}, seed {experiment.seed}; "
            f"nearly constant: output range below {NEARLY:g}; grey: the target"
        )
        yield name, drawn(7.5, high, title, what, draw)


def label(group: Mapping[str, Any], groups: list[Mapping[str, Any]], without: str = "") -> str:
    """What tells a group from the others; ``without`` is told elsewhere."""
    words = {
        "activation": "{}",
        "function": "{}",
        "hidden": "{} hidden",
        "init": "{}",
    }
    told = [
        words[key].format(group[key])
        for key in words
        if key != without and len({other[key] for other in groups}) > 1
    ]
    return ", ".join(told) or group["activation"]


def _epochs(figure: Figure, groups: list[Any]) -> None:
    depths = list(dict.fromkeys(group["hidden"] for group in groups))
    functions = list(dict.fromkeys(group["function"] for group in groups))
    kinds = list(dict.fromkeys((group["activation"], group["init"]) for group in groups))
    grid = figure.subplots(len(depths), 2, squeeze=False, sharey=True, sharex=True)
    panels = (
        ("collapsed", "constant on the whole domain"),
        ("nearly_constant", f"output range below {NEARLY:g}"),
    )
    for group in groups:
        colour = COLOURS[kinds.index((group["activation"], group["init"])) % len(COLOURS)]
        style = STYLES[functions.index(group["function"]) % len(STYLES)]
        curve = group["curve"]
        x = [point["epochs"] for point in curve]
        for axes, (what, title) in zip(grid[depths.index(group["hidden"])], panels, strict=True):
            middle, low, high = np.array([point[what] for point in curve], dtype=float).T
            axes.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
            axes.plot(x, middle, style, color=colour, label=label(group, groups, "hidden"))
            axes.set_title(f"{group['hidden']} hidden layers: {title}")
            epochs_axis(axes, curve[-1]["epochs"])
    for axes in grid[:-1].flat:
        axes.set_xlabel("")
    for axes in grid[:, 0]:
        axes.set_ylabel("fraction of networks")
        axes.set_ylim(-0.02, 1.02)
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center")


def _birth(figure: Figure, rows: list[Any]) -> None:
    axes: Axes = figure.subplots()
    for width, colour in zip(BIRTH_WIDTHS, COLOURS, strict=False):
        own = [row for row in rows if row["width"] == width]
        x = [row["layers"] for row in own]
        low, high = [row["lower"] for row in own], [row["upper"] for row in own]
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        fractions = [row["born_dead"][0] for row in own]
        axes.plot(x, fractions, ".", color=colour, label=f"width {width}")
    axes.set_xlabel("layers, the output layer among them")
    axes.set_ylabel("fraction born dead")
    axes.set_ylim(-0.02, 1.02)
    axes.legend(loc="lower right")


def _functions(
    figure: Figure,
    experiment: DyingRelu,
    arrays: Mapping[str, Array],
    rows: list[Any],
    hidden: int,
) -> None:
    x = np.linspace(-END, END, PICTURE)
    grid = figure.subplots(len(rows), 2, squeeze=False, sharex=True)
    name = f"{hidden}x{experiment.width}"
    shown = experiment.pictured
    for place, (row, (left, right)) in enumerate(zip(rows, grid, strict=True)):
        own = arrays[f"{name}/pictures"][place * shown : (place + 1) * shown]
        first = place * experiment.simulations
        flat = arrays[f"{name}/range"][first : first + shown, -1] < NEARLY
        target = FUNCTIONS[row["function"]](torch.from_numpy(x)).numpy()
        for axes, wanted, title in ((left, True, "nearly constant"), (right, False, "others")):
            curves = own[flat == wanted]
            axes.plot(x, target, color="#999999", linewidth=3, alpha=0.6)
            for number, curve in enumerate(curves[:LINES]):
                axes.plot(x, curve, color=COLOURS[number % len(COLOURS)], linewidth=1)
            axes.set_title(f"{label(row, rows)}: {title}, {len(curves)} of the first {shown}")
            span = float(np.ptp(target))
            axes.set_ylim(target.min() - 0.35 * span, target.max() + 0.35 * span)
