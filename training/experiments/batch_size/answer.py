"""Answers to lab 3, problem 3.3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from archcalc.render.table import Table
from training.experiments.batch_size.experiment import GROW, HALVE, PARTED, BatchSize
from training.experiments.claims import verdict
from training.experiments.cyclical_lr.experiment import DECAYING
from training.experiments.minigooglenet.answer import cost, scores
from training.experiments.words import Named, percent, points, short, table, under


def blocks(experiment: BatchSize, results: Mapping[str, Any]) -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    rows = [
        (
            *(f"{stage[count]:,}" for count in ("batch", "updates", "examples")),
            *(f"{stage['noise']:,.4g}", short(_mean(stage["loss"]))),
        )
        for stage in results["stages"]
    ]
    headings = ("batch", "updates", "images", "noise scale", "training loss")
    notes = (
        experiment.scale(results["counts"]),
        f"Rate {experiment.lr_max:g} throughout. Noise scale: rate N/(B (1 - momentum)), N images "
        "in the training set, B in a batch (Smith, Kindermans, Ying, Le, arXiv 1711.00489, "
        "section 2; it holds for B much less than N). Loss: the mean over the last quarter of the "
        "updates with that batch.",
    )
    yield "stages", table(f"A batch that grows, {experiment.hold} each", headings, rows, notes)
    yield "end", _end(results)
    title = f"The growing batch beside a rate in cycles ({DECAYING}, batch {experiment.batch})"
    yield "scores", scores(experiment, results, title)
    if results["pairs"]:
        yield from under("generalization", map(_alike, results["pairs"]))
        took = (f"{name} {arm['updates'][-1]:,}" for name, arm in results["arms"].items())
        yield (
            "generalization",
            "All of them lower the noise scale, the growing batch by B in the denominator and the "
            f"others by the rate above it, for about as many images; updates: {', '.join(took)}.",
        )
    yield "parts", _parts(experiment, results)
    yield from under("cost", cost(results, experiment.momentum))


MOST: Final = 16_384  # the assignment's last batch, where the batch grows


def _end(results: Mapping[str, Any]) -> str:
    """Where the growing batch ends, and why there."""
    last, count = results["stages"][-1]["batch"], results["counts"]["train"]
    if last >= MOST:
        return f"The batch ends at {last:,}."
    return (
        f"The batch ends at {last:,} and not at the assignment's {MOST:,}: there are {count:,} "
        f"images to learn from. At {percent(last / count, 0)} of them in a batch the noise scale, "
        "which is for small batches, is no more than a label."
    )


ASKED: Final = {
    (GROW, DECAYING): "Does growing the batch at a fixed rate generalize like a cyclical rate that "
    "decays?",
    (HALVE, DECAYING): "Does halving the rate at a fixed batch generalize like that rate?",
    (GROW, HALVE): "Does growing the batch do what halving the rate does?",
}


def _alike(row: Mapping[str, Any]) -> str:
    """Whether two ways to train generalize alike."""
    return (
        f"{ASKED[row['one'], row['two']]} In validation accuracy after the last update: "
        f"{points(row['val_accuracy'], 2)} points, {verdict(row['val_accuracy'])}; in test "
        f"accuracy: {points(row['test_accuracy'], 2)}, {verdict(row['test_accuracy'])}."
    )


def _mean(values: list[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


ROUNDING: Final = 1e-3  # of 32 bits; a relative difference above it has another cause


def _parts(experiment: BatchSize, results: Mapping[str, Any]) -> Table:
    found = results["parts"]
    rounding = max(found["frozen_loss"][0], found["frozen_gradient"][0]) < ROUNDING
    rows = [
        (said, *(f"{found[f'{word}_{what}'][0]:.2g}" for what in ("loss", "gradient")))
        for word, said in (
            ("frozen", "batch norm by running statistics"),
            ("parts", "batch norm by the statistics of each part"),
        )
    ]
    notes = (
        "Relative differences between a batch that is computed whole and in four parts whose "
        f"gradients are added up ({PARTED} images, after the last update, mean over seeds, "
        "fp32; the gradient's in the Euclidean norm). Without batch norm's own "
        f"statistics {'nothing but' if rounding else 'more than'} rounding differs, dropout "
        "included, whose masks are drawn for the batch; with them, each part is normalized by "
        f"itself. In this run at most {experiment.micro_batch:,} images are computed "
        "at once.",
    )
    headings = ("", "loss differs by", "gradient differs by")
    return table("A large batch in parts", headings, rows, notes)
