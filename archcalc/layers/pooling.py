"""Pooling: no parameters, no multiply-accumulates, only windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from archcalc.errors import ArchitectureError
from archcalc.layers.base import Axes, Layer, per_axis
from archcalc.layers.window import AdaptiveWindow, Window
from archcalc.shape import Shape

if TYPE_CHECKING:
    from archcalc.layers.window import Span


class Pool(Layer):
    """Maximum or average over a window.

    ``stride=None`` is the kernel size. ``padding=None`` is none at all, save that a pool of
    stride 1 keeps the size, ``(kernel_size - 1)//2``, as in an Inception module.
    """

    kind: ClassVar[str] = "pool"
    kernel_size: Axes
    stride: Axes | None = None
    padding: Axes | None = None
    reduction: Literal["max", "average"] = "max"
    ceil_mode: bool = False

    def windows(self, shape: Shape) -> tuple[Span, ...]:
        """One sliding window an axis."""
        axes = len(_positions(shape).sizes)
        kernels = per_axis(self.kernel_size, axes, "kernel")
        strides = kernels if self.stride is None else per_axis(self.stride, axes, "stride")
        if self.padding is None:
            pads = tuple(
                (k - 1) // 2 if s == 1 else 0 for k, s in zip(kernels, strides, strict=True)
            )
        else:
            pads = per_axis(self.padding, axes, "padding")
        for kernel, padding in zip(kernels, pads, strict=True):
            if 2 * padding > kernel:  # torch's own condition: no window may lie in padding alone
                fact = f"a pool pads at most half its window of {kernel}, not {padding}"
                raise ArchitectureError(fact, hint=f"p{kernel // 2} would work")
        each = zip(kernels, strides, pads, strict=True)
        return tuple(Window(k, s, p, 1, self.ceil_mode) for k, s, p in each)

    def output(self, shape: Shape) -> Shape:
        """Each axis through its window; channels stay."""
        axes = zip(self.windows(shape), shape.sizes, strict=True)
        return Shape(tuple(window.outputs(size).value for window, size in axes), shape.channels)


class AdaptivePool(Layer):
    """Maximum or average over windows chosen so that a given size comes out (torch's rule)."""

    kind: ClassVar[str] = "adaptivepool"
    output_size: Axes
    reduction: Literal["max", "average"] = "average"

    def windows(self, shape: Shape) -> tuple[Span, ...]:
        """One adaptive window an axis."""
        targets = per_axis(self.output_size, len(_positions(shape).sizes), "output size")
        return tuple(AdaptiveWindow(*axis) for axis in zip(shape.sizes, targets, strict=True))

    def output(self, shape: Shape) -> Shape:
        """The size that was asked for; channels stay."""
        axes = len(_positions(shape).sizes)
        return Shape(tuple(per_axis(self.output_size, axes, "output size")), shape.channels)


class GlobalPool(Layer):
    """Maximum or average over all positions: ``HxWxC`` becomes ``1x1xC``."""

    kind: ClassVar[str] = "gap"
    reduction: Literal["max", "average"] = "average"

    def windows(self, shape: Shape) -> tuple[Span, ...]:
        """A window as large as the axis."""
        return tuple(Window(size) for size in _positions(shape).sizes)

    def output(self, shape: Shape) -> Shape:
        """One position."""
        return Shape((1,) * len(_positions(shape).sizes), shape.channels)


def _positions(shape: Shape) -> Shape:
    if not shape.sizes:
        fact = f"a pool moves over positions, and a vector of {shape} has none"
        raise ArchitectureError(fact, hint="put pools before flatten and fc")
    return shape
