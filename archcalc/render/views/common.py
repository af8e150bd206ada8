"""What several views share: how a report is called, a memory cell, a receptive field cell."""

from collections.abc import Iterable

from archcalc.case import Case
from archcalc.count import Number
from archcalc.receptive import Seen
from archcalc.render.table import EMPTY, Cell, number
from archcalc.reports import Report, Row
from archcalc.shape import by_axis
from archcalc.units import in_bytes


def called(case: Case) -> str:
    """``vgg19, input 224x224x3``."""
    return f"{case.network.name or 'network'}, input {case.sizes}"


def title(report: Report) -> str:
    """How its case is called, and whether biases are left out."""
    return called(report.case) + ("" if report.bias else ", without biases")


def nonzero(value: Number, digits: int = 0) -> Cell:
    """A number, or nothing for none: a table of zeros is hard to read."""
    return number(value, digits) if value != 0 else EMPTY


def size_in_bytes(value: Number, digits: int = 4) -> Cell:
    """``12.85 MB``."""
    is_known = isinstance(value, int) and value
    return Cell(in_bytes(value, digits), "", value) if is_known else EMPTY


def field_of(row: Row, what: str) -> str:
    """:func:`field` in every input that the row sees: ``5``, or ``left 5, right 3``."""
    if len(row.fields) == 1:
        return field(row.seen, what)
    return ", ".join(f"{name} {field(seen, what)}" for name, seen in row.fields.items())


def field(seen: Seen, what: str, *, whole: bool = False) -> str:
    """One number where all axes agree (``268``), else one an axis; ``?`` where there is none."""
    values = (getattr(axis, what, None) for axis in seen.fields)
    shown = [
        "?" if value is None else f"{value:g}" if isinstance(value, float) else value
        for value in values
    ]
    return str(shown[0]) if len(set(shown)) == 1 and not whole else by_axis(shown)


def misaligned(report: Report) -> Iterable[str]:
    """A sentence for every join whose branches do not line up."""
    for row in report.rows:
        for seen in row.fields.values():
            if seen.misaligned:
                yield f"Misaligned at {row.name}: {seen.misaligned}."
