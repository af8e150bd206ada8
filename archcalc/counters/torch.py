"""Torch's own ``FlopCounterMode``, forward and backward, two FLOPs a MAC.

Forward counts are attributed to modules by torch itself; backward ones by us, from one autograd
node to the next, as torch loses sight of modules whose input needs no gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcalc.counters.base import Counter, Reading, backpropagate, leaves, release, untouched

if TYPE_CHECKING:
    from torch import Tensor, nn


def read(model: nn.Module, *inputs: Tensor) -> Reading:
    """FLOPs of a forward pass: ``flops``."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with untouched(model):
        model.eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(*inputs)
    counts, root = counter.get_flop_counts(), type(model).__name__
    forward = {
        path: sum(counts.get(f"{root}.{path}" if path else root, {}).values())
        for path in leaves(model)
    }
    totals = {"flops": counter.get_total_flops()}
    return Reading("torch", release("torch"), {"flops": forward}, totals)


def read_backward(model: nn.Module, *inputs: Tensor) -> Reading:
    """FLOPs of a backward pass: ``backward_flops``. The input needs no gradient."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from archcalc.counters.marks import watched  # noqa: PLC0415 - loads torch

    backward = dict.fromkeys(leaves(model), 0)
    mark = 0

    def before(_: str) -> None:
        nonlocal mark
        mark = counter.get_total_flops()

    def after(path: str) -> None:
        backward[path] += counter.get_total_flops() - mark

    with untouched(model), torch.enable_grad(), FlopCounterMode(display=False) as counter:
        model.eval()
        with watched(model, before, after):
            y = model(*inputs)
        forward = counter.get_total_flops()
        backpropagate(y)
    totals = {"backward_flops": counter.get_total_flops() - forward}
    return Reading("torch", release("torch"), {"backward_flops": backward}, totals)


COUNTER = Counter(
    "torch",
    "FLOPs",
    "Nothing; every operator without a formula counts zero.",
    scale=2,
    tool="torch.utils.flop_counter.FlopCounterMode",
    package="torch",
    releases=("2.6", "2.15"),
    devices=("meta", "cpu", "cuda"),
    readings=(read, read_backward),
)
