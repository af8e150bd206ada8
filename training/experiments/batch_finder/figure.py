"""Figures of the batch finder: what it reads, and the algorithm as a block diagram."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from archcalc.render.style import COLOURS, drawn
from training.experiments.batch_finder.experiment import STEPS, BatchFinder
from training.experiments.minigooglenet import figure as shared
from training.experiments.style import Arrays, Drawings, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# ------ the block diagram, in inches; a step's number is its place in STEPS
MAIN: Final = tuple(range(10))  # from top to bottom; the last step stands beside the last choice
FIRST: Final = 2  # where the loop goes on
AGAIN: Final = 5
FALLS: Final = 7
NONE: Final = 10  # no range
WIDE: Final = 3.9  # of a box
LETTERS: Final = {"start": 52, "step": 52, "choice": 28, "end": 52}  # in a line of its text
LINE: Final = 0.17  # of text
GAP: Final = 0.3  # between boxes, where an arrow is
SIDE: Final = 1.75  # of the box beside, and
ASIDE: Final = 3.55  # where its middle is
LOOKS: Final = {  # of a shape: its face and its edge
    "start": ("#E5F2EC", shared.RANGE),
    "end": ("#E5F2EC", shared.RANGE),
    "step": ("#EAF2F8", COLOURS[0]),
    "choice": ("#FCEFE3", shared.HUMAN),
}


def figures(experiment: BatchFinder, _arrays: Arrays, results: Results) -> Drawings:
    """The curve with its reading, and the algorithm twice."""
    said = f"{experiment.short()}; rate {experiment.lr_min:g}; dots: seeds, line: means"
    yield "reading", drawn(8, 4.8, "What the batch finder reads", said, lambda f: _read(f, results))
    diagram = partial(drawn, 7.2, 8.7, "The batch finder", experiment.short(), _diagram)
    yield "block-diagram", diagram()
    yield "block-diagram.svg", diagram(form="svg")


def _read(figure: Figure, results: Results) -> None:
    """Training loss against batch size, the rule's range, and how the rule finds it."""
    axes = figure.subplots()
    curve, classes = results["curve"], results["counts"]["classes"]
    basin, batches, start = curve["basin"], curve["batches"], math.log(classes)
    shared.loss_axis(axes, [curve["each"]], classes, "linear")
    shared.candidates(axes, batches, curve["each"], "mean of the seeds")
    shared.bounded(axes, basin, [("b-min", curve["b_min"]), ("b-max", curve["b_max"])])
    shared.powers(axes, batches)
    shared.levelled(axes, f"log({classes}) = {start:.3g}\nhas learnt nothing", start, shared.GREY)
    if basin["low"] is not None:
        least = float(np.nanmin(shared.numbers(curve["loss"])))
        shared.levelled(axes, f"least {least:.3g}", least, shared.GREY, "top")
        below = least - 0.06 * (start - least)
        axes.set_ylim(bottom=least - 0.14 * (start - least))
        for end in (curve["b_min"], curve["b_max"]):
            if end != basin["best"]:
                arrow = {"arrowstyle": "->", "color": shared.RANGE, "shrinkA": 0, "shrinkB": 0}
                axes.annotate("", (end, below), (basin["best"], below), arrowprops=arrow)
        axes.plot([basin["best"]], [least], "D", color=COLOURS[6], markersize=7, zorder=4)
    axes.set_title("training loss at the end; arrows: the walk from the least loss", pad=18)
    axes.set(xlabel="batch, examples", ylabel="training loss, nats")


# --------------------------------------------------------------------------- the block diagram


def _wrapped(number: int, letters: int = 0) -> list[str]:
    """A step's text in as few lines as may be, and these of like length."""
    kind, said = STEPS[number]
    letters = letters or LETTERS[kind]
    tried = [textwrap.wrap(said, width) for width in range(letters // 2, letters + 1)]
    return min(tried, key=len)


def _height(kind: str, rows: Sequence[str]) -> float:
    """Of a shape; a diamond is half as wide a quarter of its height from its middle."""
    return LINE * len(rows) + (0.55 if kind == "choice" else 0.24)


def _diagram(figure: Figure) -> None:
    axes = figure.subplots()
    axes.set_axis_off()
    boxes: dict[int, tuple[float, float]] = {}  # the upper and the lower end of each
    y = 0.0
    for number in MAIN:
        high = _shape(axes, number, 0.0, y, WIDE)
        boxes[number] = (y, y - high)
        y -= high + GAP
    for one, two in pairwise(MAIN):
        word = {AGAIN: "no", FALLS: "yes"}.get(one, "")
        _arrow(axes, [(0, boxes[one][1]), (0, boxes[two][0])], word, (0.08, boxes[one][1] - 0.1))
    middle = {n: (high + low) / 2 for n, (high, low) in boxes.items()}
    edge, out = -WIDE / 2, -WIDE / 2 - 0.45
    low, high = middle[AGAIN], middle[FIRST]
    back = [(edge, low), (out, low), (out, high), (edge, high)]
    _arrow(axes, back, "yes", (out + 0.08, middle[AGAIN] + 0.1))
    high = _height("end", _wrapped(NONE, 18))
    _shape(axes, NONE, ASIDE, middle[FALLS] + high / 2, SIDE, 18)
    across = [(-edge, middle[FALLS]), (ASIDE - SIDE / 2, middle[FALLS])]
    _arrow(axes, across, "no", (-edge + 0.08, middle[FALLS] + 0.1))
    axes.set(xlim=(out - 0.1, ASIDE + SIDE / 2 + 0.1), ylim=(y + GAP - 0.05, 0.05), aspect="equal")


def _shape(axes: Axes, number: int, x: float, top: float, wide: float, letters: int = 0) -> float:
    """A step, its text in its middle; its height."""
    kind, rows = STEPS[number][0], _wrapped(number, letters)
    high = _height(kind, rows)
    middle, a, b = top - high / 2, wide / 2, high / 2
    if kind == "choice":
        corners = np.array([(-a, 0), (0, b), (a, 0), (0, -b)])
    elif kind == "step":
        corners = np.array([(-a, -b), (-a, b), (a, b), (a, -b)])
    else:  # half a circle at either end
        turn = np.linspace(-np.pi / 2, np.pi / 2, 40)
        arc = np.stack([a - b + b * np.cos(turn), b * np.sin(turn)], 1)
        corners = np.concatenate([arc, -arc])
    face, edge = LOOKS[kind]
    across, up = corners.T
    axes.fill(x + across, middle + up, facecolor=face, edgecolor=edge, linewidth=1.2)
    for place, row in enumerate(rows):  # each centred, whatever font an SVG is shown in
        y = middle + LINE * ((len(rows) - 1) / 2 - place)
        axes.text(x, y, row, ha="center", va="center_baseline", fontsize=8.5)
    return high


def _arrow(axes: Axes, path: Sequence[shared.Point], word: str, at: shared.Point) -> None:
    """From point to point, with a word beside it."""
    look: Any = {"color": "#333333", "linewidth": 1.2}
    axes.plot(*zip(*path[:-1], strict=True), solid_joinstyle="miter", **look)
    arrow = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0, **look}
    axes.annotate("", path[-1], path[-2], arrowprops=arrow)
    axes.text(*at, word, va="center", fontsize=8.5, color=shared.HUMAN)
