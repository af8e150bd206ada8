"""Layers that work on single values or only rearrange them: they hold no units of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from archcalc.layers.base import Layer
from archcalc.layers.window import Window
from archcalc.shape import Shape

if TYPE_CHECKING:
    from archcalc.layers.window import Span

# The spelling in the notation is the name; leakyrelu and elu take a slope, written leakyrelu.01.
ACTIVATIONS: Final = (
    "relu",
    "relu6",
    "leakyrelu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "mish",
    "hardswish",
    "hardsigmoid",
    "softplus",
    "sigmoid",
    "tanh",
    "softmax",
    "logsoftmax",
)


class Activation(Layer):
    """A function of each value (softmax: of each position's channels); runs in place."""

    in_place: ClassVar[bool] = True
    function: str
    slope: float | None = None  # of leakyrelu and elu; None is torch's default

    @property
    def kind(self) -> str:  # type: ignore[override] # an activation is named after its function
        """``relu``, ``tanh``, ..."""
        return self.function


class Dropout(Layer):
    """Each value is zero with this probability while training; nothing happens afterwards."""

    kind: ClassVar[str] = "drop"
    in_place: ClassVar[bool] = True
    probability: float = 0.5


class Flatten(Layer):
    """``7x7x512`` becomes a vector of ``25,088``."""

    kind: ClassVar[str] = "flatten"
    in_place: ClassVar[bool] = True

    def output(self, shape: Shape) -> Shape:
        """A vector of all units."""
        return Shape((), shape.units.value)

    def windows(self, shape: Shape) -> tuple[Span, ...]:
        """All positions: what reads the vector reads them all."""
        return tuple(Window(size) for size in shape.sizes)
