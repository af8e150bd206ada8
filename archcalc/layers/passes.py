"""What a layer's forward and backward pass hold beside its inputs, output and parameters.

The rules are those of ``derivatives.yaml`` in PyTorch's sources, compared with what torch really
keeps by a test. Scratch memory of kernels ("workspace") is the library's own business.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from archcalc.count import integer
from archcalc.shape import Shape

INDEX: Final = 8  # bytes in which max pooling remembers where a maximum was
STATISTIC: Final = 4  # bytes of a mean or an inverse deviation on a GPU, where values are shorter


class Kept(NamedTuple):
    """A tensor that autograd keeps from the forward pass for the backward pass."""

    what: str  # ``input``, ``output``, ``indices``,
    storage: str  # which memory it lies in; tensors that share it are paid for once
    size: int  # bytes of that memory


class Needs(NamedTuple):
    """The memory of an operation beside its inputs, its output, their gradients and parameters."""

    kept: tuple[Kept, ...] = ()  # for the backward pass
    # bytes that its forward pass makes and lets go: how much more there is on the way than at the
    # end
    forward: int = 0
    backward: int = 0  # the same of its backward pass


class Operation(NamedTuple):
    """A layer as torch runs it: a sum of three is two operations."""

    name: str  # of the layer; with a number behind it for all but the last operation of a layer
    inputs: tuple[Shape, ...]  # the shapes that it reads, for one example
    output: Shape  # the shape that it makes
    reads: tuple[str, ...]  # the memory in which each input lies
    makes: str  # the memory in which its output lies
    wanted: tuple[bool, ...]  # whether a gradient flows back to each input
    graded: bool  # whether it is part of the backward pass
    train: bool  # whether the network is in training mode
    batch: int  # examples at once
    size: int  # bytes of a value
    device: str  # ``cpu`` or ``cuda``

    @property
    def read(self) -> tuple[int, ...]:
        """Bytes of each input."""
        return tuple(self.bytes_of(shape) for shape in self.inputs)

    @property
    def made(self) -> int:
        """Bytes of the output."""
        return self.bytes_of(self.output)

    @property
    def statistic(self) -> int:
        """Bytes of a mean or an inverse deviation."""
        return max(self.size, STATISTIC) if self.device == "cuda" else self.size

    def bytes_of(self, shape: Shape) -> int:
        """Bytes of a tensor of the whole batch."""
        return integer(shape.units.value) * self.batch * self.size

    def input(self, place: int = 0, what: str = "input") -> Kept:
        """An input, to be kept."""
        return Kept(what, self.reads[place], self.read[place])

    def result(self) -> Kept:
        """The output, to be kept."""
        return Kept("output", self.makes, self.made)

    def further(self, what: str, size: int) -> Kept:
        """Something that the operation makes beside its output, to be kept."""
        return Kept(what, f"{self.name}:{what}", size)
