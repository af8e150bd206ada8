"""The fully connected layer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from archcalc.count import Count, Number, count, product
from archcalc.layers.base import BIAS, WEIGHT, Layer, Parameter, TorchModule
from archcalc.layers.passes import Needs, Operation
from archcalc.layers.pieces import Channels, Stem, Switch
from archcalc.layers.window import Span, Window
from archcalc.shape import Shape


@dataclass(frozen=True)
class Linear(Layer):
    """Every output unit sees every input unit: ``7x7x512`` is read as the vector of its units."""

    kind: ClassVar[str] = "fc"
    stems: ClassVar = {"fc": Stem("fc-1000")}
    reads_everything: ClassVar[bool] = True
    turns_weights: ClassVar[bool] = True
    out_features: Number = Channels("number of units").field()
    bias: bool = Switch("nobias", written_if=False).field()

    def output(self, *shapes: Shape) -> Shape:
        return Shape((), self.out_features)

    def parameters(self, *shapes: Shape) -> tuple[Parameter, ...]:
        """``(7*7*512)*4096``: input units times output units; a bias an output unit."""
        weight = Parameter("weight", WEIGHT, product(shapes[0].units, self.out_features))
        if not self.bias:
            return (weight,)
        return weight, Parameter("bias", BIAS, count(self.out_features))

    def macs(self, *shapes: Shape, output: Shape) -> Count:
        return product(shapes[0].units, self.out_features)

    def windows(self, *shapes: Shape) -> tuple[Span, ...]:
        """A window as large as each axis: a convolution in disguise."""
        return tuple(Window(size) for size in shapes[0].sizes)

    def needs(self, operation: Operation) -> Needs:
        """It keeps what it reads: the weights' gradient is made of it."""
        return Needs((operation.input(),))

    def torch_module(self, *shapes: Shape) -> TorchModule:
        return TorchModule("Linear", (shapes[0].units.value, self.out_features, self.bias))

    def run(self, module: Any, *tensors: Any) -> Any:
        return module(tensors[0].flatten(1))

    def averaging(self) -> Layer:
        return replace(self, out_features=1, bias=False)
