"""Ours, theirs, the difference and its cause, witness by witness."""

from collections.abc import Sequence
from typing import Final

from archcalc.checks import Cause, Check, Verification
from archcalc.count import exact
from archcalc.counters import TOOLS
from archcalc.render.table import Block, Cell, Column, Table, left, number, right, text, texts
from archcalc.render.views.common import called

# As the tools themselves write them; fvcore's flop is a MAC, and small.
NAMES: Final = {
    ("torch", "flops"): "FLOPs",
    ("torchvision", "flops"): "FLOPs",
    ("torch", "backward_flops"): "backward FLOPs",
    ("torchinfo", "mult_adds"): "mult-adds",
    ("ptflops", "macs"): "MACs",
    ("thop", "macs"): "MACs",
}
CUT: Final = (
    "Receptive fields: two neighbouring outputs of every layer along every axis, on one channel. "
    "Where an output sees padding, its field is cut, and must lie within the predicted one."
)
# What is only looked at as a whole, unless something is not explained.
WHOLE: Final = {"output", "parameters", "activations", "receptive field"}


def verification(verified: Verification) -> list[Block]:
    """All checks in one table, then every layer of those that count operations."""
    title = f"{called(verified.case)}, batch {verified.case.batch}: ours and theirs"
    shown = (c for c in verified.checks if c.quantity not in WHOLE or c.unexplained)
    return [_summary([verified], title), *map(_layers, shown)]


def verifications(results: Sequence[Verification]) -> list[Block]:
    """Several networks, one table; layers only where something is not explained."""
    checks = [check for each in results for check in each.checks]
    witnesses = dict.fromkeys(check.witness for check in checks if check.witness != "twin")
    batch = f" --batch {results[0].case.batch}" if results[0].case.batch > 1 else ""
    made = f"Made by: archcalc verify zoo --against {','.join(witnesses)}{batch}"
    unexplained = (check for check in checks if check.unexplained)
    return [made, _summary(results, "Ours and theirs"), *map(_layers, unexplained)]


def _summary(results: Sequence[Verification], title: str) -> Table:
    several = len(results) > 1
    rows: list[tuple[Cell, ...]] = []
    for verified in results:
        case = verified.case
        head = texts(case.network.name, case.sizes) if several else ()
        for check in verified.checks:
            rows += _rows((*head, *texts(check.witness, _quantity(check))), *_totals(check))
            head = texts(*[""] * len(head))
    checks = [check for verified in results for check in verified.checks]
    tools = dict.fromkeys(f"{c.witness} {c.release} on the {c.device} device" for c in checks)
    notes = (
        f"Witnesses: {', '.join(tools)}.",
        *([CUT] if any(check.witness == "gradient" for check in checks) else ()),
        *dict.fromkeys(f"{c.note}." for c in checks if c.witness in TOOLS and c.note),
    )
    names = ("network", "input") if several else ()
    return Table(title, _columns(*names, "witness", "quantity"), tuple(rows), (), notes)


def _layers(check: Check) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for line in check.lines:
        ours, theirs = (
            number(side) if isinstance(side, int) else text(side)
            for side in (line.ours, line.theirs)
        )
        causes = _causes(line.causes, line.difference)
        rows += _rows(texts(line.name), ours, theirs, line.difference, causes, line.rest)
    footer = () if _is_text(check) else tuple(_rows(texts("total"), *_totals(check)))
    title = f"{check.witness} {check.release}: {_quantity(check)}"
    notes = (f"{check.note}.",) if check.note else ()
    columns = _columns("layer", theirs=check.witness)
    return Table(title, columns, tuple(rows), footer, notes)


def _columns(*names: str, theirs: str = "theirs") -> tuple[Column, ...]:
    numbers = right("ours", theirs, "difference")
    return (*left(*names), *numbers, *left("because of"), *right("unexplained"))


def _rows(
    head: tuple[Cell, ...],
    ours: Cell,
    theirs: Cell,
    difference: int,
    causes: Sequence[str],
    rest: int,
) -> list[tuple[Cell, ...]]:
    """A line with its first cause, and a line for each further one."""
    amount = Cell(f"{difference:+,}" if difference else "0", "", difference)
    unexplained = number(rest) if rest else Cell("none", "", 0)
    first, *others = causes or [""]
    blank = [""] * (len(head) + 3)
    return [
        (*head, ours, theirs, amount, text(first), unexplained),
        *(texts(*blank, cause, "") for cause in others),
    ]


def _totals(check: Check) -> tuple[Cell, Cell, int, Sequence[str], int]:
    """Both sides, the difference, its causes, and what is left of it."""
    rest = sum(abs(line.rest) for line in check.lines)
    if _is_text(check):
        alike = sum(line.ours == line.theirs for line in check.lines)
        places, same = texts(f"{exact(len(check.lines))} places", f"{exact(alike)} alike")
        return places, same, rest, [check.note], rest
    difference = check.theirs - check.ours
    causes = _causes(check.causes(), difference)
    return number(check.ours), number(check.theirs), difference, causes, rest


def _causes(causes: Sequence[Cause], difference: int) -> list[str]:
    """The causes with their amounts; a single one explains the whole difference."""
    if len(causes) == 1 and causes[0].amount == difference:
        return [causes[0].name]
    return [f"{cause.name}: {cause.amount:+,}" for cause in causes]


def _quantity(check: Check) -> str:
    return NAMES.get((check.witness, check.quantity), check.quantity)


def _is_text(check: Check) -> bool:
    return any(isinstance(line.ours, str) for line in check.lines)
