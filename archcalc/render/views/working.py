"""Every layer's explicit calculation (problem 5.1)."""

from collections.abc import Iterable

from archcalc.count import count, evenly, total
from archcalc.layers.base import per_axis
from archcalc.layers.convolution import Filters
from archcalc.layers.pooling import Pool
from archcalc.render.table import EMPTY, Block, Cell, Table, left, number, text, texts, working
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
    sums = (
        (*texts("total", "parameters"), _sum(report, "parameters")),
        (*texts("", "MACs"), _sum(report, "macs")),
        (*texts("", "activations"), _sum(report, "activations")),
    )
    note = "Activation functions and dropout have no parameters and work in place."
    columns = left("layer", "what", "working")
    return [Table(f"{title(report)}: every working", columns, tuple(rows), sums, (note,))]


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

    def once(name: str) -> str:
        """One number where all axes have it, else one an axis."""
        numbers = [getattr(window, name, 1) for window in windows]
        return str(numbers[0]) if len(set(numbers)) == 1 else by_axis(numbers)

    moves = f"stride {once('stride')}, padding {once('padding')}"
    if once("dilation") != "1":
        moves += f", dilation {once('dilation')}"
    if isinstance(layer, Pool):
        rounding = ", rounded up" if layer.ceil_mode else ""
        return f"{layer.reduction} over {sizes}, {moves}{rounding}"
    seen = by_axis([evenly(shape.channels, layer.groups)])
    groups = f" (in {layer.groups} groups)" if layer.groups > 1 else ""
    return f"{layer.out_channels} filters of {sizes}x{seen}{groups}, {moves}"


def output_sizes(row: Row) -> Iterable[tuple[str, Cell]]:
    """How each axis of the output comes out of the input's, once where all are alike."""
    if row.layer is None or not row.output.sizes:
        return
    axes = zip(row.layer.windows(*row.inputs), row.inputs[0].sizes, strict=False)
    counts = [window.outputs(size) for window, size in axes]
    names = AXES.get(len(counts), ())
    if len(set(counts)) == 1:
        yield " and ".join(names), working(counts[0])
    else:
        yield from zip(names, map(working, counts), strict=True)
