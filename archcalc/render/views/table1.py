"""The assignment's Table 1 (problem 5.2), for any network."""

import re

from archcalc.count import Count
from archcalc.notation import write_word
from archcalc.render.table import Block, Cell, Table, left, number, text, working
from archcalc.reports import Report, Row
from archcalc.units import rounded


def table1(report: Report) -> list[Block]:
    """The assignment's Table 1: activations with two digits, parameters without biases, in full."""
    columns = left("Layer", "Number of Activations (Memory)", "Parameters (Compute)")
    rows = [
        (text(_label(row)), _activations(row.cost.activations), working(row.cost.weights))
        for row in report.rows
        if not row.in_place
    ]
    totals = report.totals
    footer = (text("TOTAL"), number(totals["activations"]), number(totals["weights"]))
    title = f"{report.network.name.upper() or 'Network'} memory and weights"
    return [Table(title, columns, tuple(rows), (footer,))]


def _label(row: Row) -> str:
    if row.layer is None:
        return "Input"
    # The assignment writes FC alone.
    label = row.layer.kind if row.layer.kind == "fc" else write_word(row.layer, modifiers=False)
    return ": ".join([*filter(None, ["/".join(row.path[:-1])]), label.upper()])


def _activations(units: Count) -> Cell:
    if not units.explains():  # a vector: FC 4096
        return Cell(str(units.value), "", units.value)
    calculation = units.latex().rpartition(" = ")[0]
    if not isinstance(units.value, int):  # nothing to round
        return Cell(str(units), f"${calculation}$", units.value)
    short = rounded(units.value, 2)
    upright = re.sub(r"([A-Z])$", r"\\mathrm{\1}", short)
    return Cell(f"{units}={short}", f"${calculation} = {upright}$", units.value)
