"""Pools whose windows follow from the size that is to come out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from archcalc.layers.base import Layer, TorchModule, per_axis
from archcalc.layers.passes import Needs, Operation
from archcalc.layers.pieces import Axes, Choice, Sizes, Stem
from archcalc.layers.pooling import REDUCTIONS, SHORT, needs_of_pool, positions
from archcalc.layers.window import AdaptiveWindow, Span, Window
from archcalc.shape import Shape


class _WholeMap(Layer):
    """Maximum or average, whatever size comes in."""

    reads_everything: ClassVar[bool] = True
    reduction: Literal["max", "average"]

    def needs(self, operation: Operation) -> Needs:
        """See :func:`needs_of_pool`; an average of one position is a mean for torch."""
        single = all(size == 1 for size in operation.output.sizes)
        return needs_of_pool(self.reduction, operation, mean=single)

    def averaging(self) -> Layer:
        return replace(self, reduction="average")  # type: ignore[call-arg] # both have it


@dataclass(frozen=True)
class AdaptivePool(_WholeMap):
    """Maximum or average over windows chosen so that a given size comes out (torch's rule)."""

    kind: ClassVar[str] = "adaptivepool"
    stems: ClassVar = {
        "adaptiveavgpool": Stem("adaptiveavgpool6", {"reduction": "average"}),
        "adaptivemaxpool": Stem("adaptivemaxpool6", {"reduction": "max"}),
    }
    output_size: Axes = Sizes("output size").field()
    reduction: Literal["max", "average"] = Choice("reduction", *REDUCTIONS).field("average")

    def windows(self, *shapes: Shape) -> tuple[Span, ...]:
        (shape,) = shapes
        targets = self._targets(shape)
        return tuple(AdaptiveWindow(*axis) for axis in zip(shape.sizes, targets, strict=True))

    def output(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        return Shape(self._targets(shape), shape.channels)

    def torch_module(self, *shapes: Shape) -> TorchModule:
        return _adaptive(self.reduction, self._targets(shapes[0]))

    def _targets(self, shape: Shape) -> tuple[int, ...]:
        return per_axis(self.output_size, len(positions(shape).sizes), "output size")


@dataclass(frozen=True)
class GlobalPool(_WholeMap):
    """Maximum or average over all positions: ``HxWxC`` becomes ``1x1xC``."""

    kind: ClassVar[str] = "gap"
    stems: ClassVar = {
        "gap": Stem("gap", {"reduction": "average"}),
        "gmp": Stem("gmp", {"reduction": "max"}),
    }
    reduction: Literal["max", "average"] = Choice("reduction", *REDUCTIONS).field("average")

    def windows(self, *shapes: Shape) -> tuple[Span, ...]:
        return tuple(Window(size) for size in positions(shapes[0]).sizes)

    def output(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        return Shape((1,) * len(positions(shape).sizes), shape.channels)

    def torch_module(self, *shapes: Shape) -> TorchModule:
        return _adaptive(self.reduction, (1,) * len(shapes[0].sizes))


def _adaptive(reduction: str, targets: tuple[int, ...]) -> TorchModule:
    return TorchModule(f"Adaptive{SHORT[reduction]}Pool{len(targets)}d", (targets,))
