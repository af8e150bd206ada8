"""Floor 5: the memory that a network takes while it runs and while it learns, before it is built.

What a training step holds: weights and buffers, a gradient for every parameter, what the optimizer
remembers, and every tensor that autograd keeps from the forward pass for the backward pass. These
are usually the most, and no multiple of the activations: a convolution keeps its input, a ReLU its
output, which is the next convolution's input and so one tensor; max pooling keeps 8 bytes for every
output; an addition keeps nothing. What a kind of layer keeps, it says itself
(:meth:`archcalc.layers.base.Layer.needs`).

The most at one time is found by going through torch's operators, forward and backward, with all
that each makes on its way: a gate's gradient is as large as what it scales before it is summed. The
step is ``network(x).sum().backward()``, as ``archcalc profile`` runs it. The prediction is what
tensors without values show of it, to the byte, save where local response normalization pads
channels with more than three times as many: it may then be too high by that layer's gradient.

Tensors with values may need less than predicted: where several layers read an output, torch adds
their gradients in place if it can, where nobody watches; batch normalization straight on the input
does not make the input's gradient; nor has max pooling over one axis indices where nothing learns.

Scratch memory of kernels ("workspace"), contiguous copies among it, is the library's own business;
it is measured, never predicted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from archcalc.case import Case, Step
from archcalc.costs import graded
from archcalc.count import integer
from archcalc.errors import ArchitectureError, meant, quoted
from archcalc.layers.base import BUFFER, Layer, Parameter
from archcalc.layers.passes import Kept, Needs, Operation
from archcalc.shape import Shape
from archcalc.units import BYTES_OF, ELEMENT

# Values that an optimizer remembers for each parameter.
OPTIMIZERS: Final = {"sgd": 0, "momentum": 1, "adam": 2}
STEP_COUNT: Final = 4  # bytes in which Adam counts its steps, for each parameter tensor


class Memory(NamedTuple):
    """Bytes of a training step, or of a forward pass alone, by what they are for."""

    weights: int  # the parameters
    buffers: int  # running statistics of batch norm
    gradients: int  # one value a parameter; none without training
    optimizer: int  # what the optimizer remembers from step to step
    saved: dict[str, int]  # for every layer, what it is the first to keep for the backward pass
    peak: int  # the most that is held at one time, workspace apart

    @property
    def activations(self) -> int:
        """All that is kept for the backward pass."""
        return sum(self.saved.values())


def memory(
    case: Case, *, train: bool = False, optimizer: str = "sgd", device: str = "cpu"
) -> Memory:
    """Predict the memory of one step.

    Args:
        case: the network on an input without letters.
        train: a forward and a backward pass in training mode; else a forward pass that keeps
            nothing.
        optimizer: ``sgd``, ``momentum`` or ``adam``.
        device: ``cpu`` or ``cuda``; dropout keeps a byte for each unit on the latter, a value on
            the former.

    Raises:
        ArchitectureError: an unknown optimizer, a kind of layer of whose memory nothing is known.
    """
    if optimizer not in OPTIMIZERS:
        hint = meant(optimizer, list(OPTIMIZERS))
        raise ArchitectureError(f"{quoted(optimizer)} is no optimizer", hint=hint)
    held = [each for step in case.steps for each in step.own]
    learned = [each for each in held if each.role != BUFFER]
    weights = sum(_bytes(each, case) for each in learned)
    buffers = sum(_bytes(each, case) for each in held if each.role == BUFFER)
    remembered = 0
    if train:
        remembered = OPTIMIZERS[optimizer] * weights
        remembered += len(learned) * STEP_COUNT if optimizer == "adam" else 0
    peak = Held()
    for value in case.inputs:  # which the caller holds throughout, as the outputs
        peak.hold(value.name, integer(value.shape.units.value) * case.batch * BYTES_OF[case.dtype])
    peak.note()
    plan, outputs = operations(case, train=train, device=device)
    kept = first_kept(_kept(case, plan)) if train else {}
    _forward(plan, outputs, peak)
    if train:
        _backward(plan, outputs, case, peak)
    standing = weights + buffers + remembered
    gradients = weights if train else 0
    return Memory(weights, buffers, gradients, remembered, kept, standing + peak.most)


def saved(case: Case, *, device: str = "cpu") -> dict[str, tuple[Kept, ...]]:
    """What every layer keeps for the backward pass in training mode.

    Parameters are not among it: they are there anyway. The network's input is, where a layer that
    learns reads it.
    """
    plan, _ = operations(case, train=True, device=device)
    return _kept(case, plan)


def _kept(case: Case, plan: Sequence[Planned]) -> dict[str, tuple[Kept, ...]]:
    kept: dict[str, tuple[Kept, ...]] = {step.name: () for step in case.steps}
    for each in plan:
        kept[each.step.name] += each.needs.kept
    return kept


def first_kept(kept: dict[str, tuple[Kept, ...]]) -> dict[str, int]:
    """Bytes that each layer is the first to keep: memory that two layers keep counts once."""
    seen: set[str] = set()
    sizes = {}
    for name, tensors in kept.items():
        new = {tensor.storage: tensor.size for tensor in tensors if tensor.storage not in seen}
        seen |= set(new)
        sizes[name] = sum(new.values())
    return sizes


# ------------------------------------------------------------------------- what torch really runs


class Planned(NamedTuple):
    """An operation of a step, by the names of the tensors that go in and come out."""

    step: Step  # whose it is
    operation: Operation  # what its layer is told
    needs: Needs  # what its layer says to that
    # names of tensors; what hands its input on as it is has no name of its own
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]  # names of tensors
    sizes: tuple[int, ...]  # bytes of each output


def operations(case: Case, *, train: bool, device: str) -> tuple[list[Planned], tuple[str, ...]]:
    """The operations that torch runs, in order, and which tensors the network gives out.

    There is none for what hands its input on as it is.
    """
    tensors = {value.name: value.name for value in case.inputs}  # whose tensor each value really is
    storages = dict(tensors)
    wanted, size = graded(case), BYTES_OF[case.dtype]
    plan = []
    for step in case.steps:
        layer, inputs = step.layer, tuple(tensors[value.name] for value in step.inputs)
        if layer.does_nothing(*step.shapes, train=train):
            tensors[step.name] = inputs[0]
            continue
        tensors |= {value.name: value.name for value in step.outputs}
        for name, names, shapes, output in _parts(step, inputs):
            wanted.setdefault(name, any(wanted[each] for each in names))
            storages[name] = storages[names[0]] if layer.view else name
            operation = Operation(
                name,
                shapes,
                output,
                tuple(storages[each] for each in names),
                storages[name],
                tuple(train and wanted[each] for each in names),
                train and wanted[name],
                train,
                case.batch,
                size,
                device,
            )
            outputs: tuple[str, ...] = (name,)
            sizes: tuple[int, ...] = (operation.made,)
            if len(step.outputs) > 1:
                outputs = tuple(value.name for value in step.outputs)
                sizes = tuple(operation.bytes_of(value.shape) for value in step.outputs)
                storages |= {each: each for each in outputs}
            needs = _needs(layer, operation)
            plan.append(Planned(step, operation, needs, names, outputs, sizes))
    return plan, tuple(tensors[value.name] for value in case.outputs)


def _parts(
    step: Step, inputs: tuple[str, ...]
) -> Iterator[tuple[str, tuple[str, ...], tuple[Shape, ...], Shape]]:
    """A sum or product of several as torch computes it: of two, then with the third, ..."""
    if not step.layer.pairwise:
        yield step.name, inputs, step.shapes, step.output
        return
    left, shape = inputs[0], step.shapes[0]
    for place in range(1, len(inputs)):
        name = step.name if place == len(inputs) - 1 else f"{step.name}:{place}"
        shapes = (shape, step.shapes[place])
        shape = step.layer.output(*shapes)
        yield name, (left, inputs[place]), shapes, shape
        left = name


def _needs(layer: Layer, operation: Operation) -> Needs:
    """What an operation needs; where no gradient flows, it lets go at once what it would keep."""
    needs = layer.needs(operation)
    if operation.graded:
        return needs
    shared = {*operation.reads, operation.makes}
    extras = sum(kept.size for kept in needs.kept if kept.storage not in shared)
    return Needs((), max(needs.forward, extras))


def _bytes(parameter: Parameter, case: Case) -> int:
    return integer(parameter.size.value) * ELEMENT[parameter.dtype or case.dtype]


# --------------------------------------------------------------------------------------- the peak


class Held:
    """Memory that somebody holds, each piece as often as it is held.

    Attributes:
        size: bytes now.
        most: bytes at most.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        self.size = self.most = 0

    def hold(self, storage: str, size: int) -> None:
        """Hold a piece of memory, once more if it is held already."""
        if storage not in self.counts:
            self.sizes[storage] = size
            self.size += size
        self.counts[storage] = self.counts.get(storage, 0) + 1

    def drop(self, storage: str) -> None:
        """Let a piece go; it is free once nobody holds it."""
        self.counts[storage] -= 1
        if not self.counts[storage]:
            del self.counts[storage]
            self.size -= self.sizes.pop(storage)

    def note(self, more: int = 0) -> None:
        """This is a moment in which there may be the most: all that is held, and so much more."""
        self.most = max(self.most, self.size + more)


def _forward(plan: Sequence[Planned], given_out: Sequence[str], held: Held) -> None:
    """Hold what a forward pass leaves: its outputs, and what is kept for the backward pass.

    An output goes as soon as nothing more reads it.
    """
    last: dict[str, str] = {}  # the operation behind which a tensor goes
    for each in plan:
        for name in each.inputs:  # a join has all of its branches until it is done
            inside = name.startswith(f"{each.step.name}:")
            last[name] = each.operation.name if inside else each.step.name
    for name in given_out:
        last.pop(name, None)
    done = defaultdict(list)
    for each in plan:
        for name, size in zip(each.outputs, each.sizes, strict=True):
            storage = name if len(each.outputs) > 1 else each.operation.makes
            held.hold(storage, size)
            if name in last:
                done[last[name]].append(storage)
        for kept in each.needs.kept:
            held.hold(kept.storage, kept.size)
        held.note(each.needs.forward)
        for storage in done.pop(each.operation.name, ()):
            held.drop(storage)


def _backward(plan: Sequence[Planned], given_out: Sequence[str], case: Case, held: Held) -> None:
    """Hold the gradients of a backward pass from the outputs' sum, and let go what was kept.

    Autograd runs operations from the last to the first. It begins with the sum of the outputs,
    whose gradient is a single value, seen at every place. Where several read an output, its
    gradients are added as they come: the sum is a third tensor (``input_buffer.cpp``).
    """
    size = BYTES_OF[case.dtype]
    learning = [each for each in plan if each.operation.graded]
    sizes: dict[str, int] = {}
    for each in learning:
        sizes |= zip(each.outputs, each.sizes, strict=True)
    sums = [name for name in given_out if name in sizes]
    for place in range(len(sums) + (len(sums) > 1)):  # and the sum of all
        held.hold(f"sum {place}", size)
    for _ in ("the caller", *sums):
        held.hold("gradient", size)
    flowing: dict[str, str] = {}
    for place, name in enumerate(sums):  # what is given out twice has two gradients
        _add([(name, "gradient", sizes[name])], f"output {place}", flowing, held)
    for each in reversed(learning):
        name, operation = each.operation.name, each.operation
        given = [flowing.pop(output) for output in each.outputs if output in flowing]
        handed_on = given if each.step.layer.hands_on else []
        made = [  # for which tensor, in which memory, how large
            (tensor, handed_on[0] if handed_on else f"{name}:gradient {place}", size_of_input)
            for place, (tensor, size_of_input) in enumerate(
                zip(each.inputs, operation.read, strict=True)
            )
            if operation.wanted[place]
        ]
        made += [
            (f"{learned.owner}:{learned.name}", f"{name}:{learned.name}", _bytes(learned, case))
            for learned in each.step.parameters
            if learned.role != BUFFER
        ]
        for _, gradient, bytes_of_gradient in made:
            held.hold(gradient, bytes_of_gradient)
        held.note(each.needs.backward)
        for storage in (*(kept.storage for kept in each.needs.kept), *given):
            held.drop(storage)
        turned = each.step.layer.turns_weights
        last = [gradient for gradient in made if turned and gradient[0].endswith(":weight")]
        _add([gradient for gradient in made if gradient not in last], name, flowing, held)
        _add(last, f"{name}:weight", flowing, held)


def _add(
    made: Sequence[tuple[str, str, int]], name: str, flowing: dict[str, str], held: Held
) -> None:
    """Give gradients on; where there is one already, the sum is a third tensor.

    Autograd lets go of all that an operation gave at once.
    """
    added: list[str] = []
    for tensor, gradient, size in made:
        earlier = flowing.get(tensor)
        flowing[tensor] = gradient
        if earlier is not None:
            flowing[tensor] = f"{name}:sum {len(added)}"
            held.hold(flowing[tensor], size)
            held.note()
            held.drop(earlier)
            added.append(gradient)
    for gradient in added:
        held.drop(gradient)
