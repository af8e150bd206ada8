"""A source's figures beside ours."""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.render.table import EMPTY, Column, Table, number, text
from archcalc.reports import QUANTITY, Comparison, Report


def published(report: Report, comparisons: Sequence[Comparison]) -> Table:
    """The source's figures beside ours, row by row, with the likely reason of every difference."""
    quantities = list(dict.fromkeys(c.published.quantity for c in comparisons))
    places = list(dict.fromkeys((c.published.row, c.published.where) for c in comparisons))
    found = {(c.published.row, c.published.where, c.published.quantity): c for c in comparisons}
    columns = [Column("row")]
    for quantity in quantities:
        name = QUANTITY[quantity].published or quantity
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
        name = QUANTITY[quantity].published or quantity
        counts.append(f"{sum(same)} of {len(same)} {name}")
    notes = [
        f"Reproduced, to one unit of the last printed digit: {', '.join(counts)}.",
        *(f"{', '.join(dict.fromkeys(names))}: {reason}." for reason, names in reasons.items()),
    ]
    source = report.network.source
    title = f"Published beside ours: {source.authors}, {source.venue}" if source else "Published"
    return Table(title, tuple(columns), tuple(rows), (), tuple(notes))
