"""Floor 5: what a step costs: parameters, multiply-accumulates, activations."""

from __future__ import annotations

from typing import NamedTuple

from archcalc.case import Case, Step
from archcalc.count import ZERO, Count, product, total
from archcalc.layers.base import BIAS, WEIGHT, sum_of


class Cost(NamedTuple):
    """Exact counts for one example, each with its working."""

    # learned multipliers; scales of normalizations among them. What an earlier step uses too counts
    # there
    weights: Count
    biases: Count  # learned offsets, likewise
    parameters: Count  # weights and biases
    macs: Count  # multiply-accumulates of convolutions and linear layers
    flops: Count  # two for every MAC
    # units that the layer computes and has to hold. Activation functions and dropout work in place,
    # flatten and concatenation only rearrange: they hold none
    activations: Count


def cost(step: Step) -> Cost:
    """The cost of one step."""
    layer = step.layer
    activations = ZERO
    if not layer.in_place:
        activations = total(value.shape.units for value in step.outputs)
    weights = biases = parameters = ZERO
    if own := step.own:
        weights, biases = sum_of(own, WEIGHT), sum_of(own, BIAS)
        parameters = total((weights, biases))
    macs = layer.macs(*step.shapes, output=step.output)
    flops = ZERO if macs is ZERO else product(2, macs)
    return Cost(weights, biases, parameters, macs, flops, activations)


class Backward(NamedTuple):
    """Multiply-accumulates of a layer's backward pass, for one example."""

    weights: Count  # for the gradient of its weights
    # for the gradient of its input; none where no parameter lies before it, as in the first layer
    inputs: Count


def backward(case: Case) -> list[Backward]:
    """The backward pass of every step: each of its two products costs what the forward one does.

    A convolution's weight gradient pairs every output unit with the inputs that its filter saw, its
    input gradient with the filter's weights: the same pairs, so the same count. Twice the forward
    pass, then, less the input gradients of the layers that read the network's input.
    """
    wanted = graded(case)
    passes = []
    for step in case.steps:
        macs = step.layer.macs(*step.shapes, output=step.output)
        passes.append(Backward(macs, macs if wanted[step.inputs[0].name] else ZERO))
    return passes


def graded(case: Case) -> dict[str, bool]:
    """Whether a gradient flows into each tensor: a parameter made it, or lies somewhere before."""
    wanted = {value.name: False for value in case.inputs}
    for step in case.steps:
        flows = step.learns or any(wanted[value.name] for value in step.inputs)
        wanted |= {value.name: flows for value in step.outputs}
    return wanted
