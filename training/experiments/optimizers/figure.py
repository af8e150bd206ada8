"""The figures of adaptive methods: the grid of rates, losses, accuracies."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from archcalc.render.style import COLOURS, drawn
from training.experiments.base import counted
from training.experiments.minigooglenet import figure as shared
from training.experiments.minigooglenet.figure import numbers
from training.experiments.optimizers.answer import SAID
from training.experiments.optimizers.grid import METHODS, Grid
from training.experiments.style import Arrays, Drawings, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The assignment's five are drawn through, the others dashed.
LOOKS: Final = {
    name: shared.Curve(METHODS[name].title, colour, "-" if METHODS[name].asked else "--")
    for name, colour in zip(METHODS, (*COLOURS, shared.GREY), strict=True)
}
OUTSIDE: Final = "outside right center"


def figures(experiment: Grid, _arrays: Arrays, results: Results) -> Drawings:
    """The search, training losses and accuracies."""
    short, settings = experiment.short(), results["settings"]
    classes = results["counts"]["classes"]
    wide = 4.6 * len(settings) + 2
    said = f"{short.partition(', ')[0]}; {counted(experiment.search_epochs)}, one network each"
    said += "; circles: the rates that are used"
    if not experiment.assignment:
        said += f"\n{short.rpartition('; ')[2]}"
    title = "Validation accuracy by rate"
    yield "search", drawn(wide, 4.4, title, said, lambda f: _searched(f, settings))
    for name, score, title in (
        ("training-loss", "learning_loss", "Training loss, as the network learns"),
        ("test-accuracy", "test_accuracy", "Test accuracy"),
    ):
        draw = partial(_curves, settings=settings, score=score, classes=classes)
        yield name, drawn(wide, 4.6, title, f"{short}\n{shared.BANDS}", draw)
    only = "" if len(settings) > 1 else f", {SAID[next(iter(settings))]}"
    said = f"{short}\ndots: networks, lines: means"
    title = f"After the last epoch{only}"
    yield "scores", drawn(8.6, 4.4, title, said, lambda f: _scored(f, settings))


def _legend(figure: Figure, methods: Results) -> None:
    axes = figure.axes[0]
    handles = []
    for name in methods:
        label, colour, dashes = LOOKS[name]
        handles += axes.plot([], [], dashes, color=colour, label=label)
    figure.legend(handles=handles, loc=OUTSIDE)


def _searched(figure: Figure, settings: Results) -> None:
    panels = figure.subplots(1, len(settings), sharey=True, squeeze=False)[0]
    for axes, (dropout, setting) in zip(panels, settings.items(), strict=True):
        accuracy = 100 * numbers(setting["search"]["val_accuracy"])
        lost = np.isnan(numbers(setting["search"]["val_loss"]))
        for place, (name, one) in enumerate(setting["methods"].items()):
            _, colour, dashes = LOOKS[name]
            rates = setting["search"]["rates"]
            own = np.where(lost[place], np.nan, accuracy[place])
            axes.plot(rates, own, dashes, color=colour, marker=".", markersize=4)
            at = rates.index(one["rate"])
            ring: Any = {"markersize": 8, "fillstyle": "none", "markeredgewidth": 1.6}
            axes.plot(one["rate"], accuracy[place][at], "o", color=colour, **ring)
        axes.set_xscale("log")
        axes.set_xlabel("learning rate")
        axes.set_title(SAID[dropout])
    panels[0].set_ylabel("validation accuracy, %")
    _legend(figure, next(iter(settings.values()))["methods"])


def _curves(figure: Figure, settings: Results, score: str, classes: int) -> None:
    """A panel a setting: of losses each has its own axis, as half of the units are gone in one."""
    loss = score == "learning_loss"
    panels = figure.subplots(1, len(settings), sharey=not loss, squeeze=False)[0]
    every = []
    for axes, (dropout, setting) in zip(panels, settings.items(), strict=True):
        drawn_ = []
        for place, (name, one) in enumerate(setting["methods"].items()):
            rows = numbers(one["curves"][score])
            first = int(loss)  # the mean of an epoch stands at its end
            scale = 1 if loss else 100
            shared.band(axes, range(first, first + rows.shape[1]), scale * rows, LOOKS[name], place)
            drawn_.append(rows)
        if loss:
            shared.loss_axis(axes, [shared.late(rows) for rows in drawn_], classes)
        every += drawn_
        axes.set_xlabel("epochs")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_title(SAID[dropout])
    if loss:
        panels[0].set_ylabel("loss, nats")
    else:
        shared.accuracy_axis(panels[0], every)
    _legend(figure, next(iter(settings.values()))["methods"])


def _scored(figure: Figure, settings: Results) -> None:
    """A dot a network; methods one below the other, settings side by side in a row."""
    panels = figure.subplots(1, 2, sharey=True)
    names = list(next(iter(settings.values()))["methods"])
    marks = {"without": "o", "with": "s"}
    shown = {"learning_loss": "training loss, nats", "test_accuracy": "test accuracy, %"}
    for axes, (score, label) in zip(panels, shown.items(), strict=True):
        scale = 100 if score == "test_accuracy" else 1
        for shift, (dropout, setting) in enumerate(settings.items()):
            colour = COLOURS[shift]
            for row, name in enumerate(names):
                each = scale * numbers(setting["methods"][name]["final"][score]["each"])
                height = row + 0.24 * (shift - (len(settings) - 1) / 2)
                heights = [height] * len(each)
                label_ = SAID[dropout] if not row and score == "learning_loss" else None
                dot: Any = {"markersize": 4, "alpha": 0.7, "linestyle": "", "label": label_}
                axes.plot(each, heights, marks[dropout], color=colour, **dot)
                ends = [height - 0.1, height + 0.1]
                axes.plot([each.mean()] * 2, ends, color=colour, linewidth=2)
        axes.set_xlabel(label)
    panels[0].set_yticks(range(len(names)), [METHODS[name].title for name in names])
    panels[0].invert_yaxis()
    if len(settings) > 1:
        figure.legend(loc=OUTSIDE)
