"""torchinfo's ``summary``: "mult-adds" and parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archcalc.case import Step
from archcalc.count import product, total
from archcalc.counters import base
from archcalc.counters.base import Counter, Reading, Term
from archcalc.layers.base import BUFFER
from archcalc.layers.transposed import TransposedConvolution

if TYPE_CHECKING:
    from torch import Tensor, nn


def _extras(step: Step) -> Iterator[Term]:
    """``torchinfo/layer_info.py``, ``calculate_macs``."""
    if isinstance(step.layer, TransposedConvolution):
        positions = product(*step.output.sizes)
        yield base.at_outputs(product(positions, step.layer.weights(*step.shapes)), step)
    yield from base.bias_additions(step)
    learned = [parameter.size for parameter in step.parameters if parameter.role != BUFFER]
    if learned and base.macs(step).value == 0:
        yield Term("normalization, its parameters once per example", total(learned))


def read(model: nn.Module, *inputs: Tensor) -> Reading:
    """``mult_adds`` of a forward pass and ``parameters``."""
    with base.asked("torchinfo", model) as installed:
        import torchinfo

        summary = torchinfo.summary(
            model,
            input_data=inputs,
            device=inputs[0].device,
            mode="eval",
            verbose=0,
            cache_forward_pass=False,
        )
    paths = {id(leaf): path for path, leaf in base.leaves(model).items()}
    macs: dict[str, int] = {}
    parameters: dict[str, int] = {}
    for info in summary.summary_list:
        if (path := paths.get(id(info.module))) is not None:  # once for every call
            macs[path] = macs.get(path, 0) + int(info.macs)
            parameters[path] = int(info.num_params)
    return Reading(
        "torchinfo",
        installed,
        {"mult_adds": macs, "parameters": parameters},
        {"mult_adds": int(summary.total_mult_adds), "parameters": int(summary.total_params)},
    )


COUNTER = Counter(
    "torchinfo",
    "mult-adds",
    "Parameters times output positions: +1 per bias addition; a normalization counts its "
    "parameters once per example; a transposed convolution is taken at the positions of "
    "its output.",
    base.each(_extras),
    tool="torchinfo.summary",
    package="torchinfo",
    releases=("1.8.0",),
    devices=("meta", "cpu", "cuda"),
    readings=(read,),
)
