"""What stands behind a hidden layer; members of one population may differ in it.

Names are archcalc's words: ``relu``, ``leakyrelu.01``, ``tanh``, ``sigmoid``, ``id``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from archcalc.errors import meant, quoted
from training.errors import TrainingError

DEFAULT_SLOPE: Final = 0.01  # of torch.nn.LeakyReLU, and of the assignment
CURVED: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "elu": functional.elu,
    "selu": functional.selu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "softplus": functional.softplus,
}


def slope(name: str) -> float | None:
    """The slope on the left of 0 where that on the right is 1; None of a function that is curved.

    Raises:
        TrainingError: no activation has that name.
    """
    match = re.fullmatch(r"leakyrelu([0-9]*\.?[0-9]+)?", name)
    if match:
        return float(match[1]) if match[1] else DEFAULT_SLOPE
    if name in CURVED:
        return None
    if name in {"relu", "id"}:
        return 0.0 if name == "relu" else 1.0
    hint = meant(name, ["relu", "leakyrelu", "id", *CURVED])
    raise TrainingError(f"no activation is called {quoted(name)}", hint=hint)


class Activations:
    """One activation function a member.

    Args:
        names: one a member.
        device: where the members' values are.

    Attributes:
        slopes: one a member, if all are straight on both sides of 0, and None otherwise.
    """

    def __init__(self, names: Sequence[str], device: torch.device | str = "cpu") -> None:
        self.names = tuple(names)
        found = [slope(name) for name in names]
        straight = [value for value in found if value is not None]
        self.slopes: Tensor | None = None
        self._groups: list[tuple[Callable[[Tensor], Tensor], Tensor]] = []
        if len(straight) == len(found):
            self.slopes = torch.tensor(straight, dtype=torch.float32, device=device)
        else:
            places = places_of(self.names, device)
            self._groups = [(_function(name), own) for name, own in places.items()]
        if self._groups:
            self._back = torch.argsort(torch.cat([places for _, places in self._groups]))

    def __call__(self, z: Tensor) -> Tensor:
        """Values ``(members, ...)`` through each member's function."""
        if not self.names:  # a rank may have none of the members that are asked for
            return z
        if self.slopes is not None:
            first = self.names[0]
            if all(name == first for name in self.names):
                return _function(first)(z)
            return straight(z, self.slopes.view(-1, *[1] * (z.dim() - 1)))
        if len(self._groups) == 1:
            return self._groups[0][0](z)
        return torch.cat([function(z[places]) for function, places in self._groups])[self._back]


def places_of(words: Sequence[str], device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """Which members have a word, for each of the words: ``relu`` the first, third, ... of them."""
    found: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        found.setdefault(word, []).append(place)
    return {word: torch.tensor(places, device=device) for word, places in found.items()}


def straight(z: Tensor, slopes: Tensor) -> Tensor:
    """Values right of 0 as they are, and a slope times those left of it; 0 x infinity is 0."""
    left = torch.where((slopes == 0) & (z <= 0), 0.0, slopes * z)
    return torch.where(z > 0, z, left)


def _function(name: str) -> Callable[[Tensor], Tensor]:
    if name in CURVED:
        return CURVED[name]
    if name == "relu":
        return torch.relu
    if name == "id":
        return lambda z: z
    given = slope(name)
    assert given is not None, "what is not curved has a slope"
    return lambda z: functional.leaky_relu(z, given)
