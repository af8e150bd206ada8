"""Any network of archcalc's notation as a population: convolutions, normalization, joins.

Values lie as ``(batch, members * channels, ...)``, as long as members still share them as
``(batch, channels, ...)``: a convolution of all members is one grouped convolution, a batch
normalization of all is one of ``members * channels`` channels, and a linear layer is one batched
product. What learns nothing is torch's own module, as in archcalc's twin.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from archcalc import load
from archcalc.case import Case
from archcalc.count import integer
from archcalc.layers.activation import Activation
from archcalc.layers.adaptive import AdaptivePool, GlobalPool
from archcalc.layers.base import Layer
from archcalc.layers.convolution import Convolution
from archcalc.layers.dropout import Dropout
from archcalc.layers.flatten import Flatten
from archcalc.layers.linear import Linear
from archcalc.layers.normalization import BatchNorm, LocalResponseNorm
from archcalc.layers.pooling import Pool
from archcalc.measure.twin import module
from archcalc.network import INPUT
from training.engine import streams
from training.engine.models import Layered, Leaf
from training.errors import TrainingError

Watch: TypeAlias = Callable[[str, Tensor], None]
Buffers: TypeAlias = dict[str, Tensor]

CONVOLUTIONS: Final = (functional.conv1d, functional.conv2d, functional.conv3d)
MOMENTUM: Final = 0.1  # of running statistics, as in torch
EPS: Final = 1e-5  # likewise
PLAIN: Final = (Activation, Pool, AdaptivePool, GlobalPool, LocalResponseNorm, Flatten)
KNOWN: Final = (Convolution, Linear, BatchNorm, Dropout, *PLAIN)


class Move(NamedTuple):
    """One layer or join of a network.

    Args:
        name: of it.
        layer: what it is.
        inputs: whose values it reads.
        freed: those among them that nothing reads afterwards.
        channels: of each of these inputs; of a vector, its units.
        out: channels behind the layer, likewise.
        module: torch's module for one network, on no device: what knows strides and paddings.
        one_window: whether it is a convolution with one window, which covers all of its input.
    """

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    freed: tuple[str, ...]
    channels: tuple[int, ...]
    out: int
    module: nn.Module | None
    one_window: bool


@dataclass(frozen=True)
class Net(Layered):
    """A network's plan; parameters and running statistics belong to a cohort.

    ``Net.read("28x28x1 conv5-6 bn tanh avgpool2 fc-10")``.

    Attributes:
        moves: what is computed, in order.
        norms: the batch normalizations: name, and how many means and variances each has.
        per_unit: the batch normalizations with statistics, scale and shift of every unit: a pixel
            each, where the usual ones have one of every channel.
    """

    moves: tuple[Move, ...]
    norms: Mapping[str, int]
    per_unit: frozenset[str] = frozenset()

    @classmethod
    def read(cls, text: str, per_unit: Collection[str] = ()) -> Net:
        """The model of a notation.

        Args:
            text: its first word is the input's size.
            per_unit: names of batch normalizations that hold numbers for every unit.

        Raises:
            ArchitectureError: the notation cannot be read.
            TrainingError: a layer that no population has yet, or no input size.
        """
        network = load(text)
        if network.input is None:
            fact = f"{text!r} does not begin with its input's size"
            raise TrainingError(fact, hint="28x28x1 ...")
        steps = Case.of(network).steps
        last = {value.name: step.name for step in steps for value in step.inputs}
        moves, leaves, norms = [], [], {}
        for step in steps:
            name, layer = step.name, step.layer
            inputs = tuple(value.name for value in step.inputs)
            freed = tuple(dict.fromkeys(read for read in inputs if last[read] == name))
            if not layer.sign and not isinstance(layer, KNOWN):
                fact = f"{name}: no population has a layer of kind {layer.kind} yet"
                raise TrainingError(fact)
            if step.parameters and not step.own:
                raise TrainingError(f"{name}: no population shares weights between layers yet")
            with torch.device("meta"):
                found, one_window = module(layer, step.shapes), False
            if found is not None:
                shape = step.shapes[0]
                if isinstance(layer, BatchNorm):
                    count = integer(shape.units.value if name in per_unit else shape.channels)
                    norms[name] = count
                    leaves += [Leaf(name, (count,), bias=True)] if layer.affine else []
                elif (weight := getattr(found, "weight", None)) is not None:
                    leaves.append(Leaf(name, tuple(weight.shape), layer.bias))  # type: ignore[attr-defined]
                if isinstance(layer, Convolution):
                    one_window = _covers(found, tuple(map(integer, shape.sizes)))
            channels = tuple(integer(shape.channels) for shape in step.shapes)
            out = integer(step.output.channels)
            moves.append(Move(name, layer, inputs, freed, channels, out, found, one_window))
        strangers = set(per_unit) - set(norms)
        if strangers:
            raise TrainingError(f"no batch normalization is called {min(strangers)}")
        return cls(text, tuple(leaves), tuple(moves), norms, frozenset(per_unit))

    def begin(self, members: int, device: torch.device | str = "cpu") -> Buffers:
        """Running means 0 and variances 1, ``(members, channels)``: ``bn1.mean``, ``bn1.var``."""
        found = {}
        for name, count in self.norms.items():
            found[f"{name}.mean"] = torch.zeros(members, count, device=device)
            found[f"{name}.var"] = torch.ones(members, count, device=device)
        return found

    def forward(
        self,
        theta: Tensor,
        x: Tensor,
        *,
        keys: Tensor | None = None,
        buffers: Buffers | None = None,
        parts: Sequence[Tensor] = (),
        training: bool = False,
        watch: Watch | None = None,
        first: int = 0,
        channels_last: bool = False,
    ) -> Tensor:
        """All members at once.

        Args:
            theta: ``(members, parameters)``.
            x: ``(members, batch, channels, height, width)``, or ``(1, ...)`` for all members alike.
            keys: one a member; given, dropout is at work and draws from them.
            parts: what :meth:`cut` makes of ``theta``, each differentiable on its own.
            buffers: running statistics. Without them a batch is normalized by its own, and nothing
                remembers them.
            training: a batch is normalized by its own statistics, and ``buffers`` change.
            watch: called with ``input`` and each layer's name and its output
                ``(members or 1, batch, ...)``.
            first: so many examples of the batch come before these; dropout draws theirs.
            channels_last: whether convolutions lay the channels of a pixel side by side.

        Returns:
            ``(members, batch, out)``.
        """
        layout = torch.channels_last if channels_last else None
        weights = self.split(theta, parts)
        members = len(theta)
        h = _packed(x)
        values = {INPUT: h}
        if watch is not None:
            watch(INPUT, x)
        for move in self.moves:
            h = values[move.inputs[0]]
            match move.layer:
                case layer if layer.sign:  # branches meet
                    read = zip(move.inputs, move.channels, strict=True)
                    rows = [_rows(_own(values[one], c, members), c) for one, c in read]
                    joined = layer.run(None, *rows)
                    h = joined.reshape(len(h), -1, *joined.shape[2:])
                case Linear():
                    h = _product(h, members, *weights[move.name])
                case Convolution():
                    h = _convolved(h, move, *weights[move.name], layout)
                case BatchNorm():
                    affine = weights.get(move.name)
                    h = self._normalized(h, move, affine, buffers, members, training)
                case Dropout(probability=probability):
                    if keys is not None and probability:
                        h = _dropped(h, move, probability, keys, first)
                case _:
                    h = _plain(h, move)
            values[move.name] = h
            for one in move.freed:
                del values[one]
            if watch is not None:
                watch(move.name, _unpacked(h, move.out))
        return _unpacked(h.flatten(1), h.flatten(1).shape[1] // members)

    def _normalized(
        self,
        h: Tensor,
        move: Move,
        affine: tuple[Tensor, Tensor] | None,
        buffers: Buffers | None,
        members: int,
        training: bool,  # noqa: FBT001 - as torch's own function has it
    ) -> Tensor:
        """Batch normalization of all members: each has its own channels."""
        h = _own(h, move.channels[0], members)
        flat = h.flatten(1) if move.name in self.per_unit else h
        scale, shift = (one.flatten() for one in affine) if affine is not None else (None, None)
        kept = [buffers[f"{move.name}.{of}"] for of in ("mean", "var")] if buffers else []
        running = [one.reshape(-1) for one in kept]
        mean, var = running or (None, None)
        own = training or not kept
        y = functional.batch_norm(flat, mean, var, scale, shift, own, MOMENTUM, EPS)
        for one, now in zip(kept, running, strict=True):
            if not one.is_contiguous():  # members lie apart: what has changed is a copy
                one.copy_(now.view_as(one))
        return y.view(h.shape)


def _packed(x: Tensor) -> Tensor:
    """``(members, batch, channels, ...)`` as ``(batch, members * channels, ...)``."""
    return x[0] if len(x) == 1 else x.transpose(0, 1).flatten(1, 2)


def _unpacked(h: Tensor, channels: int) -> Tensor:
    """The inverse of :func:`_packed`."""
    apart: Tensor = h.unflatten(1, (-1, channels))
    return apart.transpose(0, 1)


def _own(h: Tensor, channels: int, members: int) -> Tensor:
    """A value of all members, of whom each has its own."""
    if h.shape[1] == members * channels:
        return h
    return h.repeat(1, members, *[1] * (h.dim() - 2))


def _rows(h: Tensor, channels: int) -> Tensor:
    """``(batch, members * channels, ...)`` as ``(batch * members, channels, ...)``."""
    return h.reshape(-1, channels, *h.shape[2:])


def _dropped(h: Tensor, move: Move, probability: float, keys: Tensor, first: int) -> Tensor:
    """Dropout, each member by its own stream."""
    h = _own(h, move.channels[0], len(keys))
    drop = streams.fold(keys, "drop", move.name)
    kept = streams.kept(drop, probability, len(h), move.channels[0], *h.shape[2:], first=first)
    # inverted dropout: what is kept is scaled, so that nothing is at test time
    return h * (_packed(kept) / (1 - probability))


def _product(h: Tensor, members: int, weight: Tensor, bias: Tensor) -> Tensor:
    """Linear layers: ``(batch, members * in)`` and ``(members, out, ...)``."""
    own = h.flatten(1).unflatten(1, (-1, weight[0, 0].numel())).transpose(0, 1)
    own = own.expand(members, -1, -1)
    matrix = weight.flatten(2).mT
    y = torch.baddbmm(bias.unsqueeze(1), own, matrix) if bias.numel() else torch.bmm(own, matrix)
    return _packed(y)


def _convolved(
    h: Tensor, move: Move, weight: Tensor, bias: Tensor, layout: torch.memory_format | None
) -> Tensor:
    """Convolutions of all members as one; of an input that all share, as one with more filters."""
    members = len(weight)
    if move.one_window:  # one window, and a product is several times faster
        return _product(h, members, weight, bias)[(..., *[None] * (h.dim() - 2))]
    own: Any = move.module
    if own.groups > 1:
        h = _own(h, move.channels[0], members)
    groups = own.groups * (h.shape[1] // move.channels[0])
    filters, shifts = weight.flatten(0, 1), bias.flatten() if bias.numel() else None
    if layout is not None and h.dim() == 4:  # noqa: PLR2004 - of images
        h, filters = (one.contiguous(memory_format=layout) for one in (h, filters))
    convolve = CONVOLUTIONS[h.dim() - 3]
    y: Tensor = convolve(h, filters, shifts, own.stride, own.padding, own.dilation, groups)
    return y


def _plain(h: Tensor, move: Move) -> Tensor:
    """What has no parameters: torch's module, which sees the members as more channels."""
    own: Any = move.module
    if isinstance(move.layer, Pool) and h.device.type == "cpu":
        matrix = _averaging(own, h.shape[2:])
        if matrix is not None:
            rows = h.reshape(-1, len(matrix)) @ matrix.to(h.dtype)
            sizes = [size // k for size, k in zip(h.shape[2:], own.kernel_size, strict=True)]
            return rows.view(*h.shape[:2], *sizes)
    if isinstance(move.layer, Flatten):
        return h.flatten(1)
    y: Tensor
    if not _mixes(move.layer):
        y = own(h)
        return y
    flat = _rows(h, move.channels[0])
    shape = flat.shape
    y = move.layer.run(own, flat).view(shape).reshape(h.shape)
    return y


def _mixes(layer: Layer) -> bool:
    """Whether an output depends on several channels, so that members must be told apart."""
    if isinstance(layer, Activation):
        return layer.function in {"softmax", "logsoftmax"}
    return isinstance(layer, LocalResponseNorm)


def _averaging(pool: nn.Module, sizes: tuple[int, ...]) -> Tensor | None:
    """Average pooling as a matrix, ``(kernel height * width, width / kernel width)``.

    On a CPU the product is three to eight times faster than torch's pooling, forward and backward.
    None where windows overlap, reach beyond the map or leave something out.
    """
    given: Any = pool
    kernel = given.kernel_size
    if not isinstance(pool, torch.nn.AvgPool2d) or given.stride != kernel or any(given.padding):
        return None
    fits = all(size % k == 0 for size, k in zip(sizes, kernel, strict=True))
    return _matrix(*kernel, sizes[1]) if fits else None


@lru_cache(maxsize=64)
def _matrix(height: int, width: int, columns: int) -> Tensor:
    """Sums ``height`` rows of so many columns, ``width`` by ``width`` of them, and divides."""
    one = torch.eye(columns // width).repeat_interleave(width, 0) / (height * width)
    return one.repeat(height, 1)


def _covers(convolution: Any, sizes: tuple[int, ...]) -> bool:  # noqa: ANN401 - torch's module
    """Whether a convolution is a linear layer: one window that is the whole map."""
    one_window = tuple(convolution.kernel_size) == tuple(sizes)
    return one_window and not any(convolution.padding) and convolution.groups == 1
