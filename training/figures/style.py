"""What all figures share: size, colours that colour-blind readers tell apart, and a footer."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

from matplotlib import rc_context
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

# Okabe, Ito, Color Universal Design, 2008; without the yellow, which is too light for a line.
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
STYLES: Final = ("-", "--", ":", "-.")
SETTINGS: Final[Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.4,
}
DPI: Final = 110


def drawn(
    width: float, height: float, title: str, footer: str, draw: Callable[[Figure], None]
) -> bytes:
    """A figure as PNG.

    Args:
        width: in inches.
        height: in inches.
        title: above it.
        footer: below it: how many, how long, which seed.
        draw: what puts axes into it.
    """
    with rc_context(SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.suptitle(title, fontsize=12, fontweight="bold")
        draw(figure)
        figure.supxlabel(footer, fontsize=8, color="#555555")
        stream = io.BytesIO()
        figure.savefig(stream, dpi=DPI, metadata={"Software": None})
    return stream.getvalue()


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
