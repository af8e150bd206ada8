"""Answers to lab 3, problem 3.3 (homework 2, problem 4.4)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from training.answers.minigooglenet import cost, pairs, range_of, scores
from training.answers.words import percent, points, short, table, under, verdict
from training.experiments.batch_size import GROW, WHOLE
from training.experiments.cyclical_lr import DECAYING
from training.rules import SHARE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archcalc.render.table import Table
    from training.answers.words import Named
    from training.experiments.batch_size import BatchSize


def blocks(experiment: BatchSize, results: Mapping[str, Any]) -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    yield from (_grown if experiment.policy == GROW else _swept)(experiment, results)
    yield from under("cost", cost(results, experiment.momentum))


def _grown(experiment: BatchSize, results: Mapping[str, Any]) -> Iterator[Named]:
    rows = [
        (
            f"{stage['batch']:,}",
            f"{stage['updates']:,}",
            f"{stage['examples']:,}",
            f"{stage['noise']:,.4g}",
            short(_mean(stage["loss"])),
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
        yield "pairs", pairs(results)
        (row,) = results["pairs"]
        yield (
            "generalization",
            "Does growing the batch at a fixed rate generalize like a cyclical rate that decays? "
            f"In validation accuracy after the last update: {points(row['val_accuracy'], 2)} "
            f"points, {verdict(row['val_accuracy'])}; in test accuracy: "
            f"{points(row['test_accuracy'], 2)}. Both policies lower the noise scale, one by B in "
            f"the denominator and one by the rate above it; the growing batch took "
            f"{_last(results, GROW):,} updates, the cyclical rate {_last(results, DECAYING):,}, "
            "for about as many images.",
        )
    yield "parts", _parts(experiment, results)


MOST: Final = 16_384  # the assignment's last batch, where the batch grows
SWEPT: Final = (64, 8192)  # its first and last where every batch has a network


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


def _last(results: Mapping[str, Any], name: str) -> int:
    count: int = results["arms"][name]["updates"][-1]
    return count


def _mean(values: list[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _parts(experiment: BatchSize, results: Mapping[str, Any]) -> Table:
    found = results["parts"]
    rows = [
        (
            said,
            *(f"{found[f'{word}_{what}'][0]:.2g}" for what in ("loss", "gradient")),
        )
        for word, said in (
            ("frozen", "batch norm by running statistics"),
            ("parts", "batch norm by the statistics of each part"),
        )
    ]
    notes = (
        "Relative differences between a batch that is computed whole and in four parts whose "
        f"gradients are added up ({WHOLE} images, after the last update, mean over seeds, "
        "fp32; the gradient's in the Euclidean norm). Without batch norm's own "
        "statistics nothing but rounding differs, dropout included: its masks are drawn for the "
        "batch. With them, each part is normalized by itself, so a large batch in parts is not "
        f"quite a large batch. In this run at most {experiment.micro_batch:,} images are computed "
        "at once.",
    )
    headings = ("", "loss differs by", "gradient differs by")
    return table("A large batch in parts", headings, rows, notes)


def _swept(experiment: BatchSize, results: Mapping[str, Any]) -> Iterator[Named]:
    curve = results["curve"]
    rows = []
    for place, (name, arm) in enumerate(results["arms"].items()):
        seconds = results.get("learning", {}).get(name)
        rows.append(
            (
                f"{int(name):,}",
                f"{arm['updates'][-1]:,}",
                short(curve["loss"][place]),
                percent(arm["final"]["val_accuracy"]["mean"][0] or 0.0),
                f"{curve['noise'][place]:,.4g}",
                "" if seconds is None else f"{seconds / experiment.seeds:,.1f}",
            )
        )
    headings = (
        *("batch", "updates", "training loss", "validation accuracy", "noise scale"),
        "seconds",
    )
    notes = (
        experiment.scale(results["counts"]),
        f"Rate {experiment.lr_min:g}; loss: the mean over the last epoch's batches, as the network "
        "learns from them; seconds of the updates of one network. Accuracy is by batch norm's "
        "running statistics, which move a tenth of the way with every update: of few updates, of "
        "large batches, it says more of these than of the weights.",
    )
    title = f"One network a batch, {experiment.sweep_epochs} epochs each"
    yield "sweep", table(title, headings, rows, notes)
    yield "range", _range([int(name) for name in results["arms"]], results["counts"]["train"])
    yield "like", _like(curve)


def _range(batches: list[int], count: int) -> str:
    """The batches beside those that are asked for."""
    asked = f"The assignment asks for batches from {SWEPT[0]} to {SWEPT[1]:,}"
    if (batches[0], batches[-1]) == SWEPT:
        return f"{asked}, and these are they."
    here = f"{batches[0]:,} to {batches[-1]:,}, of {count:,} images"
    return f"{asked}; here they go from {here}."


def _like(curve: Mapping[str, Any]) -> str:
    """Is it like the curve of rates?"""
    losses = [one for one in curve["loss"] if one is not None]
    rising = all(a <= b for a, b in pairwise(losses))
    said = range_of(curve["basin"], "batches")
    shape = (
        "the loss grows with every doubling: the rate is fixed, so a larger batch means fewer and "
        "no longer steps. That is the side of small rates in the curve of rates, mirrored; there "
        "is no side on which training diverges, as no batch makes a step longer"
        if rising
        else "the loss does not grow with every doubling: beside the number of steps, the noise of "
        "small batches counts"
    )
    return (
        f"Is the loss like that over rates? Here {shape}. Read by the same rule (within {SHARE:g} "
        f"of the fall from the loss of who has learnt nothing): {said}."
    )
