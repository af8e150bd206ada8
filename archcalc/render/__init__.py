"""Floor 7: reports in every format. Only :mod:`archcalc.render.terminal` loads rich."""

from collections.abc import Sequence
from typing import Final

from archcalc.render.table import Block

FORMATS: Final = ("text", "markdown", "latex", "csv", "json", "html")


def render(blocks: Sequence[Block], form: str, width: int | None = None) -> str:
    """Blocks in one of :data:`FORMATS`, save ``json``, which draws data and not blocks.

    ``width`` is that of text; None makes it as wide as it has to be.
    """
    if form == "text":
        from archcalc.render import terminal  # noqa: PLC0415 - the other formats do without rich

        return terminal.plain(blocks, width)
    from archcalc.render import formats  # noqa: PLC0415 - text does without

    writers = {
        "markdown": formats.markdown,
        "latex": formats.latex,
        "csv": formats.comma_separated,
        "html": formats.html,
    }
    return writers[form](blocks)


def drawing(blocks: Sequence[Block]) -> object:
    """Blocks as something that rich can print."""
    from archcalc.render import terminal  # noqa: PLC0415

    return terminal.Drawing(blocks)


def fragment(blocks: Sequence[Block]) -> str:
    """Blocks as HTML for a notebook."""
    from archcalc.render import formats  # noqa: PLC0415

    return formats.html_fragment(blocks)
