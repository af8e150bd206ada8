"""Floor 1: the family of layers, each a frozen record that knows everything about its kind.

A kind's file says how its words read and write, its shapes, parameters, multiply-accumulates and
windows, what it keeps for the backward pass, and what torch calls it. To add one, write its file
and its line in :data:`FAMILY`. A file is imported when its kind is first met: a dataclass takes a
millisecond to make, and most networks have five kinds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archcalc.layers.base import Layer

# Every kind and the file where it stands, the most frequent first.
FAMILY: Final = {
    "Convolution": "convolution",
    "Activation": "activation",
    "Pool": "pooling",
    "Linear": "linear",
    "Dropout": "dropout",
    "BatchNorm": "normalization",
    "LayerNorm": "normalization",
    "GroupNorm": "normalization",
    "LocalResponseNorm": "normalization",
    "Concat": "joins",
    "Add": "joins",
    "Multiply": "joins",
    "Flatten": "flatten",
    "GlobalPool": "adaptive",
    "AdaptivePool": "adaptive",
    "TransposedConvolution": "transposed",
}
_OTHERS: Final = {
    **dict.fromkeys(("Layer", "Identity", "Parameter", "TorchModule"), "base"),
    **dict.fromkeys(("Window", "TransposedWindow", "AdaptiveWindow", "Span"), "window"),
}
__all__ = [*FAMILY, *_OTHERS, "kinds"]  # noqa: PLE0604 - all are names


def kinds() -> Iterator[type[Layer]]:
    """Every kind of layer, each imported as it is reached."""
    for name in FAMILY:
        yield __getattr__(name)


def __getattr__(name: str) -> Any:
    file = FAMILY.get(name) or _OTHERS.get(name)
    if file is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"archcalc.layers.{file}"), name)
