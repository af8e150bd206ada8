"""Floor 5: the memory that a network takes while it runs and while it learns, before it is built.

What a training step holds: weights and buffers, a gradient for every parameter, what the optimizer
remembers, and every tensor that autograd keeps from the forward pass for the backward pass. These
are usually the most, and no multiple of the activations: a convolution keeps its input, a ReLU its
output, which is the next convolution's input and so one tensor; max pooling keeps 8 bytes for every
output; an addition keeps nothing. The rules here are those of ``derivatives.yaml`` in
PyTorch's sources, compared with what torch really keeps by a test.

Scratch memory of kernels ("workspace") is the library's own business; it is measured, never
predicted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from archcalc.costs import cost, graded
from archcalc.count import integer
from archcalc.errors import ArchitectureError, meant, quoted
from archcalc.layers import (
    Activation,
    AdaptivePool,
    Add,
    BatchNorm,
    Concat,
    Convolution,
    Dropout,
    Flatten,
    GlobalPool,
    GroupNorm,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    Multiply,
    Pool,
    TransposedConvolution,
)
from archcalc.network import INPUT
from archcalc.units import BYTES_OF

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from archcalc.infer import Step

# Values that an optimizer remembers for each parameter.
OPTIMIZERS: Final = {"sgd": 0, "momentum": 1, "adam": 2}
STEP_COUNT: Final = 4  # bytes in which Adam counts its steps, for each parameter tensor
INDEX: Final = 8  # bytes in which max pooling remembers where a maximum was
STATISTIC: Final = 4  # bytes of a mean or an inverse deviation on a GPU, where values are shorter
KEEP_OUTPUT: Final = frozenset({"relu", "sigmoid", "tanh", "softmax", "logsoftmax"})


class Kept(NamedTuple):
    """A tensor that autograd keeps from the forward pass for the backward pass.

    Attributes:
        what: ``input``, ``output``, ``indices``, ...
        storage: which memory it lies in; tensors that share it are paid for once.
        size: bytes of that memory.
    """

    what: str
    storage: str
    size: int


class Memory(NamedTuple):
    """Bytes of a training step, or of a forward pass alone, by what they are for.

    Attributes:
        weights: the parameters.
        buffers: running statistics of batch norm.
        gradients: one value a parameter; none without training.
        optimizer: what the optimizer remembers from step to step.
        saved: for every layer, what it is the first to keep for the backward pass.
        peak: the most that is held at one time, workspace apart.
    """

    weights: int
    buffers: int
    gradients: int
    optimizer: int
    saved: dict[str, int]
    peak: int

    @property
    def activations(self) -> int:
        """All that is kept for the backward pass."""
        return sum(self.saved.values())


def memory(
    steps: Sequence[Step],
    batch: int = 1,
    dtype: str = "fp32",
    *,
    train: bool = False,
    optimizer: str = "sgd",
    device: str = "cpu",
) -> Memory:
    """Predict the memory of one step.

    Args:
        steps: of the network, on an input without letters.
        batch: examples at once.
        dtype: of parameters and values.
        train: a forward and a backward pass in training mode; else a forward pass that keeps
            nothing.
        optimizer: ``sgd``, ``momentum`` or ``adam``.
        device: ``cpu`` or ``cuda``; dropout keeps a byte for each unit on the latter, a value on
            the former.

    Raises:
        ArchitectureError: an unknown optimizer.
    """
    if optimizer not in OPTIMIZERS:
        hint = meant(optimizer, list(OPTIMIZERS))
        raise ArchitectureError(f"{quoted(optimizer)} is no optimizer", hint=hint)
    size = BYTES_OF[dtype]
    costs = [cost(step) for step in steps]
    parameters = sum(integer(c.parameters.value) for c in costs) * size
    tensors = sum((c.weights.value != 0) + (c.biases.value != 0) for c in costs)
    buffers = sum(_buffers(step, size) for step in steps)
    kept = saved(steps, batch, dtype, device=device) if train else {}
    remembered = 0
    if train:
        remembered = OPTIMIZERS[optimizer] * parameters
        remembered += tensors * STEP_COUNT if optimizer == "adam" else 0
    standing = parameters + buffers + remembered
    moving = _peak(steps, batch * size, kept, size, train=train)
    return Memory(
        parameters,
        buffers,
        parameters if train else 0,
        remembered,
        first_kept(kept),
        standing + moving,
    )


def saved(
    steps: Sequence[Step], batch: int = 1, dtype: str = "fp32", *, device: str = "cpu"
) -> dict[str, tuple[Kept, ...]]:
    """What every layer keeps for the backward pass in training mode.

    Parameters are not among it: they are there anyway. The network's input is, where a layer that
    learns reads it.
    """
    size, wanted, names = BYTES_OF[dtype], graded(steps), storages(steps)
    found = {}
    for step in steps:
        name = step.node.name
        found[name] = tuple(_kept(step, batch, size, names, wanted, device)) if wanted[name] else ()
    return found


def first_kept(kept: dict[str, tuple[Kept, ...]]) -> dict[str, int]:
    """Bytes that each layer is the first to keep: memory that two layers keep counts once."""
    seen: set[str] = set()
    found = {}
    for name, tensors in kept.items():
        new = {tensor.storage: tensor.size for tensor in tensors if tensor.storage not in seen}
        seen |= set(new)
        found[name] = sum(new.values())
    return found


def storages(steps: Sequence[Step], *, train: bool = True) -> dict[str, str]:
    """Whose memory each output lies in: its own, or that of the map which it hands on as it is."""
    names = {INPUT: INPUT}
    for step in steps:
        name, layer, inputs = step.node
        same = isinstance(layer, Flatten) or (
            isinstance(layer, Dropout) and not (train and layer.probability)
        )
        names[name] = names[inputs[0]] if same else name
    return names


def _kept(
    step: Step, batch: int, size: int, names: dict[str, str], wanted: dict[str, bool], device: str
) -> Iterator[Kept]:
    name, layer, inputs = step.node
    shape, units = step.inputs[0], integer(step.output.units.value) * batch
    read = Kept("input", names[inputs[0]], integer(shape.units.value) * batch * size)
    made = Kept("output", name, units * size)

    statistic = max(size, STATISTIC) if device == "cuda" else size

    def extra(what: str, amount: int) -> Kept:
        return Kept(what, f"{name}:{what}", amount)

    match layer:
        case Convolution() | TransposedConvolution() | Linear():
            yield read
        case BatchNorm():
            yield read
            yield extra("statistics", 2 * integer(shape.channels) * statistic)
        case LayerNorm():
            positions = integer(shape.units.value) // integer(shape.channels)
            yield read
            yield extra("statistics", 2 * positions * batch * statistic)
        case GroupNorm():
            yield read
            yield extra("statistics", 2 * layer.groups * batch * statistic)
        case LocalResponseNorm():
            yield read
            yield extra("padded squares", _padded(step, layer) * batch * size)
            yield extra("sums", units * size)
            yield extra("divisors", units * size)
        case Activation(function=function):
            yield made if function in KEEP_OUTPUT else read
        case Dropout(probability=probability) if probability:
            yield extra("mask", units * (1 if device == "cuda" else size))
        case Pool(reduction="max") | AdaptivePool(reduction="max") | GlobalPool(reduction="max"):
            yield read
            yield extra("indices", units * INDEX)
        case AdaptivePool() if all(target == 1 for target in step.output.sizes):
            pass  # a mean, which keeps nothing, as GlobalPool
        case Pool() | AdaptivePool():
            yield read
        case Multiply():
            yield from _factors(step, batch, size, names, wanted)


def _factors(
    step: Step, batch: int, size: int, names: dict[str, str], wanted: dict[str, bool]
) -> Iterator[Kept]:
    """A product keeps each factor for the gradient of the other; of three, their product too."""
    name, _, inputs = step.node
    sizes = [integer(shape.units.value) * batch * size for shape in step.inputs]
    left, left_size, grows = names[inputs[0]], sizes[0], wanted[inputs[0]]
    for place, (other, other_size) in enumerate(zip(inputs[1:], sizes[1:], strict=True), 1):
        if wanted[other]:
            yield Kept("factor", left, left_size)
        if grows:
            yield Kept("factor", names[other], other_size)
        left, left_size = f"{name}:{place}", max(left_size, other_size)
        grows = grows or wanted[other]


def _buffers(step: Step, size: int) -> int:
    """Running mean and variance, and how many batches went into them."""
    if not isinstance(step.node.layer, BatchNorm):
        return 0
    return 2 * integer(step.inputs[0].channels) * size + INDEX


def _peak(
    steps: Sequence[Step],
    unit: int,
    kept: dict[str, tuple[Kept, ...]],
    size: int,
    *,
    train: bool,
) -> int:
    """The most bytes in inputs, outputs, kept tensors and gradients at one time.

    Walks the forward pass, in which an output goes as soon as nothing more reads it, and the
    backward pass from the end, in which what a layer kept goes behind it and its parameters'
    gradients stay.
    """
    names = storages(steps, train=train)
    bytes_of = {INPUT: integer(steps[0].inputs[0].units.value) * unit}
    bytes_of |= {step.node.name: integer(step.output.units.value) * unit for step in steps}
    last = {names[one]: step.node.name for step in steps for one in step.node.inputs}
    alive, held = {INPUT: bytes_of[INPUT]}, Held()
    most = 0
    for step in steps:
        name, _, inputs = step.node
        held.add(kept.get(name, ()))
        alive[names[name]] = bytes_of[names[name]]
        here = sum(b for one, b in alive.items() if one not in held.counts)
        most = max(most, held.size + here + _inside(step, unit, size, train=train))
        for one in {names[one] for one in inputs} - {INPUT}:  # the caller holds the input
            if last[one] == name:
                del alive[one]
    return max(most, _backward_peak(steps, bytes_of, kept, size, held)) if train else most


def _inside(step: Step, unit: int, size: int, *, train: bool) -> int:
    """What a forward pass makes inside a layer and, keeping nothing, lets go again."""
    layer = step.node.layer
    if train:
        return 0
    if isinstance(layer, LocalResponseNorm):  # padded squares; then mean, sum and power at once
        return max(_padded(step, layer), 2 * integer(step.output.units.value)) * unit
    if isinstance(layer, Pool | AdaptivePool | GlobalPool) and layer.reduction == "max":
        return integer(step.output.units.value) * unit // size * INDEX  # though nobody asks where
    return 0


def _padded(step: Step, layer: LocalResponseNorm) -> int:
    """Units of a map with the channels that local response normalization puts around it."""
    shape = step.inputs[0]
    channels = integer(shape.channels)
    return integer(shape.units.value) // channels * (channels + layer.size - 1)


def _backward_peak(
    steps: Sequence[Step],
    bytes_of: dict[str, int],
    kept: dict[str, tuple[Kept, ...]],
    size: int,
    held: Held,
) -> int:
    wanted = graded(steps)
    end = steps[-1].node.name
    flowing = {end: bytes_of[end]} if wanted[end] else {}  # gradients of outputs
    learned, most = 0, 0
    here = 0 if INPUT in held.counts else bytes_of[INPUT]
    for step in reversed(steps):
        name, layer, inputs = step.node
        learned += integer(cost(step).parameters.value) * size
        given = flowing.pop(name, 0)
        made = {one: bytes_of[one] for one in inputs if wanted[one] and one not in flowing}
        if isinstance(layer, Flatten | Concat | Add):  # the same gradient, under another name
            given = max(0, given - sum(made.values()))
        flowing |= made
        most = max(most, held.size + here + sum(flowing.values()) + given + learned)
        held.drop(kept[name])
    return most


class Held:
    """The storages that autograd holds, each as often as it is kept."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.size = 0

    def add(self, tensors: Iterable[Kept]) -> None:
        """Keep tensors."""
        for tensor in tensors:
            self.size += 0 if tensor.storage in self.counts else tensor.size
            self.counts[tensor.storage] = self.counts.get(tensor.storage, 0) + 1

    def drop(self, tensors: Iterable[Kept]) -> None:
        """Let tensors go; memory is free once nobody keeps it."""
        for tensor in tensors:
            self.counts[tensor.storage] -= 1
            if not self.counts[tensor.storage]:
                del self.counts[tensor.storage]
                self.size -= tensor.size
