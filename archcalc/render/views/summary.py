"""The summary: every layer with its costs, and what was published beside it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

from archcalc.count import Number, exact
from archcalc.render.table import EMPTY, Block, Cell, Column, Table, left, number, right, text
from archcalc.render.views.common import field_of, misaligned, nonzero, size_in_bytes, title
from archcalc.reports import QUANTITY, Comparison, Report
from archcalc.units import BYTES_OF, in_bytes, share

COUNTED: Final = ("parameters", "macs", "activations")
LONG: Final = 100  # characters of a total that a column has room for


Filled: TypeAlias = tuple[Column, Iterable[Cell]]  # a column and its cells


class Line(NamedTuple):
    """A line of the summary: a row, and the in-place layers behind it."""

    name: str
    layer: str
    output: str
    counts: dict[str, Number]
    field: str = ""
    stride: str = ""


def summary(report: Report, depth: int = 0) -> list[Block]:
    """The table of all layers, and what was published beside it.

    Names of more parts than ``depth`` are summed up in one line; 0 shows every layer.
    """
    lines = _lines(report.summed(depth))
    notes = tuple(_notes(report))
    narrow = None if _symbolic(report) else _table(report, lines, notes, digits=3)
    table = _table(report, lines, notes, narrow)
    comparisons = report.comparisons()
    return [table, _published(report, comparisons)] if comparisons else [table]


def _symbolic(report: Report) -> bool:
    return not all(isinstance(value, int) for value in report.totals.values())


def _lines(report: Report) -> Sequence[Line]:
    """Layers that work in place join the line of the layer they follow, as in ``conv3-64 relu``."""
    lines: list[Line] = []
    begun = ended = None  # the rows in which the last line begins and ends
    for row in report.rows:
        output = " ".join(map(str, row.outputs))
        follows = (
            row.step is not None
            and row.in_place
            and ended is not None
            and [value.name for value in row.step.inputs] == [ended.name]
            and output == lines[-1].output
        )
        if follows and begun is not None and begun.step is not None:
            lines[-1] = lines[-1]._replace(layer=f"{lines[-1].layer} {row.word}")
        else:
            begun, word = row, row.word if row.inputs else ""
            seen = (field_of(row, way) for way in ("size", "stride"))
            lines.append(Line(row.name, word, output, row.counts(), *seen))
        ended = row
    return lines


def _table(
    report: Report,
    lines: Sequence[Line],
    notes: tuple[str, ...],
    narrow: Table | None = None,
    digits: int = 0,
) -> Table:
    """With exact numbers or, for a narrow terminal, with so many digits of them."""
    totals, symbolic = report.totals, _symbolic(report)
    short = {name: value if len(str(value)) <= LONG else 0 for name, value in totals.items()}
    lines = (*lines, Line("total", "", "", short))

    def words(heading: str, of: Callable[[Line], str], *, right: bool = False) -> Filled:
        return Column(heading, right), (text(of(line)) for line in lines)

    def quantity(name: str) -> tuple[Filled, Filled]:
        """A quantity, and its part of the total."""
        heading = QUANTITY[name].short if digits else QUANTITY[name].heading
        amounts = [line.counts[name] for line in lines]
        return (
            (Column(heading, not symbolic), (nonzero(amount, digits) for amount in amounts)),
            (Column("%", right=True), (_percent(amount, totals[name]) for amount in amounts)),
        )

    output = words("output", lambda line: line.output)
    parameters, macs, (activations, percent) = map(quantity, COUNTED)
    sizes = [report.activation_memory(line.counts["activations"]) for line in lines]
    memory = (Column("memory", right=True), (size_in_bytes(size, digits or 4) for size in sizes))
    field = words("field", lambda line: line.field, right=True)
    if digits:
        layer = words("layer", lambda line: ": ".join(filter(None, (line.name, line.layer))))
        columns = [layer, output, *parameters, *macs, activations, memory, field]
    else:
        names = [words("name", lambda line: line.name), words("layer", lambda line: line.layer)]
        stride = words("stride", lambda line: line.stride, right=True)
        costs = [*parameters, *macs, activations, memory, percent, field, stride]
        if symbolic:
            costs = [parameters[0], macs[0], activations, field]
        columns = [*names, output, *costs]
    *rows, footer = zip(*(cells for _, cells in columns), strict=True)
    headings = tuple(column for column, _ in columns)
    return Table(title(report), headings, tuple(rows), (footer,), notes, narrow)


def _percent(part: Number, whole: Number) -> Cell:
    if part == 0:
        return EMPTY
    return text("100" if part == whole else share(part, whole))


def _notes(report: Report) -> Iterable[str]:
    totals, dtype, source = report.totals, report.dtype, report.network.source
    if _symbolic(report):
        for name in COUNTED:
            if len(total := str(totals[name])) > LONG:  # for its column
                yield f"Total {QUANTITY[name].heading}: {total}."
        size = BYTES_OF[dtype]
        yield f"Exact for one example; two FLOPs a MAC; {size} bytes a value at {dtype}."
    else:
        shown = {name: exact(value) for name, value in totals.items()}
        parts = f" = {shown['weights']} weights + {shown['biases']} biases" if report.bias else ""
        held = in_bytes(report.memory(totals["parameters"]))
        yield f"Parameters: {shown['parameters']}{parts}; {held} at {dtype}."
        yield f"MACs: {shown['macs']} for one example, {shown['flops']} FLOPs (two for every MAC)."
        held = in_bytes(report.activation_memory(totals["activations"]))
        yield (
            f"Activations: {shown['activations']} units for one example, the input's among them; "
            f"{held} at {dtype} for a batch of {report.batch:,}."
        )
        if report.batch > 1:
            macs = exact(totals["macs"] * report.batch)
            yield f"One forward pass of the whole batch: {macs} MACs."
    yield from misaligned(report)
    if source:
        yield f"Source: {source}."
    yield from report.network.notes


def _published(report: Report, comparisons: Sequence[Comparison]) -> Table:
    """The source's figures beside ours, row by row, with the likely reason of every difference."""
    places: dict[tuple[str, str], dict[str, Comparison]] = {}
    for comparison in comparisons:
        figure = comparison.published
        places.setdefault((figure.row, figure.where), {})[figure.quantity] = comparison
    quantities = dict.fromkeys(comparison.published.quantity for comparison in comparisons)
    names = {quantity: QUANTITY[quantity].published or quantity for quantity in quantities}
    columns = [*left("row")]
    for name in names.values():
        columns += (*right(f"published {name}", "ours"), *left(""))
    rows = []
    reasons: dict[str, list[str]] = {}
    for (row, where), by_quantity in places.items():
        cells = [text(f"{row} ({where})" if where else row)]
        for quantity in quantities:
            if quantity not in by_quantity:
                cells += [EMPTY, EMPTY, EMPTY]
                continue
            figure, ours, reproduced = by_quantity[quantity]
            cells += [text(figure), number(ours), text("=" if reproduced else "differs")]
            if not reproduced:
                reasons.setdefault(figure.reason or "no reason known", []).append(row)
        rows.append(tuple(cells))
    counts = []
    for quantity, name in names.items():
        same = [c.reproduced for c in comparisons if c.published.quantity == quantity]
        counts.append(f"{sum(same)} of {len(same)} {name}")
    notes = (
        f"Reproduced, to one unit of the last printed digit: {', '.join(counts)}.",
        *(f"{', '.join(dict.fromkeys(names))}: {reason}." for reason, names in reasons.items()),
    )
    source = report.network.source
    title = f"Published beside ours: {source.authors}, {source.venue}" if source else "Published"
    return Table(title, tuple(columns), tuple(rows), (), notes)
