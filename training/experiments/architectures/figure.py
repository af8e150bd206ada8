"""Figures of the answers to lab 3, problem 5."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Final

import archcalc as ac
from archcalc.count import exact, integer
from archcalc.layers.convolution import Convolution
from archcalc.layers.joins import Concat
from archcalc.layers.linear import Linear
from archcalc.render.style import COLOURS, drawn
from archcalc.render.views.working import geometry
from archcalc.reports import Report, Row
from archcalc.units import rounded, share
from training.experiments.architectures.answer import learned, modules, stack
from training.experiments.style import Drawings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHADES: Final = ("#999999", "#CC79A7", "#56B4E9", "#E69F00")  # of branches, none of them a module's
UNSEEN: Final = "#eeeeee"  # cells that are not in the field
MARGIN: Final = 1.25  # of an axis, for the numbers behind its longest bar
KINDS: Final = {
    "convolution": COLOURS[0],
    "fully connected": COLOURS[1],
    "pool or input": COLOURS[4],
}


def figures() -> Drawings:
    """Names and PNGs."""
    alexnet, vgg, field = (
        ac.report("alexnet"),
        ac.report("vgg19", bias=False),
        stack(),
    )
    title = "AlexNet: parameters by layer"
    said = f"{exact(alexnet.totals['parameters'])} weights and biases, with the paper's groups"
    yield "alexnet-layers", drawn(8, 3.3, title, said, lambda f: _alexnet(f, alexnet))
    title = "VGG19: activations and weights by layer"
    said = f"{exact(vgg.totals['activations'])} activations of one image, "
    said += f"{exact(vgg.totals['weights'])} weights, without biases"
    yield "vgg19-layers", drawn(9, 5.4, title, said, lambda f: _vgg19(f, vgg))
    _, *sizes = _sizes(field)
    title = f"What one output of three {sizes[0]}-wide filters sees"
    said = f"One axis, stride 1; one, two and three layers see {', '.join(map(str, sizes))} inputs"
    yield "field-stack", drawn(8.5, 3.6, title, said, lambda f: _cells(f, field))
    both = modules()
    title = "The two Inception modules"
    said = "Second line of a box: what leaves it, and its multiply-accumulates"
    yield "inception-modules", drawn(9, 6.4, title, said, lambda f: _diagrams(f, *both))
    title = "Multiply-accumulates by branch, and channels of the output"
    totals = " and ".join(exact(report.totals["macs"]) for report in both)
    said = f"input {both[0].input}; {totals} MACs in all"
    yield "inception-macs", drawn(8.5, 3.6, title, said, lambda f: _costs(f, *both))


def _kind(row: Row) -> str:
    """Which of the :data:`KINDS`."""
    if isinstance(row.layer, Convolution):
        return "convolution"
    return "fully connected" if isinstance(row.layer, Linear) else "pool or input"


def _bars(axes: Axes, rows: Sequence[Row], quantity: str) -> None:
    """A bar for every layer, in order from above, with its number and its part of the whole."""
    values = [integer(row.counts()[quantity]) for row in rows]
    whole = sum(values)
    kinds = [_kind(row) for row in rows]
    for kind in sorted(set(kinds)):
        places = [place for place, other in enumerate(kinds) if other == kind]
        axes.barh(places, [values[place] for place in places], color=KINDS[kind], label=kind)
    for place, value in enumerate(values):
        if value:
            said = f" {rounded(value, 3)}, {share(value, whole)} %"
            axes.text(value, place, said, va="center", fontsize=7.5)
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.set(xlim=(0, MARGIN * max(values)), xlabel=quantity)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(lambda value, _: rounded(int(value), 3))


def _alexnet(figure: Figure, report: Report) -> None:
    axes = figure.subplots()
    _bars(axes, learned(report), "parameters")
    axes.legend(loc="upper right")


def _vgg19(figure: Figure, report: Report) -> None:
    left, right = figure.subplots(1, 2, sharey=True)
    rows = [row for row in report.rows if not row.in_place]
    _bars(left, rows, "activations")
    _bars(right, rows, "weights")
    right.invert_yaxis()  # as the axis is shared, the second panel turned it back
    left.legend(loc="lower right")


# --------------------------------------------------------------------------------- receptive field


def _sizes(report: Report) -> list[int]:
    """How many inputs a unit of every layer sees, along one axis."""
    found = [row.seen.fields[0] for row in report.rows]
    return [integer(field.size) for field in found if field is not None]


def _cells(figure: Figure, report: Report) -> None:
    """Layers from the input below to one output above; cells that it sees are filled.

    Of the layer below it, an output reads as many cells as one layer sees of the input; of the one
    further down, as many as two layers see; so the widths, read backwards.
    """
    axes = figure.subplots()
    widths = _sizes(report)
    top, reach = len(widths) - 1, widths[-1] // 2 + 2
    for level, row in enumerate(report.rows):
        half = widths[top - level] // 2
        for place in range(-reach, reach + 1):
            colour = COLOURS[level] if abs(place) <= half else UNSEEN
            axes.plot(place, level, "s", markersize=15, color=colour, markeredgecolor="#888888")
        said = f"{2 * half + 1} of {row.name}" if level else f"{widths[-1]} inputs"
        axes.text(reach + 1, level, said, va="center")
        if level:  # from its outermost cells to the outermost that they read in the layer below
            for side in (-1, 1):
                ends = [side * half, side * (half + widths[1] // 2)]
                axes.plot(ends, [level - 0.23, level - 0.77], color="#555555", linewidth=1)
    axes.set_yticks(range(len(widths)), [row.name for row in report.rows])
    axes.set(xlim=(-reach - 1, reach + 4.5), ylim=(-0.6, top + 0.6), xticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(axis="y", length=0)


# ------------------------------------------------------------------------------- Inception modules


def _branches(report: Report) -> list[list[Row]]:
    """A module's layers by branch, from the input on."""
    found: list[list[Row]] = []
    sources = {node.name: node.inputs for node in report.network.nodes}
    for row in report.rows[1:]:
        if isinstance(row.layer, Concat):
            break
        if sources[row.name] == ("input",):
            found.append([])
        if not row.in_place:
            found[-1].append(row)
    return found


def _diagrams(figure: Figure, naive: Report, reduced: Report) -> None:
    """Both modules as boxes, the input below and the output above."""
    deep = [1.8 + max(map(len, _branches(report))) for report in (naive, reduced)]
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=deep)
    _diagram(upper, naive, "naive")
    _diagram(lower, reduced, "with dimension reduction")


def _diagram(axes: Axes, report: Report, title: str) -> None:
    axes.set_title(title)
    axes.axis("off")
    branches = _branches(report)
    top = 1 + max(map(len, branches))
    middle = (len(branches) - 1) / 2
    _box(axes, middle, 0, f"input {report.input}", "#dddddd", len(branches))
    for x, branch in enumerate(branches):
        heights = [top - len(branch) + place for place in range(len(branch))]
        for y, row in zip(heights, branch, strict=True):
            _box(axes, x, y, _said(row), _colour(row))
        for start, end in zip((0, *heights), (*heights, top), strict=True):
            arrow = {"arrowstyle": "->", "lw": 1}
            axes.annotate("", (x, end - 0.31), (x, start + 0.31), arrowprops=arrow)
    widths = " + ".join(str(branch[-1].output.channels) for branch in branches)
    said = f"output {report.rows[-1].output}: {widths} channels"
    _box(axes, middle, top, said, "#dddddd", len(branches))
    axes.set(xlim=(-0.55, len(branches) - 0.45), ylim=(-0.4, top + 0.4))


def _box(axes: Axes, x: float, y: float, said: str, colour: str, columns: int = 1) -> None:
    look: Any = {"color": colour, "edgecolor": "#555555", "linewidth": 0.8}
    axes.bar([x], [0.6], columns - 0.16, bottom=y - 0.3, **look)
    axes.text(x, y, said, ha="center", va="center", fontsize=9)


def _said(row: Row) -> str:
    """What a layer is, what leaves it, and what it costs."""
    macs = integer(row.cost.macs.value)
    cost = f"{rounded(macs, 3)} MACs" if macs else "no MACs"
    what, *_ = geometry(row).split(", ")
    return f"{what}\n{row.output}, {cost}"


def _narrows(row: Row) -> bool:
    """Whether it is one of the 1x1 convolutions that the reduced module has more."""
    return row.name.endswith(("_reduce", "_proj"))


def _colour(row: Row) -> str:
    """Light enough for black letters on it."""
    if not isinstance(row.layer, Convolution):
        return "#f5e3c0"
    return "#d8f0e6" if _narrows(row) else "#a9d3ee"


def _costs(figure: Figure, naive: Report, reduced: Report) -> None:
    left, right = figure.subplots(1, 2, width_ratios=(1.9, 1))
    _macs(left, naive, reduced)
    _widths(right, naive, reduced)


def _macs(axes: Axes, naive: Report, reduced: Report) -> None:
    """For every branch, the naive one's MACs beside the other's, with those that narrow it."""
    columns = ((naive, -0.2, COLOURS[1], "naive"), (reduced, 0.2, COLOURS[0], "reduced"))
    for report, aside, colour, label in columns:
        axes.bar([0], [0], color=colour, label=label)
        for x, branch in enumerate(_branches(report)):
            tops = [0, *accumulate(integer(row.cost.macs.value) for row in branch)]
            for row, (low, high) in zip(branch, pairwise(tops), strict=True):
                shade = COLOURS[2] if _narrows(row) else colour
                axes.bar(x + aside, high - low, 0.38, bottom=low, color=shade)
            said = rounded(tops[-1], 3)
            axes.text(x + aside, tops[-1], said, ha="center", va="bottom", fontsize=8)
    axes.bar([0], [0], color=COLOURS[2], label="added 1x1 filters")
    names = [branch[0].name.removeprefix("output/") for branch in _branches(naive)]
    axes.set_xticks(range(len(names)), names)
    axes.grid(axis="x", visible=False)
    axes.yaxis.set_major_formatter(lambda value, _: rounded(int(value), 3))
    axes.set_title("MACs of each branch")
    axes.legend(loc="upper left")


def _widths(axes: Axes, naive: Report, reduced: Report) -> None:
    """The output's channels, by the branch that they come from."""
    for x, report in enumerate((naive, reduced)):
        branches = _branches(report)
        tops = [0, *accumulate(integer(branch[-1].output.channels) for branch in branches)]
        for branch, shade, (low, high) in zip(branches, SHADES, pairwise(tops), strict=True):
            label = None if x else branch[0].name.removeprefix("output/")
            axes.bar(x, high - low, 0.6, bottom=low, color=shade, label=label)
            axes.text(x, (low + high) / 2, f"{high - low}", ha="center", va="center")
        axes.text(x, tops[-1], f"{tops[-1]}", ha="center", va="bottom", fontweight="bold")
    axes.axhline(integer(naive.input.channels), color="black", linestyle="--", linewidth=1)
    axes.margins(y=0.1)
    axes.set_xticks([0, 1], ["naive", "reduced"])
    axes.set_title("output channels (dashed: input)")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), reverse=True)
    axes.grid(axis="x", visible=False)
