"""Figures of weight initialization: violins of the five layers, one figure an activation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from archcalc.render.style import COLOURS, drawn
from training.experiments.init import KINDS, LAYERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from training.experiments.init import Init
    from training.record import Array

TITLES: Final = {
    "z": "pre-activations",
    "a": "activations",
    "weights": "weights",
    "deltas": "log10 |gradient|\nat pre-activations",
    "gradients": "log10 |gradient|\nof weights",
}
LOGARITHMIC: Final = ("deltas", "gradients")
LIMITS: Final = {"tanh": (-1.08, 1.08), "sigmoid": (-0.04, 1.04)}


def figures(
    experiment: Init,
    arrays: Mapping[str, Array],
    results: Mapping[str, Any],
) -> Iterator[tuple[str, bytes]]:
    """Names and PNGs, one an activation."""
    groups = results["groups"]
    for activation in experiment.activation:
        places = [i for i, group in enumerate(groups) if group["activation"] == activation]

        def draw(figure: Figure, places: list[int] = places, name: str = activation) -> None:
            _violins(figure, arrays, groups, places, name)

        footer = (
            f"setting {experiment.setting}: one untrained network a column, "
            f"{experiment.examples:,} examples, seed {experiment.seed}; below the violins of "
            f"activations: standard deviations, means of {experiment.networks} networks"
        )
        wide = max(2.3 * len(places), 6)
        yield (
            f"{experiment.setting}-{activation}",
            drawn(wide, 11, f"Five layers of {activation}", footer, draw),
        )


def _violins(
    figure: Figure,
    arrays: Mapping[str, Array],
    groups: list[Any],
    places: list[int],
    activation: str,
) -> None:
    grid = figure.subplots(len(KINDS), len(places), squeeze=False)
    for row, kind in enumerate(KINDS):
        names = [f"{groups[place]['activation']}/{groups[place]['init']}" for place in places]
        found = [arrays[f"{name}/sample_{kind}"][0] for name in names]
        values = np.stack(found).astype(np.float64)
        if kind in LOGARITHMIC:
            with np.errstate(divide="ignore"):
                values = np.log10(np.abs(values))
        for column, place in enumerate(places):
            axes: Axes = grid[row, column]
            for layer in range(LAYERS):
                own = values[column, layer]
                own = own[np.isfinite(own)]
                if len(own):
                    parts: Any = axes.violinplot(own, [layer + 1], widths=0.9, showextrema=False)
                    for body in parts["bodies"]:
                        body.set(facecolor=COLOURS[layer], alpha=0.75, linewidth=0)
            axes.set_xlim(0.4, LAYERS + 0.6)
            axes.set_xticks(range(1, LAYERS + 1))
            if row == 0:
                axes.set_title(groups[place]["init"])
            if kind == "a":
                axes.set_ylim(LIMITS.get(activation))
                stds = [layer["activation_std"] for layer in groups[place]["layers"]]
                marks = [f"{n}\n{_narrow(std)}" for n, std in enumerate(stds, 1)]
                axes.set_xticks(range(1, LAYERS + 1), marks, fontsize=6)
        if kind in LOGARITHMIC:
            finite = values[np.isfinite(values)]
            # a few values close to 0 are many powers of ten away from all others
            least = float(np.quantile(finite, 0.005)) if finite.size else 0.0
            limits = (least - 0.5, float(finite.max(initial=least)) + 0.5)
            for axes in grid[row]:
                axes.set_ylim(*limits)
        grid[row, 0].set_ylabel(TITLES[kind])
    for axes in grid[-1]:
        axes.set_xlabel("layer")


def _narrow(value: float | None) -> str:
    """A number in at most five letters or so: five stand side by side below a panel."""
    if value is None:
        return "inf"
    if 100 <= value < 1000:  # noqa: PLR2004 - .2g would write 6.4e+02
        return f"{value:.0f}"
    return f"{value:.2g}" if 1e-3 <= value < 100 else f"{value:.0e}"  # noqa: PLR2004
