"""The figure of cyclical learning rates: loss and accuracy over the rate that made them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from archcalc.render.style import COLOURS, drawn
from training.experiments.cyclical_lr.experiment import POLICIES, CyclicalLr
from training.experiments.minigooglenet import figure as shared
from training.experiments.style import Arrays, Drawings, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVES: Final = {
    name: shared.Curve(name, colour, dashes)
    for name, colour, dashes in zip(POLICIES, COLOURS, ("-", "--", "-.", ":", "-"), strict=False)
}
COLUMNS: Final = {"train": "training images", "val": "validation images"}


def figures(experiment: CyclicalLr, _arrays: Arrays, results: Results) -> Drawings:
    """One figure: training on the left, validation on the right."""
    title, said = "Cyclical learning rates", f"{experiment.short()}; scored after every epoch\n"
    said += shared.BANDS
    yield "curves", drawn(11, 8, title, said, lambda f: _curves(f, experiment, results))


def _curves(figure: Figure, experiment: CyclicalLr, results: Results) -> None:
    arms, count = results["arms"], results["counts"]["train"]
    curves = [CURVES[name] for name in arms]
    (plan,) = experiment.plans(count)
    ends, sizes = shared.read(plan, count)
    panels = figure.subplots(3, 2, sharex=True, sharey="row", height_ratios=(3, 3, 2))
    for (part, title), (loss, accuracy, rate) in zip(COLUMNS.items(), panels.T, strict=True):
        for place, curve in enumerate(curves):
            scores = arms[curve.name]["curves"]
            x = shared.numbers(arms[curve.name]["examples"]) / count
            shared.band(loss, x, scores[f"{part}_loss"], curve, place)
            shared.band(accuracy, x, 100 * shared.numbers(scores[f"{part}_accuracy"]), curve)
            shared.stepped(rate, ends, shared.rates(plan, curve.name, len(sizes)), curve)
        loss.set_title(title)
        rate.set_xlabel("epochs")
    every = [arm["curves"] for arm in arms.values()]
    losses = [shared.late(scores[f"{part}_loss"]) for scores in every for part in COLUMNS]
    accuracies = [scores[f"{part}_accuracy"] for scores in every for part in COLUMNS]
    shared.loss_axis(panels[0, 0], losses, results["counts"]["classes"])
    shared.accuracy_axis(panels[1, 0], accuracies)
    panels[0, 0].set_ylabel("loss, nats")
    panels[2, 0].set_ylabel("learning rate")
    shared.legend(figure, curves, arms)
