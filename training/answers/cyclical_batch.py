"""Answers to homework 2, problems 4.6 and 4.7."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.answers.minigooglenet import cost, pairs, scores
from training.answers.words import listed, percent, points, table, under, verdict
from training.experiments.cyclical_lr import DECAYING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archcalc.render.table import Block, Table
    from training.answers.words import Named
    from training.experiments.cyclical_batch import CyclicalBatch


def blocks(experiment: CyclicalBatch, results: Mapping[str, Any]) -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    title = (
        f"Batches between {experiment.b_min:,} and {experiment.b_max:,} at rate "
        f"{experiment.lr_min:g}, and rates between {experiment.lr_min:g} and {experiment.lr_max:g} "
        f"at batch {experiment.batch}, {experiment.epochs} epochs"
    )
    yield "scores", scores(experiment, results, title)
    yield "spent", _spent(experiment, results)
    yield "pairs", pairs(results)
    yield from under("which", _which(results))
    yield "winner", _winner(results)
    yield (
        "trajectory",
        "Which trajectory is the analogue of a rate that decays? The noise of SGD grows with "
        "rate/batch (Smith, Kindermans, Ying, Le, arXiv 1711.00489): a falling rate and a growing "
        "batch both lower it. So it is an exponential increase: the cycles' lower end rises "
        "towards b-max. A decaying batch, whose cycles sink towards b-min, raises the noise "
        "towards the end; it is here for comparison. "
        "Cyclical batch sizes have been published: Smith, arXiv 2202.08835.",
    )
    yield (
        "formula",
        "With e epochs read, step half a cycle, cycle = floor(1 + e/(2 step)), "
        "x = |e/step - 2 cycle + 1| and height = decay^(e/epochs), the batch is "
        "b-min (b-max/b-min)^share, rounded; share is 1 - x height for the growing batch and "
        "(1 - x) height for the decaying one. A cycle is measured in images, not in updates, so "
        "that it is as long as that of the rate.",
    )
    yield from under("cost", cost(results, experiment.momentum))


def _spent(experiment: CyclicalBatch, results: Mapping[str, Any]) -> Table:
    rows = []
    for name, arm in results["arms"].items():
        seconds = results.get("learning", {}).get(arm["plan"])
        rows.append(
            (
                name,
                percent(arm["final"]["best_val_accuracy"]["mean"][0] or 0.0, 2),
                f"{arm['total_updates']:,}",
                f"{arm['total_examples']:,}",
                "" if seconds is None else f"{seconds / experiment.seeds:,.1f}",
            )
        )
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
                f"percentage points; the batch is {_said(verdict(found))}."
            )


def _winner(results: Mapping[str, Any]) -> str:
    """The highest of the best accuracies, and from which it is told apart."""
    scores = {
        name: arm["final"]["best_val_accuracy"]["mean"][0] or 0.0
        for name, arm in results["arms"].items()
    }
    best = max(scores, key=lambda name: scores[name])
    told: dict[bool, list[str]] = {True: [], False: []}
    for row in results["pairs"]:
        if best in {row["one"], row["two"]}:
            other = row["two"] if row["one"] == best else row["one"]
            told[verdict(row["best_val_accuracy"]) in {"better", "worse"}].append(other)
    apart = f"told apart from {listed(told[True])}" if told[True] else ""
    not_apart = f"not told apart from {listed(told[False])}" if told[False] else ""
    return (
        f"The highest mean of the best validation accuracies is that of {best}, "
        f"{percent(scores[best], 2)}; by these seeds it is "
        f"{', and '.join(filter(None, (apart, not_apart))) or 'alone'}."
    )


def _said(found: str) -> str:
    return {
        "too few seeds to say": "neither better nor worse for all that so few seeds say",
        "no difference shown": "not shown to be better or worse",
    }.get(found, found)
