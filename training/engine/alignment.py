"""Members whose memory looks as it does alone.

A library of matrix products chooses its kernel, and with it the order in which it adds, by where
the memory begins that it is given (Intel oneMKL, Developer Guide, "Obtaining Numerically
Reproducible Results": align by 64 bytes). So a member's numbers come out as they do alone, to the
last bit, on every processor, only where they begin at the same alignment as alone.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

BYTES: Final = 64  # torch's own memory on a CPU begins at multiples of these


def aligned(tensor: Tensor) -> bool:
    """Whether the values of every member, ``(members, ...)``, begin at a multiple of 64 bytes."""
    step = tensor.stride(0) * tensor.element_size() if len(tensor) > 1 else 0
    return tensor.data_ptr() % BYTES == 0 and step % BYTES == 0


def by_member(tensor: Tensor) -> Tensor:
    """A tensor ``(members, ...)`` as it is if it is aligned; else a copy that is."""
    if aligned(tensor):
        return tensor
    count = math.prod(tensor.shape[1:])
    unit = BYTES // tensor.element_size()
    padded = torch.empty(
        len(tensor), -(-count // unit) * unit, dtype=tensor.dtype, device=tensor.device
    )
    copy = padded[:, :count].view(tensor.shape)
    return copy.copy_(tensor)
