"""Floor 2: a network is a named directed acyclic graph of layers, and where it comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeAlias

from archcalc.count import Number
from archcalc.errors import ArchitectureError
from archcalc.layers.base import Layer
from archcalc.shape import Shape

INPUT: Final = "input"  # the name of a single input
NAME: Final = re.compile(r"[\w.-]+(?:/[\w.-]+)*")


class Port(NamedTuple):
    """A further output of a layer that has several; the layer's name alone means its first."""

    node: str
    number: int


Reference: TypeAlias = str | Port


class Input(NamedTuple):
    """What goes into a network: its name, and its shape for one example if that is fixed."""

    name: str = INPUT
    shape: Shape | None = None


class Node(NamedTuple):
    """A layer in its place.

    Attributes:
        name: unique, and a path: what stands before its last ``/`` is its scope.
        layer: what it does.
        inputs: the outputs and the network's inputs that it takes.
        shares: the earlier node whose parameters it uses; empty if they are its own.
    """

    name: str
    layer: Layer
    inputs: tuple[Reference, ...]
    shares: str = ""


class Citation(NamedTuple):
    """Where an architecture was published, down to the section, table or figure."""

    authors: str
    title: str
    venue: str
    where: str = ""

    def __str__(self) -> str:
        text = f"{self.authors}, {self.title}, {self.venue}"
        return f"{text}, {self.where}" if self.where else text


class Published(NamedTuple):
    """A figure as a source prints it; compared with ours, never copied into a result."""

    row: str  # the node, or the scope of nodes (``3a`` for ``3a/...``), or ``total``
    quantity: str  # a column of the report: ``weights``, ``parameters``, ``macs``, ``neurons``
    printed: str  # the figure in digits as printed, e.g. ``2.7``
    unit: int = 1  # what one of it stands for, e.g. ``1000`` or ``1024``
    symbol: str = ""  # how the source writes that unit: ``K``, ``million``
    # why it is not ours, where that is known; shown only where it is not reproduced
    reason: str = ""
    where: str = ""  # the source, or the place in it, if it is not the network's own
    significant: int = 0  # how many of the printed digits are meant; all of them if 0

    def __str__(self) -> str:
        return f"{self.printed}{' ' if len(self.symbol) > 1 else ''}{self.symbol}"


@dataclass(frozen=True)
class Network:
    """Nodes in an order in which every node follows its inputs.

    Args:
        nodes: at least one.
        name: what a person calls it.
        inputs: at least one.
        outputs: what it gives out; the last node's output if empty.
        source: where it was published.
        published: figures to be compared with ours.
        notes: what a reader of its numbers has to know.

    Raises:
        ArchitectureError: two nodes of one name, an unknown input, a node that nothing uses, a
            layer with too few or too many inputs, parameters shared with another kind of layer.
    """

    nodes: tuple[Node, ...]
    name: str = ""
    inputs: tuple[Input, ...] = (Input(),)
    outputs: tuple[Reference, ...] = ()
    source: Citation | None = field(default=None, compare=False)
    published: tuple[Published, ...] = field(default=(), compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if not self.nodes:
            raise ArchitectureError(
                "a network needs at least one layer", hint="write e.g. conv3-64"
            )
        if not self.outputs:
            object.__setattr__(self, "outputs", (self.nodes[-1].name,))
        layers: dict[str, Layer | None] = {each.name: None for each in self.inputs}
        if len(layers) < len(self.inputs) or not layers:
            raise ArchitectureError("a network needs inputs of different names")
        for name in layers:
            _check_name(name, taken=False)
        used = {node_of(reference) for reference in self.outputs}
        for node in self.nodes:
            _check_name(node.name, taken=node.name in layers)
            _check_node(node, layers)
            layers[node.name] = node.layer
            used.update(map(node_of, node.inputs))
        for reference in self.outputs:
            if node_of(reference) not in layers:
                raise ArchitectureError(f"no layer is called {node_of(reference)}", where="outputs")
        for name in layers:
            if name not in used:
                raise ArchitectureError("nothing uses the output of this layer", where=name)

    @property
    def input(self) -> Shape | None:
        """The shape that its first input is made for, if it has one."""
        return self.inputs[0].shape

    def without_biases(self) -> Network:
        """The same network, its convolutions and linear layers without biases."""
        return self.mapped(
            lambda layer: replace(layer, bias=False) if "bias" in layer.pieces() else layer  # type: ignore[call-arg]
        )

    def letters(self) -> frozenset[str]:
        """The letters that stand in for channels: ``K`` of ``conv3-K``."""
        return frozenset().union(*(layer.letters() for layer in {n.layer for n in self.nodes}))

    def substitute(self, values: Mapping[str, Number]) -> Network:
        """The same network, some letters replaced by numbers."""
        return self.mapped(lambda layer: layer.substitute(values))

    def mapped(self, change: Callable[[Layer], Layer]) -> Network:
        """The same network with other layers in the same places."""
        changed = {layer: change(layer) for layer in {node.layer for node in self.nodes}}
        nodes = tuple(node._replace(layer=changed[node.layer]) for node in self.nodes)
        return replace(self, nodes=nodes)

    def __str__(self) -> str:
        shape = f" on {self.input}" if self.input is not None else ""
        return f"{self.name or 'network'}: {len(self.nodes):,} layers{shape}"


def node_of(reference: Reference) -> str:
    """The node, or the network's input, that a reference is to."""
    return reference if isinstance(reference, str) else reference.node


def path(name: str) -> tuple[str, ...]:
    """The brackets in which a node stands and its own name: ``("3a", "1x1")`` for ``3a/1x1``."""
    return tuple(name.split("/"))


def _check_name(name: str, *, taken: bool) -> None:
    if taken:
        raise ArchitectureError("the name is taken", where=name)
    if not NAME.fullmatch(name):
        fact = f"{name!r} cannot be a name"
        raise ArchitectureError(fact, hint="letters, digits, _ . - and / between them can")


def _check_node(node: Node, layers: Mapping[str, Layer | None]) -> None:
    for reference in node.inputs:
        if node_of(reference) not in layers:
            raise ArchitectureError(f"no earlier layer is called {reference}", where=node.name)
    least, most = node.layer.arity
    if not least <= len(node.inputs) <= (most or len(node.inputs)):
        fact = "a join takes two inputs or more, any other layer takes one"
        raise ArchitectureError(fact, where=node.name)
    if node.shares and layers.get(node.shares) != node.layer:
        fact = f"no earlier layer is called {node.shares} and is the same layer"
        raise ArchitectureError(fact, where=node.name)
