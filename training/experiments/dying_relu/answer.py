"""Answers to lab 3, problems 1.2 and 1.3 (homework 2, problems 2.2 and 2.3)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from archcalc.render.table import Table
from training.experiments.dying_relu.experiment import GRID, NEARLY, PUBLISHED, DyingRelu
from training.experiments.words import Found, Named, interval, percent, short, table, under

SHOWN_LAYERS: Final = (2, 3, 5, 8, 10, 11, 15, 20, 31)
NINETY: Final = 0.9  # the paper's "over 90 %"


def blocks(experiment: DyingRelu, results: Mapping[str, Any]) -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    groups = results["groups"]
    relu, leaky = (
        {_name(group)[1:]: group for group in groups if group["activation"] == activation}
        for activation in ("relu", "leaky")
    )
    yield "final", _final(experiment, groups)
    yield from under("fraction", (_fraction(experiment, group) for group in relu.values()))
    twins = (_help(group, relu[name]) for name, group in leaky.items() if name in relu)
    yield from under("help", twins)
    yield "published", _published(relu.values())
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


def _published(relu: Collection[Mapping[str, Any]]) -> Table:
    rows = []
    for init in dict.fromkeys(one.init for one in PUBLISHED):
        said = "; ".join(one.printed for one in PUBLISHED if one.init == init)
        rows += [
            (init, said, g["function"], g["hidden"], _collapsed(g, 0), _collapsed(g, -1))
            for g in relu
            if g["init"] == init
        ] or [(init, said, "", "", "not run", f"not run: --init {init}")]
    headings = ("init", "paper", "function", "hidden", "ours at birth", "ours at the end")
    notes = (
        *(f"{one.printed}: {one.of}." for one in PUBLISHED),
        "The paper's figures are second-hand, and which function and how many epochs belong to "
        'them is not known; its "10 layers" count the output layer: 9 hidden.',
    )
    return table("The paper's figures beside ours: ReLU, collapsed", headings, rows, notes, words=4)


def _collapsed(group: Mapping[str, Any], look: int) -> str:
    """The collapsed fraction at birth, look 0, or at the end, -1, with its interval."""
    return interval(group["curve"][look]["collapsed"])


def _fraction(experiment: DyingRelu, group: Mapping[str, Any]) -> str:
    """Problem 1.2: the fraction, and whether it is over 90 %."""
    return (
        f"Of {experiment.simulations:,} ReLU networks with {group['hidden']} hidden layers of "
        f"width {experiment.width} ({group['function']}, {group['init']}; {experiment.points:,} "
        f"points, batch {experiment.batch}), {_collapsed(group, -1)} are constant after "
        f"{experiment.epochs} epochs and {_collapsed(group, 0)} at birth: "
        f"{group['died_in_training']:,} died in training, {group['born_dead_and_revived']:,} came "
        f"back. {_over(group['curve'][-1]['collapsed'])}"
    )


def _over(collapsed: Found) -> str:
    """On which side of 90 % the interval of a fraction lies."""
    _, low, high = collapsed
    if low > NINETY:
        return "The interval lies above 90 %: it is over 90 %, as the paper says."
    if high < NINETY:
        return "The interval lies below 90 %: it is not over 90 %."
    return "The interval holds 90 %: close to it, and on which side cannot be told."


HELPS: Final = {
    (True, True): "Yes, by both criteria",
    (True, False): "Only by the exact criterion",
    (False, True): "Only by the near one",
    (False, False): "Not shown",
}


def _help(leaky: Mapping[str, Any], relu: Mapping[str, Any]) -> str:
    """Problem 1.3: by which criterion the interval of leaky networks lies below that of ReLU."""
    ours, theirs = leaky["curve"][-1], relu["curve"][-1]
    exact, near = (ours[what][2] < theirs[what][1] for what in CRITERIA)
    return (
        f"{leaky['hidden']} hidden layers ({leaky['function']}, {leaky['init']}): "
        f"{_collapsed(leaky, -1)} of the leaky networks are constant and {_collapsed(relu, -1)} of "
        f"the ReLU ones; nearly constant are {interval(ours['nearly_constant'])} and "
        f"{interval(theirs['nearly_constant'])}. Does leaky ReLU help? {HELPS[exact, near]}."
    )
