"""fvcore's ``FlopCountAnalysis`` ("flops" that are MACs), activations and parameters."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from archcalc.case import Step
from archcalc.count import product
from archcalc.counters import base
from archcalc.counters.base import Reading, Term
from archcalc.layers.normalization import BatchNorm, GroupNorm, LayerNorm

if TYPE_CHECKING:
    from torch import Tensor, nn


def _extras(step: Step) -> Iterator[Term]:
    """``fvcore/nn/flop_count.py`` and ``jit_handles.py``."""
    layer, units = step.layer, step.shapes[0].units
    if isinstance(layer, BatchNorm):
        factor = 2 if layer.affine else 1
        yield Term(f"batch norm, {factor} per unit", base.times(factor, units))
    if isinstance(layer, LayerNorm | GroupNorm):
        factor = 5 if layer.affine else 4
        name = "layer" if isinstance(layer, LayerNorm) else "group"
        yield Term(f"{name} norm, {factor} per unit", product(factor, units))
    if base.averages_adaptively(layer) and len(step.output.sizes) == base.PLANE:
        yield Term("adaptive average pooling, 1 per input unit", units)


def read(model: nn.Module, *inputs: Tensor) -> Reading:
    """``flops`` and ``activations`` of a forward pass, and ``parameters``.

    Both counts are taken by fvcore's own rules from one of its traces: a trace is a forward pass,
    and a second one would say the same.
    """
    logger = logging.getLogger("fvcore")
    with base.asked("fvcore", model) as installed, contextlib.ExitStack() as afterwards:
        afterwards.callback(logger.setLevel, logger.level)
        logger.setLevel(logging.ERROR)
        from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis, parameter_count

        model.eval()
        analysis = FlopCountAnalysis(model, inputs)
        handles = {  # they have no other door
            "flops": dict(analysis._op_handles),  # noqa: SLF001
            "activations": ActivationCountAnalysis(model, inputs)._op_handles,  # noqa: SLF001
        }
        for operator in set().union(*handles.values()):
            rules = {what: handle.get(operator) for what, handle in handles.items()}
            analysis.set_op_handle(operator, partial(_counted, rules))
        counts = analysis.by_module_and_operator()
        numbers = {
            what: {path: int(count[what]) for path, count in counts.items()} for what in handles
        } | {"parameters": parameter_count(model)}
    layers = {what: {path: of[path] for path in base.leaves(model)} for what, of in numbers.items()}
    return Reading("fvcore", installed, layers, {what: of[""] for what, of in numbers.items()})


def _counted(
    rules: dict[str, Callable[..., Any] | None], inputs: list[Any], outputs: list[Any]
) -> Counter[str]:
    """What each rule that there is counts of an operator."""
    counts = {what: rule(inputs, outputs) for what, rule in rules.items() if rule is not None}
    return Counter({what: n.total() if isinstance(n, Counter) else n for what, n in counts.items()})


COUNTER = base.Counter(
    "fvcore",
    "flops",
    'Its "flop" is a MAC. Batch norm adds 2 per unit (1 without parameters), layer and '
    "group norm 5 (4), adaptive average pooling of images 1 per input unit.",
    base.each(_extras),
    tool="fvcore.nn.FlopCountAnalysis",
    package="fvcore",
    releases=("0.1.5.post20221221",),
    devices=("cpu", "cuda"),  # its traces need values: it fails on the meta device
    readings=(read,),
)
