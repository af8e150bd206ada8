"""Answers to lab 3, problem 1.1 (homework 2, problem 2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from training.answers.words import percent, short, table, under
from training.experiments.init import LAYERS, MEASURES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archcalc.render.table import Table
    from training.answers.words import Named
    from training.experiments.init import Init

VANISHED: Final = 0.1  # of a spread, from one end of the five layers to the other
EXPLODED: Final = 10.0
SHARES: Final = ("saturated", "dead")
WHAT: Final = {
    "sigmoid": (
        "A sigmoid's slope is at most 1/4, so values shrink from layer to layer, even where "
        "nothing is saturated, unless the weights make up for it; weights that large saturate it."
    ),
    "tanh": (
        "Weights too small make every layer's output smaller than the one before; weights too "
        "large drive tanh onto its flat parts. Glorot's variance, 2/(fan_in + fan_out), is meant "
        "to keep both directions level where tanh is nearly straight. As its slope is below 1 on "
        "average, a somewhat larger variance can be more even over a few layers, at the price of "
        "more units on the flat parts."
    ),
    "relu": (
        "ReLU sets half of what reaches it to zero and so halves the mean square; He's variance, "
        "2/fan_in, makes up for it, and Glorot's, which assumes a straight function, does "
        "not. He's keeps the mean square; the deviation over examples falls all the same, as a "
        "ReLU network makes examples more alike."
    ),
    "id": "Without an activation the product of the weight matrices alone decides.",
}


def blocks(experiment: Init, results: Mapping[str, Any]) -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    yield "fates", _fates(experiment, results["groups"])
    for measure, meaning in MEASURES.items():
        if measure != "weight_std":
            yield measure, _measure(experiment, results["groups"], measure, meaning)
    for activation in experiment.activation:
        own = [g for g in results["groups"] if g["activation"] == activation]
        yield "even", _answer(activation, own)
        yield "fates in words", _said(activation, own)
    yield from under("beside", _beside(results["groups"]))


def _measure(experiment: Init, groups: list[Any], measure: str, meaning: str) -> Table:
    show = percent if measure in SHARES else short
    rows = [
        (g["activation"], g["init"], *(show(layer[measure]) for layer in g["layers"]))
        for g in groups
        if measure != "dead" or g["activation"] == "relu"
    ]
    if measure == "saturated":
        rows = [row for row in rows if row[0] in {"tanh", "sigmoid"}]
    headings = ("activation", "init", *(f"layer {n}" for n in range(1, LAYERS + 1)))
    title = f"{meaning[0].upper()}{meaning[1:]}"
    notes = (
        f"Setting {experiment.setting}: means of {experiment.networks} untrained networks, "
        f"{experiment.examples:,} examples.",
    )
    return table(title, headings, rows, notes, words=2)


def change(group: Mapping[str, Any], measure: str) -> float | None:
    """How much larger a measure is in the last layer than in the first; None if it cannot be."""
    first, last = group["layers"][0][measure], group["layers"][-1][measure]
    return last / first if first and last is not None else None


def _fate(ratio: float | None) -> str:
    """What becomes of a signal or gradient on its way, by :data:`VANISHED`, :data:`EXPLODED`."""
    if ratio is None:
        return "is gone"
    if ratio < VANISHED:
        return "vanishes"
    return "explodes" if ratio > EXPLODED else "lasts"


def _factors(group: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """By how much the signal grows from the first layer to the last, and the gradient back."""
    forward, back = (change(group, measure) for measure in LEVEL)
    return forward, 1 / back if back else None


def _both(group: Mapping[str, Any]) -> str:
    """What becomes of both."""
    forward, backward = _factors(group)
    return f"the signal {_fate(forward)} and the gradient {_fate(backward)}"


def _fates(experiment: Init, groups: list[Any]) -> Table:
    rows = []
    for group in groups:
        factors = (f"x {short(factor)}" for factor in _factors(group))
        rows.append((group["activation"], group["init"], _both(group), *factors))
    headings = ("activation", "init", "what happens", "signal, 1 to 5", "gradient, 5 to 1")
    notes = (
        f"Setting {experiment.setting}. Signal: {MEASURES[LEVEL[0]]}; gradient: "
        f"{MEASURES[LEVEL[1]]}. Each as a factor over the five layers: below {VANISHED:g} it "
        f"vanishes, above {EXPLODED:g} it explodes.",
    )
    return table("What becomes of signals and gradients", headings, rows, notes, words=3)


def _said(activation: str, groups: list[Any]) -> str:
    """Which initializations keep an activation's gradient, and which do not."""
    fates: dict[str, list[str]] = {}
    for group in groups:
        _, ratio = _factors(group)
        fates.setdefault(_fate(ratio), []).append(f"{group['init']} (x {short(ratio)})")
    said = "; ".join(f"{fate} with {', '.join(inits)}" for fate, inits in fates.items())
    return f"{activation}: from layer {LAYERS} to layer 1 the gradient {said}."


# Activation, initialization, and the other one that it is said to be better than.
ASKED: Final = (
    ("sigmoid", "glorot", "normal.01"),
    ("tanh", "glorot", "normal.01"),
    ("tanh", "glorot", "normal1"),
    ("relu", "he", "glorot"),
)


def _beside(groups: list[Any]) -> Iterator[str]:
    """Two initializations each, and which of them keeps signal and gradient more even."""
    found = {(g["activation"], g["init"]): g for g in groups}
    for activation, one, two in ASKED:
        pair = [found.get((activation, init)) for init in (one, two)]
        if None in pair:
            continue
        ours, theirs = (_unevenness(group) for group in pair if group is not None)
        better = one if ours < theirs else two
        fate = f"{better} is more even: {_both(found[activation, better])}"
        told = "neither is more even" if ours == theirs else fate
        yield (
            f"{activation}, {one} beside {two}: at worst, signal or gradient changes over the five "
            f"layers by a factor of {short(ours)} and {short(theirs)}, respectively; {told}."
        )


def _answer(activation: str, groups: list[Any]) -> str:
    best = min(groups, key=_unevenness)
    return (
        f"{activation}: of {', '.join(g['init'] for g in groups)}, {best['init']} keeps signal and "
        f"gradient most even. {WHAT.get(activation, '')}"
    ).strip()


LEVEL: Final = ("example_std", "delta_std")


def _unevenness(group: Mapping[str, Any]) -> float:
    """How far both measures are from level: the larger of the two factors, whichever way."""
    factors = []
    for measure in LEVEL:
        ratio = change(group, measure)
        factors.append(max(ratio, 1 / ratio) if ratio else float("inf"))
    return max(factors)
