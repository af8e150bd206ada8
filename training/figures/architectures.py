"""Figures of the answers to lab 3, problem 5."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final, Literal

import archcalc as ac
from archcalc.count import exact, integer
from archcalc.layers import Concat, Convolution, Linear
from archcalc.render.style import COLOURS, drawn
from archcalc.render.views.working import geometry
from archcalc.units import rounded, share
from training.answers.architectures import learned, modules, stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from archcalc.report import Report, Row

SHADES: Final = ("#999999", "#CC79A7", "#56B4E9", "#E69F00")  # of branches, none of them a module's
UNSEEN: Final = "#eeeeee"  # cells that are not in the field
MARGIN: Final = 1.25  # of an axis, for the numbers behind its longest bar
KINDS: Final = (
    ("convolution", COLOURS[0]),
    ("fully connected", COLOURS[1]),
    ("pool or input", COLOURS[4]),
)


def figures() -> Iterator[tuple[str, bytes]]:
    """Names and PNGs."""
    alexnet, vgg = ac.load("alexnet").report(), ac.load("vgg19").report(bias=False)
    yield (
        "alexnet-layers",
        drawn(
            8,
            3.3,
            "AlexNet: parameters by layer",
            f"{exact(alexnet.totals['parameters'])} weights and biases, with the paper's groups",
            lambda figure: _alexnet(figure, alexnet),
        ),
    )
    yield (
        "vgg19-layers",
        drawn(
            9,
            5.4,
            "VGG19: activations and weights by layer",
            f"{exact(vgg.totals['activations'])} activations of one image, "
            f"{exact(vgg.totals['weights'])} weights, without biases",
            lambda figure: _vgg19(figure, vgg),
        ),
    )
    yield from _stack()
    yield from _inception()


def _kind(row: Row) -> int:
    """Which of the :data:`KINDS`."""
    return 0 if isinstance(row.layer, Convolution) else 1 if isinstance(row.layer, Linear) else 2


def _bars(axes: Axes, rows: Sequence[Row], quantity: str) -> None:
    """A bar for every layer, in order from above, with its number and its part of the whole."""
    values = [integer(row.counts()[quantity]) for row in rows]
    whole = sum(values)
    axes.barh(range(len(rows)), values, color=[KINDS[_kind(row)][1] for row in rows])
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


def _kinds(axes: Axes, rows: Sequence[Row], where: Literal["upper right", "lower right"]) -> None:
    """A legend of the kinds of layers that occur."""
    for kind in sorted({_kind(row) for row in rows}):
        axes.barh([0], [0], color=KINDS[kind][1], label=KINDS[kind][0])
    axes.legend(loc=where)


def _alexnet(figure: Figure, report: Report) -> None:
    axes = figure.subplots()
    _bars(axes, learned(report), "parameters")
    _kinds(axes, learned(report), "upper right")


def _vgg19(figure: Figure, report: Report) -> None:
    left, right = figure.subplots(1, 2, sharey=True)
    rows = [row for row in report.rows if not row.in_place]
    _bars(left, rows, "activations")
    _bars(right, rows, "weights")
    right.invert_yaxis()  # as the axis is shared, the second panel turned it back
    _kinds(left, rows, "lower right")


# --------------------------------------------------------------------------------- receptive field


def _stack() -> Iterator[tuple[str, bytes]]:
    report = stack()
    widths = _sizes(report)
    sees = ", ".join(map(str, widths[1:]))
    yield (
        "field-stack",
        drawn(
            8.5,
            3.6,
            f"What one output of three {widths[1]}-wide filters sees",
            f"One axis, stride 1; one, two and three layers see {sees} inputs",
            lambda figure: _cells(figure, report, widths),
        ),
    )


def _sizes(report: Report) -> list[int]:
    """How many inputs a unit of every layer sees, along one axis."""
    found = [row.seen.fields[0] for row in report.rows]
    return [integer(field.size) for field in found if field is not None]


def _cells(figure: Figure, report: Report, widths: Sequence[int]) -> None:
    """Layers from the input below to one output above; cells that it sees are filled.

    Of the layer below it, an output reads as many cells as one layer sees of the input; of the one
    further down, as many as two layers see; so the widths, read backwards.
    """
    axes = figure.subplots()
    top, most = len(widths) - 1, widths[-1]
    reach = most // 2 + 2
    for level, row in enumerate(report.rows):
        half = widths[top - level] // 2
        for place in range(-reach, reach + 1):
            seen = abs(place) <= half
            axes.plot(
                place,
                level,
                "s",
                markersize=15,
                color=COLOURS[level] if seen else UNSEEN,
                markeredgecolor="#888888",
            )
        said = f"{2 * half + 1} of {row.name}" if level else f"{most} inputs"
        axes.text(reach + 1, level, said, va="center")
        if level:
            _cone(axes, level, half, widths[1] // 2)
    axes.set_yticks(range(len(widths)), [row.name for row in report.rows])
    axes.set(xlim=(-reach - 1, reach + 4.5), ylim=(-0.6, top + 0.6), xticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _cone(axes: Axes, level: int, half: int, filter_half: int) -> None:
    """From the outermost cells of a layer to the outermost that they read in the one below."""
    for side in (-1, 1):
        ends = [side * half, side * (half + filter_half)]
        axes.plot(ends, [level - 0.23, level - 0.77], color="#555555", linewidth=1)


# ------------------------------------------------------------------------------- Inception modules


def _inception() -> Iterator[tuple[str, bytes]]:
    naive, reduced = modules()
    size = f"input {naive.input}"
    yield (
        "inception-modules",
        drawn(
            9,
            6.4,
            "The two Inception modules",
            "Second line of a box: what leaves it, and its multiply-accumulates",
            lambda figure: _diagrams(figure, naive, reduced),
        ),
    )
    totals = " and ".join(exact(report.totals["macs"]) for report in (naive, reduced))
    yield (
        "inception-macs",
        drawn(
            8.5,
            3.6,
            "Multiply-accumulates by branch, and channels of the output",
            f"{size}; {totals} MACs in all",
            lambda figure: _costs(figure, naive, reduced),
        ),
    )


def _branches(report: Report) -> list[list[Row]]:
    """A module's layers by branch, from the input on."""
    found: list[list[Row]] = [[]]
    sources = {node.name: node.inputs for node in report.network.nodes}
    for row in report.rows[1:]:
        if isinstance(row.layer, Concat):
            break
        if row.in_place:
            continue
        if sources[row.name] == ("input",) and found[-1]:
            found.append([])
        found[-1].append(row)
    return found


def _diagrams(figure: Figure, naive: Report, reduced: Report) -> None:
    """Both modules as boxes, the input below and the output above."""
    both, titles = (naive, reduced), ("naive", "with dimension reduction")
    deep = [1.8 + max(map(len, _branches(report))) for report in both]
    panels = figure.subplots(2, 1, sharex=True, height_ratios=deep)
    for axes, report, title in zip(panels, both, titles, strict=True):
        _diagram(axes, report)
        axes.set_title(title)
        axes.axis("off")


def _diagram(axes: Axes, report: Report) -> None:
    branches = _branches(report)
    top = 1 + max(map(len, branches))
    middle = (len(branches) - 1) / 2
    _box(axes, (middle, 0), f"input {report.input}", "#dddddd", wide=len(branches))
    for x, branch in enumerate(branches):
        heights = [top - len(branch) + place for place in range(len(branch))]
        for y, row in zip(heights, branch, strict=True):
            _box(axes, (x, y), _said(row), _colour(row))
        for start, end in zip((0, *heights), (*heights, top), strict=True):
            axes.annotate(
                "", (x, end - 0.31), (x, start + 0.31), arrowprops={"arrowstyle": "->", "lw": 1}
            )
    output = report.rows[-1].output
    widths = " + ".join(str(branch[-1].output.channels) for branch in branches)
    _box(axes, (middle, top), f"output {output}: {widths} channels", "#dddddd", wide=len(branches))
    axes.set(xlim=(-0.55, len(branches) - 0.45), ylim=(-0.4, top + 0.4))


def _box(
    axes: Axes, where: tuple[float, float], said: str, colour: str, *, wide: float = 1
) -> None:
    x, y = where
    width = wide - 0.16
    axes.bar([x], [0.6], width, bottom=y - 0.3, color=colour, edgecolor="#555555", linewidth=0.8)
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
    names = [_short(branch[0]) for branch in _branches(naive)]
    axes.set_xticks(range(len(names)), names)
    axes.grid(axis="x", visible=False)
    axes.yaxis.set_major_formatter(lambda value, _: rounded(int(value), 3))
    axes.set_title("MACs of each branch")
    axes.legend(loc="upper left")


def _short(row: Row) -> str:
    return row.name.removeprefix("output/")


def _widths(axes: Axes, naive: Report, reduced: Report) -> None:
    """The output's channels, by the branch that they come from."""
    for x, report in enumerate((naive, reduced)):
        branches = _branches(report)
        tops = [0, *accumulate(integer(branch[-1].output.channels) for branch in branches)]
        for branch, shade, (low, high) in zip(branches, SHADES, pairwise(tops), strict=True):
            label = None if x else _short(branch[0])
            axes.bar(x, high - low, 0.6, bottom=low, color=shade, label=label)
            axes.text(x, (low + high) / 2, f"{high - low}", ha="center", va="center")
        axes.text(x, tops[-1], f"{tops[-1]}", ha="center", va="bottom", fontweight="bold")
    axes.axhline(integer(naive.input.channels), color="black", linestyle="--", linewidth=1)
    axes.margins(y=0.1)
    axes.set_xticks([0, 1], ["naive", "reduced"])
    axes.set_title("output channels (dashed: input)")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), reverse=True)
    axes.grid(axis="x", visible=False)
