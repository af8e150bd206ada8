"""The fully connected layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from archcalc.count import ZERO, Count, Number, count, product
from archcalc.layers.base import Layer
from archcalc.layers.window import Window
from archcalc.shape import Shape

if TYPE_CHECKING:
    from archcalc.layers.window import Span


class Linear(Layer):
    """Every output unit sees every input unit: ``7x7x512`` is read as the vector of its units."""

    kind: ClassVar[str] = "fc"
    out_features: Number
    bias: bool = True

    def output(self, shape: Shape) -> Shape:  # noqa: ARG002 - any input gives the same vector
        """A vector of ``out_features`` units."""
        return Shape((), self.out_features)

    def weights(self, shape: Shape) -> Count:
        """``(7*7*512)*4096``: input units times output units."""
        return product(shape.units, self.out_features)

    def biases(self, shape: Shape) -> Count:  # noqa: ARG002
        """One an output unit."""
        return count(self.out_features) if self.bias else ZERO

    def macs(self, shape: Shape, output: Shape) -> Count:  # noqa: ARG002
        """One a weight."""
        return self.weights(shape)

    def windows(self, shape: Shape) -> tuple[Span, ...]:
        """A window as large as each axis: a convolution in disguise."""
        return tuple(Window(size) for size in shape.sizes)
