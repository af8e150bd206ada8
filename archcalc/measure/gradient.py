"""Autograd's own receptive field: which inputs have a gradient at an output that is not zero.

The field depends on windows alone. So the twin that is looked at has one channel, averages for
every window (a maximum would pass its gradient to a single input, and weights of two signs might
cancel), and no functions between them, in double precision; and it is looked at on an input so
large along one axis that fields lie inside it, and small along the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import torch

from archcalc.case import Case
from archcalc.count import Number, integer
from archcalc.errors import ArchitectureError
from archcalc.measure.twin import twin
from archcalc.network import Network
from archcalc.receptive import Field, fields
from archcalc.shape import AXES, Shape

LONGEST: Final = 4096  # an axis of the input is made no longer to have a field inside


class Support(NamedTuple):
    """What one output sees along an axis: predicted by our field, and where gradients are.

    Both are the first and the last input, ``3..9``; empty where it sees none. Where the output sees
    padding, its field is not ``whole``: the measured one then stands on both sides if it lies in
    the one predicted.
    """

    output: int
    predicted: str
    measured: str
    whole: bool


def read(case: Case) -> tuple[dict[str, list[Support]], str]:
    """The support of two neighbouring outputs of every layer, in every input, along every axis.

    Two neighbours in the middle tell size, stride and offset. Inputs are made longer or shorter
    than those that the network is made for, where they can be.

    Returns:
        Supports by layer and axis, and a note on how many see no padding, on which inputs.
    """
    plain = case.network.mapped(lambda layer: layer.averaging())
    supports: dict[str, list[Support]] = {}
    lengths = []
    for source in case.inputs:
        axes = len(source.shape.sizes)
        here = f" in {source.name}" if len(case.inputs) > 1 else ""
        for axis in range(axes):
            long = _long(plain, case, source.name, axis)
            lengths.append(" and ".join(str(value.shape) for value in long.inputs))
            for name, found in _along(long, source.name, axis).items():
                supports[f"{name}, {AXES[axes][axis]}{here}"] = found
    every = [support for found in supports.values() for support in found]
    seen = sum(support.whole for support in every)
    note = f"{seen} of {len(every)} outputs see no padding, on {' and '.join(lengths)}"
    return supports, note


def _long(network: Network, case: Case, source: str, axis: int) -> Case:
    """One channel; an input long enough along an axis and as short as can be along others."""
    shapes = {value.name: Shape(value.shape.sizes, 1) for value in case.inputs}
    sizes = list(shapes[source].sizes)
    for other in range(len(sizes)):
        # Of volumes, torch averages none that are smaller than a window, padding or not.
        if other != axis and len(sizes) < len(AXES):
            sizes[other] = _shortest(network, shapes, source, sizes, other)
    short = Case.of(network, {**shapes, source: Shape(tuple(sizes), 1)})
    needed, ended = [integer(sizes[axis])], set()
    for step, seen in zip(short.steps, fields(short), strict=True):
        if step.layer.reads_everything or any(value.name in ended for value in step.inputs):
            ended |= {value.name for value in step.outputs}  # longer inputs give longer fields
        elif source in seen and (field := seen[source].fields[axis]) is not None:
            needed.append(math.ceil(integer(field.size) + 3 * field.stride))  # type: ignore[arg-type]
    sizes[axis] = min(max(needed), LONGEST)
    longer = {**shapes, source: Shape(tuple(sizes), 1)}
    return Case.of(network, longer) if _fits(network, longer) else short


def _shortest(
    network: Network, shapes: Mapping[str, Shape], source: str, sizes: Sequence[Number], axis: int
) -> int:
    length, longest = 8, integer(sizes[axis])
    while length < longest:
        shorter = Shape((*sizes[:axis], length, *sizes[axis + 1 :]), 1)
        if _fits(network, {**shapes, source: shorter}):
            return length
        length *= 2
    return longest


def _fits(network: Network, shapes: Mapping[str, Shape]) -> bool:
    try:
        Case.of(network, shapes)
    except ArchitectureError:
        return False
    return True


def _along(case: Case, source: str, axis: int) -> dict[str, list[Support]]:
    with torch.random.fork_rng(devices=[]):
        model = twin(case, dtype=torch.float64).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(parameter.shape[0] / parameter.numel())  # an average of what is seen
    for parameter in model.parameters():
        parameter.requires_grad_(False)  # noqa: FBT003 - torch's own
    inputs = {
        value.name: torch.ones(2, 1, *value.shape.sizes, dtype=torch.float64)  # type: ignore[arg-type]
        for value in case.inputs
    }
    x = inputs[source].requires_grad_()
    unpadded = _unpadded(case, source, axis)
    supports: dict[str, list[Support]] = {}
    outputs = model.outputs(*inputs.values())
    for (name, made), step, seen in zip(outputs, case.steps, fields(case), strict=True):
        y = made[0] if isinstance(made, tuple) else made
        field = seen[source].fields[axis] if source in seen else None
        if field is None or step.layer.multiplies:
            continue
        middle = _outputs(y, axis)
        supports[name] = [
            _support(out, ends, field, whole=unpadded[name][out] and sighted)
            for out, (ends, sighted) in zip(middle, _ends(x, y, middle, axis), strict=True)
        ]
    return supports


def _unpadded(case: Case, source: str, axis: int) -> dict[str, list[bool]]:
    """For every output along an axis, whether it sees no padding, at no layer on the way."""
    unpadded: dict[str, list[bool]] = {}
    for value in case.inputs:
        length = integer(value.shape.sizes[axis]) if axis < len(value.shape.sizes) else 1
        unpadded[value.name] = [value.name == source] * length
    for step in case.steps:
        before = [unpadded[value.name] for value in step.inputs]
        windows = step.layer.windows(*step.shapes)
        if windows:
            outputs = integer(step.output.sizes[axis]) if step.output.sizes else 1
            (seen,), window = before, windows[axis]
            here = [
                all(0 <= place < len(seen) and seen[place] for place in window.reads(out))
                for out in range(outputs)
            ]
        else:  # a gate of one position scales all
            length = max(map(len, before))
            every = [one * length if len(one) == 1 else one for one in before]
            here = [all(places) for places in zip(*every, strict=True)]
        unpadded |= {value.name: here for value in step.outputs}
    return unpadded


def _outputs(y: torch.Tensor, axis: int) -> Sequence[int]:
    """Two neighbours in the middle of an axis; the only output of a vector."""
    length = y.shape[2 + axis] if y.dim() > 2 else 1  # noqa: PLR2004 - behind batch and channels
    middle = (length - 1) // 2
    return range(middle, min(middle + 2, length))


def _support(out: int, ends: list[int], field: Field, *, whole: bool) -> Support:
    at = field.at(out)
    if at is None or whole:
        return Support(out, "" if at is None else _span(at), _span(ends), whole=whole)
    # Where an output sees padding, its field is cut; it must still lie in the one predicted.
    within = not ends or (at[0] <= ends[0] and ends[1] <= at[1])
    return Support(out, _span(ends if within else at), _span(ends), whole=whole)


def _ends(
    x: torch.Tensor, y: torch.Tensor, outputs: Sequence[int], axis: int
) -> list[tuple[list[int], bool]]:
    """For every output, the first and the last input to which it has a gradient.

    Also whether the layer sees anything at all: where padding is all that it sees along another
    axis, it does not. An output is one place along this axis and all along the others: axes see
    independently of one another, and behind a transposed convolution a place may see nothing. All
    outputs are looked at at once, each in an example of its own.
    """
    if not y.requires_grad:
        return [([], True) for _ in outputs]
    vector = y.dim() == 2  # noqa: PLR2004 - no axis is left
    values = [y[n] if vector else y[n].select(1 + axis, out) for n, out in enumerate(outputs)]
    found = _places(x, torch.stack([value.sum() for value in values]).sum(), axis)
    blind = not all(found) and not any(_places(x, y.sum(), axis))
    return [(found[n], not blind) for n in range(len(outputs))]


def _places(x: torch.Tensor, value: torch.Tensor, axis: int) -> list[list[int]]:
    """For every example, the first and the last input along an axis that a value depends on."""
    (gradient,) = torch.autograd.grad(value, x, retain_graph=True)
    others = [d for d in range(1, x.dim()) if d != 2 + axis]
    seen = gradient.abs().sum(others) if others else gradient.abs()
    places = [torch.nonzero(example)[:, 0].tolist() for example in seen]
    return [[p[0], p[-1]] if p else [] for p in places]


def _span(ends: Sequence[int]) -> str:
    return "..".join(map(str, ends))
