"""Answers to lab 3, problem 5: what archcalc computes for them, while a page is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

import archcalc as ac
from archcalc.count import (
    Count,
    Number,
    count,
    exact,
    integer,
    latex,
    letter,
    product,
    substitute,
    total,
)
from archcalc.layers.convolution import Convolution
from archcalc.layers.joins import Concat
from archcalc.layers.linear import Linear
from archcalc.layers.pooling import Pool
from archcalc.layers.window import Window
from archcalc.notation import parse
from archcalc.receptive import PIXEL, stacking
from archcalc.render import views
from archcalc.render.table import EMPTY, Block, Cell, Column, Formula, Table, number, text, working
from archcalc.render.views.common import field
from archcalc.render.views.inception import HELP, PROBLEM, explained
from archcalc.render.views.working import geometry, output_sizes
from archcalc.reports import Report, Row
from archcalc.units import in_bytes, ratio, share
from archcalc.zoo import inception
from training.experiments.words import Named, under

# What prints a block's numbers, or those that a figure draws.
COMMANDS: Final = {
    name: command
    for command, names in {
        "archcalc alexnet --working": "alexnet-sizes alexnet",
        "archcalc alexnet": "alexnet-where alexnet-published alexnet-layers",
        "archcalc compare alexnet alexnet-ungrouped alexnet-torchvision": "alexnet-groups",
        "archcalc vgg19 --table": "vgg19",
        "archcalc vgg19 --no-bias": "vgg19-totals vgg19-stages vgg19-where vgg19-layers",
        "archcalc vgg19": "vgg19-published",
        "archcalc receptive-field 5x5 5x5 5x5": "field-claim field-start field-step "
        "field-next field-single field field-stack",
        'archcalc compare "HxWxC conv5-C x3" "HxWxC conv13-C"': "field-parameters",
        "archcalc receptive-field inception-naive": "idea",
        "archcalc inception": "sizes sizes-conclusion inception-modules operations saving "
        "inception-macs",
        "archcalc compare inception-naive inception-reduced": "operations-totals",
        "archcalc inception --explain": "problem conclusion",
        "archcalc inception --input 32x32xC": "next",
    }.items()
    for name in names.split()
}
MODULES: Final = 3  # Inception modules one behind another, to see how wide they grow


def blocks() -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    yield from _alexnet()
    yield from _vgg19()
    yield from _field()
    yield from _inception()


def part(amount: Number, whole: Number) -> str:
    """``61.9 %``."""
    return f"{share(amount, whole)} %"


def _columns(*headings: str) -> tuple[Column, ...]:
    """Columns; those whose heading begins with ``>`` stand to the right."""
    return tuple(Column(one.removeprefix(">"), one.startswith(">")) for one in headings)


# ---------------------------------------------------------------------------------- 5.1, AlexNet


def _alexnet() -> Iterator[Named]:
    report = ac.report("alexnet")
    # What the first layer would make of the size that the paper prints.
    ((_, printed),) = output_sizes(ac.report("alexnet", "224x224x3").rows[1])
    notes = (*report.network.notes, f"From 224 it would be {printed.text}.")
    title = f"AlexNet's filters and the sizes of its layers, input {report.input}"
    yield "alexnet-sizes", _filters(report, title, notes)
    yield "alexnet", _parameters(report)
    yield "alexnet-published", views.summary(report)[-1]
    yield "alexnet-where", _where_parameters(report)
    yield "alexnet-groups", _groups(report, ac.report("alexnet-ungrouped"))
    theirs = ac.report("alexnet-torchvision").totals["parameters"]
    yield (
        "alexnet-groups",
        "The alexnet of torchvision is another network, of a later paper and on one GPU; it has "
        f"{exact(theirs)} parameters.",
    )


def _filters(report: Report, title: str, notes: tuple[str, ...]) -> Table:
    """A layer a row: its filters, and how the size of its output comes about."""
    columns = _columns("layer", "filters", "height and width", "output")
    rows = []
    for row in report.rows:
        if row.in_place and not isinstance(row.layer, Concat):
            continue
        found = next((cell for _, cell in output_sizes(row)), EMPTY)
        rows.append((text(_short(row)), text(_slides(row)), found, text(row.output)))
    return Table(title, columns, tuple(rows), notes=notes)


def _short(row: Row) -> str:
    """A row's name without that of the module in which it is."""
    return row.name.removeprefix("output/")


def _slides(row: Row) -> str:
    """What a layer does with its input."""
    if isinstance(row.layer, Linear):
        return f"{row.output} units, each of which sees all {row.inputs[0]}"
    if isinstance(row.layer, Concat):
        return "the channels of all branches, side by side"
    if row.layer is None:
        return ""
    return geometry(row) or "every unit divided by a norm of its neighbours in other channels"


def _parameters(report: Report) -> Table:
    """A layer a row: weights with their working, biases, their sum, its part of the whole."""
    totals = report.totals
    columns = _columns("layer", "weights", ">biases", ">parameters", ">%")
    rows = [
        (
            *(text(row.name), working(row.cost.weights), working(row.cost.biases)),
            number(row.cost.parameters.value),
            text(share(row.cost.parameters.value, totals["parameters"])),
        )
        for row in learned(report)
    ]
    sums = (*(number(totals[name]) for name in ("weights", "biases", "parameters")), text("100"))
    whole = total(count(row.cost.parameters.value) for row in learned(report))
    notes = (
        f"The sum: {whole.equation()}.",
        "Pooling, normalization, ReLU and dropout have nothing to learn.",
    )
    return Table("AlexNet's parameters", columns, tuple(rows), ((text("total"), *sums),), notes)


def learned(report: Report) -> list[Row]:
    """The rows that have parameters."""
    return [row for row in report.rows if row.cost.parameters.value != 0]


def linear(report: Report) -> list[Row]:
    """The fully connected layers."""
    return [row for row in report.rows if isinstance(row.layer, Linear)]


def sum_of(rows: Iterable[Row], name: str) -> int:
    """What a count of rows adds up to."""
    return sum(integer(row.counts()[name]) for row in rows)


def _where_parameters(report: Report) -> str:
    full, totals = linear(report), report.totals
    most = max(learned(report), key=lambda row: integer(row.cost.parameters.value))
    held, worked = (part(sum_of(full, name), totals[name]) for name in ("parameters", "macs"))
    where, work = (
        "fully connected" if 2 * sum_of(full, name) > integer(totals[name]) else "convolutional"
        for name in ("parameters", "macs")
    )
    return (
        f"AlexNet has {exact(totals['parameters'])} parameters. Most are in its {where} layers: "
        f"{_ends(full)} have {held} of them, and {most.name} alone has "
        f"{part(most.cost.parameters.value, totals['parameters'])}. Most multiply-accumulates are "
        f"in the {work} layers: those of {_ends(full)} are {worked} of all."
    )


def _groups(grouped: Report, ungrouped: Report) -> Table:
    """The layers that the two GPUs divide, and the whole network, in either way."""
    columns = _columns("weights of", "on two GPUs, in groups", "undivided")
    rows = [
        (text(one.name), working(one.cost.weights), working(two.cost.weights))
        for one, two in zip(grouped.rows, ungrouped.rows, strict=True)
        if one.cost.weights != two.cost.weights
    ]
    footer = [
        (text(f"all {name}"), *(number(report.totals[name]) for report in (grouped, ungrouped)))
        for name in ("weights", "parameters")
    ]
    return Table("AlexNet with and without groups", columns, tuple(rows), tuple(footer))


# ------------------------------------------------------------------------------------ 5.2, VGG19


def _vgg19() -> Iterator[Named]:
    report = ac.report("vgg19", bias=False)
    yield from under("vgg19", views.table1(report))
    yield "vgg19-totals", _memory(report)
    yield "vgg19-stages", _stages(report)
    yield "vgg19-where", _where(report)
    yield "vgg19-published", views.summary(ac.report("vgg19"))[-1]


def _memory(report: Report) -> str:
    units, weights = (integer(report.totals[name]) for name in ("activations", "weights"))
    held, taken = report.activation_memory(units), report.memory(weights)
    batch = -(-weights // units)
    return (
        f"One image has {exact(units)} activations, the input's among them: at {report.dtype}, of "
        f"{report.memory(1)} bytes each, {in_bytes(held)}. The {exact(weights)} weights take "
        f"{in_bytes(taken)}, whatever the batch; activations grow with it, and if all are kept, as "
        f"training does, they take more than the weights from a batch of {batch} on."
    )


def stages(report: Report) -> list[list[Row]]:
    """A network's layers, without those in place, cut behind each pool."""
    parts: list[list[Row]] = [[]]
    for row in report.rows:
        if row.in_place:
            continue
        parts[-1].append(row)
        if isinstance(row.layer, Pool):
            parts.append([])
    return [rows for rows in parts if rows]


def _ends(rows: Sequence[Row]) -> str:
    return f"{rows[0].name} to {rows[-1].name}"


def _stages(report: Report) -> Table:
    columns = _columns("layers", ">activations", ">%", ">memory", ">weights", ">%")
    rows = tuple(_stage(report, _ends(rows), rows) for rows in stages(report))
    footer = (_stage(report, "total", report.rows),)
    title = f"VGG19 from pool to pool, one image at {report.dtype}"
    return Table(title, columns, rows, footer)


def _stage(report: Report, name: str, rows: Iterable[Row]) -> tuple[Cell, ...]:
    cells = []
    for quantity in ("activations", "weights"):
        amount = sum_of(rows, quantity)
        cells += [number(amount), text(share(amount, report.totals[quantity]))]
    held = text(in_bytes(report.activation_memory(sum_of(rows, "activations"))))
    return (text(name), *cells[:2], held, *cells[2:])


def _where(report: Report) -> str:
    """Which layers hold the activations, and which the weights."""
    found, first_full = stages(report), linear(report)[0]
    first = _most(found, "activations")
    last = _most(found[::-1], "weights")[::-1]
    totals = report.totals

    def has(rows: list[list[Row]], *names: str) -> str:
        together = [row for stage in rows for row in stage]
        parts = (f"{part(sum_of(together, name), totals[name])} of the {name}" for name in names)
        return f"{_ends(together)} have {' and '.join(parts)}"

    early, late = (2 * len(some) <= len(found) for some in (first, last))
    return (
        f"The activations are {'at the beginning' if early else 'spread out'}: "
        f"{has(first, 'activations', 'weights')}. The weights are "
        f"{'at the end' if late else 'spread out'}: {has(last, 'weights', 'activations')}; "
        f"{first_full.name}, the first fully connected layer, alone has "
        f"{exact(first_full.cost.weights.value)}, "
        f"{part(first_full.cost.weights.value, totals['weights'])}."
    )


def _most(found: list[list[Row]], name: str) -> list[list[Row]]:
    """As many stages, from the first on, as have more than half of all."""
    sums = list(accumulate(sum_of(rows, name) for rows in found))
    return found[: 1 + next(place for place, held in enumerate(sums) if 2 * held > sums[-1])]


# --------------------------------------------------------------------------- 5.3, receptive field


def stack() -> Report:
    """Three 5x5 convolutions, one behind another."""
    return ac.report(parse("5x5 5x5 5x5", "stack", stack=True), "HxWx1")


def _field() -> Iterator[Named]:
    yield from _proof()
    table, seen, *_, here = views.stacked(stack())
    yield from under("field", (table, seen, here))
    yield from under("field-parameters", _stack_or_single())


def _proof() -> Iterator[Named]:
    """The induction's formulas, as archcalc itself has carried it out."""
    proof = stacking()
    one, following = (proof.closed.substitute({"N": n}) for n in (1, letter("N") + 1))
    alone = PIXEL.grown(Window(proof.closed.value))
    start = latex(proof.start)
    yield "field-claim", _equation("r_N", str(proof.closed), _left(proof.closed))
    yield "field-start", _equation("r_1", f"{proof.start} = {one}", f"{start} = {_left(one)}")
    yield "field-step", _equation("r_{N+1}", proof.step.equation(), proof.step.latex())
    yield "field-next", Formula(((following.equation(), following.latex()),))
    yield "field-single", _equation("r", alone.equation(), alone.latex())


def _equation(name: str, words: str, symbols: str) -> Formula:
    """``r_N = N*F - N + 1``."""
    return Formula(((f"{name} = {words}", f"{name} = {symbols}"),))


def _left(found: Count) -> str:
    """The LaTeX of a working, without its result."""
    return found.latex().rpartition(" = ")[0]


class Rivals(NamedTuple):
    """A stack of convolutions and the one that sees as much, C channels everywhere, no biases."""

    layers: int
    kernel: int
    stack: Report
    single: Report

    def counts(self, name: str) -> tuple[int, int]:
        """A total of both, for one channel and one pixel."""
        totals = (report.totals[name] for report in (self.stack, self.single))
        stacked, single = (integer(substitute(one, dict.fromkeys("CHW", 1))) for one in totals)
        return stacked, single


def rivals(layers: int, kernel: int) -> Rivals:
    """So many convolutions, and the one."""
    size = stacking().closed.substitute({"N": layers, "F": kernel}).value
    words = (f"HxWxC conv{kernel}-C x{layers}", f"HxWxC conv{size}-C")
    stacked, single = (ac.report(word, bias=False) for word in words)
    return Rivals(layers, kernel, stacked, single)


def vgg_stacks() -> list[int]:
    """How many convolutions VGG16 and VGG19 have between two pools."""
    found = [stage for name in ("vgg16", "vgg19") for stage in stages(ac.report(name))]
    counts = {sum(isinstance(row.layer, Convolution) for row in stage) for stage in found}
    return sorted(counts - {0})


def _stack_or_single() -> Iterator[Block]:
    """The stack of the question and those of VGG, beside the filters that see as much."""
    found = [rivals(3, 5), *(rivals(layers, 3) for layers in vgg_stacks())]
    columns = _columns(
        "stack", "sees", "its weights", "weights of one filter", ">stack/filter, %", ">ReLUs"
    )
    notes = (
        "C channels go in and come out everywhere. The first stack is the question's, the others "
        "are those of VGG16 and VGG19.",
    )
    rows = tuple(_rivals_row(one) for one in found)
    yield Table("A stack beside the one convolution that sees as much", columns, rows, notes=notes)
    yield _cheaper(found)


def _rivals_row(one: Rivals) -> tuple[Cell, ...]:
    each, alone = (report.rows[-1].cost.weights for report in (one.stack, one.single))
    return (
        text(f"{one.layers} of {one.kernel}x{one.kernel}"),
        text(field(one.stack.rows[-1].seen, "size", whole=True)),
        *(working(product(one.layers, each)), working(alone)),
        *(text(share(*one.counts("weights"))), text(f"{one.layers} for 1")),
    )


def _cheaper(found: Sequence[Rivals]) -> str:
    held = [str(report.totals["activations"]) for report in (found[0].stack, found[0].single)]
    fewer = [one for one in found if one.counts("weights")[0] < one.counts("weights")[1]]
    which = "Every stack" if len(fewer) == len(found) else f"{len(fewer)} of {len(found)} stacks"
    return (
        f"{which} of the table has fewer weights than the one filter, the first "
        f"{part(*found[0].counts('weights'))} of them, and as much less work, one "
        "multiply-accumulate a weight and pixel. What grows is what is held: of the first stack "
        f"{held[0]} activations for {held[1]}, the input's among them."
    )


# ------------------------------------------------------------------------- 5.4, Inception modules


def modules(width: str = inception.INPUT) -> tuple[Report, Report]:
    """The naive module and the one with dimension reduction, on an input."""
    naive, reduced = inception.pair(input=width)
    return ac.report(naive), ac.report(reduced)


def _inception() -> Iterator[Named]:
    naive, reduced = modules()
    tables = [one for one in views.inception(naive, reduced) if isinstance(one, Table)]
    said = explained(naive, reduced)
    yield "idea", _seen(naive)
    for counted, report in zip(tables, (naive, reduced), strict=False):
        yield "sizes", _filters(report, counted.title, counted.notes)
        yield "operations", counted._replace(notes=())
    yield "sizes-conclusion", _wider(naive, reduced)
    yield "operations-totals", _flops(naive, reduced)
    yield "problem", said[PROBLEM]
    yield "saving", tables[-1]._replace(notes=())
    yield "conclusion", said[HELP]
    yield from under("next", _next())


def _seen(report: Report) -> Table:
    """What every branch of a module sees, and what leaves it."""
    columns = _columns("branch", "what it is", "sees", "output")
    rows = tuple(
        (
            *(text(_short(row)), text(_slides(row))),
            *(text(field(row.seen, "size", whole=True)), text(row.output)),
        )
        for row in report.rows
        if row.layer is not None and (not row.in_place or isinstance(row.layer, Concat))
    )
    return Table(f"What the branches see, input {report.input}", columns, rows)


def _wider(naive: Report, reduced: Report) -> str:
    before = integer(naive.input.channels)
    wide, narrow = (
        ratio(integer(report.rows[-1].output.channels), before, 2) for report in (naive, reduced)
    )
    return (
        f"The naive module's output is {naive.rows[-1].output}, the other's "
        f"{reduced.rows[-1].output}: {wide} and {narrow} times as many channels as come in. The "
        f"pool is the difference: naive, it hands on all {naive.rows[-1].inputs[-1].channels}, and "
        f"behind its projection {reduced.rows[-1].inputs[-1].channels}."
    )


def _flops(naive: Report, reduced: Report) -> str:
    macs, flops = (
        [exact(report.totals[name]) for report in (naive, reduced)] for name in ("macs", "flops")
    )
    return (
        f"Convolutional operations, counted as multiply-accumulates (MACs): {macs[0]} of the naive "
        f"module, {macs[1]} of the one with dimension reduction. Counted as floating point "
        f"operations (FLOPs), a multiplication and an addition each: {flops[0]} and {flops[1]}."
    )


class Link(NamedTuple):
    """The modules at a place of a chain of them, each on the output of the one before it."""

    naive: Report
    reduced: Report


def chain() -> list[Link]:
    """Naive modules one behind another, and reduced ones, all with the same filters."""
    widths, found = [inception.INPUT] * 2, []
    for _ in range(MODULES):
        link = Link(modules(widths[0])[0], modules(widths[1])[1])
        widths = [str(report.rows[-1].output) for report in link]
        found.append(link)
    return found


def _next() -> Iterator[Block]:
    """What a module's width costs the next one: in letters, and for a chain of modules."""
    naive, reduced = modules("32x32xC")
    yield (
        f"On C channels the naive module takes {naive.totals['macs']} MACs and gives out "
        f"{naive.rows[-1].output.channels} channels; the reduced one takes "
        f"{reduced.totals['macs']} MACs and gives out {reduced.rows[-1].output.channels}."
    )
    columns = _columns("module", "naive: gets", ">MACs", "reduced: gets", ">MACs", ">times fewer")
    rows = []
    for place, link in enumerate(chain(), 1):
        macs = [integer(report.totals["macs"]) for report in link]
        pairs = zip(link, macs, strict=True)
        cells = [cell for report, own in pairs for cell in (text(report.input), number(own))]
        rows.append((text(place), *cells, text(ratio(macs[0], macs[1], 2))))
    yield Table("Modules one behind another, with the same filters", columns, tuple(rows))
