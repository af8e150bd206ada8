"""thop's ``profile``: "MACs" and parameters."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

from archcalc.errors import MeasurementError
from archcalc.witnesses.base import Reading, leaves, release, untouched

if TYPE_CHECKING:
    import torch
    from torch import nn

DEVICES: Final = ("cpu", "cuda")


def read(model: nn.Module, x: torch.Tensor) -> Reading:
    """``macs`` and ``parameters`` of a forward pass in evaluation mode."""
    installed = release("thop", "")
    with untouched(model), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import thop  # noqa: PLC0415 - only who asks for it needs it

            total, parameters, tree = thop.profile(
                model, inputs=(x,), verbose=False, ret_layer_info=True
            )
        except Exception as error:
            raise MeasurementError(f"thop failed: {error}") from error
    found = dict(_flat(tree))
    return Reading(
        "thop",
        installed,
        {
            "macs": {path: found.get(path, (0, 0))[0] for path in leaves(model)},
            "parameters": {path: found.get(path, (0, 0))[1] for path in leaves(model)},
        },
        {"macs": int(total), "parameters": int(parameters)},
    )


def _flat(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, tuple[int, int]]]:
    """The counts of every module that thop has a rule for, by path."""
    found = []
    for name, (operations, parameters, inner) in tree.items():
        path = f"{prefix}{name}"
        found.append((path, (int(operations), int(parameters))))
        found += _flat(inner, f"{path}.")
    return found
