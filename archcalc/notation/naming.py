"""How layers get their names, for the reader and the writer alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from archcalc.layers.base import Layer
from archcalc.layers.joins import Add, Concat, Multiply
from archcalc.network import INPUT

JOINS: Final[dict[str, Layer]] = {join.sign: join for join in (Concat(), Add(), Multiply())}


class Draft(NamedTuple):
    """A node before every name is settled; inputs by position, -1 for the network's input."""

    scope: str
    name: str  # "" asks for an automatic one
    layer: Layer
    inputs: tuple[int, ...]
    place: str
    shares: int | None = None  # whose parameters it uses


def settle(drafts: Sequence[Draft]) -> list[str]:
    """Explicit names as they are; the others by kind and order in their scope."""
    taken = {draft.name for draft in drafts if draft.name} | {INPUT}
    orders: dict[str, int] = {}
    names = []
    for draft in drafts:
        stem = draft.scope + _stem(draft.layer)
        order = orders.get(stem, 0) + 1
        if not draft.name:
            while f"{stem}{order}" in taken:
                order += 1
        orders[stem] = order
        names.append(draft.name or f"{stem}{order}")
    return names


def looks_automatic(name: str, layer: Layer) -> bool:
    """Whether :func:`settle` might give this name to this layer: ``3a/conv2`` to a convolution."""
    return re.fullmatch(_stem(layer) + r"\d+", name.rpartition("/")[2]) is not None


def _stem(layer: Layer) -> str:
    # relu6 counts relu6_1, relu6_2, ..., so as not to meet the sixty-first relu.
    return f"{layer.kind}_" if layer.kind[-1].isdigit() else layer.kind
