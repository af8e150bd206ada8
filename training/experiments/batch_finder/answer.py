"""Answers to homework 2, problems 4.4 and 4.5."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from training.experiments.base import counted
from training.experiments.batch_finder.experiment import STEPS, TAIL, BatchFinder
from training.experiments.claims import paired, told
from training.experiments.minigooglenet.answer import cost, range_of
from training.experiments.words import Named, interval, short, table, under


def blocks(experiment: BatchFinder, results: Mapping[str, Any]) -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    curve = results["curve"]
    low, high, basin = curve["b_min"], curve["b_max"], curve["basin"]
    rows = [
        (
            *(f"{int(name):,}", f"{arm['updates'][-1]:,}", short(loss)),
            interval(arm["final"]["val_accuracy"]["mean"]),
            f"{arm['noise']:,.4g}",
            "*" * bool(loss is not None and low and low <= int(name) <= high),
        )
        for (name, arm), loss in zip(results["arms"].items(), curve["loss"], strict=True)
    ]
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
    yield "like", _like(curve)
    yield (
        "range",
        f"The algorithm finds no range: {basin['why']}."
        if low is None
        else f"The algorithm finds b-min = {low:,} and b-max = {high:,}: the smallest and largest "
        f"candidate in the range of {range_of(basin, 'batches')}, in which the loss stays below "
        f"{basin['level']:.3g}."
        + " No smaller one than b-min was tried." * basin["open_low"]
        + " No larger one than b-max was tried." * basin["open_high"],
    )
    steps = " ".join(f"{number}. {said}." for number, (_, said) in enumerate(STEPS, 1))
    yield "algorithm", f"The algorithm: {steps} So in block-diagram.png and block-diagram.svg."
    yield from under("cost", cost(results, experiment.momentum))


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
        f"is {rises}. {shape}."
    )
