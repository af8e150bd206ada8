"""Receptive fields: of a network layer by layer, of a stack with the proof (problem 5.3)."""

from collections.abc import Mapping, Sequence

from archcalc.count import Number
from archcalc.layers.window import Window
from archcalc.receptive import Seen, stacking
from archcalc.render.table import EMPTY, Block, Cell, Table, left, right, text, texts, working
from archcalc.render.views.common import field, field_of, misaligned
from archcalc.reports import WAYS, Report, Row


def receptive_fields(report: Report, *, bare: bool = False) -> list[Block]:
    """Size, stride, padding and centre of every layer that changes the receptive field.

    ``bare`` windows are shown as they were typed, ``5x5/2``, not as convolutions.
    """
    columns = (*left("layer", "window"), *right(*WAYS), *left("working of the size"))
    seen = {row.name: row.fields for row in report.rows}
    rows = []
    for row in report.rows:
        before = [seen[value.name] for value in row.step.inputs] if row.step else []
        if before and all(fields == row.fields for fields in before):
            continue  # sees what its input sees
        word = row.word if row.step else ""
        word = word.removeprefix("conv").replace("-1", "", 1) if bare else word
        fields = (field_of(row, way) for way in WAYS)
        rows.append((*texts(row.name, word, *fields), _grown(row, before)))
    name = report.network.name or "network"
    inputs = " and ".join(str(value.shape) for value in report.case.inputs)
    title = f"{name}: receptive field in pixels of the input, {inputs}"
    return [Table(title, columns, tuple(rows), (), tuple(misaligned(report)))]


def _grown(row: Row, before: Sequence[Mapping[str, Seen]]) -> Cell:
    """``1 + (3 - 1)*1 = 3``, once where all axes are alike."""
    if len(before) > 1:
        misaligned = any(seen.misaligned for seen in row.fields.values())
        return text("misaligned" if misaligned else "union of the branches")
    if row.step is None or not before:
        return EMPTY
    (seen,) = before
    counts = [
        field.grown(window)
        for fields in seen.values()
        for field, window in zip(fields.fields, row.step.layer.windows(*row.inputs), strict=False)
        if field is not None and isinstance(window, Window) and len(field.spans) == 1
    ]
    patterns = [f for fields in row.fields.values() for f in fields.fields if f is not None]
    most = max((len(field.spans) for field in patterns), default=1)
    if most > 1:
        return text(f"the most of {most} outputs in turn")
    if len(set(counts)) == 1:
        return working(counts[0])
    return text(", ".join(grown.equation() for grown in counts))


def stacked(report: Report) -> list[Block]:
    """A stack of windows: its field layer by layer; where all are alike, why, for any N and F."""
    size = field(report.rows[-1].seen, "size", whole=True)
    blocks = [*receptive_fields(report, bare=True), f"Receptive field of the stack: {size}."]
    windows = [
        row.layer.windows(*row.inputs)
        for row in report.rows
        if row.layer is not None and row.layer.kind == "conv"
    ]
    if len(windows) == len(report.rows) - 1 and len(set(windows)) == 1:
        alike = [window for window in windows[0] if isinstance(window, Window)]
        if all(window.stride == window.dilation == 1 for window in alike):
            kernels = {window.kernel for window in alike}
            blocks += _induction(len(windows), sorted(kernels, key=str))
    return blocks


def _induction(layers: int, kernels: Sequence[Number]) -> list[Block]:
    proof = stacking()
    closed = proof.closed
    first = closed.substitute({"N": 1})
    return [
        f"Claim: N stacked FxF convolutions of stride 1 see as much as one ({closed})x({closed}) "
        "convolution.",
        f"One layer (N = 1) sees {proof.start}; the claim says {first} = {first.value}. "
        f"A second and a third layer add {proof.growth} each, since the stride stays 1.",
        f"Suppose that N layers see {closed}. One layer more sees "
        f"{proof.step} = {proof.step.value}; the claim for N + 1 says {proof.claim}. "
        "They are the same, so the claim holds for every N.",
        f"One convolution with a kernel of {closed} sees 1 + ({closed}) - 1, which is the same.",
        *(
            f"Here N = {layers} and F = {kernel}: "
            f"{closed.substitute({'N': layers, 'F': kernel}).equation()}."
            for kernel in kernels
        ),
    ]
