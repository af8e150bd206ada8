"""How the weights of a linear layer are drawn, each member from its own stream.

Names are words as in archcalc's notation: ``he``, ``glorot``, ``normal.01`` (a standard deviation).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Final, NamedTuple

import torch
from torch import Tensor

from archcalc.errors import meant, quoted
from training.engine import streams
from training.errors import TrainingError


class Drawn(NamedTuple):
    """Weights ``(members, out, in)`` and biases ``(members, out)``, 32-bit floats."""

    weight: Tensor
    bias: Tensor


def normal(keys: Tensor, out: int, fan_in: int, std: float) -> Drawn:
    """Independent N(0, std^2) weights and zero biases."""
    weight = streams.normal(streams.fold(keys, "weight"), out, fan_in) * std
    return Drawn(weight.float(), torch.zeros(*keys.shape, out, device=keys.device))


def he(keys: Tensor, out: int, fan_in: int) -> Drawn:
    """N(0, 2/fan_in), zero biases: He et al., arXiv 1502.01852, section 2.2, equation 10."""
    return normal(keys, out, fan_in, math.sqrt(2 / fan_in))


def glorot(keys: Tensor, out: int, fan_in: int) -> Drawn:
    """N(0, 2/(fan_in + fan_out)), zero biases: Glorot, Bengio, AISTATS 2010, equation 12."""
    return normal(keys, out, fan_in, math.sqrt(2 / (fan_in + out)))


def glorot_uniform(keys: Tensor, out: int, fan_in: int) -> Drawn:
    """U(-r, r), r^2 = 6/(fan_in + fan_out), zero biases: as above, equation 16."""
    bound = math.sqrt(6 / (fan_in + out))
    weight = streams.uniform(streams.fold(keys, "weight"), out, fan_in) * (2 * bound) - bound
    return Drawn(weight.float(), torch.zeros(*keys.shape, out, device=keys.device))


def torch_default(keys: Tensor, out: int, fan_in: int) -> Drawn:
    """U(-r, r), r^2 = 1/fan_in, biases too: what ``torch.nn.Linear`` does unasked."""
    bound = 1 / math.sqrt(fan_in)
    weight = streams.uniform(streams.fold(keys, "weight"), out, fan_in) * (2 * bound) - bound
    bias = streams.uniform(streams.fold(keys, "bias"), out) * (2 * bound) - bound
    return Drawn(weight.float(), bias.float())


def rai(keys: Tensor, out: int, fan_in: int) -> Drawn:
    """Randomized asymmetric initialization, Lu, Shin, Su, Karniadakis, arXiv 1903.06733.

    Each unit's weights and bias are N(0, 0.6007^2/fan_in); then one of these fan_in + 1 numbers,
    chosen at random, is replaced by a draw from Beta(2, 1), whose distribution function is x^2.
    """
    row = streams.normal(streams.fold(keys, "weight"), out, fan_in + 1)
    row = row * (0.6007 / math.sqrt(fan_in))
    place = streams.integers(streams.fold(keys, "place"), fan_in + 1, out, 1)
    row.scatter_(-1, place, streams.uniform(streams.fold(keys, "beta"), out, 1).sqrt())
    return Drawn(row[..., :-1].float(), row[..., -1].float())


def zero(keys: Tensor, out: int, fan_in: int) -> Drawn:
    """All zero, as Rosenblatt's perceptron begins."""
    return normal(keys, out, fan_in, 0.0)


INITIALIZERS: Final[dict[str, Callable[[Tensor, int, int], Drawn]]] = {
    "he": he,
    "glorot": glorot,
    "glorot-uniform": glorot_uniform,
    "torch": torch_default,
    "rai": rai,
    "zero": zero,
}


def initializer(name: str) -> Callable[[Tensor, int, int], Drawn]:
    """The initializer of that name; ``normal.01`` is a normal one of standard deviation 0.01.

    Raises:
        TrainingError: there is none.
    """
    if name in INITIALIZERS:
        return INITIALIZERS[name]
    match = re.fullmatch(r"normal([0-9]*\.?[0-9]+)", name)
    if match is None:
        known = f"{', '.join(INITIALIZERS)}, or normal.01 for a standard deviation"
        hint = meant(name, list(INITIALIZERS), known)
        raise TrainingError(f"no initializer is called {quoted(name)}", hint=hint)
    std = float(match[1])
    return lambda keys, out, fan_in: normal(keys, out, fan_in, std)
