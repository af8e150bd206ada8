"""Ours, theirs, the difference and its cause, witness by witness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from archcalc.checks import Amount, Cause, Check, Line, Verification
from archcalc.count import exact
from archcalc.counters import TOOLS
from archcalc.render.table import EMPTY, Block, Cell, Column, Table, number, text

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


def verification(found: Verification) -> list[Block]:
    """All checks in one table, then every layer of those that count operations."""
    blocks: list[Block] = [_summary([found], _title(found))]
    shown = (c for c in found.checks if c.quantity not in WHOLE or c.unexplained)
    return blocks + [_layers(check) for check in shown]


def verifications(found: Sequence[Verification]) -> list[Block]:
    """Several networks, one table; layers only where something is not explained."""
    names = dict.fromkeys(check.witness for one in found for check in one.checks)
    asked = ",".join(name for name in names if name != "twin")
    batch = f" --batch {found[0].case.batch}" if found[0].case.batch > 1 else ""
    made = f"Made by: archcalc verify zoo --against {asked}{batch}"
    blocks: list[Block] = [made, _summary(found, "Ours and theirs")]
    for one in found:
        blocks += [_layers(check) for check in one.checks if check.unexplained]
    return blocks


def _title(found: Verification) -> str:
    case, name = found.case, found.case.network.name or "network"
    return f"{name}, input {case.sizes}, batch {case.batch}: ours and theirs"


def _summary(found: Sequence[Verification], title: str) -> Table:
    several = len(found) > 1
    columns = (
        *((Column("network"), Column("input")) if several else ()),
        Column("witness"),
        Column("quantity"),
        Column("ours", right=True),
        Column("theirs", right=True),
        Column("difference", right=True),
        Column("because of"),
        Column("unexplained", right=True),
    )
    rows: list[tuple[Cell, ...]] = []
    for one in found:
        head: tuple[Cell, ...] = ()
        if several:
            head = (text(one.case.network.name), text(one.case.sizes))
        for check in one.checks:
            rows += _rows((*head, text(check.witness), text(_quantity(check))), *_totals(check))
            head = (EMPTY,) * len(head)
    checks = [check for one in found for check in one.checks]
    tools = dict.fromkeys(f"{c.witness} {c.release} on the {c.device} device" for c in checks)
    notes = [f"Witnesses: {', '.join(tools)}."]
    if any(check.witness == "gradient" for check in checks):
        notes.append(CUT)
    notes += dict.fromkeys(f"{c.note}." for c in checks if c.witness in TOOLS and c.note)
    return Table(title, columns, tuple(rows), (), tuple(notes))


def _totals(check: Check) -> tuple[Cell, Cell, int, Sequence[str], int]:
    """Both sides, the difference, its causes, and what is left of it."""
    rest = sum(abs(line.rest) for line in check.lines)
    if _is_text(check.lines):
        alike = sum(line.ours == line.theirs for line in check.lines)
        places = text(f"{exact(len(check.lines))} places")
        return places, text(f"{exact(alike)} alike"), rest, [check.note], rest
    difference = check.theirs - check.ours
    causes = _causes(check.causes(), difference)
    return number(check.ours), number(check.theirs), difference, causes, rest


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
    left = number(rest) if rest else Cell("none", "", 0)
    first, *others = causes or [""]
    rows = [(*head, ours, theirs, amount, text(first), left)]
    blank = (EMPTY,) * (len(head) + 3)
    return rows + [(*blank, text(cause), EMPTY) for cause in others]


def _quantity(check: Check) -> str:
    return NAMES.get((check.witness, check.quantity), check.quantity)


def _causes(causes: Sequence[Cause], difference: int) -> list[str]:
    """The causes with their amounts; a single one explains the whole difference."""
    if len(causes) == 1 and causes[0].amount == difference:
        return [causes[0].name]
    return [f"{cause.name}: {cause.amount:+,}" for cause in causes]


def _layers(check: Check) -> Table:
    columns = (
        Column("layer"),
        Column("ours", right=True),
        Column(check.witness, right=True),
        Column("difference", right=True),
        Column("because of"),
        Column("unexplained", right=True),
    )
    rows: list[tuple[Cell, ...]] = []
    for line in check.lines:
        causes = _causes(line.causes, line.difference)
        both = (_value(line.ours), _value(line.theirs))
        rows += _rows((text(line.name),), *both, line.difference, causes, line.rest)
    footer = [] if _is_text(check.lines) else _rows((text("total"),), *_totals(check))
    title = f"{check.witness} {check.release}: {_quantity(check)}"
    notes = (f"{check.note}.",) if check.note else ()
    return Table(title, columns, tuple(rows), tuple(footer), notes)


def _is_text(lines: Sequence[Line]) -> bool:
    return any(isinstance(line.ours, str) for line in lines)


def _value(value: Amount) -> Cell:
    return number(value) if isinstance(value, int) else text(value)
