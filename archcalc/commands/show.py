"""``archcalc show``, and ``archcalc`` in front of a network."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archcalc.console import deliver, deliverable
from archcalc.costs import Cost
from archcalc.count import total
from archcalc.errors import ArchitectureError
from archcalc.options import (
    At,
    Batch,
    Dtype,
    Format,
    Input,
    NoBias,
    Output,
    Words,
    network_of,
    option,
    whole_number,
)
from archcalc.render import views
from archcalc.report import Report, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archcalc.render.table import Block


def _conventions() -> list[str]:
    from archcalc.conventions import CONVENTIONS  # noqa: PLC0415 - only a shell asks

    return [*CONVENTIONS]


def show(
    words: Words,
    table: Annotated[
        bool, typer.Option("--table", help="The assignment's Table 1, every cell filled.")
    ] = False,
    working: Annotated[
        bool, typer.Option("--working", help="Every layer's explicit calculation.")
    ] = False,
    depth: Annotated[
        str, option("--depth", "Sum up what is nested deeper than N names; 0: nothing.")
    ] = "0",
    convention: Annotated[
        str | None,
        typer.Option(
            "--convention",
            metavar="NAME",
            help="As another tool counts; see conventions.",
            autocompletion=_conventions,
        ),
    ] = None,
    input: Input = None,  # noqa: A002
    at: At = None,
    batch: Batch = "1",
    dtype: Dtype = "fp32",
    no_bias: NoBias = False,
    format: Format = None,  # noqa: A002
    output: Output = None,
) -> None:
    """The cost of a network, layer by layer (the default command)."""
    pages = {"--table": table, "--working": working, "--convention": convention is not None}
    chosen = [name for name, asked in pages.items() if asked]
    if len(chosen) > 1:
        fact = f"{' and '.join(chosen)} are different pages"
        raise ArchitectureError(fact, hint="choose one")
    levels = whole_number(depth, "--depth", 0)
    if levels and chosen:
        raise ArchitectureError("--depth sums up the summary only", hint="leave one of them out")
    examples = whole_number(batch, "--batch")
    report = network_of(words).report(input, batch=examples, dtype=dtype, bias=not no_bias, at=at)
    if convention is not None:
        _counted(report, convention, format, output)
        return
    form = deliverable(format, output)

    def blocks() -> Sequence[Block]:
        if table:
            return views.table1(report)
        if working:
            return views.workings(report)
        if form == "csv":
            return views.flat(_summed(report, levels))
        return views.summary(report, levels)

    def data() -> dict[str, Any]:
        counted = report.to_dict(working=working)
        if levels:
            counted["rows"] = _summed(report, levels).to_dict()["rows"]
        return counted

    deliver(blocks, data, form, output)


def _counted(report: Report, name: str, form: str | None, output: str | None) -> None:
    """A network as another tool counts it."""
    from archcalc.conventions import convention  # noqa: PLC0415 - only who asks for one needs them
    from archcalc.render.views.counted import counted, counted_data  # noqa: PLC0415 - likewise

    rule = convention(name)
    deliver(lambda: counted(report, rule), lambda: counted_data(report, rule), form, output)


def _summed(report: Report, depth: int) -> Report:
    """A report with one row for everything nested deeper than ``depth`` names; 0 sums up nothing.

    Nothing that was published is compared with it, as the rows may be gone.
    """
    if not depth:
        return report
    sources = {node.name: node.inputs for node in report.network.nodes}
    outputs = {row.name: row.output for row in report.rows}
    rows: list[Row] = []
    for scope, inside in groupby(report.rows, lambda row: "/".join(row.name.split("/")[:depth])):
        parts = {row.name: row for row in inside}
        *_, last = parts.values()
        if [*parts] == [scope]:
            rows.append(last)
            continue
        # What comes from outside, each source once.
        entering = {source: None for part in parts for source in sources[part]}
        inputs = tuple(outputs[source] for source in entering if source not in parts)
        costs = zip(*(row.cost for row in parts.values()), strict=True)
        cost = Cost(*(total(counts) for counts in costs))
        rows.append(Row(scope, "...", None, inputs, last.output, cost, last.seen))
    return replace(report, rows=tuple(rows), network=replace(report.network, published=()))
