"""What every layer answers. Shapes are for one example; counts are exact and keep their working."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, ClassVar, NamedTuple, Self

from archcalc.count import ZERO, Count, Number, letters, substitute, total
from archcalc.errors import ArchitectureError
from archcalc.layers.passes import Needs, Operation
from archcalc.layers.pieces import Axes, Channels, Piece, Stem
from archcalc.layers.window import Span
from archcalc.shape import Shape

WEIGHT, BIAS, BUFFER = "weight", "bias", "buffer"


class Parameter(NamedTuple):
    """A tensor that a layer holds from step to step."""

    name: str  # as torch calls it
    # ``weight``, a learned multiplier (scales of normalizations among them); ``bias``, a learned
    # offset; or ``buffer``, which is not learned
    role: str
    size: Count  # how many values
    dtype: str = ""  # of its values, where that is not the network's
    owner: str = ""  # the first step that uses it; by owner and name it is known


class TorchModule(NamedTuple):
    """How torch builds a layer: ``torch.nn``'s class and what it is called with."""

    name: str
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Layer:
    """A frozen record of what a layer is; a kind's file holds everything that is known of the kind.

    Without its own rule, a layer reads one input, keeps its shape and costs nothing. What a rule
    needs is given as the shapes of all inputs, in order.

    Raises:
        ArchitectureError: when it is made, a field whose value cannot be.
    """

    kind: ClassVar[str]  # the stem of automatic names: conv1, conv2, ...
    stems: ClassVar[Mapping[str, Stem]] = {}  # how its words begin
    sign: ClassVar[str] = ""  # of a layer that joins branches: what stands between them
    arity: ClassVar[tuple[int, int | None]] = (1, 1)  # the fewest and the most inputs
    pairwise: ClassVar[bool] = False  # torch takes two inputs, and the result with the third, ...
    in_place: ClassVar[bool] = False  # holds no units of its own: works in place, or rearranges
    view: ClassVar[bool] = False  # its output is its input's memory, seen otherwise
    turns_weights: ClassVar[bool] = False  # torch transposes its weights: their gradient comes last
    hands_on: ClassVar[bool] = False  # its inputs' gradients are its output's, or parts of it
    reads_everything: ClassVar[bool] = False  # its windows are as large as the input, however large
    multiplies: ClassVar[bool] = False  # inputs with one another: a zero hides what lies behind

    def __post_init__(self) -> None:
        for name, piece in self.pieces().items():
            value = getattr(self, name)
            checked = piece.checked(value)
            if checked is not value:
                object.__setattr__(self, name, checked)

    @classmethod
    @cache
    def pieces(cls) -> dict[str, Piece]:
        """Every field's declaration, by the field's name, in the order in which words say them."""
        return {each.name: each.metadata["piece"] for each in fields(cls)}

    def letters(self) -> frozenset[str]:
        """The letters that stand in for its channels: ``K`` of ``conv3-K``."""
        return frozenset().union(*map(letters, self._channels().values()))

    def substitute(self, values: Mapping[str, Number]) -> Self:
        """The same layer, some letters replaced by numbers."""
        channels = self._channels()
        changed = {name: substitute(number, values) for name, number in channels.items()}
        return replace(self, **changed) if changed else self

    def _channels(self) -> dict[str, Number]:
        pieces = self.pieces().items()
        return {name: getattr(self, name) for name, each in pieces if isinstance(each, Channels)}

    # ------------------------------------------------------------------------ shapes and counts

    def output(self, *shapes: Shape) -> Shape:
        """The shape that comes out."""
        return shapes[0]

    def outputs(self, *shapes: Shape) -> tuple[Shape, ...]:
        """The shapes of all outputs, for a layer that has several."""
        return (self.output(*shapes),)

    def parameters(self, *shapes: Shape) -> tuple[Parameter, ...]:
        """What it learns, and its buffers."""
        return ()

    def weights(self, *shapes: Shape) -> Count:
        """All its learned multipliers."""
        return sum_of(self.parameters(*shapes), WEIGHT)

    def biases(self, *shapes: Shape) -> Count:
        """All its learned offsets."""
        return sum_of(self.parameters(*shapes), BIAS)

    def macs(self, *shapes: Shape, output: Shape) -> Count:
        """Multiply-accumulates for one example.

        Only convolutions and matrix products have them.
        Additions of biases, normalizations, activations and pooling are no MACs here, as in
        torch's ``FlopCounterMode``.
        """
        return ZERO

    def windows(self, *shapes: Shape) -> tuple[Span, ...]:
        """How each axis is read; ``()`` where every output reads its own position only."""
        return ()

    def does_nothing(self, *shapes: Shape, train: bool) -> bool:
        """Whether torch gives back the very tensor that it was given."""
        return False

    def needs(self, operation: Operation) -> Needs:
        """What it keeps for the backward pass, and makes and lets go on the way.

        Raises:
            ArchitectureError: nobody has written the rule.
        """
        if not self.hands_on:
            raise ArchitectureError(f"there is no rule for the memory of {self.kind}")
        return Needs()

    # ------------------------------------------------------------------------------- in torch

    def torch_module(self, *shapes: Shape) -> TorchModule | None:
        """The module of torch that does the same; None where a function does it, as for joins.

        Raises:
            ArchitectureError: torch has none.
        """
        if not self.sign:
            raise ArchitectureError(f"torch has no module for {self.kind}")
        return None

    def run(self, module: Any, *tensors: Any) -> Any:
        """The module on tensors ``(batch, channels, *sizes)``, seen as it wants to see them."""
        return module(*tensors)

    def averaging(self) -> Layer:
        """The same windows over a single channel, all weights alike: what the gradient looks at."""
        return self if self.sign or self.view else Identity()


class Identity(Layer):
    """What comes in goes out."""

    kind: ClassVar[str] = "id"
    in_place: ClassVar[bool] = True

    def does_nothing(self, *shapes: Shape, train: bool) -> bool:
        return True

    def torch_module(self, *shapes: Shape) -> TorchModule:
        return TorchModule("Identity")


def sum_of(parameters: tuple[Parameter, ...], role: str) -> Count:
    """How many values the parameters of a role have."""
    return total(parameter.size for parameter in parameters if parameter.role == role)


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


def along(windows: tuple[Span, ...], *names: str) -> dict[str, Any]:
    """Some numbers of the windows, each as one an axis, as torch takes them."""
    return {name: tuple(getattr(window, name) for window in windows) for name in names}
