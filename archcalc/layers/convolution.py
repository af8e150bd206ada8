"""Convolutions over one, two or three axes: strided, padded, dilated, grouped, transposed."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from archcalc.count import ZERO, Count, Number, count, product, quotient
from archcalc.errors import ArchitectureError
from archcalc.layers.base import Axes, Layer, divisor_below, per_axis
from archcalc.layers.window import TransposedWindow, Window
from archcalc.shape import Shape

if TYPE_CHECKING:
    from archcalc.layers.window import Span


class _Filters(Layer):
    """What every convolution has."""

    kernel_size: Axes
    out_channels: Number
    stride: Axes = 1
    padding: Axes | None = None
    dilation: Axes = 1
    groups: int = 1
    bias: bool = True

    def windows(self, shape: Shape) -> tuple[Span, ...]:
        """One window an axis."""
        if not shape.sizes:
            fact = f"a convolution moves over positions, and a vector of {shape} has none"
            raise ArchitectureError(fact, hint="put convolutions before flatten and fc")
        return _windows(self, len(shape.sizes))

    def output(self, shape: Shape) -> Shape:
        """Each axis through its window; ``out_channels`` channels."""
        self._check_groups(shape)
        axes = zip(self.windows(shape), shape.sizes, strict=True)
        return Shape(tuple(window.outputs(size).value for window, size in axes), self.out_channels)

    def biases(self, shape: Shape) -> Count:  # noqa: ARG002 - any input
        """One an output channel."""
        return count(self.out_channels) if self.bias else ZERO

    def _check_groups(self, shape: Shape) -> None:
        if self.groups == 1:
            return
        both = {"input": shape.channels, "output": self.out_channels}
        known = [channels for channels in both.values() if isinstance(channels, int)]
        for what, channels in both.items():
            if isinstance(channels, int) and channels % self.groups:
                fact = f"{self.groups} groups do not divide {channels} {what} channels"
                works = divisor_below(math.gcd(*known), self.groups)
                raise ArchitectureError(fact, hint=f"g{works} would")


class Convolution(_Filters):
    """``out_channels`` filters, each over ``in_channels/groups`` channels.

    ``padding=None`` is the papers' unspoken rule, ``dilation*(kernel_size - 1)//2`` on both sides:
    an odd kernel at stride 1 then keeps the size.
    """

    kind: ClassVar[str] = "conv"

    def weights(self, shape: Shape) -> Count:
        """``(3*3*64)*64``: kernel area times input channels seen, times filters."""
        return product(self._filter(shape), self.out_channels)

    def macs(self, shape: Shape, output: Shape) -> Count:
        """``(224*224*64)*(3*3*64)``: every output unit weighs one filter's worth."""
        return product(output.units, self._filter(shape))

    def _filter(self, shape: Shape) -> Count:
        kernel = per_axis(self.kernel_size, len(shape.sizes), "kernel")
        return product(*kernel, quotient(shape.channels, self.groups))


class TransposedConvolution(_Filters):
    """A convolution's shape rule run backwards (torch's ``ConvTranspose``).

    ``padding=None`` is ``dilation*(kernel_size - 1)//2``, as for :class:`Convolution`.
    """

    kind: ClassVar[str] = "convt"
    output_padding: Axes = 0

    def weights(self, shape: Shape) -> Count:
        """``(2*2*64)*128``: kernel area times filters a group, times input channels."""
        return product(self._spread(shape), shape.channels)

    def macs(self, shape: Shape, output: Shape) -> Count:  # noqa: ARG002
        """``(7*7*128)*(2*2*64)``: every unit of the input is spread over one filter's worth."""
        return product(shape.units, self._spread(shape))

    def _spread(self, shape: Shape) -> Count:
        kernel = per_axis(self.kernel_size, len(shape.sizes), "kernel")
        return product(*kernel, quotient(self.out_channels, self.groups))


@lru_cache(maxsize=1024)
def _windows(layer: _Filters, axes: int) -> tuple[Span, ...]:
    kernels = per_axis(layer.kernel_size, axes, "kernel")
    strides = per_axis(layer.stride, axes, "stride")
    dilations = per_axis(layer.dilation, axes, "dilation")
    if layer.padding is None:
        paddings = tuple(d * (k - 1) // 2 for d, k in zip(dilations, kernels, strict=True))
    else:
        paddings = per_axis(layer.padding, axes, "padding")
    each = zip(kernels, strides, paddings, dilations, strict=True)
    if not isinstance(layer, TransposedConvolution):
        return tuple(Window(*numbers) for numbers in each)
    extras = per_axis(layer.output_padding, axes, "output padding")
    for extra, stride, dilation in zip(extras, strides, dilations, strict=True):
        if extra and extra >= max(stride, dilation):  # torch's own condition
            fact = (
                f"an output padding of {extra} is not below stride {stride} or dilation {dilation}"
            )
            raise ArchitectureError(fact, hint=f"op{max(stride, dilation) - 1} would work")
    pairs = zip(each, extras, strict=True)
    return tuple(TransposedWindow(*numbers, extra) for numbers, extra in pairs)
