"""Dropout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from archcalc.layers.base import Layer, TorchModule
from archcalc.layers.passes import Needs, Operation
from archcalc.layers.pieces import Decimal, Stem
from archcalc.shape import Shape


@dataclass(frozen=True)
class Dropout(Layer):
    """Each value is zero with this probability while training; nothing happens afterwards."""

    kind: ClassVar[str] = "drop"
    stems: ClassVar = {"drop": Stem("drop.5")}
    in_place: ClassVar[bool] = True
    probability: float = Decimal("probability", 1, always=True).field(0.5)

    def does_nothing(self, *shapes: Shape, train: bool) -> bool:
        """While nobody trains, or nothing is dropped."""
        return not (train and self.probability)

    def needs(self, operation: Operation) -> Needs:
        """What it multiplies by: a value a unit on a CPU, whether it stays on a GPU."""
        width = 1 if operation.device == "cuda" else operation.size
        return Needs((operation.further("mask", operation.made // operation.size * width),))

    def torch_module(self, *shapes: Shape) -> TorchModule:
        return TorchModule("Dropout", (self.probability,))
