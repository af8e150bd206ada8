"""Answers to lab 3, problem 5: what archcalc computes for them, while a page is made."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

import archcalc as ac
from archcalc.count import count, exact, integer, latex, letter, product, substitute, total
from archcalc.layers import Concat, Convolution, Linear, Pool, Window
from archcalc.notation import parse
from archcalc.receptive import PIXEL, stacking
from archcalc.render import views
from archcalc.render.table import EMPTY, Cell, Column, Formula, Table, number, text, working
from archcalc.render.views.common import field
from archcalc.render.views.working import geometry, output_sizes
from archcalc.units import in_bytes, ratio, share
from archcalc.zoo import inception
from training.answers.words import under

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from archcalc.count import Count, Number
    from archcalc.render.table import Block
    from archcalc.report import Report, Row
    from training.answers.words import Named

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
        "archcalc inception": "sizes sizes-conclusion inception-modules operations inception-macs",
        "archcalc compare inception-naive inception-reduced": "operations-totals conclusion",
        "archcalc inception --explain": "problem saving",
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


def more(amount: int) -> str:
    """``1,024 more``, or ``1,024 fewer``."""
    return f"{exact(abs(amount))} {'more' if amount >= 0 else 'fewer'}"


def _columns(*headings: str) -> tuple[Column, ...]:
    """Columns; those whose heading begins with ``>`` stand to the right."""
    return tuple(Column(one.removeprefix(">"), one.startswith(">")) for one in headings)


# ---------------------------------------------------------------------------------- 5.1, AlexNet


def _alexnet() -> Iterator[Named]:
    report = ac.load("alexnet").report()
    title = "AlexNet's filters and the sizes of its layers"
    yield "alexnet-sizes", _filters(report, title, (*report.network.notes, _no_224()))
    yield "alexnet", _parameters(report)
    yield from under("alexnet-published", _published(report))
    yield "alexnet-where", _where_parameters(report)
    ungrouped = ac.load("alexnet-ungrouped").report()
    yield "alexnet-groups", _groups(report, ungrouped)
    yield "alexnet-groups", _other_counts(report, ungrouped)


def _no_224() -> str:
    """What the first layer would make of the size that the paper prints."""
    first = ac.load("alexnet").report("224x224x3").rows[1]
    ((_, found),) = output_sizes(first)
    return f"From 224 it would be {found.text}."


def _filters(report: Report, title: str, notes: tuple[str, ...]) -> Table:
    """A layer a row: its filters, and how the size of its output comes about."""
    columns = _columns("layer", "filters", "height and width", "output")
    rows = []
    for row in report.rows:
        if row.in_place and not isinstance(row.layer, Concat):
            continue
        found = next((cell for _, cell in output_sizes(row)), EMPTY)
        rows.append((text(_short(row)), text(_slides(row)), found, text(row.output)))
    return Table(f"{title}, input {report.input}", columns, tuple(rows), notes=notes)


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


def _published(report: Report) -> Iterator[Block]:
    """What the paper prints, beside ours, and whether its parameters are the same."""
    *_, beside = views.summary(report)
    yield beside
    for one in report.comparisons():
        if one.published.quantity == "parameters":
            same = "is within" if one.reproduced else "is not within"
            yield (
                f"The paper's {one.published.where} says {one.published} parameters; ours, "
                f"{exact(one.ours)} with biases, {same} one unit of its last printed digit."
            )


def linear(report: Report) -> list[Row]:
    """The fully connected layers."""
    return [row for row in report.rows if isinstance(row.layer, Linear)]


def sum_of(rows: Iterable[Row], name: str) -> int:
    """What a count of rows adds up to."""
    return sum(integer(row.counts()[name]) for row in rows)


def _where_parameters(report: Report) -> str:
    full, totals = linear(report), report.totals
    most = max(learned(report), key=lambda row: integer(row.cost.parameters.value))
    held, worked = (sum_of(full, name) for name in ("parameters", "macs"))
    ends = f"{full[0].name} to {full[-1].name}"
    where = "fully connected" if 2 * held > integer(totals["parameters"]) else "convolutional"
    work = "fully connected" if 2 * worked > integer(totals["macs"]) else "convolutional"
    return (
        f"AlexNet has {exact(totals['parameters'])} parameters. Most are in its {where} layers: "
        f"{ends} have {exact(held)} of them, {part(held, totals['parameters'])}, and "
        f"{most.name} alone has {part(most.cost.parameters.value, totals['parameters'])}. Most "
        f"multiply-accumulates are in the {work} layers: those of {ends} are "
        f"{part(worked, totals['macs'])} of all."
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


def _other_counts(grouped: Report, ungrouped: Report) -> str:
    ours, undivided = (integer(report.totals["parameters"]) for report in (grouped, ungrouped))
    theirs = integer(ac.load("alexnet-torchvision").report().totals["parameters"])
    return (
        f"Undivided, AlexNet would have {exact(undivided)} parameters, {more(undivided - ours)}: "
        f"{part(abs(undivided - ours), ours)} of {exact(ours)}. The alexnet of torchvision is "
        f"another network, of a later paper and on one GPU; it has {exact(theirs)}."
    )


# ------------------------------------------------------------------------------------ 5.2, VGG19


def _vgg19() -> Iterator[Named]:
    report = ac.load("vgg19").report(bias=False)
    yield from under("vgg19", views.table1(report))
    yield "vgg19-totals", _memory(report)
    yield "vgg19-stages", _stages(report)
    yield "vgg19-where", _where(report)
    yield from under("vgg19-published", list(_published(ac.load("vgg19").report()))[1:])


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
    found, full = stages(report), linear(report)
    first = _most(found, "activations")
    last = _most(found[::-1], "weights")[::-1]
    one, totals = full[0].cost.weights, report.totals
    worked = integer(totals["macs"]) - sum_of(full, "macs")

    def has(rows: list[list[Row]], *names: str) -> str:
        together = [row for stage in rows for row in stage]
        parts = (f"{part(sum_of(together, name), totals[name])} of the {name}" for name in names)
        return f"{_ends(together)} have {' and '.join(parts)}"

    early, late = (2 * len(some) <= len(found) for some in (first, last))
    return (
        f"The activations are {'at the beginning' if early else 'spread out'}: "
        f"{has(first, 'activations', 'weights')}. The weights are "
        f"{'at the end' if late else 'spread out'}: {has(last, 'weights', 'activations')}; "
        f"{full[0].name}, the first fully connected layer, alone has {one.equation()} weights, "
        f"{part(one.value, totals['weights'])}. Of the work the convolutions have "
        f"{part(worked, totals['macs'])}: {exact(worked)} of {exact(totals['macs'])} "
        "multiply-accumulates."
    )


def _most(found: list[list[Row]], name: str) -> list[list[Row]]:
    """As many stages, from the first on, as have more than half of all."""
    sums = list(accumulate(sum_of(rows, name) for rows in found))
    return found[: 1 + next(place for place, held in enumerate(sums) if 2 * held > sums[-1])]


# --------------------------------------------------------------------------- 5.3, receptive field


def stack() -> Report:
    """Three 5x5 convolutions, one behind another."""
    return parse("5x5 5x5 5x5", "stack", stack=True).report("HxWx1")


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
    stacked, single = (ac.load(word).report(bias=False) for word in words)
    return Rivals(layers, kernel, stacked, single)


def vgg_stacks() -> list[int]:
    """How many convolutions VGG16 and VGG19 have between two pools."""
    found = [stage for name in ("vgg16", "vgg19") for stage in stages(ac.load(name).report())]
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
    asked = found[0]
    weights, held = (
        [str(report.totals[name]) for report in (asked.stack, asked.single)]
        for name in ("weights", "activations")
    )
    sees = field(asked.single.rows[-1].seen, "size", whole=True)
    fewer = [one for one in found if one.counts("weights")[0] < one.counts("weights")[1]]
    which = "Every stack" if len(fewer) == len(found) else f"{len(fewer)} of {len(found)} stacks"
    return (
        f"{asked.layers} filters of {asked.kernel}x{asked.kernel} see {sees} with {weights[0]} "
        f"weights, one of {sees} has {weights[1]}: the stack has "
        f"{part(*asked.counts('weights'))} of them, and as much of the multiply-accumulates, one a "
        f"weight and pixel. {which} of the table has fewer weights than the one filter. What grows "
        f"is what is held: {held[0]} activations for {held[1]}, the input's among them."
    )


# ------------------------------------------------------------------------- 5.4, Inception modules


def modules(width: str = inception.INPUT) -> tuple[Report, Report]:
    """The naive module and the one with dimension reduction, on an input."""
    naive, reduced = inception.pair(input=width)
    return naive.report(), reduced.report()


def _inception() -> Iterator[Named]:
    naive, reduced = modules()
    left, right, beside = views.inception(naive, reduced)
    yield "idea", _seen(naive)
    for title, report in (("Naive", naive), ("With dimension reduction", reduced)):
        yield "sizes", _filters(report, title, (_widths(report),))
    yield "sizes-conclusion", _wider(naive, reduced)
    yield from under("operations", (left, right))
    yield "operations-totals", _flops(naive, reduced)
    yield "problem", _problem(naive)
    yield "saving", beside
    yield "saving", _helps(naive, reduced)
    yield from under("next", _next())
    yield "conclusion", _conclusion(naive, reduced)


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


def _widths(report: Report) -> str:
    """``Output channels: 128 + 192 + 96 + 256 = 672.``."""
    shapes = report.rows[-1].inputs
    return f"Output channels: {total(count(shape.channels) for shape in shapes).equation()}."


def _wider(naive: Report, reduced: Report) -> str:
    before = integer(naive.input.channels)
    wide, narrow = (integer(report.rows[-1].output.channels) for report in (naive, reduced))
    which = "widens" if wide > before else "does not widen"
    return (
        f"The naive module's output is {naive.rows[-1].output}, the other's "
        f"{reduced.rows[-1].output}. The naive one {which} what it gets: {wide} channels for "
        f"{before}, {ratio(wide, before, 2)} times as many; the other gives "
        f"{ratio(narrow, before, 2)} times as many. The pool is the difference: naive, it hands on "
        f"all {naive.rows[-1].inputs[-1].channels} channels, and behind its projection "
        f"{reduced.rows[-1].inputs[-1].channels}."
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


def _macs(report: Report) -> dict[str, int]:
    """MACs by branch; a module's own row and the pool have none."""
    found = {_short(row): integer(row.cost.macs.value) for row in report.rows}
    return {name: macs for name, macs in found.items() if macs}


def _problem(naive: Report) -> str:
    macs, whole = _macs(naive), naive.totals["macs"]
    first, second = sorted(macs, key=lambda name: macs[name], reverse=True)[:2]
    rows = {_short(row): row for row in naive.rows}
    widths = {name: integer(rows[name].output.channels) for name in macs}
    few = "although it has the fewest filters" if widths[first] == min(widths.values()) else ""
    return (
        f"Every filter of the naive module spans all {naive.input.channels} input channels. Its "
        f"{first} branch alone takes {rows[first].cost.macs.equation()} MACs, "
        f"{part(macs[first], whole)} of the module's{', ' * bool(few)}{few}; with the {second} "
        f"branch it is {part(macs[first] + macs[second], whole)}."
    )


def _helps(naive: Report, reduced: Report) -> str:
    before, after = _macs(naive), _macs(reduced)
    said = [
        f"the {name} branch's {exact(before[name])} become {exact(after[f'{name}_reduce'])} + "
        f"{exact(after[name])} = {exact(after[f'{name}_reduce'] + after[name])}"
        for name in before
        if f"{name}_reduce" in after
    ]
    weights = [integer(report.totals["weights"]) for report in (naive, reduced)]
    units = [integer(report.totals["activations"]) for report in (naive, reduced)]
    return (
        f"Branch by branch, in MACs: {'; '.join(said)}; the projection behind the pool adds "
        f"{exact(after['pool_proj'])}. The module has {exact(weights[1])} weights in place of "
        f"{exact(weights[0])}, {more(weights[1] - weights[0])}, and holds {exact(units[1])} "
        f"activations in place of {exact(units[0])}, {more(units[1] - units[0])}."
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
    found = chain()
    rows = tuple(_link(str(place), link) for place, link in enumerate(found, 1))
    yield Table("Modules one behind another, with the same filters", columns, rows)
    first, last = ([integer(report.totals["macs"]) for report in found[n]] for n in (0, -1))
    yield (
        f"Module {len(found)} of the naive chain costs {ratio(last[0], first[0], 2)} times its "
        f"first one, module {len(found)} of the reduced chain {ratio(last[1], first[1], 2)} times."
    )


def _link(place: str, link: Link) -> tuple[Cell, ...]:
    macs = [integer(report.totals["macs"]) for report in link]
    pairs = zip(link, macs, strict=True)
    cells = [cell for report, own in pairs for cell in (text(report.input), number(own))]
    return (text(place), *cells, text(ratio(macs[0], macs[1], 2)))


def _conclusion(naive: Report, reduced: Report) -> str:
    before, after = (integer(report.totals["macs"]) for report in (naive, reduced))
    flops = (naive.totals["flops"], reduced.totals["flops"])
    if after >= before:
        return f"Reduction saves nothing: {exact(after)} MACs for {exact(before)}."
    wide, narrow = (report.rows[-1].output.channels for report in (naive, reduced))
    return (
        f"Reduction saves {exact(before - after)} of {exact(before)} MACs, "
        f"{ratio(100 * (before - after), before, 2)} %, which is a factor of "
        f"{ratio(before, after, 2)}; in FLOPs {exact(flops[0] - flops[1])} of {exact(flops[0])}. "
        f"And it saves again behind the module, which hands on {narrow} channels, not {wide}."
    )
