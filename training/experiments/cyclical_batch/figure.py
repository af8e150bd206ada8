"""Figures of batches in cycles: their courses, and what their updates have come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from archcalc.render.style import drawn
from training.experiments.cyclical_batch.experiment import POLICIES, CyclicalBatch
from training.experiments.cyclical_lr.experiment import DECAYING
from training.experiments.minigooglenet.figure import BANDS, courses, numbers, stepped, three
from training.experiments.style import Arrays, Drawings, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVES: Final = three(*POLICIES, DECAYING)


def figures(experiment: CyclicalBatch, _arrays: Arrays, results: Results) -> Drawings:
    """Courses over epochs, and the best accuracy against updates."""
    said = f"{experiment.short()}\n{BANDS}"
    title = "Batches in cycles, and a rate in cycles"
    yield "curves", drawn(11, 7, title, said, lambda f: _curves(f, experiment, results))
    said = f"{experiment.short()}; dots: seeds, bars: means"
    title = "Accuracy, and updates for it"
    yield "comparison", drawn(7, 4.2, title, said, lambda f: _comparison(f, results))


def _curves(figure: Figure, experiment: CyclicalBatch, results: Results) -> None:
    for free, curve, ends, _, rates in courses(figure, experiment, results, CURVES):
        stepped(free, ends, rates, curve)
        free.set(title="learning rate of every update", ylabel="learning rate")


def _comparison(figure: Figure, results: Results) -> None:
    axes = figure.subplots()
    ends = []
    for name, arm in results["arms"].items():
        colour, updates = CURVES[name].colour, arm["total_updates"]
        best = 100 * numbers(arm["final"]["best_val_accuracy"]["each"])
        axes.plot([updates] * len(best), best, "o", color=colour, alpha=0.6, label=name)
        axes.plot([updates], [best.mean()], "_", color=colour, markersize=22, markeredgewidth=2)
        ends.append(updates)
    axes.set_xscale("log")
    marks = [digit * 10**z for z in range(9) for digit in (1, 2, 3, 5, 7)]
    axes.set_xticks(marks, [f"{mark:,}" for mark in marks])
    axes.set_xticks([], minor=True)
    axes.set(xlabel="updates of the whole run", ylabel="best validation accuracy, %")
    axes.set_xlim(min(ends) / 1.6, max(ends) * 1.6)
    axes.margins(y=0.15)
    figure.legend(loc="outside right center")
