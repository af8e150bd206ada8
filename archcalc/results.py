"""Floor 6: what every result is: plain data that a terminal and a notebook draw.

How a result is drawn is the renderer's business, which stands above; :mod:`archcalc.api` says here
who it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable


class Result:
    """Draws itself in a terminal (by rich) and in a notebook (as HTML)."""

    drawn: ClassVar[Callable[[Result], object]]  # for rich
    html: ClassVar[Callable[[Result], str]]  # for a notebook

    def __rich__(self) -> object:
        return Result.drawn(self)

    def _repr_html_(self) -> str:
        return Result.html(self)
