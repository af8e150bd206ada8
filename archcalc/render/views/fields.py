"""Receptive fields: of a network layer by layer, of a stack with the proof (problem 5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcalc.layers import Convolution, Join, Window
from archcalc.receptive import stacking
from archcalc.render.table import EMPTY, Cell, Column, Table, text, working
from archcalc.render.views.common import field, misaligned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archcalc.count import Number
    from archcalc.receptive import Seen
    from archcalc.render.table import Block
    from archcalc.report import Report, Row


def receptive_fields(report: Report, *, bare: bool = False) -> list[Block]:
    """Size, stride, padding and centre of every layer that changes the receptive field.

    ``bare`` windows are shown as they were typed, ``5x5/2``, not as convolutions.
    """
    columns = (
        *(Column("layer"), Column("window"), Column("size", right=True)),
        *(
            Column("stride", right=True),
            Column("padding", right=True),
            Column("centre", right=True),
        ),
        Column("working of the size"),
    )
    sources = {node.name: node.inputs for node in report.network.nodes}
    seen = {row.name: row.seen for row in report.rows}
    rows = []
    for row in report.rows:
        before = [seen[name] for name in sources.get(row.name, ())]
        if before and all(field == row.seen for field in before):
            continue  # sees what its input sees
        fields = (text(field(row.seen, what)) for what in ("size", "stride", "padding", "centre"))
        word = row.word if row.layer else ""
        word = word.removeprefix("conv").replace("-1", "", 1) if bare else word
        rows.append((text(row.name), text(word), *fields, _grown(row, before)))
    name = report.network.name or "network"
    title = f"{name}: receptive field in pixels of the input, {report.input}"
    return [Table(title, columns, tuple(rows), (), tuple(misaligned(report)))]


def _grown(row: Row, before: Sequence[Seen]) -> Cell:
    """``1 + (3 - 1)*1 = 3``, once where all axes are alike."""
    if isinstance(row.layer, Join):
        return text("misaligned" if row.seen.misaligned else "union of the branches")
    if row.layer is None or not before:
        return EMPTY
    counts = [
        field.grown(window)
        for field, window in zip(before[0].fields, row.layer.windows(row.inputs[0]), strict=False)
        if field is not None and isinstance(window, Window) and len(field.spans) == 1
    ]
    most = max((len(f.spans) for f in row.seen.fields if f is not None), default=1)
    if most > 1:
        return text(f"the most of {most} outputs in turn")
    if len(set(counts)) == 1:
        return working(counts[0])
    return text(", ".join(found.equation() for found in counts))


def stacked(report: Report) -> list[Block]:
    """A stack of windows: its field layer by layer; where all are alike, why, for any N and F."""
    blocks = receptive_fields(report, bare=True)
    last = report.rows[-1].seen
    size = field(last, "size", whole=True)
    blocks.append(f"Receptive field of the stack: {size}.")
    windows = [
        row.layer.windows(row.inputs[0])
        for row in report.rows
        if isinstance(row.layer, Convolution)
    ]
    alike = len(windows) == len(report.rows) - 1 and len(set(windows)) == 1
    if alike and all(w.stride == w.dilation == 1 for w in windows[0] if isinstance(w, Window)):
        kernels = {w.kernel for w in windows[0] if isinstance(w, Window)}
        blocks += _induction(len(windows), sorted(kernels, key=str))
    return blocks


def _induction(layers: int, kernels: Sequence[Number]) -> list[Block]:
    proof = stacking()
    closed = str(proof.closed)
    one = proof.closed.substitute({"N": 1})
    lines = [
        f"Claim: N stacked FxF convolutions of stride 1 see as much as one ({closed})x({closed}) "
        "convolution.",
        f"One layer (N = 1) sees {proof.start}; the claim says {one} = {one.value}. "
        f"A second and a third layer add {proof.growth} each, since the stride stays 1.",
        f"Suppose that N layers see {closed}. One layer more sees "
        f"{proof.step} = {proof.step.value}; the claim for N + 1 says {proof.claim}. "
        "They are the same, so the claim holds for every N.",
        f"One convolution with a kernel of {closed} sees 1 + ({closed}) - 1, which is the same.",
    ]
    for kernel in kernels:
        size = proof.closed.substitute({"N": layers, "F": kernel})
        lines.append(f"Here N = {layers} and F = {kernel}: {size.equation()}.")
    return list(lines)
