"""torchinfo's ``summary``: "mult-adds" and parameters."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from archcalc.case import Step
from archcalc.count import product, total
from archcalc.counters.base import (
    Counter,
    Reading,
    Term,
    beyond_macs,
    bias_additions,
    each,
    leaves,
    macs,
    positions,
    release,
    untouched,
)
from archcalc.errors import MeasurementError
from archcalc.layers.base import BUFFER
from archcalc.layers.transposed import TransposedConvolution

if TYPE_CHECKING:
    import torch
    from torch import nn


def _extras(step: Step) -> Iterator[Term]:
    """``torchinfo/layer_info.py``, ``calculate_macs``."""
    layer = step.layer
    if isinstance(layer, TransposedConvolution):
        swept = product(positions(step.output), layer.weights(*step.shapes))
        cause = "transposed convolution at the positions of its output"
        yield Term(cause, beyond_macs(swept, step))
    yield from bias_additions(step)
    learned = [each.size for each in step.parameters if each.role != BUFFER]
    if learned and macs(step).value == 0:
        cause = "normalization, its parameters once per example"
        yield Term(cause, total(learned))


def read(model: nn.Module, *inputs: torch.Tensor) -> Reading:
    """``mult_adds`` of a forward pass and ``parameters``."""
    installed = release("torchinfo")
    import torchinfo

    with untouched(model), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = torchinfo.summary(
                model,
                input_data=inputs,
                device=inputs[0].device,
                mode="eval",
                verbose=0,
                cache_forward_pass=False,
            )
        except Exception as error:
            raise MeasurementError(f"torchinfo failed: {error}") from error
    infos = {id(info.module): info for info in found.summary_list if info.is_leaf_layer}
    own = {path: infos[id(leaf)] for path, leaf in leaves(model).items() if id(leaf) in infos}
    return Reading(
        "torchinfo",
        installed,
        {
            "mult_adds": {path: int(info.macs) for path, info in own.items()},
            "parameters": {path: int(info.num_params) for path, info in own.items()},
        },
        {"mult_adds": int(found.total_mult_adds), "parameters": int(found.total_params)},
    )


COUNTER = Counter(
    "torchinfo",
    "mult-adds",
    "Parameters times output positions: +1 per bias addition; a normalization counts its "
    "parameters once per example; a transposed convolution is taken at the positions of "
    "its output.",
    each(_extras),
    tool="torchinfo.summary",
    package="torchinfo",
    releases=("1.8.0",),
    devices=("meta", "cpu", "cuda"),
    readings=(read,),
)
