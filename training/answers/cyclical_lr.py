"""Answers to lab 3, problem 3.2 (homework 2, problem 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.answers.minigooglenet import cost, pairs, scores
from training.answers.words import percent, under
from training.experiments.base import counted
from training.experiments.cyclical_lr import DECAYING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archcalc.render.table import Block
    from training.answers.words import Named
    from training.experiments.cyclical_lr import CyclicalLr


def blocks(experiment: CyclicalLr, results: Mapping[str, Any]) -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    title = (
        f"Rates between {experiment.lr_min:g} and {experiment.lr_max:g}, {experiment.epochs} "
        f"epochs, half a cycle {counted(experiment.step)}, batch {experiment.batch}"
    )
    yield "scores", scores(experiment, results, title)
    if results["pairs"]:
        yield "pairs", pairs(results)
    yield from under("best", _best(results))
    yield from _formula(experiment, results)
    yield from under("cost", cost(results, experiment.momentum))


def _best(results: Mapping[str, Any]) -> Iterator[Block]:
    found = {
        name: arm["final"]["val_accuracy"]["mean"][0] or 0.0
        for name, arm in results["arms"].items()
    }
    best = max(found, key=lambda name: found[name])
    other = " The comparison in pairs says which differences chance can make." * (len(found) > 1)
    yield (
        f"After the last update {best} has the highest mean validation accuracy, "
        f"{percent(found[best], 2)}.{other}"
    )


def _formula(experiment: CyclicalLr, results: Mapping[str, Any]) -> Iterator[Named]:
    yield (
        "formula",
        "With it updates read and s updates in half a cycle (here "
        f"{experiment.step} epochs): cycle = floor(1 + it/(2s)), x = |it/s - 2 cycle + 1|, "
        "rate = lr-min + (lr-max - lr-min) max(0, 1 - x) scale; scale is 1 for triangular, "
        "2^-(cycle - 1) for triangular2, gamma^it for exp_range (Smith, arXiv 1506.01186). With "
        "gamma = 1, which code that is passed around has, exp_range does not decay at all.",
    )
    if DECAYING in results["arms"]:
        updates = results["arms"][DECAYING]["updates"][-1]
        yield (
            "gamma",
            f"Here gamma = {experiment.decay:g}^(1/{updates:,}) = "
            f"{experiment.decay ** (1 / updates):.6g}: with the last update, number {updates:,}, "
            f"the height of a cycle has come to {experiment.decay:g} of lr-max - lr-min.",
        )
