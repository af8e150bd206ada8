"""Pooling over sliding windows: no parameters, no multiply-accumulates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final, Literal

from archcalc.errors import ArchitectureError
from archcalc.layers.base import Layer, TorchModule, along, per_axis
from archcalc.layers.passes import INDEX, Needs, Operation
from archcalc.layers.pieces import Axes, Choice, Sizes, Stem, Switch
from archcalc.layers.window import Span, Window
from archcalc.shape import Shape

REDUCTIONS: Final = ("max", "average")
SHORT: Final = {"max": "Max", "average": "Avg"}  # in torch's names


@dataclass(frozen=True)
class Pool(Layer):
    """Maximum or average over a window.

    ``stride=None`` is the kernel size. ``padding=None`` is none at all, save that a pool of
    stride 1 keeps the size, ``(kernel_size - 1)//2``, as in an Inception module.
    """

    kind: ClassVar[str] = "pool"
    stems: ClassVar = {
        "pool": Stem("pool2", {"reduction": "max"}),
        "avgpool": Stem("avgpool2", {"reduction": "average"}),
    }
    kernel_size: Axes = Sizes("kernel").field()
    stride: Axes | None = Sizes("stride", "/").field(None)
    padding: Axes | None = Sizes("padding", "p", 0).field(None)
    reduction: Literal["max", "average"] = Choice("reduction", *REDUCTIONS).field("max")
    ceil_mode: bool = Switch("ceil", written_if=True).field()

    def windows(self, *shapes: Shape) -> tuple[Span, ...]:
        axes = len(positions(shapes[0]).sizes)
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

    def output(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        axes = zip(self.windows(shape), shape.sizes, strict=True)
        return Shape(tuple(window.outputs(size).value for window, size in axes), shape.channels)

    def needs(self, operation: Operation) -> Needs:
        return needs_of_pool(self.reduction, operation)

    def torch_module(self, *shapes: Shape) -> TorchModule:
        axes = len(shapes[0].sizes)
        options = {"ceil_mode": self.ceil_mode}
        options |= along(self.windows(*shapes), "stride", "padding")
        kernel = per_axis(self.kernel_size, axes, "kernel")
        return TorchModule(f"{SHORT[self.reduction]}Pool{axes}d", (kernel,), options)

    def averaging(self) -> Layer:
        """An average: a maximum would pass its gradient to a single input."""
        return replace(self, reduction="average")


def positions(shape: Shape) -> Shape:
    """The shape, where it has positions to move over."""
    if not shape.sizes:
        fact = f"a pool moves over positions, and a vector of {shape} has none"
        raise ArchitectureError(fact, hint="put pools before flatten and fc")
    return shape


def needs_of_pool(reduction: str, operation: Operation, *, mean: bool = False) -> Needs:
    """Maxima keep where they were, and every pool its input for its size; a mean keeps nothing."""
    if reduction == "max":
        indices = operation.made // operation.size * INDEX  # made though nobody may ask where
        return Needs((operation.input(), operation.further("indices", indices)))
    return Needs() if mean else Needs((operation.input(),))
