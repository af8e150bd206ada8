"""The two Inception modules side by side, and the written answers (problem 5.4)."""

from typing import Final

from archcalc.count import exact, total
from archcalc.render.table import EMPTY, Block, Table, left, number, right, text, texts, working
from archcalc.reports import Report
from archcalc.units import ratio, share

_BRANCHES: Final = {
    "1x1": "1x1",
    "3x3_reduce": "3x3 reduce",
    "3x3": "3x3",
    "5x5_reduce": "5x5 reduce",
    "5x5": "5x5",
    "pool_proj": "pool projection",
}
IDEA: Final = "(a) The idea"
PROBLEM: Final = "(d) The problem"
HELP: Final = "How dimension reduction helps"


def inception(naive: Report, reduced: Report, *, explain: bool = False) -> list[Block]:
    """The two modules of the assignment's problem 5.4, branch by branch, and the saving."""
    blocks: list[Block] = [_module(naive, "Naive"), _module(reduced, "With dimension reduction")]
    both = (naive, reduced)
    macs = [{row.name: row.cost.macs.value for row in report.rows} for report in both]
    rows = tuple(
        (text(label), *(number(by_name.get(f"output/{name}")) for by_name in macs))
        for name, label in _BRANCHES.items()
    )
    footer = (
        (text("total MACs"), *(number(report.totals["macs"]) for report in both)),
        (text("weights"), *(number(report.totals["weights"]) for report in both)),
        texts("output", *(report.rows[-1].output for report in both)),
    )
    columns = (*left("MACs"), *right("naive", "reduced"))
    title = f"Naive beside reduced, input {naive.input}"
    blocks.append(Table(title, columns, rows, footer, (saving(naive, reduced),)))
    if explain:
        answers = explained(naive, reduced)
        blocks += [f"{heading}. {answer}" for heading, answer in answers.items()]
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
    rows = []
    for row in report.rows:
        if row.in_place and row.word != "concat":
            continue
        name, word = row.name.removeprefix("output/"), row.word if row.layer else ""
        cells = [working(c) if c.value != 0 else EMPTY for c in (row.cost.weights, row.cost.macs)]
        rows.append((*texts(name, word, row.output), *cells))
    join = report.rows[-1]
    totals = (number(report.totals[name]) for name in ("weights", "macs"))
    footer = ((*texts("total", "", join.output), *totals),)
    sizes = " + ".join(str(shape.channels) for shape in join.inputs)
    notes = (f"Output channels: {sizes} = {join.output.channels}.",)
    columns = left("layer", "word", "output", "weights", "MACs")
    return Table(f"{title}, input {report.input}", columns, tuple(rows), footer, notes)


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
    known = [width for width in widths if isinstance(width, int)]
    fewest = known == widths and known[-1] == min(known)

    def becomes(name: str) -> str:
        parts = [less[f"{name}_reduce"], less[name]]
        sums = dict.fromkeys((" + ".join(exact(m.value) for m in parts), exact(total(parts).value)))
        macs = exact(rows[name].cost.macs.value)
        return f"the {name} branch's {macs} MACs become {' = '.join(sums)}"

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
