"""Verifying VGG19 against three tools, and calling the three tools one after another.

    python tests/benchmarks/verify.py

All in one process, on a machine without a GPU, everything imported and warm. The tools are given a
model that is there already; archcalc builds its own, compares every layer and explains the
differences. The bound is that of `archcalc verify vgg19`; with `--device cpu` nothing is counted on
the meta device, which no tool but fvcore needs.
"""

# ruff: noqa: TID253 - all of it is measured here

from __future__ import annotations

import logging
import time
import warnings

import torch
import torchinfo
import torchvision
from fvcore.nn import FlopCountAnalysis
from torch.utils.flop_counter import FlopCounterMode

import archcalc as ac

ROUNDS = 5
BOUND = 1.1


def tools(model: torch.nn.Module, x: torch.Tensor) -> None:
    """fvcore, torchinfo and torch's counter, as people call them."""
    FlopCountAnalysis(model, (x,)).total()
    torchinfo.summary(model, input_data=x, verbose=0)
    with FlopCounterMode(display=False), torch.no_grad():
        model(x)


def seconds(call) -> float:
    """Of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    """Both in turns; the least time of each, and their ratio."""
    warnings.simplefilter("ignore")
    logging.getLogger("fvcore").setLevel(logging.ERROR)
    network = ac.load("vgg19")
    model, x = torchvision.models.vgg19().eval(), torch.zeros(1, 3, 224, 224)
    ways = {
        "verify vgg19": (lambda: ac.verify(network), True),
        "verify vgg19 --device cpu": (lambda: ac.verify(network, device="cpu"), False),
    }
    for name, (ours, bounded) in ways.items():
        tools(model, x)
        ours()
        pairs = [(seconds(ours), seconds(lambda: tools(model, x))) for _ in range(ROUNDS)]
        one, two = (min(pair[side] for pair in pairs) for side in (0, 1))
        verdict = f"at most {BOUND}: {'holds' if one <= BOUND * two else 'FAILS'}"
        print(
            f"{name}: {one:.2f} s, the three tools {two:.2f} s: {one / two:.2f}, "
            f"{verdict if bounded else 'no bound'}"
        )


if __name__ == "__main__":
    main()
