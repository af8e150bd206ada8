"""Answers to homework 2, problem 1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from archcalc.render.table import Table
from training.engine import statistics
from training.experiments.claims import brackets, told, verdict
from training.experiments.perceptron.experiment import Perceptron
from training.experiments.words import Named, interval, percent, points, table, under

EARLY: Final = 10  # epochs after which many stop
EXPECTED: Final = ("so it is", "it is the other way round")
LOSSES: Final = ("hinge loss", "perceptron criterion")
UNTOLD: Final = "these training sets do not tell"


def blocks(experiment: Perceptron, results: Mapping[str, Any]) -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    groups, pairs = results["groups"], results["hinge_minus_perceptron"]
    yield "one", _one(experiment, groups)
    yield "final", _final(experiment, groups)
    scores = {name(group): group["first_set"]["test_accuracy"] for group in groups}
    best = max(scores.values())
    winners = " and ".join(one for one, score in scores.items() if score == best)
    yield (
        "better",
        f"On the first {experiment.points} points alone the best is {winners}, with "
        f"{percent(best)}; but that is one draw.",
    )
    yield from under("better", (_better(experiment, pair) for pair in pairs))
    if pairs:
        late = {_rate(pair): pair["gain"][-1]["accuracy"] for pair in pairs}
        seen = told(late, "with", *EXPECTED, UNTOLD)
        yield "why", f"What was seen after {experiment.epochs:,} epochs: {seen}."
        yield from under("steadier", (_steadier(experiment, groups, pair) for pair in pairs))
        ends = {_rate(pair): _ends(experiment, pair) for pair in pairs}
        yield "expected", f"What was seen: {told(ends, 'with', *EXPECTED[::-1], UNTOLD)}."


def name(group: Mapping[str, Any]) -> str:
    """A group's loss and rate."""
    return f"{group['loss']}, {_rate(group)}"


def _rate(group: Mapping[str, Any]) -> str:
    return f"rate {group['rate']:g}"


def _one(experiment: Perceptron, groups: list[Any]) -> Table:
    """Parts 1 and 2 as they are asked: one training set."""
    count = experiment.test_points
    first = {name(group): group["first_set"] for group in groups}
    rows = [
        (
            *(one, percent(found["training_accuracy"])),
            interval(statistics.wilson(round(found["test_accuracy"] * count), count)),
        )
        for one, found in first.items()
    ]
    title = (
        f"One training set of {experiment.points} points, {experiment.epochs:,} epochs, "
        f"{count:,} test points"
    )
    notes = ("In brackets: 95 % Wilson intervals over test points.",)
    return table(title, ("loss", "training accuracy", "test accuracy"), rows, notes)


def _final(experiment: Perceptron, groups: list[Any]) -> Table:
    ends = {name(group): group["curve"][-1] for group in groups}
    rows = [
        (
            one,
            interval(end["accuracy"], 2),
            _percent(end["std"]),
            percent(end["fifth_percentile"]),
            percent(end["separated"]),
            _percent(end["disagreement"], 2),
        )
        for one, end in ends.items()
    ]
    headings = (
        *("loss", "mean test accuracy", "standard deviation", "5th percentile"),
        *("training sets separated", "disagreement"),
    )
    title = f"{experiment.sets:,} training sets after {experiment.epochs:,} epochs"
    notes = (
        f"{brackets(experiment.sets, 'set')} Disagreement: the chance that the lines learnt from "
        "two training sets classify a test point differently.",
    )
    return table(title, headings, rows, notes)


def _percent(value: float | None, digits: int = 1) -> str:
    """Of one training set there is no spread."""
    return "" if value is None else percent(value, digits)


def _better(experiment: Perceptron, pair: Mapping[str, Any]) -> str:
    """Part 3."""
    gains = {point["epochs"]: point["accuracy"] for point in pair["gain"]}
    which = [f"the {loss}'s test accuracy is better" for loss in LOSSES]
    which.append("neither test accuracy is better, as far as these training sets tell")
    said = (
        f"after {epochs:,} epochs {verdict(gain, *which)}: {points(gain, 2)}"
        for epochs, gain in gains.items()
        if epochs in {EARLY, experiment.epochs}
    )
    return (
        f"Which is better? Rate {pair['rate']:g}: {'; '.join(said)} percentage points, hinge less "
        f"perceptron, mean over {experiment.sets:,} training sets with its 95 % interval."
    )


def _ends(experiment: Perceptron, pair: Mapping[str, Any]) -> list[float | None]:
    value, *ends = (pair["disagreement"][end] for end in ("value", "low", "high"))
    return [value, *(ends if experiment.sets >= statistics.FEWEST else [None, None])]


def _steadier(experiment: Perceptron, groups: list[Any], pair: Mapping[str, Any]) -> str:
    """Part 4."""
    if experiment.sets == 1:
        return "Which changes less is seen with two training sets or more."
    of = {name(group): percent(group["curve"][-1]["disagreement"] or 0.0, 2) for group in groups}
    other = next(share for one, share in of.items() if one.startswith("perceptron"))
    which = [f"the {loss}'s classification changes less" for loss in LOSSES[::-1]]
    which.append("neither classification changes less, as far as these training sets tell")
    found = _ends(experiment, pair)
    return (
        f"Which changes less? Rate {pair['rate']:g}: {verdict(found, *which)}. Two sets of "
        f"{experiment.points} points disagree on {of[f'hinge, {_rate(pair)}']} of the test points "
        f"with the hinge loss and on {other} with the perceptron criterion, a difference of "
        f"{points(found, 2)} percentage points (95 % bootstrap interval over the training sets)."
    )
