"""What figures on learning rate and batch size share: curves, a range, powers of two."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from archcalc.render.style import COLOURS
from training.engine.record import Array
from training.experiments.minigooglenet.experiment import MiniGoogLeNet, Plan
from training.experiments.style import Results, filled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Point = tuple[float, float]
    Ends = Sequence[tuple[str, float | None]]  # of a range: what the two are called, and are

GREY: Final = "#777777"
RANGE: Final = COLOURS[2]
HUMAN: Final = COLOURS[1]
ROOM: Final = 1.3  # a loss is drawn up to so many times that of a network that has learnt nothing
BANDS: Final = (
    "lines: means of the seeds that have not diverged, bands: from the lowest to the highest"
)
SEEN: Final = 500  # updates, whose steps are drawn; dashes of more would be ragged
TICKS: Final = 10  # on an axis of powers of two, all of which are labelled


class Curve(NamedTuple):
    """How an arm is drawn: its name, colour and dashes."""

    name: str
    colour: str
    dashes: str = "-"


def three(*names: str) -> dict[str, Curve]:
    """How three arms that are compared are drawn."""
    looks = ((COLOURS[0], "-"), (COLOURS[2], "-."), (COLOURS[1], "--"))
    return {name: Curve(name, *look) for name, look in zip(names, looks, strict=True)}


def numbers(values: object) -> Array:
    """A record's numbers; what is not finite, which a record has as None, as NaN."""
    found = np.array(values, dtype=np.float64)
    return np.where(np.isfinite(found), found, np.nan)


# --------------------------------------------------------------------------- curves


def band(axes: Axes, x: Sequence[float], rows: object, curve: Curve, place: int = 0) -> None:
    """The mean of some members' curves, the band of all, and crosses where one diverges.

    Args:
        axes: where to.
        x: of the points.
        rows: ``(members, points)``.
        curve: how.
        place: of the curve among others, so that their crosses do not hide each other.
    """
    values = np.ma.masked_invalid(numbers(rows))
    low, mean, high = (np.ma.filled(of(0), np.nan) for of in (values.min, values.mean, values.max))
    look: Any = {"color": curve.colour, "linestyle": curve.dashes, "marker": "."}
    filled(axes, x, (low, high), mean, **look, markersize=4)
    for own in np.ma.getmaskarray(values):
        if own.any():
            across = axes.get_xaxis_transform()
            at = [x[int(own.argmax())]], [0.97 - 0.06 * place]
            axes.plot(*at, "x", color=curve.colour, transform=across, clip_on=False)


def loss_axis(axes: Axes, rows: Sequence[object], classes: int, scale: str = "log") -> None:
    """Limits that an exploding loss does not stretch.

    On a linear axis, they hold the loss of a network that has learnt nothing.
    """
    start = math.log(classes)
    every = np.concatenate([numbers(row).ravel() for row in rows])
    every = every[every <= ROOM * start]  # nor what is not finite
    if scale == "linear" or not every.size:
        every = np.append(every, start)
    least, top = float(every.min()), 1.05 * float(every.max())
    if scale == "linear" or top < 2 * least:
        axes.set_ylim(least - 0.08 * (top - least), top)
        return
    axes.set_yscale("log")
    least = max(0.9 * least, 1e-6)
    marks = [n * 10.0**z for z in range(-6, 2) for n in (1, 1.5, 2, 3, 5, 7)]
    axes.set_yticks(marks, [f"{mark:g}" for mark in marks])
    axes.set_yticks([], minor=True)
    axes.set_ylim(least, top)


def late(rows: object, first: int = 1) -> Array:
    """Curves without their steep beginning, which need not lie within the axes.

    Args:
        rows: ``(members, points)``.
        first: points that are left out in any case.
    """
    values = numbers(rows)
    return values[:, max(first, values.shape[1] // 10) :]


def accuracy_axis(axes: Axes, rows: Sequence[object]) -> None:
    """Per cent, from a bit below the least to a bit above the highest."""
    axes.set_ylabel("accuracy, %")
    every = np.concatenate([100 * late(row).ravel() for row in rows])
    every = every[np.isfinite(every)]
    if every.size:
        low, high = every.min(), every.max()
        room = max(0.06 * (high - low), 1)
        axes.set_ylim(max(low - room, -1), min(high + room, 101))


def read(plan: Plan, count: int) -> tuple[Array, Array]:
    """Epochs read before every update and behind the last, and the batch of every update.

    Without the last update where sizes are given and it reads but what is left.
    """
    updates = plan.moments(count)[-1]
    sizes = np.array(plan.sizes or [plan.batch] * updates)
    if updates > 1 and sizes[-1] < sizes[-2]:
        sizes = sizes[:-1]
    return np.array(plan.read(range(len(sizes) + 1), count)) / count, sizes


def rates(plan: Plan, name: str, updates: int) -> Array:
    """The rate of every update of an arm."""
    arm = next(arm for arm in plan.arms if arm.name == name)
    return np.array([arm.rate * arm.schedule(t) for t in range(updates)])


def stepped(axes: Axes, ends: Array, values: Array, curve: Curve) -> None:
    """What is constant during every update, in steps where they are wide enough to be seen."""
    steps: Any = {"drawstyle": "steps-post" if len(values) <= SEEN else "default"}
    every = np.append(values, values[-1])
    axes.plot(ends, every, curve.dashes, color=curve.colour, **steps)


def courses(
    figure: Figure, experiment: MiniGoogLeNet, results: Results, looks: Mapping[str, Curve]
) -> Iterator[tuple[Axes, Curve, Array, Array, Array]]:
    """Losses in training, accuracies in validation, and under them batches and a free panel.

    Yields:
        the free panel, and of each curve the epochs read, the batch and the rate of every update.
    """
    count, arms = results["counts"]["train"], results["arms"]
    plans = {arm.name: plan for plan in experiment.plans(count) for arm in plan.arms}
    curves = [looks[name] for name in arms]
    (loss, accuracy), (batch, free) = figure.subplots(2, 2, sharex=True, height_ratios=(3, 2))
    batches = set()
    for place, curve in enumerate(curves):
        arm, plan = arms[curve.name], plans[curve.name]
        x = numbers(arm["examples"]) / count
        band(loss, (x[1:] + x[:-1]) / 2, arm["learning_loss"], curve, place)
        band(accuracy, x, 100 * numbers(arm["curves"]["val_accuracy"]), curve)
        ends, sizes = read(plan, count)
        stepped(batch, ends, sizes, curve)
        batches |= {sizes.min(), sizes.max()}
        yield free, curve, ends, sizes, rates(plan, curve.name, len(sizes))
    losses = [late(arm["learning_loss"], 0) for arm in arms.values()]
    loss_axis(loss, losses, results["counts"]["classes"])
    accuracy_axis(accuracy, [arm["curves"]["val_accuracy"] for arm in arms.values()])
    loss.set(title="training loss, means from look to look", ylabel="loss, nats")
    accuracy.set_title("validation accuracy")
    batch.set(title="batch of every update", ylabel="batch, examples")
    least, most = math.floor(math.log2(min(batches))), math.ceil(math.log2(max(batches)))
    powers(batch, [2**n for n in range(least, most + 1)], "y")
    for axes in (batch, free):
        axes.set_xlabel("epochs: examples read / training images")
    legend(figure, curves, arms)


def legend(figure: Figure, curves: Sequence[Curve], arms: Results) -> None:
    """Names beside all panels; with the cross, if a network has diverged."""
    empty, handles = figure.axes[0], []
    for name, colour, dashes in curves:
        handles += empty.plot([], [], dashes, color=colour, label=name)
    if any(at is not None for arm in arms.values() for at in arm["diverged"]):
        handles += empty.plot([], [], "x", color=GREY, label="a network diverges")
    figure.legend(handles=handles, loc="outside right center")


# --------------------------------------------------------------------------- a curve and its range


def powers(axes: Axes, values: Sequence[int], along: str = "x") -> None:
    """An axis of batches, which are powers of two."""
    axis = axes.xaxis if along == "x" else axes.yaxis
    axes.set(**{f"{along}scale": "log", f"{along}lim": (values[0] / 2**0.4, values[-1] * 2**0.4)})
    marks = values[:: -(-len(values) // TICKS)]
    axis.set_ticks(marks, [f"{mark:,}" for mark in marks], minor=False)
    axis.set_ticks([], minor=True)


def candidates(axes: Axes, x: Sequence[float], each: object, label: str) -> None:
    """Each network's loss a dot, their mean a line; at the top what is not within the axes.

    Args:
        axes: where to.
        x: of the candidates.
        each: ``(candidates, seeds)``.
        label: of the mean.
    """
    losses = numbers(each)
    axes.plot(x, losses, "o", color=COLOURS[0], markersize=4, alpha=0.45, linewidth=0)
    axes.plot(x, losses.mean(1), color=COLOURS[0], label=label)
    across = axes.get_xaxis_transform()
    low, top = axes.get_ylim()
    if not (losses <= top).all():  # room above all dots
        top += 0.16 * (top - low)
        axes.set_ylim(low, top)
    beyond = {"x": (0.96, "diverged", np.isnan(losses)), "^": (0.89, "higher", losses > top)}
    for marker, (height, word, where) in beyond.items():
        there = np.array(x)[where.any(1)]
        if there.size:
            heights = [height] * len(there)
            axes.plot(there, heights, marker, color=HUMAN, transform=across, clip_on=False)
            left = there[0] == x[0]  # there is no room on its left
            at, shift, side = (there[-1], 7, "left") if left else (there[0], -7, "right")
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8}
            _noted(axes, word, (at, height), (shift, 0), HUMAN, ha=side, va="center", bbox=box)


def bounded(axes: Axes, basin: Results, ends: Ends) -> None:
    """The range that the rule reads: its height, and its ends, named above the axes.

    Args:
        axes: where to.
        basin: a :class:`training.engine.rules.Reading`.
        ends: what the lower and the upper are called, and what they are.
    """
    if basin["low"] is None:
        said = f"no range: {basin['why']}"
        _noted(axes, said, (0.5, 1), (0, 4), HUMAN, xycoords="axes fraction", ha="center")
        return
    levelled(axes, f"level {basin['level']:.3g}", basin["level"], RANGE, "bottom")
    axes.axvspan(basin["low"], basin["high"], color=RANGE, alpha=0.1, linewidth=0)
    signs = (basin["open_low"] and "\u2264 ", basin["open_high"] and "\u2265 ")
    named = [(f"{name} {s or ''}", at) for (name, at), s in zip(ends, signs, strict=True)]
    lines(axes, named, RANGE, "--")


def levelled(axes: Axes, name: str, height: float, colour: str, side: str = "center") -> None:
    """A dotted horizontal line, named on the right of the axes."""
    axes.axhline(height, color=colour, linestyle=":")
    style: Any = {"fontsize": 8, "va": side, "color": colour}
    axes.text(1.01, height, name, transform=axes.get_yaxis_transform(), **style)


def lines(axes: Axes, ends: Ends, colour: str, dashes: str, row: int = 0) -> None:
    """Vertical lines at the ends of a range, named above the axes in a row of their own."""
    for (name, at), side, aside in zip(ends, ("right", "left"), (-2, 2), strict=True):
        if at is not None:
            axes.axvline(at, color=colour, linestyle=dashes, linewidth=1.1)
            _noted(axes, f"{name}{at:,.5g}", (at, 1), (aside, 4 + 11 * row), colour, ha=side)


def _noted(axes: Axes, text: str, at: Point, shift: Point, colour: str, **style: object) -> None:
    """Small letters, so many points from a place: along the axis x, at a part of the height."""
    across = axes.get_xaxis_transform()
    look: Any = {"xycoords": across, "textcoords": "offset points", "va": "bottom", **style}
    axes.annotate(text, at, shift, fontsize=8, color=colour, **look)
