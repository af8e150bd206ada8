"""Torch's own ``FlopCounterMode``, forward and backward, two FLOPs a MAC.

Forward counts are attributed to modules by torch itself; backward ones by us, from one autograd
node to the next, as torch loses sight of modules whose input needs no gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch.utils.flop_counter import FlopCounterMode

from archcalc.witnesses.backward import watched
from archcalc.witnesses.base import Reading, leaves, release, untouched

if TYPE_CHECKING:
    from torch import nn

DEVICES: Final = ("meta", "cpu", "cuda")


def read(model: nn.Module, x: torch.Tensor) -> Reading:
    """FLOPs of a forward pass: ``flops``."""
    with untouched(model):
        model.eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(x)
    counts, root = counter.get_flop_counts(), type(model).__name__
    forward = {
        path: sum(counts.get(f"{root}.{path}" if path else root, {}).values())
        for path in leaves(model)
    }
    return _reading("flops", forward, counter.get_total_flops())


def read_backward(model: nn.Module, x: torch.Tensor) -> Reading:
    """FLOPs of a backward pass: ``backward_flops``. The input needs no gradient."""
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
            y = model(x)
        forward = counter.get_total_flops()
        if y.requires_grad:
            y.sum().backward()
    return _reading("backward_flops", backward, counter.get_total_flops() - forward)


def _reading(quantity: str, layers: dict[str, int], total: int) -> Reading:
    return Reading("torch", release("torch"), {quantity: layers}, {quantity: total})
