"""thop's ``profile``: "MACs" and parameters."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from archcalc.case import Step
from archcalc.count import Count, count, difference, integer, product, quotient, total
from archcalc.counters.base import (
    Counter,
    Reading,
    Term,
    averages_adaptively,
    beyond_macs,
    each,
    leaves,
    release,
    times,
    untouched,
)
from archcalc.errors import MeasurementError
from archcalc.layers.activation import Activation
from archcalc.layers.base import per_axis
from archcalc.layers.normalization import BatchNorm, GroupNorm, LayerNorm
from archcalc.layers.pooling import Pool
from archcalc.layers.transposed import TransposedConvolution

if TYPE_CHECKING:
    import torch
    from torch import nn


def _extras(step: Step, batch: int) -> Iterator[Term]:
    yield from each(_per_example)(step, batch)
    if averages_adaptively(step.layer):
        cause = "adaptive average pooling, 1 per input and output unit"
        yield Term(cause, _shares(step, batch))


def _per_example(step: Step) -> Iterator[Term]:
    """``thop/vision/basic_hooks.py`` and ``calc_func.py``."""
    layer, shape = step.layer, step.shapes[0]
    if isinstance(layer, TransposedConvolution):
        kernel = per_axis(layer.kernel_size, len(shape.sizes), "kernel")
        seen = product(step.output.units, product(*kernel, quotient(shape.channels, layer.groups)))
        cause = "transposed convolution at the positions of its output"
        yield Term(cause, beyond_macs(seen, step))
    if isinstance(layer, BatchNorm | LayerNorm):
        factor = 4 if layer.affine else 2
        name = "layer" if isinstance(layer, LayerNorm) else "batch"
        yield Term(f"{name} norm, {factor} per unit", product(factor, shape.units))
    if isinstance(layer, Activation) and layer.function == "softmax":
        each_position = product(*shape.sizes, difference(product(3, shape.channels), 1))
        yield Term("softmax, an exp, an addition and a division per unit", each_position)
    if isinstance(layer, Pool) and layer.reduction == "average":
        yield Term("average pooling, 1 per output unit", step.output.units)


def _shares(step: Step, batch: int) -> Count:
    """Thop's own arithmetic in floats: inputs per output, and 1, times outputs, cut off.

    With letters, the sum that it means; floats may come out one below.
    """
    before, after = step.shapes[0], step.output
    if before.letters() or after.letters():
        return times(batch, total((before.units, after.units)))
    pairs = zip(before.sizes, after.sizes, strict=True)
    window = math.prod(integer(size) / integer(target) for size, target in pairs)
    return count(int((window + 1) * (batch * integer(after.units.value))))


def _parameters(step: Step) -> Iterator[Term]:
    if isinstance(step.layer, GroupNorm) and step.layer.affine:
        lost = product(2, step.shapes[0].channels)
        yield Term("no rule for group norm, so none of its parameters", difference(0, lost))


def read(model: nn.Module, *inputs: torch.Tensor) -> Reading:
    """``macs`` and ``parameters`` of a forward pass in evaluation mode."""
    installed = release("thop", "")
    with untouched(model), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import thop  # noqa: PLC0415 - only who asks for it needs it

            total, parameters, tree = thop.profile(
                model, inputs=inputs, verbose=False, ret_layer_info=True
            )
        except Exception as error:
            raise MeasurementError(f"thop failed: {error}") from error
    found = dict(_flat(tree))
    return Reading(
        "thop",
        installed,
        {
            "macs": {path: found.get(path, (0, 0))[0] for path in leaves(model)},
            "parameters": {path: found.get(path, (0, 0))[1] for path in leaves(model)},
        },
        {"macs": int(total), "parameters": int(parameters)},
    )


def _flat(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, tuple[int, int]]]:
    """The counts of every module that thop has a rule for, by path."""
    found = []
    for name, (operations, parameters, inner) in tree.items():
        path = f"{prefix}{name}"
        found.append((path, (int(operations), int(parameters))))
        found += _flat(inner, f"{path}.")
    return found


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
