"""fvcore's ``FlopCountAnalysis`` ("flops" that are MACs), activations and parameters."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from archcalc.case import Step
from archcalc.count import product
from archcalc.counters.base import (
    PLANE,
    Reading,
    Term,
    averages_adaptively,
    each,
    leaves,
    release,
    times,
    untouched,
)
from archcalc.counters.base import Counter as CountingTool
from archcalc.errors import MeasurementError
from archcalc.layers.normalization import BatchNorm, GroupNorm, LayerNorm

if TYPE_CHECKING:
    import torch
    from torch import nn


def _extras(step: Step) -> Iterator[Term]:
    """``fvcore/nn/flop_count.py`` and ``jit_handles.py``."""
    layer, units = step.layer, step.shapes[0].units
    if isinstance(layer, BatchNorm):
        factor = 2 if layer.affine else 1
        yield Term(f"batch norm, {factor} per unit", times(factor, units))
    if isinstance(layer, LayerNorm | GroupNorm):
        factor = 5 if layer.affine else 4
        name = "layer" if isinstance(layer, LayerNorm) else "group"
        yield Term(f"{name} norm, {factor} per unit", product(factor, units))
    if averages_adaptively(layer) and len(step.output.sizes) == PLANE:
        yield Term("adaptive average pooling, 1 per input unit", units)


def read(model: nn.Module, *inputs: torch.Tensor) -> Reading:
    """``flops`` and ``activations`` of a forward pass, and ``parameters``.

    Both counts are taken by fvcore's own rules from one of its traces: a trace is a forward pass,
    and a second one would say the same.
    """
    installed = release("fvcore")
    with untouched(model), warnings.catch_warnings(), _quiet(logging.getLogger("fvcore")):
        warnings.simplefilter("ignore")  # of torch.jit, which fvcore is built on
        from fvcore.nn import (
            ActivationCountAnalysis,
            FlopCountAnalysis,
            parameter_count,
        )

        model.eval()
        flops, activations = (
            FlopCountAnalysis(model, inputs),
            ActivationCountAnalysis(model, inputs),
        )
        names = {*flops._op_handles, *activations._op_handles}  # noqa: SLF001 - they have no other door
        for name in names:
            handles = {
                "flops": flops._op_handles.get(name),  # noqa: SLF001
                "activations": activations._op_handles.get(name),  # noqa: SLF001
            }
            flops.set_op_handle(name, _both(handles))
        try:
            counts = flops.by_module_and_operator()
        except Exception as error:
            raise MeasurementError(f"fvcore failed: {error}") from error
        parameters = parameter_count(model)
    quantities = ("flops", "activations")
    return Reading(
        "fvcore",
        installed,
        {
            **{
                what: {path: int(counts[path][what]) for path in leaves(model)}
                for what in quantities
            },
            "parameters": {path: parameters[path] for path in leaves(model)},
        },
        {**{what: int(counts[""][what]) for what in quantities}, "parameters": parameters[""]},
    )


@contextlib.contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """While it lasts, a logger gives out errors only."""
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _both(handles: dict[str, Callable[..., Any] | None]) -> Callable[..., Counter[str]]:
    def handle(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
        found: Counter[str] = Counter()
        for what, rule in handles.items():
            if rule is not None:
                counted = rule(inputs, outputs)
                found[what] = sum(counted.values()) if isinstance(counted, Counter) else counted
        return found

    return handle


COUNTER = CountingTool(
    "fvcore",
    "flops",
    'Its "flop" is a MAC. Batch norm adds 2 per unit (1 without parameters), layer and '
    "group norm 5 (4), adaptive average pooling of images 1 per input unit.",
    each(_extras),
    tool="fvcore.nn.FlopCountAnalysis",
    package="fvcore",
    releases=("0.1.5.post20221221",),
    devices=("cpu", "cuda"),  # its traces need values: it fails on the meta device
    readings=(read,),
)
