"""Figures of the batch size: one that grows in one run, or one network a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from archcalc.render.style import COLOURS, drawn
from training.experiments.base import counted
from training.experiments.batch_size import GROW
from training.experiments.cyclical_lr import DECAYING
from training.figures.minigooglenet import (
    BANDS,
    Curve,
    bounded,
    candidates,
    courses,
    loss_axis,
    numbers,
    powers,
    stepped,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from training.experiments.batch_size import BatchSize
    from training.record import Array

CURVES: Final = (Curve(GROW, COLOURS[0]), Curve(DECAYING, COLOURS[1], "--"))


def figures(
    experiment: BatchSize,
    arrays: Mapping[str, Array],  # noqa: ARG001 - all that is drawn is in the results
    results: Mapping[str, Any],
) -> Iterator[tuple[str, bytes]]:
    """One figure a policy."""
    if experiment.policy == GROW:
        said = f"{experiment.short()}\n{BANDS}"
        title = "A growing batch, and a cyclical rate"
        yield GROW, drawn(11, 7, title, said, lambda f: _grow(f, experiment, results))
    else:
        said = f"{experiment.short()}; rate {experiment.lr_min:g}; dots: seeds, lines: means"
        passes = counted(experiment.sweep_epochs)
        title = f"One network a batch, {passes} each"
        yield "sweep", drawn(11, 4.8, title, said, lambda f: _sweep(f, results))


def _grow(figure: Figure, experiment: BatchSize, results: Mapping[str, Any]) -> None:
    count = results["counts"]["train"]
    for free, curve, ends, sizes, every in courses(figure, experiment, results, CURVES):
        scales = [experiment.noise(*one, count) for one in zip(every, sizes, strict=True)]
        stepped(free, ends, np.array(scales), curve)
        free.set_yscale("log")
        free.set_title("noise scale: rate images / (batch (1 - momentum))")
        free.set_ylabel("noise scale")


def _sweep(figure: Figure, results: Mapping[str, Any]) -> None:
    left, right = figure.subplots(1, 2)
    curve, arms = results["curve"], results["arms"]
    against_batch(left, results)
    left.set_title("training loss of the last epoch", pad=18)
    final = [arm["final"]["val_accuracy"]["each"] for arm in arms.values()]
    accuracy = 100 * numbers(final)
    right.plot(curve["batches"], accuracy, "o", color=COLOURS[0], markersize=4, alpha=0.45)
    right.plot(curve["batches"], accuracy.mean(1), color=COLOURS[0])
    right.set_title("validation accuracy at the end")
    right.set_ylabel("accuracy, %")
    right.set_xlabel("batch, examples")
    powers(right, curve["batches"])
    above = right.secondary_xaxis("top")
    above.set_xticks(curve["batches"], [f"{scale:.3g}" for scale in curve["noise"]])
    above.set_xticks([], minor=True)
    above.set_xlabel("noise scale")


def against_batch(axes: Axes, results: Mapping[str, Any]) -> None:
    """Training loss against batch size, and the rule's range."""
    curve = results["curve"]
    loss_axis(axes, [curve["each"]], results["counts"]["classes"], "linear")
    candidates(axes, curve["batches"], curve["each"], "mean of the seeds")
    bounded(axes, curve["basin"], [("b-min", curve["b_min"]), ("b-max", curve["b_max"])])
    powers(axes, curve["batches"])
    axes.set_xlabel("batch, examples")
    axes.set_ylabel("training loss, nats")
