"""Figures of the dying ReLU."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from archcalc.render.style import COLOURS, STYLES, drawn
from training.experiments.dying_relu.experiment import (
    BIRTH_WIDTHS,
    END,
    FUNCTIONS,
    NEARLY,
    PICTURE,
    DyingRelu,
)
from training.experiments.style import Arrays, Drawings, Results, epochs_axis, filled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINES: Final = 8  # functions drawn in one panel


def figures(experiment: DyingRelu, arrays: Arrays, results: Results) -> Drawings:
    """Names and PNGs: collapse over epochs, the theory of birth, functions."""
    groups, depths, width = results["groups"], experiment.hidden_layers, experiment.width
    said = f"{experiment.simulations:,} simulations each, width {width}, {experiment.points:,} "
    said += f"points, batch {experiment.batch}, Adam, seed {experiment.seed}; "
    said += "bands: 95 % Wilson intervals"
    high = 1.0 + 2.9 * len(depths)
    yield "collapse", drawn(9.5, high, "Collapsed networks", said, lambda f: _epochs(f, groups))
    if birth := results["birth"]:
        title = "Born dead: simulation and theory"
        said = f"{experiment.born:,} networks a width, He's initialization, no training; "
        said += "bands: bounds of Lu et al."
        yield "birth", drawn(6.5, 4.2, title, said, lambda f: _birth(f, birth))
    said = f"up to {LINES} networks a panel, width {width}, seed {experiment.seed}; "
    said += f"nearly constant: output range below {NEARLY:g}; grey: the target"
    for hidden in depths:
        rows = [group for group in groups if group["hidden"] == hidden]
        name = f"functions-{hidden}" if len(depths) > 1 else "functions"
        title = f"What was learnt, {hidden} hidden layers, after {experiment.epochs} epochs"
        draw = partial(_functions, experiment=experiment, arrays=arrays, rows=rows)
        yield name, drawn(7.5, 0.8 + 1.9 * len(rows), title, said, draw)


def label(group: Results, groups: list[Any], without: str = "") -> str:
    """What tells a group from the others; ``without`` is told elsewhere."""
    told = [
        f"{group[key]} hidden" if key == "hidden" else group[key]
        for key in ("activation", "function", "hidden", "init")
        if key != without and len({other[key] for other in groups}) > 1
    ]
    return ", ".join(told) or group["activation"]


def _epochs(figure: Figure, groups: list[Any]) -> None:
    depths = list(dict.fromkeys(group["hidden"] for group in groups))
    functions = list(dict.fromkeys(group["function"] for group in groups))
    kinds = list(dict.fromkeys((group["activation"], group["init"]) for group in groups))
    grid = figure.subplots(len(depths), 2, squeeze=False, sharey=True, sharex=True)
    panels = {
        "collapsed": "constant on the whole domain",
        "nearly_constant": f"output range below {NEARLY:g}",
    }
    for group in groups:
        kind, function = (group["activation"], group["init"]), group["function"]
        colour = COLOURS[kinds.index(kind) % len(COLOURS)]
        style = STYLES[functions.index(function) % len(STYLES)]
        look: Any = {"color": colour, "linestyle": style, "label": label(group, groups, "hidden")}
        curve, row = group["curve"], grid[depths.index(group["hidden"])]
        x = [point["epochs"] for point in curve]
        for axes, (what, title) in zip(row, panels.items(), strict=True):
            middle, *ends = np.array([point[what] for point in curve], dtype=float).T
            filled(axes, x, ends, middle, 0.12, **look)
            axes.set_title(f"{group['hidden']} hidden layers: {title}")
            epochs_axis(axes, curve[-1]["epochs"])
    for axes in grid[:-1].flat:
        axes.set_xlabel("")
    for axes in grid[:, 0]:
        axes.set(ylabel="fraction of networks", ylim=(-0.02, 1.02))
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside right center")


def _birth(figure: Figure, rows: list[Any]) -> None:
    axes = figure.subplots()
    for width, colour in zip(BIRTH_WIDTHS, COLOURS, strict=False):
        own = [row for row in rows if row["width"] == width]
        ends = [[row[end] for row in own] for end in ("lower", "upper")]
        fractions = [row["born_dead"][0] for row in own]
        dots: Any = {"color": colour, "marker": ".", "linestyle": "", "label": f"width {width}"}
        filled(axes, [row["layers"] for row in own], ends, fractions, **dots)
    axes.set(xlabel="layers, the output layer among them", ylabel="fraction born dead")
    axes.set_ylim(-0.02, 1.02)
    axes.legend(loc="lower right")


def _functions(figure: Figure, experiment: DyingRelu, arrays: Arrays, rows: list[Any]) -> None:
    """A row a group of one depth: on the left its functions that are nearly constant."""
    x = np.linspace(-END, END, PICTURE)
    grid = figure.subplots(len(rows), 2, squeeze=False, sharex=True)
    name, shown = f"{rows[0]['hidden']}x{experiment.width}", experiment.pictured
    for place, (row, (left, right)) in enumerate(zip(rows, grid, strict=True)):
        own = arrays[f"{name}/pictures"][place * shown : (place + 1) * shown]
        first = place * experiment.simulations
        flat = arrays[f"{name}/range"][first : first + shown, -1] < NEARLY
        target = FUNCTIONS[row["function"]](torch.from_numpy(x)).numpy()
        room = 0.35 * float(np.ptp(target))
        for axes, wanted, title in ((left, True, "nearly constant"), (right, False, "others")):
            curves = own[flat == wanted]
            axes.plot(x, target, color="#999999", linewidth=3, alpha=0.6)
            for number, curve in enumerate(curves[:LINES]):
                axes.plot(x, curve, color=COLOURS[number % len(COLOURS)], linewidth=1)
            axes.set_title(f"{label(row, rows)}: {title}, {len(curves)} of the first {shown}")
            axes.set_ylim(target.min() - room, target.max() + room)
