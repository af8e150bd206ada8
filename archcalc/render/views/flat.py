"""The whole report as one sheet of bare values."""

from archcalc.count import Formula
from archcalc.render.table import EMPTY, Block, Table, left, texts
from archcalc.render.views.common import title
from archcalc.reports import WAYS, Report, plain
from archcalc.shape import by_axis


def flat(report: Report) -> list[Block]:
    """Every row and every column of the data, as bare values for a spreadsheet."""
    data = report.to_dict()
    names = [name for name in data["rows"][0] if name != "receptive_field"]
    columns = left(*names, *(f"receptive_field_{way}" for way in WAYS))
    rows = []
    for row, shown in zip(data["rows"], report.rows, strict=True):
        values = ["" if row[name] is None else row[name] for name in names]
        for way in WAYS:
            seen = [[getattr(f, way, None) for f in seen.fields] for seen in shown.fields.values()]
            values.append(" ".join(by_axis(map(_bare, axes)) for axes in seen))
        rows.append(texts(*values))
    totals = texts(*("total" if n == "name" else data["totals"].get(n, "") for n in names))
    return [Table(title(report), columns, tuple(rows), ((*totals, *[EMPTY] * len(WAYS)),))]


def _bare(value: object) -> object:
    return "" if value is None else value if isinstance(value, Formula) else plain(value)
