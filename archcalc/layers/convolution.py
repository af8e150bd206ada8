"""Convolutions over one, two or three axes: strided, padded, dilated, grouped."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar

from archcalc.count import Count, Number, count, product, quotient
from archcalc.errors import ArchitectureError
from archcalc.layers.base import (
    BIAS,
    WEIGHT,
    Layer,
    Parameter,
    TorchModule,
    along,
    divisor_below,
    per_axis,
)
from archcalc.layers.passes import Needs, Operation
from archcalc.layers.pieces import Axes, Channels, Sizes, Stem, Switch, Whole
from archcalc.layers.window import Span, Window
from archcalc.shape import Shape


@dataclass(frozen=True)
class Filters(Layer):
    """What every convolution has.

    ``padding=None`` is the papers' unspoken rule, ``dilation*(kernel_size - 1)//2`` on both sides:
    an odd kernel at stride 1 then keeps the size.
    """

    kernel_size: Axes = Sizes("kernel").field()
    out_channels: Number = Channels("number of channels").field()
    stride: Axes = Sizes("stride", "/").field(1)
    padding: Axes | None = Sizes("padding", "p", 0).field(None)
    dilation: Axes = Sizes("dilation", "d").field(1)
    groups: int = Whole("number of groups", "g").field(1)
    bias: bool = Switch("nobias", written_if=False).field()

    def filter(self, shape: Shape) -> Count:
        """The weights of one filter: what each output unit, or each input unit, is weighed with."""
        raise NotImplementedError

    def numbers(self, axes: int) -> tuple[tuple[int, int, int, int], ...]:
        """Kernel, stride, padding and dilation of each axis."""
        kernels = per_axis(self.kernel_size, axes, "kernel")
        strides = per_axis(self.stride, axes, "stride")
        dilations = per_axis(self.dilation, axes, "dilation")
        if self.padding is None:
            paddings = tuple(d * (k - 1) // 2 for d, k in zip(dilations, kernels, strict=True))
        else:
            paddings = per_axis(self.padding, axes, "padding")
        return tuple(zip(kernels, strides, paddings, dilations, strict=True))

    def spans(self, axes: int) -> tuple[Span, ...]:
        raise NotImplementedError

    def windows(self, *shapes: Shape) -> tuple[Span, ...]:
        axes = len(shapes[0].sizes)
        if not axes:
            fact = f"a convolution moves over positions, and a vector of {shapes[0]} has none"
            raise ArchitectureError(fact, hint="put convolutions before flatten and fc")
        return _spans(self, axes)

    def output(self, *shapes: Shape) -> Shape:
        """Each axis through its window; ``out_channels`` channels."""
        (shape,) = shapes
        self._check_groups(shape)
        axes = zip(self.windows(shape), shape.sizes, strict=True)
        return Shape(tuple(window.outputs(size).value for window, size in axes), self.out_channels)

    def parameters(self, *shapes: Shape) -> tuple[Parameter, ...]:
        """Kernel area times channels seen, times filters; a bias an output channel."""
        weight = Parameter("weight", WEIGHT, self.weights(*shapes))
        if not self.bias:
            return (weight,)
        return weight, Parameter("bias", BIAS, count(self.out_channels))

    def needs(self, operation: Operation) -> Needs:
        """It keeps what it reads: the weights' gradient is made of it."""
        return Needs((operation.input(),))

    def torch_module(self, *shapes: Shape) -> TorchModule:
        (shape,) = shapes
        axes = len(shape.sizes)
        options: dict[str, Any] = along(self.windows(shape), "stride", "padding", "dilation")
        options |= {"groups": self.groups, "bias": self.bias}
        kernel = per_axis(self.kernel_size, axes, "kernel")
        return TorchModule(f"Conv{axes}d", (shape.channels, self.out_channels, kernel), options)

    def averaging(self) -> Layer:
        return replace(self, out_channels=1, groups=1, bias=False)

    def _check_groups(self, shape: Shape) -> None:
        if self.groups == 1:
            return
        both = {"input": shape.channels, "output": self.out_channels}
        known = {what: maps for what, maps in both.items() if isinstance(maps, int)}
        for what, maps in known.items():
            if maps % self.groups:
                fact = f"{self.groups} groups do not divide {maps} {what} channels"
                works = divisor_below(math.gcd(*known.values()), self.groups)
                raise ArchitectureError(fact, hint=f"g{works} would")


class Convolution(Filters):
    """``out_channels`` filters, each over ``in_channels/groups`` channels."""

    kind: ClassVar[str] = "conv"
    stems: ClassVar = {"conv": Stem("conv3-64")}

    def filter(self, shape: Shape) -> Count:
        """``3*3*64``: kernel area times the channels that a filter sees."""
        kernel = per_axis(self.kernel_size, len(shape.sizes), "kernel")
        return product(*kernel, quotient(shape.channels, self.groups))

    def weights(self, *shapes: Shape) -> Count:
        """``(3*3*64)*64``: kernel area times input channels seen, times filters."""
        return product(self.filter(*shapes), self.out_channels)

    def macs(self, *shapes: Shape, output: Shape) -> Count:
        """``(224*224*64)*(3*3*64)``: every output unit weighs one filter's worth."""
        return product(output.units, self.filter(*shapes))

    def spans(self, axes: int) -> tuple[Span, ...]:
        return tuple(Window(*numbers) for numbers in self.numbers(axes))


@lru_cache(maxsize=1024)
def _spans(layer: Filters, axes: int) -> tuple[Span, ...]:
    return layer.spans(axes)
