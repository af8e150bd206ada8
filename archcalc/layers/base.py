"""What every layer answers. Shapes are for one example; counts are exact and keep their working."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final, Self, TypeAlias, dataclass_transform

from archcalc.count import ZERO, Count
from archcalc.errors import ArchitectureError

if TYPE_CHECKING:
    from archcalc.layers.window import Span
    from archcalc.shape import Shape


Axes: TypeAlias = int | tuple[int, ...]  # one number for every axis, or one for each


_REQUIRED: Final = object()  # stands for the default of a field that has none


@dataclass_transform(frozen_default=True)
class Layer:
    """A layer with one input: a frozen record of what its annotations name.

    It works as a frozen dataclass does, but without generating code: fourteen dataclasses were a
    twelfth of the time in which `archcalc vgg19` starts, works and ends.

    Without its own rule, a layer keeps the shape and costs nothing.
    """

    kind: ClassVar[str]  # the stem of automatic names: conv1, conv2, ...
    in_place: ClassVar[bool] = False  # holds no units of its own: works in place, or rearranges
    fields: ClassVar[dict[str, object]] = {}  # every name with its default

    def __init_subclass__(cls) -> None:
        own = {
            name: getattr(cls, name, _REQUIRED)
            for name, annotation in cls.__annotations__.items()
            if not annotation.startswith("ClassVar")
        }
        cls.fields = {**cls.fields, **own}

    def __init__(self, *values: object, **named: object) -> None:
        given = {**dict(zip(self.fields, values, strict=False)), **named}
        fields = {**self.fields, **given}
        if len(given) != len(values) + len(named) or len(fields) != len(self.fields):
            raise TypeError(f"{type(self).__name__} takes {', '.join(self.fields)}, each once")
        if _REQUIRED in fields.values():
            raise TypeError(
                f"{type(self).__name__} needs more than {', '.join(given) or 'nothing'}"
            )
        self.__dict__.update(fields)

    def replace(self, **named: object) -> Self:
        """The same layer with some fields changed."""
        return type(self)(**{**self.__dict__, **named})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a layer is frozen: {name} cannot be set")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *self.__dict__.values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({fields})"

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


class Join(ABC):
    """A layer with several inputs. It has no numbers of its own: two of a kind are equal."""

    kind: ClassVar[str]
    in_place: ClassVar[bool] = False

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @abstractmethod
    def output(self, *shapes: Shape) -> Shape:
        """The shape that comes out of these shapes."""


def divisor_below(number: int, limit: int) -> int:
    """The largest divisor of ``number`` below ``limit``: a number of groups that would work."""
    small = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return max(d for d in (*small, *(number // d for d in small)) if d < limit)


def per_axis(value: Axes, axes: int, what: str) -> tuple[int, ...]:
    """One number for each axis; a single number serves them all."""
    if isinstance(value, int):
        return (value,) * axes
    if len(value) != axes:
        text = "x".join(map(str, value))
        raise ArchitectureError(f"{what} {text} has {len(value)} axes, its input has {axes}")
    return value
