"""The transposed convolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from archcalc.count import Count, product, quotient
from archcalc.errors import ArchitectureError
from archcalc.layers.base import TorchModule, per_axis
from archcalc.layers.convolution import Filters
from archcalc.layers.pieces import Axes, Sizes, Stem
from archcalc.layers.window import Span, TransposedWindow
from archcalc.shape import Shape


@dataclass(frozen=True)
class TransposedConvolution(Filters):
    """A convolution's shape rule run backwards (torch's ``ConvTranspose``)."""

    kind: ClassVar[str] = "convt"
    stems: ClassVar = {"convt": Stem("convt4-64/2")}
    output_padding: Axes = Sizes("output padding", "op", 0).field(0)

    def filter(self, shape: Shape) -> Count:
        """``2*2*128``: kernel area times the filters over which an input unit is spread."""
        kernel = per_axis(self.kernel_size, len(shape.sizes), "kernel")
        return product(*kernel, quotient(self.out_channels, self.groups))

    def weights(self, *shapes: Shape) -> Count:
        """``(2*2*64)*128``: kernel area times filters a group, times input channels."""
        return product(self.filter(*shapes), shapes[0].channels)

    def macs(self, *shapes: Shape, output: Shape) -> Count:
        """``(7*7*128)*(2*2*64)``: every unit of the input is spread over one filter's worth."""
        return product(shapes[0].units, self.filter(*shapes))

    def spans(self, axes: int) -> tuple[Span, ...]:
        extras = per_axis(self.output_padding, axes, "output padding")
        spans = []
        for (kernel, stride, padding, dilation), extra in zip(
            self.numbers(axes), extras, strict=True
        ):
            if extra and extra >= max(stride, dilation):  # torch's own condition
                fact = (
                    f"an output padding of {extra} is not below stride {stride} "
                    f"or dilation {dilation}"
                )
                raise ArchitectureError(fact, hint=f"op{max(stride, dilation) - 1} would work")
            spans.append(TransposedWindow(kernel, stride, padding, dilation, extra))
        return tuple(spans)

    def torch_module(self, *shapes: Shape) -> TorchModule:
        name, arguments, options = super().torch_module(*shapes)
        extra = per_axis(self.output_padding, len(shapes[0].sizes), "output padding")
        options = {**options, "output_padding": extra}
        return TorchModule(name.replace("Conv", "ConvTranspose"), arguments, options)
