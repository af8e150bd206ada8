"""A network as another tool counts it, without the tool."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from archcalc.count import Number, add_up
from archcalc.counters import counters
from archcalc.counters.base import MACS, Counter, Term
from archcalc.render.table import EMPTY, Block, Cell, Column, Table, number, text, working
from archcalc.render.views.common import title
from archcalc.reports import Report, plain


def counted(report: Report, rule: Counter) -> list[Block]:
    """Every layer's count by a convention: our MACs, each further term, the workings, the sum."""
    rows: list[tuple[Cell, ...]] = []
    counts = _terms(report, rule)
    for name, _, terms in counts:
        first, *others = terms
        rows.append((text(name), text(first.cause), working(first.amount), number(_sum(terms))))
        rows += [(EMPTY, text(term.cause), working(term.amount), EMPTY) for term in others]
    theirs = _sum(term for _, _, terms in counts for term in terms)
    ours = add_up(own for _, own, _ in counts)
    columns = (
        Column("layer"),
        Column("what"),
        Column("working"),
        Column(rule.unit, right=True),
    )
    footer = [
        (text("total"), text(rule.unit), EMPTY, number(theirs)),
        (EMPTY, text(_own(rule)), EMPTY, number(ours)),
        (EMPTY, text("difference"), EMPTY, number(theirs - ours)),
    ]
    heading = f"{title(report)}, batch {report.batch}: as {_who(rule)} counts"
    return [Table(heading, columns, tuple(rows), tuple(footer), (rule.rule,))]


def counted_data(report: Report, rule: Counter) -> dict[str, Any]:
    """The same as JSON-ready data."""
    found = _terms(report, rule)
    layers = [
        {
            "name": name,
            "count": plain(_sum(terms)),
            "terms": {term.cause: plain(term.amount.value) for term in terms},
        }
        for name, _, terms in found
    ]
    return {
        "schema": "archcalc.convention/1",
        "network": report.network.name,
        "input": report.case.sizes,
        "batch": report.batch,
        "convention": rule.name,
        "releases": list(rule.releases),
        "unit": rule.unit,
        "layers": layers,
        "total": plain(_sum(term for _, _, terms in found for term in terms)),
    }


def conventions() -> list[Block]:
    """All conventions and their rules."""
    columns = (Column("convention"), Column("whose"), Column("its unit"))
    rules = counters()
    rows = tuple((text(rule.name), text(_who(rule)), text(rule.unit)) for rule in rules)
    notes = tuple(f"{rule.name}, beside the MACs: {rule.rule}" for rule in rules)
    return [Table("Conventions: how one MAC becomes many numbers", columns, rows, (), notes)]


def conventions_data() -> dict[str, Any]:
    """The same as JSON-ready data."""
    names = ("name", "tool", "unit", "scale", "rule")
    return {
        "schema": "archcalc.conventions/1",
        "conventions": [
            {**{name: getattr(rule, name) for name in names}, "releases": list(rule.releases)}
            for rule in counters()
        ],
    }


def _terms(report: Report, rule: Counter) -> list[tuple[str, Number, list[Term]]]:
    return [
        (step.name, rule.ours(step, report.batch), terms)
        for step in report.case.steps
        if (terms := rule.terms(step, report.batch))
    ]


def _sum(terms: Iterable[Term]) -> Number:
    return add_up(term.amount.value for term in terms)


def _own(rule: Counter) -> str:
    return f"our {MACS}" if rule.scale == 1 else f"our {MACS}, {rule.scale} {rule.unit} each"


def _who(rule: Counter) -> str:
    return f"{rule.tool} {' to '.join(rule.releases)}" if rule.tool else "archcalc"
