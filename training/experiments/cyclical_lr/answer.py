"""Answers to lab 3, problem 3.2 (homework 2, problem 4.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from training.experiments.base import counted
from training.experiments.claims import differences
from training.experiments.cyclical_lr.experiment import DECAYING, CyclicalLr
from training.experiments.minigooglenet.answer import cost, scores, winner
from training.experiments.words import Named, under

PAIRED: Final = {
    "best_val_accuracy": "best validation accuracy",
    "val_accuracy": "last validation accuracy",
    "test_accuracy": "test accuracy",
    "val_loss": "validation loss",
}


def blocks(experiment: CyclicalLr, results: Mapping[str, Any]) -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    title = (
        f"Rates between {experiment.lr_min:g} and {experiment.lr_max:g}, {experiment.epochs} "
        f"epochs, half a cycle {counted(experiment.step)}, batch {experiment.batch}"
    )
    yield "scores", scores(experiment, results, title)
    if pairs := results["pairs"]:
        alike = "that read the images in the same order"
        yield "pairs", differences(pairs, PAIRED, "val_accuracy", experiment.seeds, alike)
    best = winner(results, "val_accuracy")
    yield "best", f"After the last update the highest mean validation accuracy is {best}."
    if DECAYING in results["arms"]:
        updates = results["arms"][DECAYING]["updates"][-1]
        yield (
            "gamma",
            f"Here gamma = {experiment.decay:g}^(1/{updates:,}) = "
            f"{experiment.decay ** (1 / updates):.6g}: with the last update, number {updates:,}, "
            f"the height of a cycle has come to {experiment.decay:g} of lr-max - lr-min.",
        )
    yield from under("cost", cost(results, experiment.momentum))
