"""Floor 8: tools that count, measured on a module of torch; one a file.

Every file has ``DEVICES``, the kinds of device on which its tool works, the least costly first, and
``read(model, x)``, which says what the tool reports for each submodule of ``model`` on input ``x``
and leaves the model as it was.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    import torch
    from torch import nn

    from archcalc.witnesses.base import Reading

# The name of a witness, which is its convention's too, and the module that asks it.
FILES: Final = {
    "torch": "flop_counter",
    "fvcore": "fvcore",
    "torchinfo": "torchinfo",
    "ptflops": "ptflops",
    "thop": "thop",
}


class Witness(Protocol):
    """What a file of this package offers."""

    DEVICES: tuple[str, ...]

    def read(self, model: nn.Module, x: torch.Tensor) -> Reading:
        """What the tool reports for every submodule of a model that reads ``x``."""


def witness(name: str) -> Witness:
    """A witness by name; loads torch, and its tool only when it is asked to read."""
    return cast("Witness", import_module(f"archcalc.witnesses.{FILES[name]}"))
