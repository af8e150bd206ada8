"""ptflops, its hooks on modules and the functions that it patches: "MACs" and parameters.

The totals are those of its public function; the parts come from the same hooks, called by us, as
the public function only prints them, rounded.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any, Final

from archcalc.case import Step
from archcalc.count import Count, product, total
from archcalc.counters.base import (
    Counter,
    Reading,
    Term,
    bias_additions,
    each,
    leaves,
    release,
    times,
    untouched,
)
from archcalc.errors import MeasurementError
from archcalc.layers.adaptive import AdaptivePool, GlobalPool
from archcalc.layers.normalization import BatchNorm, GroupNorm, LayerNorm, LocalResponseNorm
from archcalc.layers.pooling import Pool

if TYPE_CHECKING:
    import torch
    from torch import nn

# Activation functions that ptflops knows as modules, and those that it patches as functions.
HOOKED: Final = frozenset({"relu", "prelu", "relu6", "leakyrelu", "elu", "gelu"})
PATCHED: Final = frozenset({"relu", "prelu", "elu", "gelu", "silu", "softmax"})
POOLS: Final = Pool | AdaptivePool | GlobalPool


def _extras(step: Step, batch: int) -> Iterable[Term]:
    yield from _hooks(step)
    yield from each(_functions)(step, batch)


def _hooks(step: Step) -> Iterator[Term]:
    """``ptflops/pytorch_ops.py``: the hooks of modules, an average over the batch."""
    layer, units = step.layer, step.shapes[0].units
    yield from bias_additions(step)
    if isinstance(layer, BatchNorm | LayerNorm | GroupNorm):
        factor = 2 if layer.affine and not isinstance(layer, LayerNorm) else 1
        yield Term(f"normalization, {factor} per unit", times(factor, units))
    if layer.kind in HOOKED:
        yield Term("activation function, 1 per unit", units)
    if isinstance(layer, POOLS):
        yield Term("pooling, 1 per input unit", units)


def _functions(step: Step) -> Iterator[Term]:
    """The functions that ptflops patches, which the modules that it has counted call again."""
    layer, units = step.layer, step.shapes[0].units
    again = ", once more as a function, for every example"
    if layer.kind in PATCHED & HOOKED:
        yield Term(f"activation function{again}", units)
    if layer.kind in PATCHED - HOOKED:
        yield Term("activation function, as a function, for every example", units)
    if isinstance(layer, POOLS):
        yield Term(f"pooling{again}", units)
    if isinstance(layer, LocalResponseNorm):
        yield Term("the functions inside local response normalization", _response(step, layer))


def _response(step: Step, layer: LocalResponseNorm) -> Count:
    """``x*x``, a pool over the channels with their padding, ``*alpha``, ``+k``."""
    (shape,) = step.shapes
    padded = product(*shape.sizes, shape.channels + layer.size - 1)
    return total((product(3, shape.units), padded))


def read(model: nn.Module, *inputs: torch.Tensor) -> Reading:
    """``macs`` of a forward pass, an average over the batch, and ``parameters``."""
    installed = release("ptflops", "")
    if len(inputs) > 1:
        raise MeasurementError("ptflops gives a network one input only")
    (x,) = inputs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ptflops import get_model_complexity_info  # noqa: PLC0415 - only who asks needs it

        told = io.StringIO()  # of its own troubles; ours is one line
        with untouched(model), redirect_stdout(told), redirect_stderr(told):
            total, parameters = get_model_complexity_info(
                model,
                tuple(x.shape[1:]),
                as_strings=False,
                print_per_layer_stat=False,
                input_constructor=lambda _: x,
                ost=io.StringIO(),
            )
        if total is None:
            raise MeasurementError("ptflops failed on this network")
        with untouched(model):
            counts = _by_module(model, x)
    own = {path: sum(p.numel() for p in leaf.parameters()) for path, leaf in leaves(model).items()}
    return Reading(
        "ptflops",
        installed,
        {"macs": counts, "parameters": own},
        {"macs": int(total), "parameters": int(parameters)},
    )


def _by_module(model: nn.Module, x: torch.Tensor) -> dict[str, int]:
    import torch
    from ptflops import pytorch_engine as engine  # noqa: PLC0415 - see above

    called: list[int] = []  # what patched functions count, as they are called
    functions = dict.fromkeys(leaves(model), 0)

    def before(_: nn.Module, __: Any) -> None:  # noqa: ANN401 - torch's own
        called.clear()

    def after(path: str) -> Any:  # noqa: ANN401
        def hook(*_: Any) -> None:  # noqa: ANN401
            functions[path] += int(sum(called))

        return hook

    for path, leaf in leaves(model).items():
        leaf.register_forward_pre_hook(before)
        leaf.register_forward_hook(after(path))
    counting = engine.add_flops_counting_methods(model)
    counting.eval()
    counting.start_flops_count(ost=io.StringIO(), verbose=False, ignore_list=[])
    engine.patch_functional(called)
    engine.patch_tensor_ops(called)
    try:
        with torch.no_grad():
            model(x)
        hooked = {path: getattr(leaf, "__flops__", 0) for path, leaf in leaves(model).items()}
    finally:
        engine.unpatch_functional()
        engine.unpatch_tensor_ops()
        counting.stop_flops_count()
    return {path: hooked[path] // len(x) + functions[path] for path in hooked}


COUNTER = Counter(
    "ptflops",
    "MACs",
    "An average over the batch. Biases, normalizations, ReLUs and pools count; modules "
    "that call a function which ptflops patches (ReLU, pools) are counted once more.",
    _extras,
    tool="ptflops.get_model_complexity_info",
    package="ptflops",
    releases=("0.7.5",),
    average=True,
    devices=("cpu", "cuda"),
    readings=(read,),
)
