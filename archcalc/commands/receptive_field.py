"""``archcalc receptive-field``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from archcalc import options
from archcalc.api import report
from archcalc.console import deliver
from archcalc.notation import parse, stems
from archcalc.open import names_network
from archcalc.options import network_of
from archcalc.render import views
from archcalc.shape import MAX_AXES


def receptive_field(
    windows: Annotated[
        list[str], options.networks("A network, or a stack of windows: 5x5 5x5/2 3x3d2 pool2.")
    ],
    input: options.Input = None,  # noqa: A002
    at: options.At = None,
    format: options.Format = None,  # noqa: A002
    output: options.Output = None,
) -> None:
    """The receptive field of a stack of windows, or of a network layer by layer."""
    words = " ".join(windows).split()
    if not _is_stack(words):
        network = report(network_of(windows), input, at=at)
        deliver(lambda: views.receptive_fields(network), network.to_dict, format, output)
        return
    parsed = parse(" ".join(words), "stack", stack=True)
    kernels = [re.match(r"[0-9]+(x[0-9]+)*", word) for word in words]
    axes = max(kernel[0].count("x") + 1 if kernel else 1 for kernel in kernels)
    stack = report(parsed, input or ("DxHxWx1" if axes == MAX_AXES else "HxWx1"), at=at)
    deliver(lambda: views.stacked(stack), stack.to_dict, format, output)


def _is_stack(words: Sequence[str]) -> bool:
    """Whether bare windows were typed, and no network."""
    if len(words) == 1 and names_network(words[0]):
        return False
    beginnings = [re.match(r"[a-z]*", word) for word in words]
    layers = {match[0] for match in beginnings if match} & stems().keys() - {"pool", "avgpool"}
    return not layers and bool(words) and re.match(r"[0-9]|(avg)?pool[0-9]", words[0]) is not None
