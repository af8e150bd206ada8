"""Floor 5: what a step costs: parameters, multiply-accumulates, activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from archcalc.count import ZERO, Count, product, total
from archcalc.layers import Join

if TYPE_CHECKING:
    from archcalc.infer import Step


class Cost(NamedTuple):
    """Exact counts for one example, each with its working.

    Attributes:
        weights: learned multipliers; scales of normalizations among them.
        biases: learned offsets.
        parameters: weights and biases.
        macs: multiply-accumulates of convolutions and linear layers.
        flops: two for every MAC.
        activations: units that the layer computes and has to hold. Activation functions and
            dropout work in place, flatten and concatenation only rearrange: they hold none.
    """

    weights: Count
    biases: Count
    parameters: Count
    macs: Count
    flops: Count
    activations: Count


def cost(step: Step) -> Cost:
    """The cost of one step."""
    layer = step.node.layer
    activations = ZERO if layer.in_place else step.output.units
    if isinstance(layer, Join):
        return Cost(ZERO, ZERO, ZERO, ZERO, ZERO, activations)
    shape = step.inputs[0]
    weights, biases, macs = (
        layer.weights(shape),
        layer.biases(shape),
        layer.macs(shape, step.output),
    )
    flops = ZERO if macs is ZERO else product(2, macs)
    return Cost(weights, biases, total((weights, biases)), macs, flops, activations)
