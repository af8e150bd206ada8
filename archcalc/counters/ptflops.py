"""ptflops, its hooks on modules and the functions that it patches: "MACs" and parameters.

The totals are those of its public function; the parts come from the same hooks, called by us, as
the public function only prints them, rounded.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from typing import TYPE_CHECKING, Final

from archcalc.case import Step
from archcalc.count import product, total
from archcalc.counters import base
from archcalc.counters.base import Counter, Reading, Term
from archcalc.errors import MeasurementError
from archcalc.layers.adaptive import AdaptivePool, GlobalPool
from archcalc.layers.normalization import BatchNorm, GroupNorm, LayerNorm, LocalResponseNorm
from archcalc.layers.pooling import Pool

if TYPE_CHECKING:
    from torch import Tensor, nn

# Activation functions that ptflops knows as modules, and those that it patches as functions.
HOOKED: Final = frozenset({"relu", "prelu", "relu6", "leakyrelu", "elu", "gelu"})
PATCHED: Final = frozenset({"relu", "prelu", "elu", "gelu", "silu", "softmax"})
POOLS: Final = Pool | AdaptivePool | GlobalPool


def _extras(step: Step, batch: int) -> Iterator[Term]:
    """``ptflops/pytorch_ops.py``: hooks of modules, an average over the batch; patched functions.

    The modules that it has counted call those functions again, for every example.
    """
    layer, units = step.layer, step.shapes[0].units
    all_units = base.times(batch, units)
    again = ", once more as a function, for every example"
    yield from base.bias_additions(step)
    if isinstance(layer, BatchNorm | LayerNorm | GroupNorm):
        factor = 2 if layer.affine and not isinstance(layer, LayerNorm) else 1
        yield Term(f"normalization, {factor} per unit", base.times(factor, units))
    if layer.kind in HOOKED:
        yield Term("activation function, 1 per unit", units)
    if layer.kind in PATCHED & HOOKED:
        yield Term(f"activation function{again}", all_units)
    if layer.kind in PATCHED - HOOKED:
        yield Term("activation function, as a function, for every example", all_units)
    if isinstance(layer, POOLS):
        yield Term("pooling, 1 per input unit", units)
        yield Term(f"pooling{again}", all_units)
    if isinstance(layer, LocalResponseNorm):
        # x*x, a pool over the channels with their padding, *alpha, +k
        (shape,) = step.shapes
        pooled = product(*shape.sizes, shape.channels + layer.size - 1)
        inside = base.times(batch, total((product(3, units), pooled)))
        yield Term("the functions inside local response normalization", inside)


def read(model: nn.Module, *inputs: Tensor) -> Reading:
    """``macs`` of a forward pass, an average over the batch, and ``parameters``."""
    installed = base.release("ptflops", extra="")
    if len(inputs) > 1:
        raise MeasurementError("ptflops gives a network one input only")
    (x,) = inputs
    with warnings.catch_warnings(action="ignore"):
        from ptflops import get_model_complexity_info  # noqa: PLC0415 - only who asks needs it

        told = io.StringIO()  # of its own troubles; ours is one line
        with base.untouched(model), redirect_stdout(told), redirect_stderr(told):
            macs, parameters = get_model_complexity_info(
                model,
                tuple(x.shape[1:]),
                as_strings=False,
                print_per_layer_stat=False,
                input_constructor=lambda _: x,
                ost=told,
            )
        if macs is None:
            raise MeasurementError("ptflops failed on this network")
        with base.untouched(model):
            counts = _by_module(model, x)
    sizes = {path: base.size(leaf) for path, leaf in base.leaves(model).items()}
    layers = {"macs": counts, "parameters": sizes}
    totals = {"macs": int(macs), "parameters": int(parameters)}
    return Reading("ptflops", installed, layers, totals)


def _by_module(model: nn.Module, x: Tensor) -> dict[str, int]:
    import torch
    from ptflops import pytorch_engine as engine  # noqa: PLC0415 - see above

    called: list[int] = []  # what patched functions count, as they are called
    leaves = base.leaves(model)
    functions = dict.fromkeys(leaves, 0)

    def ended(path: str, *_: object) -> None:
        functions[path] += int(sum(called))

    for path, leaf in leaves.items():
        leaf.register_forward_pre_hook(lambda *_: called.clear())
        leaf.register_forward_hook(partial(ended, path))
    counting = engine.add_flops_counting_methods(model)
    counting.eval()
    counting.start_flops_count(ost=io.StringIO(), verbose=False, ignore_list=[])
    engine.patch_functional(called)
    engine.patch_tensor_ops(called)
    try:
        with torch.no_grad():
            model(x)
        hooked = {path: getattr(leaf, "__flops__", 0) for path, leaf in leaves.items()}
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
