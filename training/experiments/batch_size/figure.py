"""Figures of a batch that grows, a rate that is halved, and a rate in cycles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from archcalc.render.style import drawn
from training.experiments.batch_size.experiment import GROW, HALVE, BatchSize
from training.experiments.cyclical_lr.experiment import DECAYING
from training.experiments.minigooglenet.figure import BANDS, courses, stepped, three
from training.experiments.style import Arrays, Drawings, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVES: Final = three(GROW, HALVE, DECAYING)


def figures(experiment: BatchSize, _arrays: Arrays, results: Results) -> Drawings:
    """All three beside one another."""
    said = f"{experiment.short()}\n{BANDS}"
    title = "A growing batch, a falling rate, and a cyclical rate"
    yield GROW, drawn(11, 7, title, said, lambda f: _grow(f, experiment, results))


def _grow(figure: Figure, experiment: BatchSize, results: Results) -> None:
    count = results["counts"]["train"]
    for free, curve, ends, sizes, every in courses(figure, experiment, results, CURVES):
        scales = [experiment.noise(*one, count) for one in zip(every, sizes, strict=True)]
        stepped(free, ends, np.array(scales), curve)
        free.set(yscale="log", ylabel="noise scale")
        free.set_title("noise scale: rate images / (batch (1 - momentum))")
