"""Where branches meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from archcalc.errors import ArchitectureError
from archcalc.layers.base import Join
from archcalc.shape import Shape

if TYPE_CHECKING:
    from archcalc.count import Number


class Concat(Join):
    """Channels side by side; each branch can write into its part of the result, in place."""

    kind: ClassVar[str] = "concat"
    in_place: ClassVar[bool] = True

    def output(self, *shapes: Shape) -> Shape:
        """The common size, the channels added up."""
        if len({shape.sizes for shape in shapes}) > 1:
            _differ(shapes, "concatenated branches need one size")
        channels: Number = 0
        for shape in shapes:
            channels = channels + shape.channels
        return Shape(shapes[0].sizes, channels)


class _Elementwise(Join):
    def output(self, *shapes: Shape) -> Shape:
        """The common shape."""
        if len(set(shapes)) > 1:
            _differ(shapes, f"branches need one shape to {self.kind}")
        return shapes[0]


class Add(_Elementwise):
    """A sum, value by value: the shortcut of a residual block."""

    kind: ClassVar[str] = "add"


class Multiply(_Elementwise):
    """A product, value by value; a branch of one position (``1x1xC``) scales all positions."""

    kind: ClassVar[str] = "mul"

    def output(self, *shapes: Shape) -> Shape:
        """The common shape, a squeezed branch stretched over it."""
        largest = max(shapes, key=lambda shape: sum(size != 1 for size in shape.sizes))
        gate = Shape((1,) * len(largest.sizes), largest.channels)
        if any(shape not in (largest, gate) for shape in shapes):
            _differ(shapes, "branches need one shape to multiply (1x1xC scales HxWxC)")
        return largest


def _differ(shapes: tuple[Shape, ...], fact: str) -> None:
    raise ArchitectureError(f"{fact}, these are {', '.join(map(str, shapes))}")
