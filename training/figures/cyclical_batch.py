"""Figures of batches in cycles: their courses, and what their updates have come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from archcalc.render.style import COLOURS, drawn
from training.experiments.cyclical_batch import POLICIES
from training.experiments.cyclical_lr import DECAYING
from training.figures.minigooglenet import BANDS, Curve, courses, numbers, stepped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from matplotlib.figure import Figure

    from training.experiments.cyclical_batch import CyclicalBatch
    from training.record import Array

CURVES: Final = {
    name: Curve(name, colour, dashes)
    for name, colour, dashes in zip(
        (*POLICIES, DECAYING), (COLOURS[0], COLOURS[2], COLOURS[1]), ("-", "-.", "--"), strict=True
    )
}


def figures(
    experiment: CyclicalBatch,
    arrays: Mapping[str, Array],  # noqa: ARG001 - all that is drawn is in the results
    results: Mapping[str, Any],
) -> Iterator[tuple[str, bytes]]:
    """Courses over epochs, and the best accuracy against updates."""
    said = f"{experiment.short()}\n{BANDS}"
    title = "Batches in cycles, and a rate in cycles"
    yield "curves", drawn(11, 7, title, said, lambda f: _curves(f, experiment, results))
    said = f"{experiment.short()}; dots: seeds, bars: means"
    title = "Accuracy, and updates for it"
    yield "comparison", drawn(7, 4.2, title, said, lambda f: _comparison(f, results))


def _curves(figure: Figure, experiment: CyclicalBatch, results: Mapping[str, Any]) -> None:
    curves = [CURVES[name] for name in results["arms"]]
    for free, curve, ends, _, rates in courses(figure, experiment, results, curves):
        stepped(free, ends, rates, curve)
        free.set_title("learning rate of every update")
        free.set_ylabel("learning rate")


def _comparison(figure: Figure, results: Mapping[str, Any]) -> None:
    axes = figure.subplots()
    ends = []
    for name, arm in results["arms"].items():
        colour, updates = CURVES[name].colour, arm["total_updates"]
        best = 100 * numbers(arm["final"]["best_val_accuracy"]["each"])
        axes.plot([updates] * len(best), best, "o", color=colour, alpha=0.6, label=name)
        axes.plot([updates], [best.mean()], "_", color=colour, markersize=22, markeredgewidth=2)
        ends.append(updates)
    axes.set_xscale("log")
    low, high = min(ends) / 1.6, max(ends) * 1.6
    axes.set_xlim(low, high)
    marks = [digit * 10**z for z in range(9) for digit in (1, 2, 3, 5, 7)]
    marks = [mark for mark in marks if low <= mark <= high]
    axes.set_xticks(marks, [f"{mark:,}" for mark in marks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("updates of the whole run")
    axes.set_ylabel("best validation accuracy, %")
    axes.margins(y=0.15)
    figure.legend(loc="outside right center")
