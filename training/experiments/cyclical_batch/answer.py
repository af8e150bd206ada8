"""Answers to homework 2, problems 4.6 and 4.7."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from archcalc.render.table import Block, Table
from training.experiments.claims import verdict
from training.experiments.cyclical_batch.experiment import CyclicalBatch
from training.experiments.cyclical_lr.experiment import DECAYING
from training.experiments.minigooglenet.answer import cost, scores, winner
from training.experiments.words import Named, interval, points, table, under


def blocks(experiment: CyclicalBatch, results: Mapping[str, Any]) -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    title = (
        f"Batches between {experiment.b_min:,} and {experiment.b_max:,} at rate "
        f"{experiment.lr_min:g}, and rates between {experiment.lr_min:g} and {experiment.lr_max:g} "
        f"at batch {experiment.batch}, {experiment.epochs} epochs"
    )
    yield "scores", scores(experiment, results, title)
    yield "spent", _spent(experiment, results)
    yield from under("which", _which(results))
    best = winner(results, "best_val_accuracy")
    yield "winner", f"The highest mean of the best validation accuracies is {best}."
    yield from under("cost", cost(results, experiment.momentum))


def _spent(experiment: CyclicalBatch, results: Mapping[str, Any]) -> Table:
    learning = results.get("learning", {})
    rows = [
        (
            *(name, interval(arm["final"]["best_val_accuracy"]["mean"], 2)),
            *(f"{arm['total_updates']:,}", f"{arm['total_examples']:,}"),
            f"{learning[arm['plan']] / experiment.seeds:,.1f}" if arm["plan"] in learning else "",
        )
        for name, arm in results["arms"].items()
    ]
    notes = ("Of one network; seconds of its updates, looks and checkpoints left out.",)
    headings = ("", "best validation accuracy", "updates", "images", "seconds")
    return table("What the policies take", headings, rows, notes)


def _which(results: Mapping[str, Any]) -> Iterator[Block]:
    for row in results["pairs"]:
        if row["two"] == DECAYING:
            found = row["best_val_accuracy"]
            yield (
                f"Which cyclical policy has the better best accuracy, the batch ({row['one']}) or "
                f"the rate ({DECAYING})? The batch's less the rate's: {points(found, 2)} "
                f"percentage points; the batch is "
                f"{verdict(found, neither='not shown to be better or worse')}."
            )
