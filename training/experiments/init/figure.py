"""Figures of weight initialization: violins of the five layers, one figure an activation."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from archcalc.render.style import COLOURS, drawn
from training.experiments.init.experiment import KINDS, LAYERS, Init
from training.experiments.style import Arrays, Drawings, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES: Final = {
    "z": "pre-activations",
    "a": "activations",
    "weights": "weights",
    "deltas": "log10 |gradient|\nat pre-activations",
    "gradients": "log10 |gradient|\nof weights",
}
LOGARITHMIC: Final = ("deltas", "gradients")
LIMITS: Final = {"tanh": (-1.08, 1.08), "sigmoid": (-0.04, 1.04)}


def figures(experiment: Init, arrays: Arrays, results: Results) -> Drawings:
    """Names and PNGs, one an activation."""
    footer = f"setting {experiment.setting}: one untrained network a column, "
    footer += f"{experiment.examples:,} examples, seed {experiment.seed}; below the violins of "
    footer += f"activations: standard deviations, means of {experiment.networks} networks"
    for activation in experiment.activation:
        groups = [group for group in results["groups"] if group["activation"] == activation]
        draw = partial(_violins, arrays=arrays, groups=groups)
        name, title = f"{experiment.setting}-{activation}", f"Five layers of {activation}"
        yield name, drawn(max(2.3 * len(groups), 6), 11, title, footer, draw)


def _violins(figure: Figure, arrays: Arrays, groups: list[Any]) -> None:
    """Groups of one activation: a column each, a row a kind of values."""
    grid = figure.subplots(len(KINDS), len(groups), squeeze=False)
    names = [f"{group['activation']}/{group['init']}" for group in groups]
    for panels, kind in zip(grid, KINDS, strict=True):
        values = np.stack([arrays[f"{name}/sample_{kind}"][0] for name in names]).astype(float)
        if kind in LOGARITHMIC:
            with np.errstate(divide="ignore"):
                values = np.log10(np.abs(values))
        for axes, group, layers in zip(panels, groups, values, strict=True):
            for place, layer in enumerate(layers, 1):
                own = layer[np.isfinite(layer)]
                if len(own):
                    parts: Any = axes.violinplot(own, [place], widths=0.9, showextrema=False)
                    parts["bodies"][0].set(facecolor=COLOURS[place - 1], alpha=0.75, linewidth=0)
            axes.set(xlim=(0.4, LAYERS + 0.6), xticks=range(1, LAYERS + 1))
            if kind == "a":
                axes.set_ylim(LIMITS.get(group["activation"]))
                stds = [layer["activation_std"] for layer in group["layers"]]
                marks = [f"{n}\n{_narrow(std)}" for n, std in enumerate(stds, 1)]
                axes.set_xticks(range(1, LAYERS + 1), marks, fontsize=6)
        if kind in LOGARITHMIC:
            finite = values[np.isfinite(values)]
            # a few values close to 0 are many powers of ten away from all others
            least = float(np.quantile(finite, 0.005)) if finite.size else 0.0
            for axes in panels:
                axes.set_ylim(least - 0.5, float(finite.max(initial=least)) + 0.5)
        panels[0].set_ylabel(TITLES[kind])
    for axes, group in zip(grid[0], groups, strict=True):
        axes.set_title(group["init"])
    for axes in grid[-1]:
        axes.set_xlabel("layer")


def _narrow(value: float | None) -> str:
    """A number in at most five letters or so: five stand side by side below a panel."""
    if value is None:
        return "inf"
    if 100 <= value < 1000:  # noqa: PLR2004 - .2g would write 6.4e+02
        return f"{value:.0f}"
    return f"{value:.2g}" if 1e-3 <= value < 100 else f"{value:.0e}"  # noqa: PLR2004
