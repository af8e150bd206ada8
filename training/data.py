"""Floor 0: a whole training set as tensors on the device, and the order in which it is read."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archcalc.errors import need
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


def mnist(folder: str | None, device: torch.device | str = "cpu", *, train: bool = True) -> Images:
    """MNIST as torchvision keeps it: ``MNIST/raw`` in a folder.

    Args:
        folder: where; None takes the environment's ``ARCHCALC_DATA``.
        device: where to.
        train: the 60,000 of training, or the 10,000 of the test.

    Raises:
        TrainingError: it is not there, or not whole.
    """
    folder = folder or os.environ.get("ARCHCALC_DATA")
    get = (
        "name the folder that holds torchvision's MNIST/raw with --data-dir or ARCHCALC_DATA; "
        "python -c \"import torchvision; torchvision.datasets.MNIST('data', download=True)\" "
        "downloads it to data"
    )
    if not folder:
        raise TrainingError("MNIST needs its files", hint=get)
    if "\0" in folder or not (Path(folder) / "MNIST" / "raw").is_dir():
        raise TrainingError(f"{folder} has no MNIST/raw", hint=get)
    need("MNIST", "training", "torchvision")
    try:
        x, y = _mnist(folder, train=train)
    except (OSError, RuntimeError, ValueError, AssertionError):
        raise TrainingError(f"{folder}: MNIST is not whole", hint=get) from None
    count = 60_000 if train else 10_000
    if x.shape != (count, 28, 28) or y.shape != (count,) or not 0 <= y.min() <= y.max() <= 9:  # noqa: PLR2004 - digits
        fact = f"{folder}: MNIST has {len(x):,} images and {len(y):,} labels, or no digits"
        raise TrainingError(fact, hint=get)
    return Images(x.to(device).flatten(1).float() / 255, y.to(device))


@lru_cache(maxsize=2)
def _mnist(folder: str, *, train: bool) -> tuple[Tensor, Tensor]:
    """Bytes and classes as torchvision reads them."""
    import torchvision  # noqa: PLC0415 - slow to load, and only images need it

    found = torchvision.datasets.MNIST(folder, train=train, download=False)
    return found.data, found.targets
