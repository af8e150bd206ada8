"""The summary: every layer with its costs, and what was published beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

from archcalc.count import Number, exact
from archcalc.render.table import EMPTY, Block, Cell, Column, Table, text
from archcalc.render.views.common import field_of, misaligned, nonzero, size_in_bytes, title
from archcalc.render.views.published import published
from archcalc.reports import QUANTITY, Report, Row
from archcalc.units import BYTES_OF, in_bytes, share

LONG: Final = 100  # characters of a total that a column has room for


class Line(NamedTuple):
    """A line of the summary: a row, and the in-place layers behind it."""

    name: str
    layer: str
    output: str
    counts: dict[str, Number]
    row: Row | None  # the first one in it; None of the totals


def _lines(report: Report) -> Iterable[Line]:
    """Layers that work in place join the line of the layer they follow, as in ``conv3-64 relu``."""
    lines: list[Line] = []
    end = ""  # the row in which the last line ends
    for row in report.rows:
        output = " ".join(map(str, row.outputs))
        if lines and _follows(row, lines[-1], end):
            lines[-1] = lines[-1]._replace(layer=f"{lines[-1].layer} {row.word}")
        else:
            word = row.word if row.inputs else ""
            lines.append(Line(row.name, word, output, row.counts(), row))
        end = row.name
    return lines


def _follows(row: Row, line: Line, end: str) -> bool:
    """Whether a row can share a line that ends in ``end``, and is a layer's."""
    return (
        row.in_place
        and row.step is not None
        and [value.name for value in row.step.inputs] == [end]
        and line.row is not None
        and line.row.step is not None
        and str(row.output) == line.output
    )


Spec: TypeAlias = list[tuple[Column, Callable[[Line], Cell]]]


def summary(report: Report, depth: int = 0) -> list[Block]:
    """The table of all layers, and what was published beside it.

    Args:
        report: what to show.
        depth: names of more parts than this are summed up in one line; 0 shows every layer.
    """
    lines = list(_lines(report.summed(depth)))
    table = _formulas(report, lines) if _symbolic(report) else _numbers(report, lines)
    comparisons = report.comparisons()
    return [table, published(report, comparisons)] if comparisons else [table]


def _symbolic(report: Report) -> bool:
    return not all(isinstance(value, int) for value in report.totals.values())


def _numbers(report: Report, lines: Sequence[Line]) -> Table:
    totals = report.totals

    def percent(name: str) -> tuple[Column, Callable[[Line], Cell]]:
        column = Column("%", right=True)
        return column, lambda line: _percent(line.counts[name], totals[name])

    def quantity(name: str, digits: int = 0) -> tuple[Column, Callable[[Line], Cell]]:
        heading = QUANTITY[name].short if digits else QUANTITY[name].heading
        return Column(heading, right=True), lambda line: nonzero(line.counts[name], digits)

    def memory(digits: int) -> tuple[Column, Callable[[Line], Cell]]:
        def cell(line: Line) -> Cell:
            return size_in_bytes(report.activation_memory(line.counts["activations"]), digits)

        return Column("memory", right=True), cell

    def seen(what: str, heading: str) -> tuple[Column, Callable[[Line], Cell]]:
        return Column(heading, right=True), lambda line: _field(line, what)

    wide: Spec = [
        (Column("name"), lambda line: text(line.name)),
        (Column("layer"), lambda line: text(line.layer)),
        (Column("output"), lambda line: text(line.output)),
        quantity("parameters"),
        percent("parameters"),
        quantity("macs"),
        percent("macs"),
        quantity("activations"),
        memory(4),
        percent("activations"),
        seen("size", "field"),
        seen("stride", "stride"),
    ]
    narrow: Spec = [
        (Column("layer"), _named),
        (Column("output"), lambda line: text(line.output)),
        quantity("parameters", 3),
        percent("parameters"),
        quantity("macs", 3),
        percent("macs"),
        quantity("activations", 3),
        memory(3),
        seen("size", "field"),
    ]
    notes = _notes(report)
    return _table(report, lines, wide, notes, _table(report, lines, narrow, notes))


def _formulas(report: Report, lines: Sequence[Line]) -> Table:
    def quantity(name: str) -> tuple[Column, Callable[[Line], Cell]]:
        return Column(QUANTITY[name].heading), lambda line: nonzero(line.counts[name])

    wide: Spec = [
        (Column("name"), lambda line: text(line.name)),
        (Column("layer"), lambda line: text(line.layer)),
        (Column("output"), lambda line: text(line.output)),
        *(quantity(name) for name in ("parameters", "macs", "activations")),
        (Column("field", right=True), lambda line: _field(line, "size")),
    ]
    return _table(report, lines, wide, (*_long_totals(report), *_notes(report)))


def _long_totals(report: Report) -> Iterable[str]:
    """Totals in letters that are too long for a column; they stand below the table."""
    for name in ("parameters", "macs", "activations"):
        if len(total := str(report.totals[name])) > LONG:
            yield f"Total {QUANTITY[name].heading}: {total}."


def _table(
    report: Report,
    lines: Sequence[Line],
    spec: Spec,
    notes: tuple[str, ...],
    narrow: Table | None = None,
) -> Table:
    def row(line: Line) -> tuple[Cell, ...]:
        return tuple(cell(line) for _, cell in spec)

    columns = tuple(column for column, _ in spec)
    rows = tuple(row(line) for line in lines)
    return Table(title(report), columns, rows, (row(_total(report)),), notes, narrow)


def _total(report: Report) -> Line:
    counts = {
        name: value if len(str(value)) <= LONG else 0 for name, value in report.totals.items()
    }
    return Line("total", "", "", counts, None)


def _field(line: Line, what: str) -> Cell:
    return text(field_of(line.row, what)) if line.row is not None else EMPTY


def _named(line: Line) -> Cell:
    return text(f"{line.name}: {line.layer}" if line.layer else line.name)


def _percent(part: Number, whole: Number) -> Cell:
    if part == 0:
        return EMPTY
    return text("100" if part == whole else share(part, whole))


def _notes(report: Report) -> tuple[str, ...]:
    if _symbolic(report):
        size = BYTES_OF[report.dtype]
        counts = f"Exact for one example; two FLOPs a MAC; {size} bytes a value at {report.dtype}."
        return (counts, *misaligned(report), *_origin(report))
    totals = report.totals
    parameters = f"Parameters: {exact(totals['parameters'])}"
    if report.bias:
        parameters += f" = {exact(totals['weights'])} weights + {exact(totals['biases'])} biases"
    notes = [
        f"{parameters}; {in_bytes(report.memory(totals['parameters']))} at {report.dtype}.",
        f"MACs: {exact(totals['macs'])} for one example, {exact(totals['flops'])} FLOPs "
        "(two for every MAC).",
        f"Activations: {exact(totals['activations'])} units for one example, the input's among "
        f"them; {in_bytes(report.activation_memory(totals['activations']))} at {report.dtype} "
        f"for a batch of {report.batch:,}.",
    ]
    if report.batch > 1:
        macs = exact(totals["macs"] * report.batch)
        notes.append(f"One forward pass of the whole batch: {macs} MACs.")
    return (*notes, *misaligned(report), *_origin(report))


def _origin(report: Report) -> tuple[str, ...]:
    source = report.network.source
    return (*((f"Source: {source}.",) if source else ()), *report.network.notes)
