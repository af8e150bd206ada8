"""Autograd's own receptive field: which inputs have a gradient at an output that is not zero.

The field depends on windows alone. So the twin that is looked at has one channel, averages for
every window (a maximum would pass its gradient to a single input, and weights of two signs might
cancel), and no functions between them, in double precision; and it is looked at on an input so
large along one axis that fields lie inside it, and small along the others.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import torch

from archcalc.bridge.twin import twin
from archcalc.count import integer
from archcalc.errors import ArchitectureError
from archcalc.infer import infer
from archcalc.layers import (
    Activation,
    AdaptivePool,
    BatchNorm,
    Convolution,
    Dropout,
    Flatten,
    GlobalPool,
    GroupNorm,
    Join,
    Layer,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    Multiply,
    Pool,
    TransposedConvolution,
)
from archcalc.network import INPUT
from archcalc.receptive import fields
from archcalc.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archcalc.count import Number
    from archcalc.infer import Step
    from archcalc.network import Network
    from archcalc.receptive import Field

AXES: Final = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
LONGEST: Final = 4096  # an axis of the input is made no longer to have a field inside
POINTWISE: Final = (
    Activation, BatchNorm, LayerNorm, GroupNorm, LocalResponseNorm, Dropout,
)  # fmt: skip


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


class Seen(NamedTuple):
    """Supports by layer and axis."""

    supports: dict[str, dict[str, list[Support]]]
    note: str


def read(network: Network, input: Shape | None = None) -> Seen:  # noqa: A002 - as everywhere
    """The support of two neighbouring outputs of every layer, along every axis.

    Two neighbours in the middle tell size, stride and offset. The input is made longer or shorter
    than the one that the network is made for, where it can be.
    """
    made_for = input or network.input
    assert made_for is not None
    plain = one_channel(network)
    axes = len(made_for.sizes)
    supports: dict[str, dict[str, list[Support]]] = {}
    lengths = []
    for axis in range(axes):
        shape = _long(plain, made_for, axis)
        lengths.append(str(shape))
        for name, found in _along(plain, shape, axis).items():
            supports.setdefault(name, {})[AXES[axes][axis]] = found
    every = [one for by in supports.values() for found in by.values() for one in found]
    note = (
        f"{sum(one.whole for one in every)} of {len(every)} outputs see no padding, "
        f"on {' and '.join(lengths)}"
    )
    return Seen(supports, note)


def one_channel(network: Network) -> Network:
    """The same windows with one channel a convolution, maxima as averages, and no functions."""
    nodes = tuple(
        node if isinstance(node.layer, Join) else node._replace(layer=_plain(node.layer))
        for node in network.nodes
    )
    return replace(network, nodes=nodes)


def _plain(layer: Layer) -> Layer:
    match layer:
        case Convolution() | TransposedConvolution():
            return layer.replace(out_channels=1, groups=1, bias=False)
        case Linear():
            return layer.replace(out_features=1, bias=False)
        case Pool() | AdaptivePool() | GlobalPool():
            return layer.replace(reduction="average")
    return Dropout() if isinstance(layer, POINTWISE) else layer  # which in evaluation does nothing


def _long(network: Network, made_for: Shape, axis: int) -> Shape:
    """An input of one channel, long enough along an axis and as short as can be along others."""
    sizes = list(made_for.sizes)
    for other in range(len(sizes)):
        # Of volumes, torch averages none that are smaller than a window, padding or not.
        if other != axis and len(sizes) < len(AXES):
            sizes[other] = _shortest(network, sizes, other)
    shape = Shape(tuple(sizes), 1)
    needed = [integer(sizes[axis])]
    steps, ended = infer(network, shape), set()
    for step, seen in zip(steps, fields(steps, shape), strict=True):
        field = seen.fields[axis]
        if isinstance(step.node.layer, GlobalPool | AdaptivePool | Linear | Flatten):
            ended.add(step.node.name)  # from here on, longer inputs give longer fields
        if ended.intersection(step.node.inputs):
            ended.add(step.node.name)
        elif field is not None and step.node.name not in ended:
            needed.append(math.ceil(integer(field.size) + 3 * field.stride))  # type: ignore[arg-type]
    longer = Shape((*sizes[:axis], min(max(needed), LONGEST), *sizes[axis + 1 :]), 1)
    return longer if _fits(network, longer) else shape


def _shortest(network: Network, sizes: Sequence[Number], axis: int) -> int:
    length, longest = 8, integer(sizes[axis])
    while length < longest:
        if _fits(network, Shape((*sizes[:axis], length, *sizes[axis + 1 :]), 1)):
            return length
        length *= 2
    return longest


def _fits(network: Network, shape: Shape) -> bool:
    try:
        infer(network, shape)
    except ArchitectureError:
        return False
    return True


def _along(network: Network, shape: Shape, axis: int) -> dict[str, list[Support]]:
    steps = infer(network, shape)
    seen = fields(steps, shape)
    with torch.random.fork_rng(devices=[]):
        model = twin(network, shape, dtype=torch.float64).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(parameter.shape[0] / parameter.numel())  # an average of what is seen
    for parameter in model.parameters():
        parameter.requires_grad_(False)  # noqa: FBT003 - torch's own
    x = torch.ones(2, 1, *shape.sizes, dtype=torch.float64, requires_grad=True)  # type: ignore[arg-type]
    whole = _whole(steps, integer(shape.sizes[axis]), axis)
    found: dict[str, list[Support]] = {}
    for (name, y), step, here in zip(model.outputs(x), steps, seen, strict=True):
        field = here.fields[axis]
        if field is None or isinstance(step.node.layer, Multiply):
            continue
        outputs = _outputs(y, axis)
        found[name] = [
            _support(out, ends, field, whole=whole[name][out] and sighted)
            for out, (ends, sighted) in zip(outputs, _ends(x, y, outputs, axis), strict=True)
        ]
    return found


def _whole(steps: Sequence[Step], length: int, axis: int) -> dict[str, list[bool]]:
    """For every output along an axis, whether it sees no padding, at no layer on the way."""
    whole = {INPUT: [True] * length}
    for step in steps:
        name, layer, inputs = step.node
        before = [whole[one] for one in inputs]
        windows = () if isinstance(layer, Join) else layer.windows(step.inputs[0])
        if windows:
            outputs = integer(step.output.sizes[axis]) if step.output.sizes else 1
            (seen,), window = before, windows[axis]
            whole[name] = [
                all(0 <= place < len(seen) and seen[place] for place in window.reads(out))
                for out in range(outputs)
            ]
        else:  # a gate of one position scales all
            length_here = max(map(len, before))
            every = [one * length_here if len(one) == 1 else one for one in before]
            whole[name] = [all(places) for places in zip(*every, strict=True)]
    return whole


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
