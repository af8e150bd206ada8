"""Memory: predicted alone, and beside what was measured."""

from typing import Final

from archcalc.case import Case
from archcalc.memory import Memory
from archcalc.render.table import Table, left, right, text
from archcalc.render.views.common import size_in_bytes

# What each part is called, in the order in which all tables have them.
PARTS: Final = {
    "weights": "weights",
    "buffers": "buffers",
    "gradients": "gradients",
    "optimizer": "optimizer",
    "activations": "kept for the backward pass",
    "peak": "most at one time, optimizer's step apart",
}


def training_memory(case: Case, memory: Memory, optimizer: str) -> Table:
    """What a training step holds, before anything is built."""
    columns = (*left("memory"), *right("bytes"))
    rows = tuple(
        (text(label), size_in_bytes(getattr(memory, part)))
        for part, label in PARTS.items()
        if getattr(memory, part)
    )
    title = f"A training step with {optimizer}, batch {case.batch:,}, {case.dtype}: predicted"
    note = (
        "Every tensor that PyTorch holds, on a CPU; what its kernels use as workspace is not "
        "predicted. `archcalc profile --train` measures it."
    )
    return Table(title, columns, rows, (), (note,))
