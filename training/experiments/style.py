"""What figures of training share beside archcalc's own style: types, bands, an axis of epochs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from training.engine.record import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Arrays: TypeAlias = Mapping[str, Array]  # a record's
Results: TypeAlias = Mapping[str, Any]  # a record's, or a part of them
Drawings: TypeAlias = Iterator[tuple[str, bytes]]  # names and PNGs; an SVG's name ends in .svg


def filled(axes: Axes, x: Any, ends: Any, middle: Any, shade: float = 0.15, **look: Any) -> None:  # noqa: ANN401
    """A line as it looks, and in its colour the band between the lower and the upper ``ends``."""
    axes.fill_between(x, *ends, color=look["color"], alpha=shade, linewidth=0)
    axes.plot(x, middle, **look)


def epochs_axis(axes: Axes, last: int) -> None:
    """Epochs, close to 0 linearly and beyond on a logarithmic scale, labelled with numbers."""
    axes.set_xlabel("epochs")
    axes.set_xscale("symlog", linthresh=1, linscale=0.5)
    digits = (1, 2, 5) if last <= 100 else (1,)  # noqa: PLR2004 - more would overlap
    marks = [0] + [int(f"{d}{'0' * z}") for z in range(7) for d in digits]
    axes.set_xticks(marks, [f"{mark:,}" for mark in marks], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_xlim(0, max(last, 1) * 1.02)
