"""Figures of a batch that grows, a rate that is halved, and a rate in cycles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from archcalc.render.style import COLOURS, drawn
from training.experiments.batch_size import GROW, HALVE
from training.experiments.cyclical_lr import DECAYING
from training.figures.minigooglenet import BANDS, Curve, courses, stepped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from matplotlib.figure import Figure

    from training.experiments.batch_size import BatchSize
    from training.record import Array

CURVES: Final = (
    Curve(GROW, COLOURS[0]),
    Curve(HALVE, COLOURS[2], "-."),
    Curve(DECAYING, COLOURS[1], "--"),
)


def figures(
    experiment: BatchSize,
    arrays: Mapping[str, Array],  # noqa: ARG001 - all that is drawn is in the results
    results: Mapping[str, Any],
) -> Iterator[tuple[str, bytes]]:
    """All three beside one another."""
    said = f"{experiment.short()}\n{BANDS}"
    title = "A growing batch, a falling rate, and a cyclical rate"
    yield GROW, drawn(11, 7, title, said, lambda f: _grow(f, experiment, results))


def _grow(figure: Figure, experiment: BatchSize, results: Mapping[str, Any]) -> None:
    count = results["counts"]["train"]
    curves = [curve for curve in CURVES if curve.name in results["arms"]]
    for free, curve, ends, sizes, every in courses(figure, experiment, results, curves):
        scales = [experiment.noise(*one, count) for one in zip(every, sizes, strict=True)]
        stepped(free, ends, np.array(scales), curve)
        free.set_yscale("log")
        free.set_title("noise scale: rate images / (batch (1 - momentum))")
        free.set_ylabel("noise scale")
