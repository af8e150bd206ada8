"""Answers to lab 3, problem 3.1 (homework 2, problem 4.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from archcalc.render.table import Block, Table
from training.engine.rules import SHARE
from training.experiments.lr_finder.experiment import LrFinder
from training.experiments.minigooglenet.answer import cost, diverged, range_of, shown
from training.experiments.words import Named, percent, short, table, under


def blocks(experiment: LrFinder, results: Mapping[str, Any]) -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    yield "candidates", _candidates(experiment, results)
    yield "rules", _rules(results)
    yield from under("chosen", _chosen(experiment, results))
    yield "later", _later(results)
    yield from under("cost", cost(results, experiment.momentum))
    yield "network", f"The network: {results['text']}"


def _candidates(experiment: LrFinder, results: Mapping[str, Any]) -> Table:
    grid = results["grid"]
    each = zip(results["arms"].items(), grid["start"], grid["loss"], strict=True)
    rows = [
        (
            *(name, short(start), short(loss)),
            percent(arm["final"]["val_accuracy"]["mean"][0] or 0.0),
            diverged(arm, results["counts"]["train"]),
        )
        for (name, arm), start, loss in each
    ]
    last = f"epoch {experiment.epochs}"
    headings = ("rate", "loss, first epoch", last, "validation accuracy", "")
    notes = (
        experiment.scale(results["counts"]),
        f"Training loss: the mean over an epoch's batches of {experiment.batch}, as the network "
        "learns from them.",
    )
    title = f"{experiment.candidates} rates, {experiment.epochs} epochs each"
    return table(title, headings, rows, notes)


def _rules(results: Mapping[str, Any]) -> Table:
    both = [results["grid"], results["sweep"]]
    beta = f"{results['sweep']['beta']:.2g}"
    ours = [f"{shown(one['basin']['low'])} to {shown(one['basin']['high'])}" for one in both]
    eye = [" to ".join(map(shown, one["smith"])) if one["smith"] else "none" for one in both]
    rows = [
        (f"range within {SHARE:g} of the fall", *ours),
        ("Smith's, the blog's", *eye),
        *(
            (f"fastai: {name}", *(shown(one["fastai"][name]) for one in both))
            for name in both[0]["fastai"]
        ),
    ]
    notes = (
        "Smith's (arXiv 1506.01186, section 3.3), which the blog reads by eye: from where a tenth "
        "of the fall is made to where the loss is least. fastai's are single rates to train with, "
        f"made for a sweep; the sweep is smoothed ({beta} of the average is kept from update to "
        "update; the blog's 0.98 is for a longer one) and cut where it exceeds 4 times its best, "
        "as the blog does, without the first and last losses that each of the two leaves out.",
    )
    return table("Rules on the same curves", ("rule", "candidates", "sweep"), rows, notes)


def _chosen(experiment: LrFinder, results: Mapping[str, Any]) -> Iterator[Block]:
    basin = results["grid"]["basin"]
    said = range_of(basin, "rates")
    if basin["why"]:
        yield f"From the candidates {said}."
    else:
        yield (
            f"From the candidates the rule reads {said}: there the loss stays within {SHARE:g} of "
            f"its whole fall above its least, below {basin['level']:.3g}; the least is at "
            f"{basin['best']:.3g}."
        )
    if experiment.lr_min is not None or experiment.lr_max is not None:
        yield "A person has read the curve, and that goes before the rule."
    yield f"lr-min = {shown(results['lr_min'])}, lr-max = {shown(results['lr_max'])}."


def _later(results: Mapping[str, Any]) -> str:
    """Whether the curve of the sweep falls later than that of the candidates."""
    ends = [results[curve]["basin"]["low"] for curve in ("grid", "sweep")]
    if None in ends:
        return "Which of the two curves falls later cannot be told: one of them has no range."
    return f"The sweep's falls {'later' if ends[1] > ends[0] else 'no later'}."
