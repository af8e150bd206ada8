"""Several networks: the zoo's list, and a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archcalc.render.table import Block, Cell, Column, Table, number, text
from archcalc.render.views.common import field_of, size_in_bytes
from archcalc.reports import QUANTITY, Report


def networks(reports: Iterable[Report]) -> list[Block]:
    """One line a network of the zoo."""
    columns = (
        *(Column("network"), Column("input"), Column("layers", right=True)),
        *(Column("parameters", right=True), Column("MACs", right=True), Column("source")),
    )

    def row(report: Report, digits: int) -> tuple[Cell, ...]:
        source, totals = report.network.source, report.totals
        authors, comma, _ = source.authors.partition(", ") if source else ("", "", "")
        short = f"{authors}{' et al.' if comma else ''}, {source.venue}" if source else ""
        full = f"{source.authors}, {source.venue}, {source.where}" if source else ""
        return (
            *(text(report.network.name), text(report.case.sizes), number(report.layers)),
            *(number(totals[name], digits) for name in ("parameters", "macs")),
            text(short if digits else full),
        )

    found = list(reports)
    title = "Networks that archcalc knows by name"
    note = (
        "Layers: convolutions, those of shortcuts among them, and linear layers. "
        "Aliases: vgg-a to vgg-e."
    )
    wide, narrow = (tuple(row(report, digits) for report in found) for digits in (0, 3))
    return [Table(title, columns, wide, (), (note,), Table(title, columns, narrow, (), (note,)))]


def compared(reports: Sequence[Report]) -> list[Block]:
    """Networks side by side, a quantity a line."""
    columns = (
        Column(""),
        *(
            Column(report.network.name or f"network {i}", right=True)
            for i, report in enumerate(reports, 1)
        ),
    )

    def line(label: str, cells: Iterable[Cell]) -> tuple[Cell, ...]:
        return (text(label), *cells)

    rows = [
        line("input", (text(report.case.sizes) for report in reports)),
        line("layers", (number(report.layers) for report in reports)),
    ]
    rows += [
        line(QUANTITY[name].heading, [number(report.totals[name]) for report in reports])
        for name in ("parameters", "weights", "biases", "macs", "flops", "activations")
    ]
    rows += [
        line(
            "parameter memory", (size_in_bytes(r.memory(r.totals["parameters"])) for r in reports)
        ),
        line(
            "activation memory",
            (size_in_bytes(r.activation_memory(r.totals["activations"])) for r in reports),
        ),
        line("receptive field", (text(field_of(r.rows[-1], "size")) for r in reports)),
    ]
    note = (
        "MACs, FLOPs and activations for one example; memory at "
        f"{reports[0].dtype} for a batch of {reports[0].batch:,}. "
        "Layers: convolutions and linear layers."
    )
    return [Table("Side by side", columns, tuple(rows), (), (note,))]
