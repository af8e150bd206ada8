"""A network as another tool counts it, without the tool."""

from collections.abc import Iterable
from typing import Any

from archcalc.count import Number, add_up
from archcalc.counters import counters
from archcalc.counters.base import MACS, Counter, Term
from archcalc.render.table import EMPTY, Block, Cell, Table, left, number, right, texts, working
from archcalc.render.views.common import title
from archcalc.reports import Report, plain


def counted(report: Report, rule: Counter) -> list[Block]:
    """Every layer's count by a convention: our MACs, each further term, the workings, the sum."""
    rows: list[tuple[Cell, ...]] = []
    layers = _layers(report, rule)
    for name, _, terms in layers:
        first, *others = terms
        rows.append((*texts(name, first.cause), working(first.amount), number(_sum(terms))))
        rows += [(*texts("", term.cause), working(term.amount), EMPTY) for term in others]
    theirs = _sum(term for _, _, terms in layers for term in terms)
    ours = add_up(amount for _, amount, _ in layers)
    columns = (*left("layer", "what", "working"), *right(rule.unit))
    each = "" if rule.scale == 1 else f", {rule.scale} {rule.unit} each"
    footer = (
        (*texts("total", rule.unit, ""), number(theirs)),
        (*texts("", f"our {MACS}{each}", ""), number(ours)),
        (*texts("", "difference", ""), number(theirs - ours)),
    )
    heading = f"{title(report)}, batch {report.batch}: as {_tool(rule)} counts"
    return [Table(heading, columns, tuple(rows), footer, (rule.rule,))]


def counted_data(report: Report, rule: Counter) -> dict[str, Any]:
    """The same as JSON-ready data."""
    layers = _layers(report, rule)
    return {
        "schema": "archcalc.convention/1",
        "network": report.network.name,
        "input": report.case.sizes,
        "batch": report.batch,
        "convention": rule.name,
        "releases": list(rule.releases),
        "unit": rule.unit,
        "layers": [
            {
                "name": name,
                "count": plain(_sum(terms)),
                "terms": {term.cause: plain(term.amount.value) for term in terms},
            }
            for name, _, terms in layers
        ],
        "total": plain(_sum(term for _, _, terms in layers for term in terms)),
    }


def conventions() -> list[Block]:
    """All conventions and their rules."""
    columns = left("convention", "whose", "its unit")
    rules = counters()
    rows = tuple(texts(rule.name, _tool(rule), rule.unit) for rule in rules)
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


def _layers(report: Report, rule: Counter) -> list[tuple[str, Number, list[Term]]]:
    """The layers that the tool counts: our own count in its unit, and the terms of its count."""
    return [
        (step.name, rule.ours(step, report.batch), terms)
        for step in report.case.steps
        if (terms := rule.terms(step, report.batch))
    ]


def _sum(terms: Iterable[Term]) -> Number:
    return add_up(term.amount.value for term in terms)


def _tool(rule: Counter) -> str:
    return f"{rule.tool} {' to '.join(rule.releases)}" if rule.tool else "archcalc"
