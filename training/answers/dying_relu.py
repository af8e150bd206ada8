"""Answers to lab 3, problems 1.2 and 1.3 (homework 2, problems 2.2 and 2.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from training.answers.words import interval, percent, short, table, under
from training.experiments.base import spaced
from training.experiments.dying_relu import GRID, NEARLY, PUBLISHED, DyingRelu

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archcalc.render.table import Block, Table
    from training.answers.words import Named

SHOWN_LAYERS: Final = (2, 3, 5, 8, 10, 11, 15, 20, 31)
NINETY: Final = 0.9  # the paper's "over 90 %"


def blocks(experiment: DyingRelu, results: Mapping[str, Any]) -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    groups = results["groups"]
    yield "final", _final(experiment, groups)
    yield from under("fraction", _fraction(experiment, groups))
    yield from under("relu", _relu(experiment, groups))
    yield from under("help", _help(groups))
    yield from under("leaky", _leaky(groups))
    yield "published", _published(groups)
    yield "epochs", _epochs(experiment, groups)
    if results["birth"]:
        yield "birth", _birth(results["birth"])


def _name(group: Mapping[str, Any]) -> tuple[str, ...]:
    return (group["activation"], group["function"], str(group["hidden"]), group["init"])


NAMES: Final = ("activation", "function", "hidden", "init")
CRITERIA: Final = {"collapsed": "collapsed", "nearly_constant": "nearly constant"}


def _final(experiment: DyingRelu, groups: list[Any]) -> Table:
    rows = [
        (
            *_name(group),
            *(interval(group["curve"][look][what]) for what in CRITERIA for look in (0, -1)),
            short(group["curve"][-1]["median_loss"]),
        )
        for group in groups
    ]
    shares = (f"{said} {when}" for said in CRITERIA.values() for when in ("at birth", "at the end"))
    headings = (*NAMES, *shares, "median loss")
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
        for what, said in CRITERIA.items():
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
            "yes" if row["inside"] else "within chance" if row["agrees"] else "no",
        )
        for row in rows
        if row["layers"] in SHOWN_LAYERS
    ]
    inside = sum(row["inside"] for row in rows)
    notes = (
        f"Layers: the output layer among them. {inside} of {len(rows)} simulated fractions lie "
        "inside the bounds (widths 2 to 5, every number of layers from 2 to 31), "
        f"{sum(row['agrees'] for row in rows)} if the 95 % interval counts; with 3 layers the "
        "lower bound is the probability itself.",
    )
    headings = ("width", "layers", "born dead", "lower bound", "upper bound", "inside")
    return table("Born dead: simulation and the bounds of Lu et al.", headings, lines, notes, 0)


def _published(groups: list[Any]) -> Table:
    rows = []
    for init in dict.fromkeys(one.init for one in PUBLISHED):
        said = "; ".join(one.printed for one in PUBLISHED if one.init == init)
        same = [g for g in groups if g["init"] == init and g["activation"] == "relu"]
        rows += [
            (init, said, g["function"], str(g["hidden"]), at_birth(g), at_end(g)) for g in same
        ] or [(init, said, "", "", "not run", f"not run: --init {init}")]
    headings = ("init", "paper", "function", "hidden", "ours at birth", "ours at the end")
    notes = (
        *(f"{one.printed}: {one.of}." for one in PUBLISHED),
        "The paper's figures are second-hand, and which function and how many epochs belong to "
        'them is not known; its "10 layers" count the output layer: 9 hidden.',
    )
    return table("The paper's figures beside ours: ReLU, collapsed", headings, rows, notes, words=4)


def at_birth(group: Mapping[str, Any]) -> str:
    """The collapsed fraction at birth, with its interval."""
    return interval(group["curve"][0]["collapsed"])


def at_end(group: Mapping[str, Any]) -> str:
    """The collapsed fraction at the end, with its interval."""
    return interval(group["curve"][-1]["collapsed"])


def _relu(experiment: DyingRelu, groups: list[Any]) -> Iterator[Block]:
    """Problem 1.2: what fraction, and is it the paper's?"""
    own = [group for group in groups if group["activation"] == "relu"]
    rows = [
        (
            *_name(group)[1:],
            at_end(group),
            at_birth(group),
            f"{group['died_in_training']:,}",
            f"{group['born_dead_and_revived']:,}",
            _over(group),
        )
        for group in own
    ]
    if not rows:
        return
    headings = (*NAMES[1:], "collapsed", "at birth", "died in training", "came back", "over 90 %?")
    notes = (
        f"Of {experiment.simulations:,} ReLU networks each, after {experiment.epochs} epochs. "
        "Over 90 %: whether the 95 % interval lies above it. No gradient passes a layer that is "
        "off everywhere: training moves only what lies behind it, and all that can be learnt is a "
        "constant, the mean of the target.",
    )
    yield table("Is it over 90 %, as Lu et al. report?", headings, rows, notes, 3)


def _fraction(experiment: DyingRelu, groups: list[Any]) -> Iterator[str]:
    """The fraction, and whether it is over 90 %, in a sentence."""
    for group in groups:
        if group["activation"] == "relu":
            yield (
                f"Of {experiment.simulations:,} ReLU networks with {group['hidden']} hidden layers "
                f"of width {experiment.width} ({group['function']}, {group['init']}; "
                f"{experiment.points:,} points, batch {experiment.batch}), "
                f"{at_end(group)} are constant after {experiment.epochs} epochs and "
                f"{at_birth(group)} at birth. {OVER[_over(group)]}"
            )


def _help(groups: list[Any]) -> Iterator[str]:
    """Whether leaky ReLU helps, in a sentence."""
    for group, twin in _twins(groups):
        answer = HELPS[_better(group, twin)]
        yield (
            f"{group['hidden']} hidden layers ({group['function']}, {group['init']}): "
            f"{at_end(group)} of the leaky networks are constant and {at_end(twin)} of the ReLU "
            f"ones; nearly constant are {interval(group['curve'][-1]['nearly_constant'])} and "
            f"{interval(twin['curve'][-1]['nearly_constant'])}. Does leaky ReLU help? "
            f"{answer.capitalize()}."
        )


UNTOLD: Final = "cannot be told from 90 %"
OVER: Final = {
    "yes": "The interval lies above 90 %: it is over 90 %, as the paper says.",
    "no": "The interval lies below 90 %: it is not over 90 %.",
    UNTOLD: "The interval holds 90 %: close to it, and on which side cannot be told.",
}


def _over(group: Mapping[str, Any]) -> str:
    """Whether the interval of the collapsed fraction lies above 90 %."""
    _, low, high = group["curve"][-1]["collapsed"]
    if low > NINETY:
        return "yes"
    return "no" if high < NINETY else UNTOLD


HELPS: Final = {
    (True, True): "yes, by both criteria",
    (True, False): "only by the exact criterion",
    (False, True): "only by the near one",
    (False, False): "not shown",
}


def _better(group: Mapping[str, Any], twin: Mapping[str, Any]) -> tuple[bool, bool]:
    """By which criterion a group's interval lies below its twin's."""
    ours, theirs = group["curve"][-1], twin["curve"][-1]
    exact, near = (ours[what][2] < theirs[what][1] for what in CRITERIA)
    return exact, near


def _twins(groups: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Each group of leaky networks, and that of ReLU networks which is like it."""
    twins = {_name(g)[1:]: g for g in groups if g["activation"] == "relu"}
    for group in groups:
        twin = twins.get(_name(group)[1:])
        if group["activation"] == "leaky" and twin is not None:
            yield group, twin


def _leaky(groups: list[Any]) -> Iterator[Block]:
    """Problem 1.3: does leaky ReLU help?"""
    rows = [
        (
            *_name(group)[1:],
            *(interval(one["curve"][-1][what]) for what in CRITERIA for one in (group, twin)),
            HELPS[_better(group, twin)],
        )
        for group, twin in _twins(groups)
    ]
    if not rows:
        return
    shares = (heading for said in CRITERIA.values() for heading in (f"{said}, leaky", "ReLU"))
    headings = (*NAMES[1:], *shares, "does leaky ReLU help?")
    notes = (
        "It helps where the two 95 % intervals do not meet. Where a whole layer is on its left "
        "branch the slope is 0.01 and not 0: the gradient shrinks, but arrives.",
    )
    yield table("Leaky ReLU beside ReLU", headings, rows, notes, 3)
