"""ptflops, its hooks on modules and the functions that it patches: "MACs" and parameters.

The totals are those of its public function; the parts come from the same hooks, called by us, as
the public function only prints them, rounded.
"""

from __future__ import annotations

import io
import warnings
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any, Final

import torch

from archcalc.errors import MeasurementError
from archcalc.witnesses.base import Reading, leaves, release, untouched

if TYPE_CHECKING:
    from torch import nn

DEVICES: Final = ("cpu", "cuda")


def read(model: nn.Module, x: torch.Tensor) -> Reading:
    """``macs`` of a forward pass, an average over the batch, and ``parameters``."""
    installed = release("ptflops", "")
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
