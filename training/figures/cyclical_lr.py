"""The figure of cyclical learning rates: loss and accuracy over the rate that made them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from archcalc.render.style import COLOURS, drawn
from training.experiments.cyclical_lr import POLICIES
from training.figures.minigooglenet import (
    BANDS,
    Curve,
    accuracy_axis,
    band,
    late,
    legend,
    loss_axis,
    numbers,
    rates,
    read,
    stepped,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from matplotlib.figure import Figure

    from training.experiments.cyclical_lr import CyclicalLr
    from training.record import Array

CURVES: Final = {
    name: Curve(name, colour, dashes)
    for name, colour, dashes in zip(POLICIES, COLOURS, ("-", "--", "-.", ":", "-"), strict=False)
}
KINDS: Final = ("loss", "accuracy")
COLUMNS: Final = {"train": "training images", "val": "validation images"}


def figures(
    experiment: CyclicalLr,
    arrays: Mapping[str, Array],  # noqa: ARG001 - all that is drawn is in the results
    results: Mapping[str, Any],
) -> Iterator[tuple[str, bytes]]:
    """One figure: training on the left, validation on the right."""

    def draw(figure: Figure) -> None:
        _curves(figure, experiment, results)

    said = f"{experiment.short()}; scored after every epoch\n{BANDS}"
    yield "curves", drawn(11, 8, "Cyclical learning rates", said, draw)


def _curves(figure: Figure, experiment: CyclicalLr, results: Mapping[str, Any]) -> None:
    arms, counts = results["arms"], results["counts"]
    curves = [CURVES[name] for name in arms]
    (plan,) = experiment.plans(counts["train"])
    ends, sizes = read(plan, counts["train"])
    panels = figure.subplots(3, 2, sharex=True, sharey="row", height_ratios=(3, 3, 2))
    for (part, title), (loss, accuracy, rate) in zip(COLUMNS.items(), panels.T, strict=True):
        for place, curve in enumerate(curves):
            found = arms[curve.name]["curves"]
            x = numbers(arms[curve.name]["examples"]) / counts["train"]
            band(loss, x, found[f"{part}_loss"], curve, place)
            band(accuracy, x, 100 * numbers(found[f"{part}_accuracy"]), curve)
            stepped(rate, ends, rates(plan, curve.name, len(sizes)), curve)
        loss.set_title(title)
        rate.set_xlabel("epochs")
    every = [arm["curves"] for arm in arms.values()]
    ours = {kind: [one[f"{p}_{kind}"] for one in every for p in COLUMNS] for kind in KINDS}
    loss_axis(panels[0, 0], [late(rows) for rows in ours["loss"]], counts["classes"])
    accuracy_axis(panels[1, 0], ours["accuracy"])
    panels[0, 0].set_ylabel("loss, nats")
    panels[2, 0].set_ylabel("learning rate")
    legend(figure, curves, arms)
