"""Floor 5: what a step costs: parameters, multiply-accumulates, activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from archcalc.count import ZERO, Count, product, total
from archcalc.layers import Join
from archcalc.network import INPUT

if TYPE_CHECKING:
    from collections.abc import Sequence

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


class Backward(NamedTuple):
    """Multiply-accumulates of a layer's backward pass, for one example.

    Attributes:
        weights: for the gradient of its weights.
        inputs: for the gradient of its input; none where no parameter lies before it, as in the
            first layer.
    """

    weights: Count
    inputs: Count


def backward(steps: Sequence[Step]) -> list[Backward]:
    """The backward pass of every step: each of its two products costs what the forward one does.

    A convolution's weight gradient pairs every output unit with the inputs that its filter saw, its
    input gradient with the filter's weights: the same pairs, so the same count. Twice the forward
    pass, then, less the input gradients of the layers that read the network's input.
    """
    wanted = graded(steps)
    found = []
    for step in steps:
        macs = cost(step).macs
        found.append(Backward(macs, macs if wanted[step.node.inputs[0]] else ZERO))
    return found


def graded(steps: Sequence[Step]) -> dict[str, bool]:
    """Whether a gradient flows into each output: a parameter made it, or lies somewhere before."""
    wanted = {INPUT: False}
    for step in steps:
        before = any(wanted[name] for name in step.node.inputs)
        wanted[step.node.name] = before or cost(step).parameters.value != 0
    return wanted
