"""Answers to lab 3, problem 1.1 (homework 2, problem 2.1)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from archcalc.render.table import Table
from training.experiments.claims import apart, brackets, paired, verdict
from training.experiments.init.experiment import LAYERS, LEVEL, MEASURES, Init
from training.experiments.words import Found, Named, estimate, listed, percent, short, table, under

VANISHED: Final = 0.1  # of a spread, from one end of the five layers to the other
EXPLODED: Final = 10.0
SHARES: Final = {"saturated": ("tanh", "sigmoid"), "dead": ("relu",)}  # of units that can be so


def blocks(experiment: Init, results: Mapping[str, Any]) -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    yield "fates", _fates(experiment, results["groups"])
    for measure, meaning in MEASURES.items():
        if measure != "weight_std":
            yield measure, _measure(experiment, results["groups"], measure, meaning)
    for activation in experiment.activation:
        own = [g for g in results["groups"] if g["activation"] == activation]
        yield "even", _answer(activation, own)
    yield from under("beside", _beside(results["groups"]))


def _measure(experiment: Init, groups: list[Any], measure: str, meaning: str) -> Table:
    show = percent if measure in SHARES else short
    rows = [
        (g["activation"], g["init"], *(show(layer[measure]) for layer in g["layers"]))
        for g in groups
        if g["activation"] in SHARES.get(measure, experiment.activation)
    ]
    headings = ("activation", "init", *(f"layer {n}" for n in range(1, LAYERS + 1)))
    title = f"{meaning[0].upper()}{meaning[1:]}"
    notes = (
        f"Setting {experiment.setting}: means of {experiment.networks} untrained networks, "
        f"{experiment.examples:,} examples.",
    )
    return table(title, headings, rows, notes, words=2)


def factors(group: Mapping[str, Any], measure: str) -> list[float | None]:
    """Of each network, the logarithm of how much larger a measure is in the last layer.

    None where it is 0 at an end, or no number.
    """
    return [
        math.log(last / first) if first and last else None for first, last in group["ends"][measure]
    ]


def _fate(found: Found) -> str:
    """What becomes of a signal or gradient on its way, by :data:`VANISHED`, :data:`EXPLODED`."""
    if found[0] is None:
        return "is gone"
    factor = math.exp(found[0])
    if factor < VANISHED:
        return "vanishes"
    return "explodes" if factor > EXPLODED else "lasts"


def _ways(group: Mapping[str, Any]) -> tuple[Found, Found]:
    """How the signal grows from the first layer to the last, and the gradient back: logarithms."""
    signal, gradient = (factors(group, measure) for measure in LEVEL)
    nothing = [0.0] * len(signal)
    return paired(signal, nothing), paired(nothing, gradient)


def _factor(found: Found) -> str:
    """``x 0.64 [0.62, 0.66]``, the mean being geometric."""
    return f"x {estimate(found, lambda one: short(math.exp(one)))}"


def _fates(experiment: Init, groups: list[Any]) -> Table:
    rows = [
        (
            *(group["activation"], group["init"]),
            f"the signal {_fate(signal)} and the gradient {_fate(gradient)}",
            *map(_factor, (signal, gradient)),
        )
        for group in groups
        for signal, gradient in [_ways(group)]
    ]
    headings = ("activation", "init", "what happens", "signal, 1 to 5", "gradient, 5 to 1")
    notes = (
        f"Setting {experiment.setting}. Signal: {MEASURES[LEVEL[0]]}; gradient: "
        f"{MEASURES[LEVEL[1]]}. Each as a factor over the five layers: below {VANISHED:g} it "
        f"vanishes, above {EXPLODED:g} it explodes. Geometric means. "
        f"{brackets(experiment.networks, 'network')}",
    )
    return table("What becomes of signals and gradients", headings, rows, notes, words=3)


# Activation, initialization, and the other one that it is said to be better than.
ASKED: Final = (
    ("sigmoid", "glorot", "normal.01"),
    ("tanh", "glorot", "normal.01"),
    ("tanh", "glorot", "normal1"),
    ("relu", "he", "glorot"),
)


def _beside(groups: list[Any]) -> Iterator[str]:
    """Two initializations each, and which of them keeps signal and gradient more even."""
    found = {(g["activation"], g["init"]): _unevenness(g) for g in groups}
    for activation, one, two in ASKED:
        if not {(activation, one), (activation, two)} <= found.keys():
            continue
        ours, theirs = found[activation, one], found[activation, two]
        more = [f"{init} is more even" for init in (two, one, "neither")]
        yield (
            f"{activation}, {one} beside {two}: at worst, signal or gradient changes over the five "
            f"layers by a factor of {_worst(ours)} and {_worst(theirs)}, respectively; "
            f"{verdict(paired(ours, theirs), *more)}."
        )


def _answer(activation: str, groups: list[Any]) -> str:
    """Which initialization is most even, and from which others the networks tell it apart."""
    uneven = {group["init"]: _unevenness(group) for group in groups}
    best = min(uneven, key=lambda init: _geometric(uneven[init]))
    others = {init: paired(uneven[best], one) for init, one in uneven.items() if init != best}
    return (
        f"{activation}: of {listed(list(uneven))}, {best} keeps signal and gradient most even, "
        f"within a factor of {_worst(uneven[best])}; it is {apart(others)}."
    )


def _unevenness(group: Mapping[str, Any]) -> list[float | None]:
    """How far from level each network's measures are: the larger logarithm, whichever way."""
    both = zip(*(factors(group, measure) for measure in LEVEL), strict=True)
    return [None if None in pair else max(map(abs, pair)) for pair in both]


def _worst(uneven: list[float | None]) -> str:
    found = paired(uneven, [0.0] * len(uneven))
    return "infinity" if found[0] is None else _factor(found).removeprefix("x ")


def _geometric(uneven: list[float | None]) -> float:
    return sum(math.inf if one is None else one for one in uneven)
