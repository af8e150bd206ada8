"""Answers to homework 2, problem 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from training import statistics
from training.answers.claims import brackets, side, verdict
from training.answers.words import interval, percent, points, table, under

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archcalc.render.table import Table
    from training.answers.words import Named
    from training.experiments.perceptron import Perceptron

EARLY: Final = 10  # epochs after which many stop


def blocks(experiment: Perceptron, results: Mapping[str, Any]) -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    groups = results["groups"]
    yield "one", _one(experiment, groups)
    yield "final", _final(experiment, groups)
    yield "accuracy", _epochs(groups, "accuracy", "Mean test accuracy over epochs")
    yield (
        "disagreement",
        _epochs(groups, "disagreement", "Disagreement between training sets over epochs"),
    )
    pairs = results["hinge_minus_perceptron"]
    yield "better", _first(experiment, groups)
    yield from under("better", (_better(experiment, pair) for pair in pairs))
    if pairs:
        yield from under("why", _why(experiment, groups, pairs))
        yield from under("steadier", (_steadier(experiment, groups, pair) for pair in pairs))
        yield "expected", _expected(experiment, pairs)


def name(group: Mapping[str, Any]) -> str:
    """A group's loss and rate."""
    return f"{group['loss']}, rate {group['rate']:g}"


def _one(experiment: Perceptron, groups: list[Any]) -> Table:
    """Parts 1 and 2 as they are asked: one training set."""
    rows = []
    for group in groups:
        learnt, tested = (group["first_set"][f"{part}_accuracy"] for part in ("training", "test"))
        right = round(tested * experiment.test_points)
        own = interval(statistics.wilson(right, experiment.test_points))
        rows.append((name(group), percent(learnt), own))
    title = (
        f"One training set of {experiment.points} points, {experiment.epochs:,} epochs, "
        f"{experiment.test_points:,} test points"
    )
    notes = (
        "In brackets: 95 % Wilson intervals over test points. Another draw of the training set "
        "gives other numbers: see the next table.",
    )
    return table(title, ("loss", "training accuracy", "test accuracy"), rows, notes)


def _final(experiment: Perceptron, groups: list[Any]) -> Table:
    rows = []
    for group in groups:
        end = group["curve"][-1]
        rows.append(
            (
                name(group),
                interval(end["accuracy"], 2),
                "" if end["std"] is None else percent(end["std"]),
                percent(end["fifth_percentile"]),
                percent(end["separated"]),
                "" if end["disagreement"] is None else percent(end["disagreement"], 2),
            )
        )
    headings = (
        "loss",
        "mean test accuracy",
        "standard deviation",
        "5th percentile",
        "training sets separated",
        "disagreement",
    )
    title = f"{experiment.sets:,} training sets after {experiment.epochs:,} epochs"
    notes = (
        f"{brackets(experiment.sets, 'set')} Disagreement: the chance that the lines learnt from "
        "two training sets classify a test point differently.",
    )
    return table(title, headings, rows, notes)


def _epochs(groups: list[Any], what: str, title: str) -> Table:
    def shown(value: Any) -> str:  # noqa: ANN401 - a number or an interval
        return percent(value[0] if isinstance(value, list) else value, 1) if value else ""

    rows = [(name(g), *(shown(point[what]) for point in g["curve"][1:])) for g in groups]
    headings = ("epochs", *(f"{point['epochs']:,}" for point in groups[0]["curve"][1:]))
    return table(title, headings, rows)


def _why(experiment: Perceptron, groups: list[Any], pairs: list[Any]) -> Iterator[str]:
    """Part 3: whether what theory expects is what was seen."""
    separated = {g["rate"]: g["curve"][-1]["separated"] for g in groups if g["loss"] == "hinge"}
    for pair in pairs:
        gains = {point["epochs"]: point["accuracy"] for point in pair["gain"]}
        late = gains[experiment.epochs]
        seen = verdict(late, "so it is", "it is the other way round", UNTOLD)
        early = side(late) == 1 != side(gains.get(EARLY, late))
        changed = f", though after {EARLY} epochs it is not" * early
        yield (
            f"Rate {pair['rate']:g}: {seen}{changed}; after {experiment.epochs:,} epochs "
            f"{percent(1 - separated[pair['rate']])} of the training sets are not separated yet."
        )


UNTOLD: Final = "these training sets do not tell"


def _first(experiment: Perceptron, groups: list[Any]) -> str:
    """Part 3 on the one training set of parts 1 and 2."""
    scores = {name(group): group["first_set"]["test_accuracy"] for group in groups}
    best = max(scores.values())
    winners = " and ".join(one for one, score in scores.items() if score == best)
    return (
        f"On the first {experiment.points} points alone the best is {winners}, with "
        f"{percent(best)}; but that is one draw."
    )


def _better(experiment: Perceptron, pair: Mapping[str, Any]) -> str:
    """Part 3."""
    said = []
    for point in pair["gain"]:
        if point["epochs"] in {EARLY, experiment.epochs}:
            told = verdict(
                point["accuracy"],
                "the hinge loss's test accuracy is better",
                "the perceptron criterion's test accuracy is better",
                "neither test accuracy is better, as far as these training sets tell",
            )
            gain = points(point["accuracy"], 2)
            said.append(f"after {point['epochs']:,} epochs {told}: {gain}")
    return (
        f"Which is better? Rate {pair['rate']:g}: {'; '.join(said)} percentage points, hinge less "
        f"perceptron, mean over {experiment.sets:,} training sets with its 95 % interval."
    )


def _ends(experiment: Perceptron, pair: Mapping[str, Any]) -> list[float | None]:
    value, *ends = (pair["disagreement"][end] for end in ("value", "low", "high"))
    return [value, *(ends if experiment.sets >= statistics.FEWEST else [None, None])]


def _expected(experiment: Perceptron, pairs: list[Any]) -> str:
    """What theory expects of part 4, and whether it is what was seen."""
    rates: dict[str, list[str]] = {}
    for pair in pairs:
        seen = verdict(_ends(experiment, pair), "it is the other way round", "so it is", UNTOLD)
        rates.setdefault(seen, []).append(f"{pair['rate']:g}")
    said = (f"{seen} with rate {' and '.join(found)}" for seen, found in rates.items())
    return f"What was seen: {'; '.join(said)}."


def _steadier(experiment: Perceptron, groups: list[Any], pair: Mapping[str, Any]) -> str:
    """Part 4."""
    of = {(g["loss"], g["rate"]): g["curve"][-1]["disagreement"] for g in groups}
    hinge = of["hinge", pair["rate"]]
    other = next(value for (loss, _), value in of.items() if loss == "perceptron")
    if hinge is None or other is None:
        return "Which changes less is seen with two training sets or more."
    told = verdict(
        _ends(experiment, pair),
        "the perceptron criterion's classification changes less with the training set",
        "the hinge loss's classification changes less with the training set",
        "neither classification changes less, as far as these training sets tell",
    )
    return (
        f"Which changes less? Rate {pair['rate']:g}: {told}. Two sets of "
        f"{experiment.points} points disagree on {percent(hinge, 2)} of the test points with the "
        f"hinge loss and on {percent(other, 2)} with the perceptron criterion; the difference is "
        f"{points(_ends(experiment, pair), 2)} percentage points (95 % bootstrap interval over "
        "the training sets)."
    )
