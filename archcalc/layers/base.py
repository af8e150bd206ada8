"""What every layer answers. Shapes are for one example; counts are exact and keep their working."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeAlias

from archcalc.count import ZERO, Count
from archcalc.errors import ArchitectureError

if TYPE_CHECKING:
    from archcalc.layers.window import Span
    from archcalc.shape import Shape


Axes: TypeAlias = int | tuple[int, ...]  # one number for every axis, or one for each


class Layer:
    """A layer with one input. Without its own rule, a layer keeps the shape and costs nothing."""

    kind: ClassVar[str]  # the stem of automatic names: conv1, conv2, ...
    in_place: ClassVar[bool] = (
        False  # holds no units of its own: works in place, or only rearranges
    )

    def output(self, shape: Shape) -> Shape:
        """The shape that comes out of this shape."""
        return shape

    def weights(self, shape: Shape) -> Count:  # noqa: ARG002 - for the layers that have some
        """Learned multipliers, given the shape that comes in."""
        return ZERO

    def biases(self, shape: Shape) -> Count:  # noqa: ARG002
        """Learned offsets."""
        return ZERO

    def macs(self, shape: Shape, output: Shape) -> Count:  # noqa: ARG002
        """Multiply-accumulates for one example, given the shapes that come in and go out.

        Only convolutions and matrix products have them.
        Additions of biases, normalizations, activations and pooling are no MACs here, as in
        torch's ``FlopCounterMode``.
        """
        return ZERO

    def windows(self, shape: Shape) -> tuple[Span, ...]:  # noqa: ARG002
        """How each axis is read; ``()`` where every output reads its own position only."""
        return ()


class Join:
    """A layer with several inputs. It has no numbers of its own: two of a kind are equal."""

    kind: ClassVar[str]
    in_place: ClassVar[bool] = False

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def output(self, *shapes: Shape) -> Shape:
        """The shape that comes out of these shapes."""
        raise NotImplementedError


def per_axis(value: Axes, axes: int, what: str) -> tuple[int, ...]:
    """One number for each axis; a single number serves them all."""
    if isinstance(value, int):
        return (value,) * axes
    if len(value) != axes:
        text = "x".join(map(str, value))
        raise ArchitectureError(f"{what} {text} has {len(value)} axes, its input has {axes}")
    return value
