"""Floor 3: a network is a named directed acyclic graph of layers, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from archcalc.count import Number, letters, substitute
from archcalc.errors import ArchitectureError
from archcalc.layers import Convolution, Join, Layer, Linear, TransposedConvolution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archcalc.report import Report
    from archcalc.shape import Shape

INPUT: Final = "input"  # the name by which nodes refer to the network's input
BIASED: Final = (Convolution, TransposedConvolution, Linear)


class Node(NamedTuple):
    """A layer, its name, and the names of the nodes whose outputs it takes."""

    name: str
    layer: Layer | Join
    inputs: tuple[str, ...]


class Source(NamedTuple):
    """Where an architecture was published, down to the section, table or figure."""

    authors: str
    title: str
    venue: str
    where: str = ""

    def __str__(self) -> str:
        text = f"{self.authors}, {self.title}, {self.venue}"
        return f"{text}, {self.where}" if self.where else text


class Published(NamedTuple):
    """A figure as a source prints it; compared with ours, never copied into a result.

    Args:
        row: the node, or the scope of nodes (``3a`` for ``3a/...``), or ``total``.
        quantity: a column of the report: ``weights``, ``parameters``, ``macs``, ``neurons``, ...
        printed: the figure in digits as printed, e.g. ``2.7``.
        unit: what one of it stands for, e.g. ``1000`` or ``1024``.
        symbol: how the source writes that unit: ``K``, ``million``.
        reason: why it is not ours, where that is known; shown only where it is not reproduced.
        where: the source, or the place in it, if it is not the network's own.
        significant: how many of the printed digits are meant; all of them if 0.
    """

    row: str
    quantity: str
    printed: str
    unit: int = 1
    symbol: str = ""
    reason: str = ""
    where: str = ""
    significant: int = 0

    def __str__(self) -> str:
        return f"{self.printed}{' ' if len(self.symbol) > 1 else ''}{self.symbol}"


@dataclass(frozen=True)
class Network:
    """Nodes in an order in which every node follows its inputs; the last one is the output.

    Args:
        nodes: at least one.
        name: what a person calls it.
        input: the shape it was made for, if it has one.
        source: where it was published.
        published: figures to be compared with ours.
        notes: what a reader of its numbers has to know.

    Raises:
        ArchitectureError: two nodes of one name, an unknown input, a node that nothing uses.
    """

    nodes: tuple[Node, ...]
    name: str = ""
    input: Shape | None = None
    source: Source | None = field(default=None, compare=False)
    published: tuple[Published, ...] = field(default=(), compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if not self.nodes:
            raise ArchitectureError(
                "a network needs at least one layer", hint="write e.g. conv3-64"
            )
        known = {INPUT}
        used = {self.nodes[-1].name}
        for node in self.nodes:
            if node.name in known:
                raise ArchitectureError("the name is taken", where=node.name)
            for name in node.inputs:
                if name not in known:
                    raise ArchitectureError(f"no earlier layer is called {name}", where=node.name)
            many = isinstance(node.layer, Join)
            if many == (len(node.inputs) == 1) or not node.inputs:
                fact = "a join takes two inputs or more, any other layer takes one"
                raise ArchitectureError(fact, where=node.name)
            known.add(node.name)
            used.update(node.inputs)
        for node in self.nodes:
            if node.name not in used:
                raise ArchitectureError("nothing uses the output of this layer", where=node.name)

    def without_biases(self) -> Network:
        """The same network, its convolutions and linear layers without biases."""
        nodes = tuple(
            node._replace(layer=node.layer.replace(bias=False))
            if isinstance(node.layer, BIASED)
            else node
            for node in self.nodes
        )
        return replace(self, nodes=nodes)

    def letters(self) -> frozenset[str]:
        """The letters that stand in for channels: ``K`` of ``conv3-K``."""
        return frozenset().union(*(letters(_channels(node.layer)) for node in self.nodes))

    def substitute(self, values: Mapping[str, Number]) -> Network:
        """The same network, some letters replaced by numbers."""

        def filled(layer: Layer | Join) -> Layer | Join:
            if isinstance(layer, Linear):
                return layer.replace(out_features=substitute(layer.out_features, values))
            if isinstance(layer, Convolution | TransposedConvolution):
                return layer.replace(out_channels=substitute(layer.out_channels, values))
            return layer

        nodes = tuple(node._replace(layer=filled(node.layer)) for node in self.nodes)
        return replace(self, nodes=nodes)

    def report(
        self,
        input: str | Shape | None = None,  # noqa: A002 - the command line's own word
        *,
        batch: int = 1,
        dtype: str = "fp32",
        bias: bool = True,
        at: str | Mapping[str, Number] | None = None,
    ) -> Report:
        """Everything that archcalc knows about this network; see :func:`archcalc.report.report`."""
        from archcalc.report import report  # noqa: PLC0415 - a door to the floors above

        return report(self, input, batch=batch, dtype=dtype, bias=bias, at=at)

    def __str__(self) -> str:
        from archcalc.notation import write  # noqa: PLC0415 - a door to the floors above

        return write(self)


def _channels(layer: Layer | Join) -> Number:
    """How many channels a layer was told to give out; 0 where its input decides."""
    if isinstance(layer, Linear):
        return layer.out_features
    return layer.out_channels if isinstance(layer, Convolution | TransposedConvolution) else 0
