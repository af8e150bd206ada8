"""fvcore's ``FlopCountAnalysis`` ("flops" that are MACs), activations and parameters."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from archcalc.errors import MeasurementError
from archcalc.witnesses.base import Reading, leaves, release, untouched

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import nn

DEVICES: Final = ("cpu", "cuda")  # its traces need values: it fails on the meta device


def read(model: nn.Module, x: torch.Tensor) -> Reading:
    """``flops`` and ``activations`` of a forward pass, and ``parameters``.

    Both counts are taken by fvcore's own rules from one of its traces: a trace is a forward pass,
    and a second one would say the same.
    """
    installed = release("fvcore")
    with untouched(model), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.jit, which fvcore is built on
        from fvcore.nn import (  # noqa: PLC0415 - only who asks for it needs it
            ActivationCountAnalysis,
            FlopCountAnalysis,
            parameter_count,
        )

        logging.getLogger("fvcore").setLevel(logging.ERROR)
        model.eval()
        flops, activations = FlopCountAnalysis(model, (x,)), ActivationCountAnalysis(model, (x,))
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


def _both(handles: dict[str, Callable[..., Any] | None]) -> Callable[..., Counter[str]]:
    def handle(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
        found: Counter[str] = Counter()
        for what, rule in handles.items():
            if rule is not None:
                counted = rule(inputs, outputs)
                found[what] = sum(counted.values()) if isinstance(counted, Counter) else counted
        return found

    return handle
