"""Where branches meet."""

from __future__ import annotations

import operator
from functools import reduce
from typing import Any, ClassVar

from archcalc.count import add_up
from archcalc.errors import ArchitectureError
from archcalc.layers.base import Layer
from archcalc.layers.passes import Needs, Operation
from archcalc.shape import Shape


class _Join(Layer):
    """Takes two inputs or more; torch has functions for it, no modules."""

    arity: ClassVar[tuple[int, int | None]] = (2, None)


class Concat(_Join):
    """Channels side by side; each branch can write into its part of the result, in place."""

    kind: ClassVar[str] = "concat"
    sign: ClassVar[str] = "|"
    hands_on: ClassVar[bool] = True
    in_place: ClassVar[bool] = True

    def output(self, *shapes: Shape) -> Shape:
        """The common size, the channels added up."""
        if len({shape.sizes for shape in shapes}) > 1:
            _differ(shapes, "concatenated branches need one size")
        return Shape(shapes[0].sizes, add_up(shape.channels for shape in shapes))

    def run(self, module: Any, *tensors: Any) -> Any:
        import torch

        return torch.cat(tensors, 1)


class Add(_Join):
    """A sum, value by value: the shortcut of a residual block."""

    kind: ClassVar[str] = "add"
    sign: ClassVar[str] = "+"
    hands_on: ClassVar[bool] = True
    pairwise: ClassVar[bool] = True

    def output(self, *shapes: Shape) -> Shape:
        if len(set(shapes)) > 1:
            _differ(shapes, "branches need one shape to add")
        return shapes[0]

    def run(self, module: Any, *tensors: Any) -> Any:
        return reduce(operator.add, tensors)


class Multiply(_Join):
    """A product, value by value; a branch of one position (``1x1xC``) scales all positions."""

    kind: ClassVar[str] = "mul"
    sign: ClassVar[str] = "*"
    pairwise: ClassVar[bool] = True
    multiplies: ClassVar[bool] = True

    def output(self, *shapes: Shape) -> Shape:
        """The common shape, a squeezed branch stretched over it."""
        largest = max(shapes, key=lambda shape: sum(size != 1 for size in shape.sizes))
        gate = Shape((1,) * len(largest.sizes), largest.channels)
        if any(shape not in (largest, gate) for shape in shapes):
            _differ(shapes, "branches need one shape to multiply (1x1xC scales HxWxC)")
        return largest

    def needs(self, operation: Operation) -> Needs:
        """Each factor is kept for the gradient of the other.

        A gate's gradient is first one of each position, as large as what it scales, then summed.
        """
        left, right = operation.wanted
        kept = [operation.input(0, "factor")] * right + [operation.input(1, "factor")] * left
        sizes = zip(operation.wanted, operation.read, strict=True)
        summed = any(wanted and size < operation.made for wanted, size in sizes)
        return Needs(tuple(kept), backward=operation.made if summed else 0)

    def run(self, module: Any, *tensors: Any) -> Any:
        return reduce(operator.mul, tensors)


def _differ(shapes: tuple[Shape, ...], fact: str) -> None:
    raise ArchitectureError(f"{fact}, these are {', '.join(map(str, shapes))}")
