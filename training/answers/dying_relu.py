"""Answers to lab 3, problems 1.2 and 1.3 (homework 2, problems 2.2 and 2.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from training.answers.words import interval, percent, short, table
from training.experiments.base import spaced
from training.experiments.dying_relu import GRID, NEARLY, PUBLISHED, DyingRelu

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archcalc.render.table import Block, Table

SHOWN_LAYERS: Final = (2, 3, 5, 8, 10, 11, 15, 20, 31)
NINETY: Final = 0.9  # the paper's "over 90 %"


def blocks(experiment: DyingRelu, results: Mapping[str, Any]) -> Iterator[Block]:
    """Tables and paragraphs."""
    groups = results["groups"]
    yield _final(experiment, groups)
    yield _epochs(experiment, groups)
    if results["birth"]:
        yield _birth(results["birth"])
    yield from _published(groups)
    yield from _relu(experiment, groups)
    yield from _leaky(groups)


def _name(group: Mapping[str, Any]) -> tuple[str, ...]:
    return (group["activation"], group["function"], str(group["hidden"]), group["init"])


NAMES: Final = ("activation", "function", "hidden", "init")


def _final(experiment: DyingRelu, groups: list[Any]) -> Table:
    rows = []
    for group in groups:
        first, last = group["curve"][0], group["curve"][-1]
        rows.append(
            (
                *_name(group),
                interval(first["collapsed"]),
                interval(last["collapsed"]),
                interval(first["nearly_constant"]),
                interval(last["nearly_constant"]),
                short(last["median_loss"]),
            )
        )
    headings = (
        *NAMES,
        "collapsed at birth",
        "collapsed at the end",
        "nearly constant at birth",
        "nearly constant at the end",
        "median loss",
    )
    title = (
        f"Collapsed networks of width {experiment.width}: {experiment.simulations:,} simulations, "
        f"{experiment.epochs} epochs"
    )
    notes = (
        f"Collapsed, ReLU: some hidden layer has every unit <= 0 at each of {GRID:,} points of the "
        "domain. Collapsed, leaky ReLU: the derivative, in 64 bits, is 0 at each of them. "
        f"Nearly constant: the output's range on them is below {NEARLY:g}. In brackets: 95 % "
        "Wilson intervals. Loss: mean squared error against the function itself.",
    )
    return table(title, headings, rows, notes, words=4)


def _epochs(experiment: DyingRelu, groups: list[Any]) -> Table:
    looks = [look for look in spaced(experiment.epochs) if look in experiment.looks()]
    rows = []
    for group in groups:
        at = {point["epochs"]: point for point in group["curve"]}
        for what, said in (("collapsed", "collapsed"), ("nearly_constant", "nearly constant")):
            fractions = [percent(at[look][what][0]) for look in looks]
            rows.append((*_name(group), said, *fractions))
    headings = (*NAMES, "fraction", *(f"{look:,}" for look in looks))
    return table("The same over epochs", headings, rows, words=5)


def _birth(rows: list[Any]) -> Table:
    lines = [
        (
            row["width"],
            row["layers"],
            interval(row["born_dead"], 2),
            percent(row["lower"], 2),
            percent(row["upper"], 2),
            "yes" if row["inside"] else "no",
        )
        for row in rows
        if row["layers"] in SHOWN_LAYERS
    ]
    inside = sum(row["inside"] for row in rows)
    notes = (
        f"Layers: the output layer among them. {inside} of {len(rows)} simulated fractions lie "
        "inside the bounds (widths 2 to 5, every number of layers from 2 to 31).",
    )
    headings = ("width", "layers", "born dead", "lower bound", "upper bound", "inside")
    return table("Born dead: simulation and the bounds of Lu et al.", headings, lines, notes, 0)


def _published(groups: list[Any]) -> Iterator[Table]:
    rows = []
    for one in PUBLISHED:
        same = [g for g in groups if g["init"] == one.init and g["activation"] == "relu"]
        rows += [
            (one.printed, one.of, one.init, f"{g['function']}, {g['hidden']} hidden", at_end(g))
            for g in same
        ] or [(one.printed, one.of, one.init, "not run", f"--init {one.init} runs it")]
    headings = ("paper", "of", "init", "ours", "collapsed at the end")
    notes = (
        "The paper's figures are second-hand, and which function and how many epochs belong to "
        'them is not known; its "10 layers" count the output layer: 9 hidden.',
    )
    yield table("The paper's figures beside ours", headings, rows, notes, words=4)


def at_end(group: Mapping[str, Any]) -> str:
    """The collapsed fraction at the end, with its interval."""
    return interval(group["curve"][-1]["collapsed"])


def _relu(experiment: DyingRelu, groups: list[Any]) -> Iterator[str]:
    for group in groups:
        if group["activation"] != "relu":
            continue
        end = group["curve"][-1]["collapsed"]
        _, low, high = end
        if low > NINETY:
            verdict = "Over 90 %, as Lu et al. report"
        elif high < NINETY:
            verdict = "Fewer than the over 90 % that Lu et al. report"
        else:
            verdict = "Not to be told from 90 % with so many simulations"
        died, revived = group["died_in_training"], group["born_dead_and_revived"]
        back = "none came back" if revived == 0 else f"{revived:,} came back"
        yield (
            f"ReLU, {group['function']}, {group['hidden']} hidden layers, {group['init']}: "
            f"{interval(end)} of {group['simulations']:,} networks collapsed within "
            f"{experiment.epochs} epochs. {verdict}. {interval(group['curve'][0]['collapsed'])} "
            f"were born collapsed, of which {back}; {died:,} more died in training. No "
            "gradient passes a layer that is off everywhere, so training moves only what lies "
            "behind it, and all that can be learnt is a constant: the target's mean."
        )


def _leaky(groups: list[Any]) -> Iterator[str]:
    twins = {_name(g)[1:]: g for g in groups if g["activation"] == "relu"}
    for group in groups:
        twin = twins.get(_name(group)[1:])
        if group["activation"] != "leaky" or twin is None:
            continue
        ours, theirs = group["curve"][-1], twin["curve"][-1]
        fewer = ours["collapsed"][2] < theirs["collapsed"][1]
        nearly = ours["nearly_constant"][2] < theirs["nearly_constant"][1]
        if fewer and nearly:
            verdict = "Leaky ReLU helps by both criteria"
        elif fewer:
            verdict = "Leaky ReLU helps by the exact criterion, and not by the other"
        else:
            verdict = "These simulations do not show that leaky ReLU helps"
        yield (
            f"Leaky ReLU, {group['function']}, {group['hidden']} hidden layers, {group['init']}: "
            f"{interval(ours['collapsed'])} are constant, against {interval(theirs['collapsed'])} "
            f"with ReLU. Nearly constant are {interval(group['curve'][0]['nearly_constant'])} at "
            f"birth and {interval(ours['nearly_constant'])} at the end, against "
            f"{interval(theirs['nearly_constant'])} with ReLU. {verdict}: where a whole layer is "
            "on its left branch the slope is 0.01 and not 0, so the gradient shrinks but arrives."
        )
