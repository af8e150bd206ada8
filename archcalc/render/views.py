"""Reports as blocks: which rows and columns a person asked to see. Formats only draw them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from archcalc.count import Number, count, exact, total
from archcalc.layers import (
    AdaptivePool,
    Convolution,
    GlobalPool,
    Join,
    Linear,
    Pool,
    TransposedConvolution,
    Window,
)
from archcalc.layers.base import per_axis
from archcalc.receptive import stacking
from archcalc.report import WEIGHTED
from archcalc.render.table import Cell, Column, Table, number, text, working
from archcalc.units import in_bytes, ratio, rounded, share

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from archcalc.count import Count
    from archcalc.receptive import Seen
    from archcalc.report import Comparison, Report, Row
    from archcalc.render.table import Block

EMPTY: Final = Cell("")
AXES: Final = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}

# ------------------------------------------------------------------------------------- the summary


class Line(NamedTuple):
    """A line of the summary: a row with the in-place layers behind it, or a whole scope."""

    name: str
    layer: str
    output: str
    counts: dict[str, Number]
    seen: Seen
    scope: bool = False


def summary(report: Report, depth: int = 0) -> list[Block]:
    """The table of all layers, and what was published beside it.

    Args:
        report: what to show.
        depth: names of more parts than this are summed up in one line; 0 shows every layer.
    """
    lines = list(_lines(report, depth))
    blocks: list[Block] = [_summary(report, lines)]
    if comparisons := report.comparisons():
        blocks.append(published(report, comparisons))
    return blocks


def _lines(report: Report, depth: int) -> Iterable[Line]:
    """Layers that work in place join the line of the layer they follow, as in ``conv3-64 relu``."""
    sources = {node.name: node.inputs for node in report.network.nodes}
    lines: list[Line] = []
    end = ""  # the row in which the last line ends
    for row in report.rows:
        counts = row.counts()
        line = Line(row.name, row.word, str(row.output), counts, row.seen)
        scope = "/".join(row.name.split("/")[:depth]) if depth else ""
        last = lines[-1] if lines else line
        if last.scope and last.name == scope:
            summed = {name: last.counts[name] + value for name, value in counts.items()}
            lines[-1] = last._replace(counts=summed, output=line.output, seen=row.seen)
        elif scope and row.name != scope:
            lines.append(line._replace(name=scope, layer="...", scope=True))
        elif _follows(row, last, sources.get(row.name) == (end,)):
            lines[-1] = last._replace(layer=f"{last.layer} {row.word}")
        else:
            lines.append(line)
        end = row.name
    return lines


def _follows(row: Row, last: Line, fed_by_it: bool) -> bool:  # noqa: FBT001
    """Whether a row can share the line before it."""
    return row.in_place and fed_by_it and not last.scope and last.name != "input" and (
        str(row.output) == last.output
    )


def _summary(report: Report, lines: Sequence[Line]) -> Table:
    totals = report.totals
    numeric = all(isinstance(value, int) for value in totals.values())
    title = _title(report)
    notes = _summary_notes(report)
    if not numeric:
        return _letters(title, notes, lines, totals)
    wide = (
        *(Column("name"), Column("layer"), Column("output")),
        *(Column("parameters", right=True), Column("%", right=True)),
        *(Column("MACs", right=True), Column("%", right=True)),
        *(Column("activations", right=True), Column("memory", right=True), Column("%", right=True)),
        *(Column("field", right=True), Column("stride", right=True)),
    )
    narrow = (
        *(Column("layer"), Column("output"), Column("param.", right=True), Column("%", right=True)),
        *(Column("MACs", right=True), Column("%", right=True), Column("activ.", right=True)),
        *(Column("memory", right=True), Column("field", right=True)),
    )

    def memory(counts: dict[str, Number]) -> Number:
        return report.activation_memory(counts["activations"])

    def wide_row(line: Line) -> tuple[Cell, ...]:
        counts = line.counts
        return (
            *(text(line.name), text(line.layer if line.name != "input" else ""), text(line.output)),
            *(_nonzero(counts["parameters"]), _percent(counts, totals, "parameters")),
            *(_nonzero(counts["macs"]), _percent(counts, totals, "macs")),
            *(_nonzero(counts["activations"]), _bytes(memory(counts)), _percent(counts, totals, "activations")),
            *(text(_field(line.seen, "size")), text(_field(line.seen, "stride"))),
        )

    def narrow_row(line: Line) -> tuple[Cell, ...]:
        counts = line.counts
        word = "" if line.name == "input" else line.layer
        return (
            *(text(f"{line.name}: {word}" if word else line.name), text(line.output)),
            *(_nonzero(counts["parameters"], 3), _percent(counts, totals, "parameters")),
            *(_nonzero(counts["macs"], 3), _percent(counts, totals, "macs")),
            *(_nonzero(counts["activations"], 3), _bytes(memory(counts), 3)),
            text(_field(line.seen, "size")),
        )

    all_bytes = _bytes(memory(totals))
    wide_total = (
        *(text("total"), EMPTY, EMPTY, number(totals["parameters"]), EMPTY, number(totals["macs"])),
        *(EMPTY, number(totals["activations"]), all_bytes, EMPTY, EMPTY, EMPTY),
    )
    narrow_total = (
        *(text("total"), EMPTY, number(totals["parameters"], 3), EMPTY, number(totals["macs"], 3)),
        *(EMPTY, number(totals["activations"], 3), _bytes(memory(totals), 3), EMPTY),
    )
    return Table(
        title,
        wide,
        tuple(wide_row(line) for line in lines),
        (wide_total,),
        notes,
        Table(title, narrow, tuple(narrow_row(line) for line in lines), (narrow_total,), notes),
    )


def _nonzero(value: Number, digits: int = 0) -> Cell:
    return number(value, digits) if value != 0 else EMPTY


def _bytes(value: Number, digits: int = 4) -> Cell:
    if value == 0 or not isinstance(value, int):
        return EMPTY
    return Cell(in_bytes(value, digits), "", value)


def _percent(counts: dict[str, Number], totals: dict[str, Number], name: str) -> Cell:
    return text(share(counts[name], totals[name]) if counts[name] else "")


def _letters(
    title: str, notes: tuple[str, ...], lines: Sequence[Line], totals: dict[str, Number]
) -> Table:
    names = ("parameters", "macs", "activations")
    columns = (
        *(Column("name"), Column("layer"), Column("output")),
        *(Column("parameters"), Column("MACs"), Column("activations"), Column("field", right=True)),
    )
    rows = [
        (
            *(text(line.name), text(line.layer if line.name != "input" else ""), text(line.output)),
            *(_nonzero(line.counts[name]) for name in names),
            text(_field(line.seen, "size")),
        )
        for line in lines
    ]
    footer = (text("total"), EMPTY, EMPTY, *(number(totals[name]) for name in names), EMPTY)
    # Side by side, formulas do not fit into a narrow terminal; one below the other they do.
    below: list[tuple[Cell, ...]] = []
    for line in [*lines, Line("total", "", "", totals, lines[-1].seen)]:
        word = "" if line.name == "input" else line.layer
        below.append((text(line.name), text("output"), text(f"{line.output}  {word}".strip())))
        below += [
            (EMPTY, text(name), number(line.counts[name])) for name in names if line.counts[name] != 0
        ]
    below[-len([name for name in names if totals[name] != 0]) - 1] = (text("total"), EMPTY, EMPTY)
    narrow = Table(title, (Column("name"), Column(""), Column("")), tuple(below), (), notes)
    return Table(title, columns, tuple(rows), (footer,), notes, narrow)


def _title(report: Report) -> str:
    name = report.network.name or "network"
    return f"{name}, input {report.input}" + ("" if report.bias else ", without biases")


def _summary_notes(report: Report) -> tuple[str, ...]:
    totals = report.totals
    parameters = f"Parameters: {exact(totals['parameters'])}"
    if report.bias:
        parameters += f" = {exact(totals['weights'])} weights + {exact(totals['biases'])} biases"
    notes = [
        f"{parameters}; {in_bytes(report.memory(totals['parameters']))} at {report.dtype}.",
        f"MACs: {exact(totals['macs'])} for one example, {exact(totals['flops'])} FLOPs "
        "(two for every MAC).",
        f"Activations: {exact(totals['activations'])} units for one example, the input's among them; "
        f"{in_bytes(report.activation_memory(totals['activations']))} at {report.dtype} for a batch "
        f"of {report.batch:,}.",
    ]
    if report.batch > 1:
        macs = exact(totals["macs"] * report.batch)
        notes.append(f"One forward pass of the whole batch: {macs} MACs.")
    notes += _misaligned(report)
    if report.network.source is not None:
        notes.append(f"Source: {report.network.source}.")
    return (*notes, *report.network.notes)


# ------------------------------------------------------------------------------ what was published

_HEADINGS: Final = {"macs": "operations", "neurons": "neurons"}


def published(report: Report, comparisons: Sequence[Comparison]) -> Table:
    """The source's figures beside ours, row by row, with the likely reason of every difference."""
    quantities = list(dict.fromkeys(c.published.quantity for c in comparisons))
    places = list(dict.fromkeys((c.published.row, c.published.where) for c in comparisons))
    found = {(c.published.row, c.published.where, c.published.quantity): c for c in comparisons}
    columns = [Column("row")]
    for quantity in quantities:
        name = _HEADINGS.get(quantity, quantity)
        columns += [Column(f"published {name}", right=True), Column("ours", right=True), Column("")]
    rows = []
    reasons: dict[str, list[str]] = {}
    for row, where in places:
        cells = [text(f"{row} ({where})" if where else row)]
        for quantity in quantities:
            comparison = found.get((row, where, quantity))
            if comparison is None:
                cells += [EMPTY, EMPTY, EMPTY]
                continue
            figure, ours, reproduced = comparison
            cells += [text(figure), number(ours), text("=" if reproduced else "differs")]
            if not reproduced:
                reasons.setdefault(figure.reason or "no reason known", []).append(row)
        rows.append(tuple(cells))
    counts = []
    for quantity in quantities:
        same = [c.reproduced for c in comparisons if c.published.quantity == quantity]
        name = _HEADINGS.get(quantity, quantity)
        counts.append(f"{sum(same)} of {len(same)} {name}")
    notes = [
        f"Reproduced, to one unit of the last printed digit: {', '.join(counts)}.",
        *(f"{', '.join(dict.fromkeys(names))}: {reason}." for reason, names in reasons.items()),
    ]
    source = report.network.source
    title = f"Published beside ours: {source.authors}, {source.venue}" if source else "Published"
    return Table(title, tuple(columns), tuple(rows), (), tuple(notes))


# ------------------------------------------------------------------------- the assignment's Table 1


def table1(report: Report) -> list[Block]:
    """The assignment's Table 1: activations with two digits, parameters without biases, in full."""
    columns = (
        Column("Layer"),
        Column("Number of Activations (Memory)"),
        Column("Parameters (Compute)"),
    )
    rows = [
        (text(_label(row)), _activations(row.cost.activations), working(row.cost.weights))
        for row in report.rows
        if not row.in_place
    ]
    totals = report.totals
    footer = (text("TOTAL"), number(totals["activations"]), number(totals["weights"]))
    name = report.network.name.upper() or "Network"
    title = f"{name} memory and weights"
    return [Table(title, columns, tuple(rows), (footer,))]


def _label(row: Row) -> str:
    if row.layer is None:
        return "Input"
    label = "FC" if isinstance(row.layer, Linear) else row.word.split(" ")[0].upper()
    scope = row.name.rpartition("/")[0]
    return f"{scope}: {label}" if scope else label


def _activations(units: Count) -> Cell:
    if not units.explains():  # a vector: FC 4096
        return Cell(str(units.value), "", units.value)
    short = rounded(units.value, 2)
    return Cell(f"{units}={short}", f"${units.latex().rpartition(' = ')[0]} = {short}$", units.value)


# ---------------------------------------------------------------------------------- every working


def workings(report: Report) -> list[Block]:
    """For every layer: its filters, its output size, and each count with its working."""
    rows: list[tuple[Cell, ...]] = []
    for row in report.rows:
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
    return [Table(f"{_title(report)}: every working", columns, tuple(rows), tuple(sums))]


def _sum(report: Report, quantity: str) -> Cell:
    counts = (count(row.counts()[quantity]) for row in report.rows)
    return working(total(counts))


def _workings(row: Row) -> Iterable[tuple[str, Cell]]:
    if row.layer is not None:
        yield "layer", text(row.word)
    if geometry := _geometry(row):
        yield "filters" if "filters" in geometry else "window", text(geometry)
    yield from _sizes(row)
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


def _geometry(row: Row) -> str:
    """``96 filters of 11x11x3, stride 4, padding 0``."""
    layer = row.layer
    if not isinstance(layer, Convolution | TransposedConvolution | Pool):
        return ""
    shape = row.inputs[0]
    windows = layer.windows(shape)
    sizes = "x".join(map(str, per_axis(layer.kernel_size, len(windows), "kernel")))
    named = {
        name: "x".join(dict.fromkeys(str(getattr(window, name, 1)) for window in windows))
        for name in ("stride", "padding", "dilation")
    }
    moves = f"stride {named['stride']}, padding {named['padding']}"
    if named["dilation"] != "1":
        moves += f", dilation {named['dilation']}"
    if isinstance(layer, Pool):
        rounding = ", rounded up" if layer.ceil_mode else ""
        return f"{layer.reduction} over {sizes}, {moves}{rounding}"
    seen = shape.channels // layer.groups if layer.groups > 1 else shape.channels
    groups = f" in {layer.groups} groups" if layer.groups > 1 else ""
    return f"{layer.out_channels} filters{groups} of {sizes}x{seen}, {moves}"


def _sizes(row: Row) -> Iterable[tuple[str, Cell]]:
    """How each axis of the output comes out of the input's, once where all are alike."""
    if row.layer is None or not isinstance(
        row.layer, Convolution | TransposedConvolution | Pool | AdaptivePool | GlobalPool
    ):
        return
    shape = row.inputs[0]
    pairs = zip(row.layer.windows(shape), shape.sizes, strict=True)
    counts = [window.outputs(size) for window, size in pairs]
    if len(set(counts)) == 1 and len(counts) > 1:
        yield " and ".join(AXES[len(counts)]), working(counts[0])
        return
    for axis, size in zip(AXES[len(counts)], counts, strict=True):
        yield axis, working(size)


# --------------------------------------------------------------------------------- receptive fields


def receptive_fields(report: Report) -> list[Block]:
    """Size, stride, padding and centre of every layer that changes the receptive field."""
    columns = (
        *(Column("layer"), Column("window"), Column("size", right=True)),
        *(Column("stride", right=True), Column("padding", right=True), Column("centre", right=True)),
        Column("working of the size"),
    )
    sources = {node.name: node.inputs for node in report.network.nodes}
    seen = {row.name: row.seen for row in report.rows}
    rows = []
    for row in report.rows:
        before = [seen[name] for name in sources.get(row.name, ())]
        if before and all(field == row.seen for field in before):
            continue  # sees what its input sees
        fields = (text(_field(row.seen, what)) for what in ("size", "stride", "padding", "centre"))
        name, word = text(row.name), text(row.word if row.layer else "")
        rows.append((name, word, *fields, _grown(row, before)))
    title = f"{report.network.name or 'network'}: receptive field in pixels of the input, {report.input}"
    return [Table(title, columns, tuple(rows), (), tuple(_misaligned(report)))]


def _grown(row: Row, before: Sequence[Seen]) -> Cell:
    """``1 + (3 - 1)*1 = 3``, once where all axes are alike."""
    if isinstance(row.layer, Join):
        return text("misaligned" if row.seen.misaligned else "union of the branches")
    if row.layer is None or not before:
        return EMPTY
    counts = [
        field.grown(window)
        for field, window in zip(before[0].fields, row.layer.windows(row.inputs[0]), strict=False)
        if field is not None and isinstance(window, Window) and len(field.spans) == 1
    ]
    if len(set(counts)) == 1:
        return working(counts[0])
    return text(", ".join(found.equation() for found in counts))


def stacked(report: Report) -> list[Block]:
    """A stack of windows: its field layer by layer; where all are alike, why, for any N and F."""
    blocks = receptive_fields(report)
    last = report.rows[-1].seen
    size = _field(last, "size", whole=True)
    blocks.append(f"Receptive field of the stack: {size}.")
    windows = [
        row.layer.windows(row.inputs[0]) for row in report.rows if isinstance(row.layer, Convolution)
    ]
    alike = len(windows) == len(report.rows) - 1 and len(set(windows)) == 1
    if alike and all(w.stride == w.dilation == 1 for w in windows[0] if isinstance(w, Window)):
        kernels = {w.kernel for w in windows[0] if isinstance(w, Window)}
        blocks += _induction(len(windows), sorted(kernels, key=str))
    return blocks


def _induction(layers: int, kernels: Sequence[Number]) -> list[Block]:
    proof = stacking()
    closed = str(proof.closed)
    one = proof.closed.substitute({"N": 1})
    lines = [
        f"Claim: N stacked FxF convolutions of stride 1 see as much as one ({closed})x({closed}) "
        "convolution.",
        f"One layer (N = 1) sees {proof.start}; the claim says {one} = {one.value}. "
        f"A second and a third layer add {proof.growth} each, since the stride stays 1.",
        f"Suppose that N layers see {closed}. One layer more sees {proof.step} = {proof.step.value}; "
        f"the claim for N + 1 says {proof.claim}. They are the same, so the claim holds for every N.",
        f"One convolution with a kernel of {closed} sees 1 + ({closed}) - 1, which is the same.",
    ]
    for kernel in kernels:
        size = proof.closed.substitute({"N": layers, "F": kernel})
        lines.append(f"Here N = {layers} and F = {kernel}: {size.equation()}.")
    return list(lines)


def _misaligned(report: Report) -> Iterable[str]:
    for row in report.rows:
        if row.seen.misaligned:
            yield f"Misaligned at {row.name}: {row.seen.misaligned}."


def _field(seen: Seen, what: str, *, whole: bool = False) -> str:
    """One number where all axes agree (``268``), else one an axis; ``?`` where there is none."""
    found = [None if f is None else getattr(f, what) for f in seen.fields]
    texts = ["?" if value is None else _plain(value) for value in found]
    return texts[0] if len(set(texts)) == 1 and not whole else "x".join(texts)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


# --------------------------------------------------------------------------- the Inception modules

_BRANCHES: Final = (
    ("1x1", "1x1"),
    ("3x3_reduce", "3x3 reduce"),
    ("3x3", "3x3"),
    ("5x5_reduce", "5x5 reduce"),
    ("5x5", "5x5"),
    ("pool_proj", "pool projection"),
)


def inception(naive: Report, reduced: Report, *, explain: bool = False) -> list[Block]:
    """The two modules of the assignment's problem 5.4, branch by branch, and the saving."""
    blocks: list[Block] = [_module(naive, "Naive"), _module(reduced, "With dimension reduction")]
    rows = []
    for name, label in _BRANCHES:
        cells = [_macs_of(report, name) for report in (naive, reduced)]
        rows.append((text(label), *cells))
    totals = [report.totals for report in (naive, reduced)]
    columns = (Column("MACs"), Column("naive", right=True), Column("reduced", right=True))
    footer = [
        (text("total MACs"), *(number(t["macs"]) for t in totals)),
        (text("weights"), *(number(t["weights"]) for t in totals)),
        (text("output"), *(text(report.rows[-1].output) for report in (naive, reduced))),
    ]
    title = f"Naive beside reduced, input {naive.input}"
    blocks.append(Table(title, columns, tuple(rows), tuple(footer), (saving(naive, reduced),)))
    if explain:
        blocks += _explanation(naive, reduced)
    return blocks


def saving(naive: Report, reduced: Report) -> str:
    """What the reduction saves: absolutely, in percent, as a factor; as formulas where letters are."""
    before, after = naive.totals["macs"], reduced.totals["macs"]
    saved = before - after
    if not isinstance(before, int) or not isinstance(after, int):
        return f"Saving: {saved} MACs."
    verb = "Saving" if after <= before else "Loss"
    return (
        f"{verb}: {exact(before)} - {exact(after)} = {exact(saved)} MACs, "
        f"{ratio(100 * saved, before, 2)} % of the naive module's; {ratio(before, after, 3)} times fewer."
    )


def _module(report: Report, title: str) -> Table:
    columns = (
        *(Column("layer"), Column("word"), Column("output"), Column("weights"), Column("MACs")),
    )
    rows = []
    for row in report.rows:
        if row.in_place and row.word != "concat":
            continue
        name = row.name.removeprefix("output/")
        cost = row.cost
        rows.append(
            (
                *(text(name), text(row.word if row.layer else ""), text(row.output)),
                *(working(c) if c.value != 0 else EMPTY for c in (cost.weights, cost.macs)),
            )
        )
    sizes = " + ".join(str(shape.channels) for shape in report.rows[-1].inputs)
    footer = (
        *(text("total"), EMPTY, text(report.rows[-1].output)),
        *(number(report.totals[name]) for name in ("weights", "macs")),
    )
    note = f"Output channels: {sizes} = {report.rows[-1].output.channels}."
    return Table(f"{title}, input {report.input}", columns, tuple(rows), (footer,), (note,))


def _macs_of(report: Report, name: str) -> Cell:
    found = [row for row in report.rows if row.name == f"output/{name}"]
    return number(found[0].cost.macs.value) if found else EMPTY


def _explanation(naive: Report, reduced: Report) -> list[Block]:
    """Plain answers to 5.4 (a) and (d); every number in them is counted here and now."""
    macs = {row.name.removeprefix("output/"): row.cost.macs for row in naive.rows}
    less = {row.name.removeprefix("output/"): row.cost.macs for row in reduced.rows}
    channels = [report.rows[-1].output.channels for report in (naive, reduced)]

    def cheaper(name: str) -> str:
        cut = [less[f"{name}_reduce"], less[name]]
        return (
            f"the {name} branch takes {exact(macs[name].value)} MACs naively, and "
            f"{' + '.join(exact(c.value) for c in cut)} = {exact(total(cut).value)} reduced"
        )

    whole = naive.totals["macs"]
    five = macs["5x5"].value
    part = f", {share(five, whole)} % of the module," if share(five, whole) else ""
    return [
        "(a) The idea. Things in a picture come in many sizes, and no single filter size suits all. "
        "An Inception module lets 1x1, 3x3 and 5x5 convolutions and a pool look at the same input "
        "side by side, keeps height and width alike by padding, and stacks their channels, so that "
        "the next layer finds features of several scales at once and training decides which matter.",
        f"(d) The problem. The naive module convolves all {naive.input.channels} input channels with "
        f"large filters: the 5x5 branch alone takes {macs['5x5'].equation()} MACs{part} although it "
        "has the fewest filters. The pool adds no MACs, but hands all its input channels on, so "
        f"that {channels[0]} channels leave the module; stacked modules grow wider and wider, and the "
        "cost of the next one grows with its input channels.",
        "How the reduction helps. A 1x1 convolution first shrinks the channels, so that the large "
        f"filter has less to weigh: {cheaper('3x3')}; {cheaper('5x5')}. A 1x1 convolution behind the "
        f"pool keeps the output at {channels[1]} channels. Each comes with a ReLU and so adds a "
        "nonlinearity besides. " + saving(naive, reduced),
    ]


# ---------------------------------------------------------------------------------------- the zoo


def networks(reports: Iterable[Report]) -> list[Block]:
    """One line a network of the zoo."""
    columns = (
        *(Column("network"), Column("input"), Column("layers", right=True)),
        *(Column("parameters", right=True), Column("MACs", right=True), Column("source")),
    )
    rows = []
    for report in reports:
        source = report.network.source
        where = f"{source.authors}, {source.venue}, {source.where}" if source else ""
        totals = report.totals
        rows.append(
            (
                *(text(report.network.name), text(report.input), number(_layers(report))),
                *(number(totals["parameters"]), number(totals["macs"]), text(where)),
            )
        )
    note = "Layers: convolutions and linear layers. Aliases: vgg-a to vgg-e."
    return [Table("Networks that archcalc knows by name", columns, tuple(rows), (), (note,))]


def compared(reports: Sequence[Report]) -> list[Block]:
    """Networks side by side, a quantity a line."""
    columns = (
        Column(""),
        *(Column(report.network.name or f"network {i}", right=True) for i, report in enumerate(reports, 1)),
    )

    def line(label: str, cells: Iterable[Cell]) -> tuple[Cell, ...]:
        return (text(label), *cells)

    rows = [
        line("input", (text(report.input) for report in reports)),
        line("layers", (number(_layers(report)) for report in reports)),
    ]
    for name in ("parameters", "weights", "biases", "macs", "flops", "activations"):
        label = {"macs": "MACs", "flops": "FLOPs"}.get(name, name)
        rows.append(line(label, (number(report.totals[name]) for report in reports)))
    rows += [
        line("parameter memory", (_bytes(r.memory(r.totals["parameters"])) for r in reports)),
        line("activation memory", (_bytes(r.activation_memory(r.totals["activations"])) for r in reports)),
        line("receptive field", (text(_field(r.rows[-1].seen, "size")) for r in reports)),
    ]
    note = (
        "MACs, FLOPs and activations for one example; memory at "
        f"{reports[0].dtype} for a batch of {reports[0].batch:,}. Layers: convolutions and linear layers."
    )
    return [Table("Side by side", columns, tuple(rows), (), (note,))]


def flat(report: Report) -> list[Block]:
    """Every row and every column of the data, as bare values for a spreadsheet."""
    data = report.to_dict()
    names = [name for name in data["rows"][0] if name != "receptive_field"]
    fields = ("size", "stride", "padding", "centre")
    columns = tuple(Column(name) for name in (*names, *(f"receptive_field_{f}" for f in fields)))
    rows = []
    for row in data["rows"]:
        seen = row["receptive_field"]
        sizes = ("x".join("" if v is None else str(v) for v in seen[f]) for f in fields)
        rows.append(tuple(text("" if row[n] is None else row[n]) for n in names) + tuple(map(text, sizes)))
    totals = tuple(text("total" if n == "name" else data["totals"].get(n, "")) for n in names)
    blank = (EMPTY,) * len(fields)
    return [Table(_title(report), columns, tuple(rows), (totals + blank,))]


def _layers(report: Report) -> int:
    return sum(isinstance(row.layer, WEIGHTED) for row in report.rows)
