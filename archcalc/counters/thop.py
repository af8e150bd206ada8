"""thop's ``profile``: "MACs" and parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from archcalc.case import Step
from archcalc.count import Count, count, difference, integer, product, quotient, total
from archcalc.counters import base
from archcalc.counters.base import Counter, Reading, Term
from archcalc.layers.activation import Activation
from archcalc.layers.base import per_axis
from archcalc.layers.normalization import BatchNorm, GroupNorm, LayerNorm
from archcalc.layers.pooling import Pool
from archcalc.layers.transposed import TransposedConvolution

if TYPE_CHECKING:
    from torch import Tensor, nn


def _extras(step: Step, batch: int) -> Iterator[Term]:
    yield from base.each(_per_example)(step, batch)
    if base.averages_adaptively(step.layer):
        cause = "adaptive average pooling, 1 per input and output unit"
        yield Term(cause, _shares(step, batch))


def _per_example(step: Step) -> Iterator[Term]:
    """``thop/vision/basic_hooks.py`` and ``calc_func.py``."""
    layer, shape = step.layer, step.shapes[0]
    if isinstance(layer, TransposedConvolution):
        kernel = per_axis(layer.kernel_size, len(shape.sizes), "kernel")
        window = product(*kernel, quotient(shape.channels, layer.groups))
        yield base.at_outputs(product(step.output.units, window), step)
    if isinstance(layer, BatchNorm | LayerNorm):
        factor = 4 if layer.affine else 2
        name = "layer" if isinstance(layer, LayerNorm) else "batch"
        yield Term(f"{name} norm, {factor} per unit", product(factor, shape.units))
    if isinstance(layer, Activation) and layer.function == "softmax":
        each_position = product(*shape.sizes, difference(product(3, shape.channels), 1))
        yield Term("softmax, an exp, an addition and a division per unit", each_position)
    if layer.kind == "prelu":
        yield Term("parametric ReLU, 1 per unit", shape.units)
    if isinstance(layer, Pool) and layer.reduction == "average":
        yield Term("average pooling, 1 per output unit", step.output.units)


def _shares(step: Step, batch: int) -> Count:
    """Thop's own arithmetic in floats: inputs per output, and 1, times outputs, cut off.

    With letters, the sum that it means; floats may come out one below.
    """
    before, after = step.shapes[0], step.output
    if before.letters() or after.letters():
        return base.times(batch, total((before.units, after.units)))
    pairs = zip(before.sizes, after.sizes, strict=True)
    window = math.prod(integer(size) / integer(target) for size, target in pairs)
    return count(int((window + 1) * (batch * integer(after.units.value))))


def _parameters(step: Step) -> Iterator[Term]:
    if isinstance(step.layer, GroupNorm) and step.layer.affine and step.own:
        lost = product(2, step.shapes[0].channels)
        yield Term("no rule for group norm, so none of its parameters", difference(0, lost))


def read(model: nn.Module, *inputs: Tensor) -> Reading:
    """``macs`` and ``parameters`` of a forward pass in evaluation mode."""
    with base.asked("thop", model, extra="") as installed:
        import thop  # noqa: PLC0415 - only who asks for it needs it

        macs, parameters, tree = thop.profile(
            model, inputs=inputs, verbose=False, ret_layer_info=True
        )
    counts = dict(_flat(tree))
    layers = {
        what: {path: counts.get(path, (0, 0))[place] for path in base.leaves(model)}
        for place, what in enumerate(("macs", "parameters"))
    }
    totals = {"macs": int(macs), "parameters": int(parameters)}
    return Reading("thop", installed, layers, totals)


def _flat(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, tuple[int, int]]]:
    """The counts of every module that thop has a rule for, by path."""
    for name, (macs, parameters, inner) in tree.items():
        yield f"{prefix}{name}", (int(macs), int(parameters))
        yield from _flat(inner, f"{prefix}{name}.")


COUNTER = Counter(
    "thop",
    "MACs",
    "No biases. Batch and layer norm add 4 per unit (2 without parameters), average pools "
    "1 per output, adaptive ones 1 per input and output, softmax 3 per unit less 1; a "
    "transposed convolution is taken at the positions of its output.",
    _extras,
    tool="thop.profile",
    package="thop",
    releases=("0.1.1.post2209072238",),
    parameters=_parameters,
    devices=("cpu", "cuda"),
    readings=(read,),
)
