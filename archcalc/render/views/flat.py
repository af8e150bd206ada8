"""The whole report as one sheet of bare values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcalc.render.table import EMPTY, Column, Table, text
from archcalc.render.views.common import title

if TYPE_CHECKING:
    from archcalc.render.table import Block
    from archcalc.report import Report


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
        rows.append(
            tuple(text("" if row[n] is None else row[n]) for n in names) + tuple(map(text, sizes))
        )
    totals = tuple(text("total" if n == "name" else data["totals"].get(n, "")) for n in names)
    blank = (EMPTY,) * len(fields)
    return [Table(title(report), columns, tuple(rows), (totals + blank,))]
