"""What figures of training share beside archcalc's own style: an axis of epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def epochs_axis(axes: Axes, last: int) -> None:
    """Epochs, close to 0 linearly and beyond on a logarithmic scale, labelled with numbers."""
    axes.set_xlabel("epochs")
    axes.set_xscale("symlog", linthresh=1, linscale=0.5)
    digits = (1, 2, 5) if last <= 100 else (1,)  # noqa: PLR2004 - more would overlap
    marks = [0] + [int(f"{d}{'0' * z}") for z in range(7) for d in digits]
    marks = [mark for mark in marks if mark <= last]
    axes.set_xticks(marks, [f"{mark:,}" for mark in marks], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_xlim(0, max(last, 1) * 1.02)
