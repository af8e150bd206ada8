"""Autograd's own receptive field: which inputs have a gradient at an output that is not zero.

The field depends on windows alone. So the twin that is looked at has one channel, averages for
every window (a maximum would pass its gradient to a single input, and weights of two signs might
cancel), and no functions between them, in double precision; and it is looked at on an input so
large along one axis that fields lie inside it, and small along the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
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
    # Where branches meet, layers that share weights may read other numbers of channels.
    nodes = (node._replace(layer=node.layer.averaging(), shares="") for node in case.network.nodes)
    plain = replace(case.network, nodes=tuple(nodes))
    supports: dict[str, list[Support]] = {}
    lengths = []
    for source in case.inputs:
        where = f" in {source.name}" if len(case.inputs) > 1 else ""
        for axis, direction in enumerate(AXES.get(len(source.shape.sizes), ())):
            long = _long(plain, case, source.name, axis)
            lengths.append(" and ".join(str(value.shape) for value in long.inputs))
            for layer, neighbours in _along(long, source.name, axis).items():
                supports[f"{layer}, {direction}{where}"] = neighbours
    unpadded = [support.whole for neighbours in supports.values() for support in neighbours]
    seen = f"{sum(unpadded)} of {len(unpadded)} outputs see no padding"
    return supports, f"{seen}, on {' and '.join(lengths)}"


def _long(network: Network, case: Case, source: str, axis: int) -> Case:
    """One channel; an input long enough along an axis and as short as can be along others."""
    shapes = {value.name: Shape(value.shape.sizes, 1) for value in case.inputs}
    sizes = list(shapes[source].sizes)
    for other in range(len(sizes)):
        # Of volumes, torch averages none that are smaller than a window, padding or not.
        if other != axis and len(sizes) < len(AXES):
            longest = integer(sizes[other])
            for power in range(3, (longest - 1).bit_length()):  # 8, 16, 32, ... below the longest
                sizes[other] = 2**power
                if _case(network, shapes, source, sizes):
                    break
            else:
                sizes[other] = longest
    short = Case.of(network, {**shapes, source: Shape(tuple(sizes), 1)})
    needed, ended = [integer(sizes[axis])], set()
    for step, seen in zip(short.steps, fields(short), strict=True):
        if step.layer.reads_everything or any(value.name in ended for value in step.inputs):
            ended |= {value.name for value in step.outputs}  # longer inputs give longer fields
        elif source in seen and (field := seen[source].fields[axis]) is not None:
            needed.append(math.ceil(integer(field.size) + 3 * field.stride))  # type: ignore[arg-type]
    sizes[axis] = min(max(needed), LONGEST)
    return _case(network, shapes, source, sizes) or short


def _case(
    network: Network, shapes: Mapping[str, Shape], source: str, sizes: Sequence[Number]
) -> Case | None:
    """The network on inputs of which one has other sizes; None where it cannot take it."""
    try:
        return Case.of(network, {**shapes, source: Shape(tuple(sizes), 1)})
    except ArchitectureError:
        return None


def _along(case: Case, source: str, axis: int) -> dict[str, list[Support]]:
    with torch.random.fork_rng(devices=[]):
        model = twin(case, dtype=torch.float64).eval()
    for parameter in model.requires_grad_(requires_grad=False).parameters():
        parameter.fill_(parameter.shape[0] / parameter.numel())  # an average of what is seen
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
        if y.dim() == 2:  # noqa: PLR2004 - a vector is one place along each axis
            y = y[:, :, None, None, None]
        middle = (y.shape[2 + axis] - 1) // 2
        neighbours = range(middle, min(middle + 2, y.shape[2 + axis]))
        measured, sighted = _ends(x, y, neighbours, axis)
        supports[name] = [
            _support(out, ends, field, whole=unpadded[name][out] and sighted)
            for out, ends in zip(neighbours, measured, strict=True)
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
            scaled = [seen * length if len(seen) == 1 else seen for seen in before]
            here = [all(places) for places in zip(*scaled, strict=True)]
        unpadded |= {value.name: here for value in step.outputs}
    return unpadded


def _support(out: int, ends: list[int], field: Field, *, whole: bool) -> Support:
    predicted: Sequence[int] = field.at(out) or ()
    if predicted and not whole:  # cut by the padding, it must still lie in the one predicted
        within = not ends or (predicted[0] <= ends[0] and ends[1] <= predicted[1])
        predicted = ends if within else predicted
    return Support(out, _span(predicted), _span(ends), whole=whole)


def _ends(
    x: torch.Tensor, y: torch.Tensor, outputs: Sequence[int], axis: int
) -> tuple[list[list[int]], bool]:
    """For every output, the first and the last input to which it has a gradient.

    Also whether the layer sees anything at all: where padding is all that it sees along another
    axis, it does not. An output is one place along this axis and all along the others: axes see
    independently of one another, and behind a transposed convolution a place may see nothing. All
    outputs are looked at at once, each in an example of its own.
    """
    if not y.requires_grad:
        return [[] for _ in outputs], True
    values = [y[example].select(1 + axis, out).sum() for example, out in enumerate(outputs)]
    places = _places(x, torch.stack(values).sum(), axis)
    return places[: len(outputs)], all(places) or any(_places(x, y.sum(), axis))


def _places(x: torch.Tensor, value: torch.Tensor, axis: int) -> list[list[int]]:
    """For every example, the first and the last input along an axis that a value depends on."""
    (gradient,) = torch.autograd.grad(value, x, retain_graph=True)
    seen = gradient.abs().sum([other for other in range(1, x.dim()) if other != 2 + axis])
    places = [torch.nonzero(example)[:, 0].tolist() for example in seen]
    return [[p[0], p[-1]] if p else [] for p in places]


def _span(ends: Sequence[int]) -> str:
    return "..".join(map(str, ends))
