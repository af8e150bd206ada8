"""Floor 0: a whole training set as tensors on the device, and the order in which it is read."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from training import streams
from training.errors import TrainingError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Data(NamedTuple):
    """A training set of each member, or one of all.

    Args:
        x: ``(members or 1, examples, in)``.
        y: ``(members or 1, examples, ...)``.
        batch: examples an update; the last of an epoch has what is left.
        key: from which the order of each epoch comes, the same for all members.
    """

    x: Tensor
    y: Tensor
    batch: int
    key: Tensor

    @property
    def per_epoch(self) -> int:
        """Updates an epoch."""
        return -(-self.x.shape[1] // self.batch)

    def shuffled(self, epoch: int) -> tuple[Tensor, Tensor]:
        """All examples in the order of an epoch."""
        key = streams.fold(self.key, "order", epoch).to(self.x.device)
        order = streams.permutation(key, self.x.shape[1])
        return self.x[:, order], self.y[:, order]


class Images(NamedTuple):
    """Images ``(examples, units)`` between 0 and 1, and their classes ``(examples,)``."""

    x: Tensor
    y: Tensor


@lru_cache(maxsize=2)
def mnist(folder: str | None, device: torch.device | str = "cpu", *, train: bool = True) -> Images:
    """MNIST as torchvision keeps it: ``MNIST/raw`` in a folder.

    Args:
        folder: where; None takes the environment's ``ARCHCALC_DATA``.
        device: where to.
        train: the 60,000 of training, or the 10,000 of the test.

    Raises:
        TrainingError: it is not there, or not whole.
    """
    import torchvision  # noqa: PLC0415 - slow to load, and only images need it

    folder = folder or os.environ.get("ARCHCALC_DATA")
    get = (
        "name the folder that holds torchvision's MNIST/raw with --data-dir or ARCHCALC_DATA; "
        "python -c \"import torchvision; torchvision.datasets.MNIST('data', download=True)\" "
        "downloads it to data"
    )
    if not folder:
        raise TrainingError("MNIST needs its files", hint=get)
    if not (Path(folder) / "MNIST" / "raw").is_dir():
        raise TrainingError(f"{folder} has no MNIST/raw", hint=get)
    try:
        found = torchvision.datasets.MNIST(folder, train=train, download=False)
    except (OSError, RuntimeError, ValueError, AssertionError):
        raise TrainingError(f"{folder}: MNIST is not whole", hint=get) from None
    x = found.data.to(device).flatten(1).float() / 255
    if len(x) != (60_000 if train else 10_000) or x.shape[1] != 28 * 28:
        raise TrainingError(f"{folder}: MNIST has {len(x):,} images", hint=get)
    return Images(x, found.targets.to(device))
