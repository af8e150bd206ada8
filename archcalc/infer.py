"""Floor 4: shapes through the graph. A network and an input become a tuple of steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from archcalc.errors import ArchitectureError
from archcalc.layers import Join
from archcalc.network import INPUT

if TYPE_CHECKING:
    from archcalc.network import Network, Node
    from archcalc.shape import Shape


class Step(NamedTuple):
    """A node with the shapes that reach it and the shape that leaves it, for one example."""

    node: Node
    inputs: tuple[Shape, ...]
    output: Shape


def infer(network: Network, shape: Shape) -> tuple[Step, ...]:
    """The steps of ``network`` on an input of ``shape`` (sizes may be letters).

    Raises:
        ArchitectureError: a layer that cannot take the shape that reaches it; both are named.
    """
    outputs = {INPUT: shape}
    steps = []
    for node in network.nodes:
        shapes = tuple(outputs[name] for name in node.inputs)
        try:
            if isinstance(node.layer, Join):
                output = node.layer.output(*shapes)
            else:
                output = node.layer.output(shapes[0])
        except ArchitectureError as error:
            if isinstance(node.layer, Join):
                branches = " | ".join(node.inputs)
                raise error.at(f"{node.name} ({branches})") from None
            raise error.at(f"{node.name}, input {shapes[0]}") from None
        outputs[node.name] = output
        steps.append(Step(node, shapes, output))
    return tuple(steps)
