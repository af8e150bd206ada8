"""Networks whose members are stacked: one text, many sets of parameters.

A model holds no parameters. It says how many there are, cuts a member's vector into layers, and
computes; the text is archcalc's notation, so archcalc's own counts are those of the model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.profiler import record_function

from archcalc import load, report
from archcalc.count import Number
from archcalc.layers.activation import Activation
from archcalc.layers.dropout import Dropout
from archcalc.layers.flatten import Flatten
from archcalc.layers.linear import Linear
from training.engine import streams
from training.engine.activations import Activations, places_of, slope
from training.engine.initializers import initializer
from training.errors import TrainingError

Watch = Callable[[str, Tensor], None]


DROPOUT: Final = "dropout"  # what a profiler calls its random numbers and products


class Leaf(NamedTuple):
    """The parameters of a layer.

    Args:
        name: of the layer.
        weight: its shape without the members': ``(out, in, ...)``, or ``(channels,)``.
        bias: whether there are biases, as many as rows of the weight.
    """

    name: str
    weight: tuple[int, ...]
    bias: bool

    @property
    def out(self) -> int:
        """Rows of the weight."""
        return self.weight[0]


@dataclass(frozen=True)
class Layered:
    """Layers whose numbers stand behind one another in a member's vector.

    Attributes:
        text: as it was read.
        leaves: the layers with parameters, in order.
    """

    text: str
    leaves: tuple[Leaf, ...]

    @property
    def parameters(self) -> int:
        """How many a member has."""
        return sum(self._sizes)

    @property
    def _sizes(self) -> list[int]:
        return [n for one in self.leaves for n in (math.prod(one.weight), one.out * one.bias)]

    def cut(self, theta: Tensor) -> tuple[Tensor, ...]:
        """Each layer's weights, then its biases, ``(members, numbers)`` each, as views."""
        return torch.split(theta, self._sizes, 1)

    def split(
        self, theta: Tensor, parts: Sequence[Tensor] = ()
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Weights ``(members, out, ...)`` and biases ``(members, out)`` by layer, as views.

        Args:
            theta: ``(members, parameters)``: each layer's weights, then its biases.
            parts: what :meth:`cut` gave, in its place.
        """
        cut = iter(parts or self.cut(theta))
        return {one.name: (next(cut).unflatten(1, one.weight), next(cut)) for one in self.leaves}

    def draw(self, keys: Tensor, initializers: Sequence[str]) -> Tensor:
        """Parameters ``(members, parameters)``, drawn from each member's own stream.

        A layer's numbers depend on its name and size alone: networks that differ in what learns
        nothing, or in normalizations, are born with the same weights. Scales are 1, shifts 0.

        Args:
            keys: one a member.
            initializers: one name a member, see :mod:`training.engine.initializers`.

        Raises:
            TrainingError: an initializer that does not exist, or Glorot's for a convolution, whose
                fan_out it would not know.
        """
        theta = torch.empty(len(keys), self.parameters, device=keys.device)
        for name, places in places_of(initializers, keys.device).items():
            draw = initializer(name)
            parts = []
            for leaf in self.leaves:
                if len(leaf.weight) == 1:
                    ones = torch.ones(len(places), leaf.out, device=keys.device)
                    parts += [ones, torch.zeros_like(ones)]
                    continue
                if name.startswith("glorot") and len(leaf.weight) > 2:  # noqa: PLR2004 - out, in
                    fact = f"{leaf.name}: {name} is of linear layers"
                    raise TrainingError(fact, hint="he, torch")
                own = streams.fold(keys[places], "init", leaf.name)
                drawn = draw(own, leaf.out, math.prod(leaf.weight[1:]))
                parts += [drawn.weight.flatten(1), *([drawn.bias] if leaf.bias else [])]
            theta[places] = torch.cat(parts, 1)
        return theta


class Dense(NamedTuple):
    """A linear layer: its name, its sizes, and the dropout in front of it."""

    name: str
    fan_in: int
    out: int
    bias: bool
    dropout: float
    activation: str  # behind it; "id" where there is none


@dataclass(frozen=True)
class Mlp(Layered):
    """A stack of linear layers, each but the last followed by an activation.

    ``Mlp.read("1x1x1 (fc-2 relu) x9 fc-1")`` is the network of Lu et al.'s experiment.
    """

    layers: tuple[Dense, ...]

    @classmethod
    def read(cls, text: str) -> Mlp:
        """The model of a notation that has only ``fc``, activations, ``drop`` and ``flatten``.

        Raises:
            ArchitectureError: the notation cannot be read.
            TrainingError: it has other layers, or its first word is no input size.
        """
        network = load(text)
        if network.input is None:
            raise TrainingError(f"{text!r} does not begin with its input's size", hint="1x1x10 ...")
        steps = report(network).rows
        size = _number(network.input.units.value)
        layers: list[Dense] = []
        dropout = 0.0
        for node in network.nodes:
            layer = node.layer
            if isinstance(layer, Linear):
                out = _number(layer.out_features)
                layers.append(Dense(node.name, size, out, layer.bias, dropout, "id"))
                size, dropout = out, 0.0
            elif isinstance(layer, Dropout):
                dropout += (1 - dropout) * layer.probability
            elif isinstance(layer, Activation) and layers and layers[-1].activation == "id":
                if dropout:
                    raise TrainingError(f"{node.name}: dropout stands in front of its layer")
                layers[-1] = layers[-1]._replace(activation=_word(layer))
            elif not isinstance(layer, Flatten):
                raise TrainingError(f"{node.name}: a stack of linear layers has no {layer.kind}")
        if dropout:
            raise TrainingError(f"{text!r} ends with dropout, which stands in front of a layer")
        for dense in layers:
            slope(dense.activation)  # refuses what no member could have
        leaves = tuple(Leaf(d.name, (d.out, d.fan_in), d.bias) for d in layers)
        model = cls(text, leaves, tuple(layers))
        assert model.parameters == sum(row.cost.parameters.value for row in steps)
        return model

    @property
    def widest(self) -> int:
        """Units of the widest layer, the input among them."""
        return max(max(d.fan_in, d.out) for d in self.layers)

    def scaled(self, theta: Tensor, power: int = 1) -> Tensor:
        """Parameters whose weights behind dropout are multiplied by 1 - p.

        Args:
            theta: ``(members, parameters)``.
            power: -1 divides by it.
        """
        found = theta.clone()
        weights = self.split(found)
        for d in self.layers:
            weights[d.name][0].mul_((1 - d.dropout) ** power)
        return found

    def forward(
        self,
        theta: Tensor,
        x: Tensor,
        activations: Activations | None = None,
        *,
        keys: Tensor | None = None,
        parts: Sequence[Tensor] = (),
        watch: Watch | None = None,
        inverted: bool = True,
    ) -> Tensor:
        """All members at once.

        Args:
            theta: ``(members, parameters)``.
            x: ``(members, batch, in)``, or ``(1, batch, in)`` for all members alike.
            activations: behind the hidden layers, in place of the text's own.
            keys: one a member; given, dropout is at work and draws from them.
            parts: what :meth:`cut` makes of ``theta``, each differentiable on its own.
            inverted: whether dropout scales what it keeps by 1/(1 - p), so that nothing is to be
                scaled at test time; else it is the dropout of Srivastava et al. 2014, section 4,
                and the weights behind it are scaled by 1 - p at test time (:meth:`scaled`).
            watch: called with ``fc1.z`` and ``fc1.a`` and the values there, before and behind
                the activation, ``(members, batch, out)``.

        Returns:
            ``(members, batch, out)``, without an activation behind the last layer's own.
        """
        h = x.expand(len(theta), *x.shape[1:])
        last, weights = self.layers[-1], self.split(theta, parts)
        for d in self.layers:
            weight, bias = weights[d.name]
            if keys is not None and d.dropout:
                with record_function(DROPOUT):
                    own = streams.fold(keys, "drop", d.name)
                    kept = streams.kept(own, d.dropout, *h.shape[1:])
                    h = h * kept / (1 - d.dropout) if inverted else h * kept
            # this way round the gradient of the weights comes as they lie, and is not transposed
            z = torch.matmul(weight, h.mT).mT
            if d.bias:
                z = z + bias.unsqueeze(1)
            hidden = activations is not None and d is not last and d.activation != "id"
            h = activations(z) if hidden and activations else _own(d.activation, z)
            if watch is not None:
                watch(f"{d.name}.z", z)
                watch(f"{d.name}.a", h)
        return h


def _number(value: Number) -> int:
    if isinstance(value, int):
        return value
    raise TrainingError(f"{value} stands for a number, and training needs the number itself")


def _word(layer: Activation) -> str:
    """An activation as archcalc writes it: ``leakyrelu.01``."""
    if layer.slope is None:
        return layer.function
    return f"{layer.function}{Decimal(repr(layer.slope)):f}".replace("u0.", "u.")


def _own(name: str, z: Tensor) -> Tensor:
    return z if name == "id" else Activations([name] * len(z), z.device)(z)
