"""Every layer's explicit calculation (problem 5.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archcalc.count import count, evenly, total
from archcalc.layers.base import per_axis
from archcalc.layers.convolution import Filters
from archcalc.layers.pooling import Pool
from archcalc.render.table import EMPTY, Block, Cell, Column, Table, number, text, working
from archcalc.render.views.common import title
from archcalc.reports import Report, Row
from archcalc.shape import AXES, by_axis


def workings(report: Report) -> list[Block]:
    """For every layer: its filters, its output size, and each count with its working."""
    rows: list[tuple[Cell, ...]] = []
    for row in report.rows:
        if row.in_place and row.inputs == (row.output,):
            continue
        head = text(row.name)
        for what, cell in _workings(row):
            rows.append((head, text(what), cell))
            head = EMPTY
    columns = (Column("layer"), Column("what"), Column("working"))
    sums = [
        (text("total"), text("parameters"), _sum(report, "parameters")),
        (EMPTY, text("MACs"), _sum(report, "macs")),
        (EMPTY, text("activations"), _sum(report, "activations")),
    ]
    note = "Activation functions and dropout have no parameters and work in place."
    return [Table(f"{title(report)}: every working", columns, tuple(rows), tuple(sums), (note,))]


def _sum(report: Report, quantity: str) -> Cell:
    if not isinstance(report.totals[quantity], int):
        return number(report.totals[quantity])  # the sum of formulas is long enough
    return working(total(count(row.counts()[quantity]) for row in report.rows))


def _workings(row: Row) -> Iterable[tuple[str, Cell]]:
    if row.layer is not None:
        yield "layer", text(row.word)
    if window := geometry(row):
        yield "filters" if "filters" in window else "window", text(window)
    yield from output_sizes(row)
    cost = row.cost
    yield "output", text(row.output)
    if cost.parameters.value != 0:
        yield "weights", working(cost.weights)
        if cost.biases.value != 0:
            yield "biases", working(cost.biases)
            yield "parameters", working(cost.parameters)
    if cost.macs.value != 0:
        yield "MACs", working(cost.macs)
    if cost.activations.value != 0:
        yield "activations", working(cost.activations)


def geometry(row: Row) -> str:
    """``96 filters of 11x11x3, stride 4, padding 0``."""
    layer = row.layer
    if not isinstance(layer, Filters | Pool):
        return ""
    shape = row.inputs[0]
    windows = layer.windows(shape)
    sizes = "x".join(map(str, per_axis(layer.kernel_size, len(windows), "kernel")))
    named = {
        name: _once([getattr(window, name, 1) for window in windows])
        for name in ("stride", "padding", "dilation")
    }
    moves = f"stride {named['stride']}, padding {named['padding']}"
    if named["dilation"] != "1":
        moves += f", dilation {named['dilation']}"
    if isinstance(layer, Pool):
        rounding = ", rounded up" if layer.ceil_mode else ""
        return f"{layer.reduction} over {sizes}, {moves}{rounding}"
    seen = by_axis([evenly(shape.channels, layer.groups)])
    groups = f" (in {layer.groups} groups)" if layer.groups > 1 else ""
    return f"{layer.out_channels} filters of {sizes}x{seen}{groups}, {moves}"


def _once(numbers: Sequence[int]) -> str:
    """One number where all axes have it, else one an axis."""
    return str(numbers[0]) if len(set(numbers)) == 1 else by_axis(numbers)


def output_sizes(row: Row) -> Iterable[tuple[str, Cell]]:
    """How each axis of the output comes out of the input's, once where all are alike."""
    if row.layer is None or not row.output.sizes:
        return
    shape = row.inputs[0]
    counts = [
        window.outputs(size)
        for window, size in zip(row.layer.windows(*row.inputs), shape.sizes, strict=False)
    ]
    if not counts:
        return
    if len(set(counts)) == 1 and len(counts) > 1:
        yield " and ".join(AXES[len(counts)]), working(counts[0])
        return
    for axis, size in zip(AXES[len(counts)], counts, strict=True):
        yield axis, working(size)
