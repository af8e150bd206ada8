"""Several networks: the zoo's list, and a comparison."""

from collections.abc import Iterable, Sequence

from archcalc.render.table import Block, Cell, Table, left, number, right, text, texts
from archcalc.render.views.common import field_of, size_in_bytes
from archcalc.reports import QUANTITY, Report


def networks(reports: Iterable[Report]) -> list[Block]:
    """One line a network of the zoo."""
    columns = (
        *left("network", "input"),
        *right("layers", "parameters", "MACs"),
        *left("source"),
    )

    def row(report: Report, digits: int) -> tuple[Cell, ...]:
        source, totals = report.network.source, report.totals
        authors, comma, _ = source.authors.partition(", ") if source else ("", "", "")
        short = f"{authors}{' et al.' if comma else ''}, {source.venue}" if source else ""
        full = f"{source.authors}, {source.venue}, {source.where}" if source else ""
        return (
            *texts(report.network.name, report.case.sizes),
            number(report.layers),
            *(number(totals[name], digits) for name in ("parameters", "macs")),
            text(short if digits else full),
        )

    reports = list(reports)
    title = "Networks that archcalc knows by name"
    note = (
        "Layers: convolutions, those of shortcuts among them, and linear layers. "
        "Aliases: vgg-a to vgg-e."
    )
    wide, narrow = (tuple(row(report, digits) for report in reports) for digits in (0, 3))
    return [Table(title, columns, wide, (), (note,), Table(title, columns, narrow, (), (note,)))]


def compared(reports: Sequence[Report]) -> list[Block]:
    """Networks side by side, a quantity a line."""
    names = (report.network.name or f"network {i}" for i, report in enumerate(reports, 1))
    lines: dict[str, Iterable[Cell]] = {
        "input": (text(report.case.sizes) for report in reports),
        "layers": (number(report.layers) for report in reports),
        **{
            QUANTITY[name].heading: [number(report.totals[name]) for report in reports]
            for name in ("parameters", "weights", "biases", "macs", "flops", "activations")
        },
        "parameter memory": (size_in_bytes(r.memory(r.totals["parameters"])) for r in reports),
        "activation memory": (
            size_in_bytes(r.activation_memory(r.totals["activations"])) for r in reports
        ),
        "receptive field": (text(field_of(r.rows[-1], "size")) for r in reports),
    }
    rows = tuple((text(label), *cells) for label, cells in lines.items())
    note = (
        "MACs, FLOPs and activations for one example; memory at "
        f"{reports[0].dtype} for a batch of {reports[0].batch:,}. "
        "Layers: convolutions and linear layers."
    )
    return [Table("Side by side", (*left(""), *right(*names)), rows, (), (note,))]
