"""What all figures share: colours that colour-blind readers tell apart, a title, a footer."""

import io
from collections.abc import Callable
from typing import Any, Final

from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

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
    "svg.hashsalt": "archcalc",  # the same figure, the same file
    "svg.fonttype": "none",  # text that can be searched and read aloud
}
DPI: Final = 110


def drawn(
    width: float,
    height: float,
    title: str,
    footer: str,
    draw: Callable[[Figure], None],
    form: str = "png",
) -> bytes:
    """A figure of so many inches as a ``png``, ``svg`` or ``pdf``.

    ``draw`` puts axes into it; the footer says how many, how long, which seed.
    """
    with rc_context(SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.suptitle(title, fontsize=12, fontweight="bold")
        draw(figure)
        figure.supxlabel(footer, fontsize=8, color="#555555")
        stream = io.BytesIO()
        # Nothing in the file that changes from one drawing of it to the next.
        when = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
        figure.savefig(stream, format=form, dpi=DPI, metadata=when[form])
    return _small(stream) if form == "png" else stream.getvalue()


def _small(image: io.BytesIO) -> bytes:
    """A PNG with a palette, which is enough for lines and takes a third of the space."""
    small = io.BytesIO()
    picture = Image.open(image).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(small, "png", optimize=True)
    return small.getvalue()
