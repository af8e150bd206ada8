"""The two Inception modules side by side, and the written answers (problem 5.4)."""

from __future__ import annotations

from typing import Final

from archcalc.count import exact, total
from archcalc.render.table import EMPTY, Block, Cell, Column, Table, number, text, working
from archcalc.reports import Report
from archcalc.units import ratio, share

_BRANCHES: Final = (
    ("1x1", "1x1"),
    ("3x3_reduce", "3x3 reduce"),
    ("3x3", "3x3"),
    ("5x5_reduce", "5x5 reduce"),
    ("5x5", "5x5"),
    ("pool_proj", "pool projection"),
)
IDEA: Final = "(a) The idea"
PROBLEM: Final = "(d) The problem"
HELP: Final = "How dimension reduction helps"


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
        said = explained(naive, reduced)
        blocks += [f"{heading}. {answer}" for heading, answer in said.items()]
    return blocks


def saving(naive: Report, reduced: Report) -> str:
    """What the reduction saves: absolutely, in percent and as a factor; a formula for letters."""
    before, after = naive.totals["macs"], reduced.totals["macs"]
    saved = before - after
    if not isinstance(before, int) or not isinstance(after, int) or not isinstance(saved, int):
        return f"Saving: {saved} MACs."
    if saved < 0:
        return f"No saving: with these widths the reduction costs {exact(-saved)} MACs more."
    return (
        f"Saving: {exact(before)} - {exact(after)} = {exact(saved)} MACs, "
        f"{ratio(100 * saved, before, 2)} % of the naive module's: "
        f"{ratio(before, after, 3)} times fewer."
    )


def _module(report: Report, title: str) -> Table:
    columns = (
        *(Column("layer"), Column("word"), Column("output"), Column("weights"), Column("MACs")),
    )
    rows = []
    for row in report.rows:
        if row.in_place and row.word != "concat":
            continue
        name, word = row.name.removeprefix("output/"), row.word if row.layer else ""
        cells = [working(c) if c.value != 0 else EMPTY for c in (row.cost.weights, row.cost.macs)]
        rows.append((text(name), text(word), text(row.output), *cells))
    sizes = " + ".join(str(shape.channels) for shape in report.rows[-1].inputs)
    output = text(report.rows[-1].output)
    weights, macs = (number(report.totals[name]) for name in ("weights", "macs"))
    footer = ((text("total"), EMPTY, output, weights, macs),)
    head = f"{title}, input {report.input}"
    notes = (f"Output channels: {sizes} = {report.rows[-1].output.channels}.",)
    return Table(head, columns, tuple(rows), footer, notes)


def _macs_of(report: Report, name: str) -> Cell:
    found = [row for row in report.rows if row.name == f"output/{name}"]
    return number(found[0].cost.macs.value) if found else EMPTY


def explained(naive: Report, reduced: Report) -> dict[str, str]:
    """Plain answers to 5.4 (a) and (d), each under its heading.

    Every number and every comparison is made here and now.
    """
    rows = {row.name.removeprefix("output/"): row for row in naive.rows}
    less = {row.name.removeprefix("output/"): row.cost.macs for row in reduced.rows}
    channels = [report.rows[-1].output.channels for report in (naive, reduced)]
    five = rows["5x5"].cost.macs
    part = share(five.value, naive.totals["macs"])
    widths = [rows[name].output.channels for name in ("1x1", "3x3", "5x5")]
    fewest = all(isinstance(width, int) for width in widths) and widths[2] == min(
        width for width in widths if isinstance(width, int)
    )

    def becomes(name: str) -> str:
        cut = [less[f"{name}_reduce"], less[name]]
        sums = dict.fromkeys((" + ".join(exact(m.value) for m in cut), exact(total(cut).value)))
        return (
            f"the {name} branch's {exact(rows[name].cost.macs.value)} MACs become "
            f"{' = '.join(sums)}"
        )

    return {
        IDEA: "Things in a picture come in many sizes, and no single filter size suits "
        "them all. An Inception module lets 1x1, 3x3 and 5x5 convolutions and a pool look at the "
        "same input side by side, keeps height and width alike by padding, and stacks the "
        "channels, so that the next layer finds features of several scales at once, and training "
        "decides which of them matter.",
        PROBLEM: f"The naive module convolves all {naive.input.channels} input channels "
        f"with large filters: the 5x5 branch alone takes {five.equation()} MACs"
        + (f", {part} % of the module's" if part else "")
        + (", although it has the fewest filters. " if fewest else ". ")
        + "The pool has no MACs, but it hands all its input channels on, so that "
        f"{channels[0]} channels leave a module that got {naive.input.channels}: stacked modules "
        "grow wider and wider, and every one costs in proportion to what it gets.",
        HELP: "A 1x1 convolution shrinks the channels first, so that the "
        f"large filters have less to weigh: {becomes('3x3')}; {becomes('5x5')}. Another one behind "
        f"the pool keeps the output at {channels[1]} channels. Each comes with a ReLU, a "
        f"nonlinearity more. {saving(naive, reduced)}",
    }
