"""torchinfo's ``summary``: "mult-adds" and parameters."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

from archcalc.errors import MeasurementError
from archcalc.witnesses.base import Reading, leaves, release, untouched

if TYPE_CHECKING:
    import torch
    from torch import nn

DEVICES: Final = ("meta", "cpu", "cuda")


def read(model: nn.Module, x: torch.Tensor) -> Reading:
    """``mult_adds`` of a forward pass and ``parameters``."""
    installed = release("torchinfo")
    import torchinfo  # noqa: PLC0415 - only who asks for it needs it

    with untouched(model), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = torchinfo.summary(
                model,
                input_data=(x,),
                device=x.device,
                mode="eval",
                verbose=0,
                cache_forward_pass=False,
            )
        except Exception as error:
            raise MeasurementError(f"torchinfo failed: {error}") from error
    infos = {id(info.module): info for info in found.summary_list if info.is_leaf_layer}
    own = {path: infos[id(leaf)] for path, leaf in leaves(model).items() if id(leaf) in infos}
    return Reading(
        "torchinfo",
        installed,
        {
            "mult_adds": {path: int(info.macs) for path, info in own.items()},
            "parameters": {path: int(info.num_params) for path, info in own.items()},
        },
        {"mult_adds": int(found.total_mult_adds), "parameters": int(found.total_params)},
    )
