"""Answers to homework 2, problems 4.4 and 4.5."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from training.answers.claims import paired, told
from training.answers.minigooglenet import cost, range_of
from training.answers.words import interval, short, table, under
from training.experiments.base import counted
from training.experiments.batch_finder import STEPS, TAIL
from training.rules import SHARE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from training.answers.words import Named
    from training.experiments.batch_finder import BatchFinder


def blocks(experiment: BatchFinder, results: Mapping[str, Any]) -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    curve = results["curve"]
    rows = []
    for place, (name, arm) in enumerate(results["arms"].items()):
        loss = curve["loss"][place]
        inside = (
            loss is not None and curve["b_min"] and (curve["b_min"] <= int(name) <= curve["b_max"])
        )
        rows.append(
            (
                f"{int(name):,}",
                f"{arm['updates'][-1]:,}",
                short(loss),
                interval(arm["final"]["val_accuracy"]["mean"]),
                f"{arm['noise']:,.4g}",
                "*" * bool(inside),
            )
        )
    notes = (
        experiment.scale(results["counts"]),
        f"Rate {experiment.lr_min:g}; loss: the mean over the last 1/{TAIL} of the updates, as the "
        "network learns; a star: in the range. Accuracy is by batch norm's running statistics, "
        "which move a tenth of the way with every update: of few updates, of large batches, it "
        "says more of these than of the weights.",
    )
    headings = ("batch", "updates", "training loss", "validation accuracy", "noise scale", "")
    title = f"One network a batch, {counted(experiment.trial)} each"
    yield "candidates", table(title, headings, rows, notes)
    yield "asked", _range([int(name) for name in results["arms"]], results["counts"]["train"])
    yield "like", _like(curve)
    if curve["b_min"] is None:
        yield "range", f"The algorithm finds no range: {curve['basin']['why']}."
    else:
        basin = curve["basin"]
        yield (
            "range",
            f"The algorithm finds b-min = {curve['b_min']:,} and b-max = {curve['b_max']:,}: the "
            f"smallest and largest candidate in the range of {range_of(basin, 'batches')}, in "
            f"which the loss stays below {basin['level']:.3g}."
            + " The range begins at the smallest candidate, so that b-min is the least that was "
            "tried."
            * basin["open_low"]
            + " It ends at the largest candidate, so that b-max is the largest that was tried."
            * basin["open_high"],
        )
    steps = " ".join(f"{number}. {said}." for number, (_, said) in enumerate(STEPS, 1))
    yield "algorithm", f"The algorithm: {steps} So in block-diagram.png and block-diagram.svg."
    yield from under("cost", cost(results, experiment.momentum))


SWEPT: Final = (64, 8192)  # the assignment's first and last batch


def _range(batches: list[int], count: int) -> str:
    """The batches beside those that are asked for."""
    asked = f"The assignment asks for batches from {SWEPT[0]} to {SWEPT[1]:,}"
    if (batches[0], batches[-1]) == SWEPT:
        return f"{asked}, and these are they."
    here = f"{batches[0]:,} to {batches[-1]:,}, of {count:,} images"
    return f"{asked}; here they go from {here}."


def _like(curve: Mapping[str, Any]) -> str:
    """Is it like the curve of rates?"""
    pairs = zip(pairwise(curve["batches"]), pairwise(curve["each"]), strict=True)
    doublings = {f"{a:,} to {b:,}": paired(two, one) for (a, b), (one, two) in pairs}
    rises = told(doublings, "from", "higher", "lower", "not shown to differ")
    shape = (
        "The rate is fixed, so a larger batch means fewer and no longer steps: that is the side of "
        "small rates in the curve of rates, mirrored, without a side on which training diverges"
        if all(found[0] is not None and found[0] >= 0 for found in doublings.values())
        else "That is not the side of small rates, mirrored, throughout: beside the number of "
        "steps, the noise of small batches counts"
    )
    return (
        "Is the loss like that over rates? From one batch to the next, which is twice as large, it "
        f"is {rises}. {shape}. Read by the same rule (within {SHARE:g} of the fall from the "
        f"loss of who has learnt nothing): {range_of(curve['basin'], 'batches')}."
    )
