"""Functions of single values: they hold no units of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from archcalc.errors import ArchitectureError
from archcalc.layers.base import Layer, TorchModule
from archcalc.layers.passes import Needs, Operation
from archcalc.layers.pieces import Choice, Decimal, Stem
from archcalc.shape import Shape

# Each function's word, and its class in torch.
TORCH_NAMES: Final = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "leakyrelu": "LeakyReLU",
    "elu": "ELU",
    "selu": "SELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "mish": "Mish",
    "hardswish": "Hardswish",
    "hardsigmoid": "Hardsigmoid",
    "softplus": "Softplus",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softmax": "Softmax",
    "logsoftmax": "LogSoftmax",
}
ACTIVATIONS: Final = tuple(TORCH_NAMES)
# Whose derivative is written in the output; that of all others in the input.
KEEP_OUTPUT: Final = frozenset({"relu", "sigmoid", "tanh", "softmax", "logsoftmax"})
SLOPED: Final = {"leakyrelu": "leakyrelu.01", "elu": "elu"}  # whose word may say a slope
PLAIN: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True)
class Activation(Layer):
    """A function of each value (softmax: of each position's channels); runs in place.

    ``slope`` is that of ``leakyrelu`` on the negative side and ``elu``'s alpha; None is torch's
    default, 0.01 and 1.
    """

    in_place: ClassVar[bool] = True
    stems: ClassVar = {
        name: Stem(SLOPED.get(name, name), {"function": name}, None if name in SLOPED else PLAIN)
        for name in ACTIVATIONS
    }
    function: str = Choice("activation", *TORCH_NAMES).field()
    slope: float | None = Decimal("slope", 10**9 - 1).field(None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.slope is not None and self.function not in SLOPED:
            raise ArchitectureError(f"{self.function} has no slope")

    @property
    def kind(self) -> str:  # type: ignore[override] # an activation is named after its function
        """``relu``, ``tanh``, ..."""
        return self.function

    def needs(self, operation: Operation) -> Needs:
        """What its derivative is written in: what came out, or what went in."""
        return Needs((operation.result() if self.function in KEEP_OUTPUT else operation.input(),))

    def torch_module(self, *shapes: Shape) -> TorchModule:
        arguments = () if self.slope is None else (self.slope,)
        options = {"dim": 1} if self.function in {"softmax", "logsoftmax"} else {}
        return TorchModule(TORCH_NAMES[self.function], arguments, options)
