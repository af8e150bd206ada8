"""``archcalc receptive-field``."""

import re
from collections.abc import Sequence
from typing import Annotated

from archcalc import options
from archcalc.api import report
from archcalc.console import deliver
from archcalc.notation import parse
from archcalc.open import begins_a_layer, names_network
from archcalc.options import network_of
from archcalc.render import views


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
    solid = any(re.match(r"[0-9]+x[0-9]+x", word) for word in words)  # 3x3x3: three axes
    stack = report(parsed, input or ("DxHxWx1" if solid else "HxWx1"), at=at)
    deliver(lambda: views.stacked(stack), stack.to_dict, format, output)


def _is_stack(words: Sequence[str]) -> bool:
    """Whether bare windows were typed, and no network."""
    if not words or (len(words) == 1 and names_network(words[0])):
        return False
    others = [word for word in words if not re.match(r"(avg)?pool(?![a-z])", word)]
    starts = re.match(r"[0-9]|(avg)?pool[0-9]", words[0])
    return starts is not None and not any(map(begins_a_layer, others))
