"""A map, read as a vector."""

from __future__ import annotations

from typing import ClassVar

from archcalc.layers.base import Layer, TorchModule
from archcalc.layers.pieces import Stem
from archcalc.layers.window import Span, Window
from archcalc.shape import Shape


class Flatten(Layer):
    """``7x7x512`` becomes a vector of ``25,088``."""

    kind: ClassVar[str] = "flatten"
    stems: ClassVar = {"flatten": Stem("flatten")}
    in_place: ClassVar[bool] = True
    view: ClassVar[bool] = True
    hands_on: ClassVar[bool] = True
    reads_everything: ClassVar[bool] = True

    def output(self, *shapes: Shape) -> Shape:
        return Shape((), shapes[0].units.value)

    def windows(self, *shapes: Shape) -> tuple[Span, ...]:
        """All positions: what reads the vector reads them all."""
        return tuple(Window(size) for size in shapes[0].sizes)

    def does_nothing(self, *shapes: Shape, train: bool) -> bool:
        return not shapes[0].sizes

    def torch_module(self, *shapes: Shape) -> TorchModule:
        return TorchModule("Flatten")
