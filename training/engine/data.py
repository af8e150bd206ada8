"""A training set as tensors on the device, the order in which it is read, and its change.

Nothing is read from a disk while a network learns: a batch is a slice, and augmentation is
arithmetic on it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import accumulate
from typing import Final, NamedTuple, TypeAlias

import torch
from torch import Tensor

from archcalc.errors import quoted
from training.engine import streams
from training.engine.steps import Steps
from training.errors import TrainingError

Batches: TypeAlias = Callable[[int], tuple[Tensor, Tensor]]


NONE: Final = "none"


class Augmentation(NamedTuple):
    """Random changes of images, drawn anew for every image and update.

    ``Augmentation.read("shift2,flip")`` moves an image by up to two pixels up, down and sideways,
    the border repeated, and mirrors every other one.

    Args:
        shift: the most pixels, each number of them from -shift to shift equally likely.
        flip: whether an image is mirrored left to right with probability one half.
    """

    shift: int = 0
    flip: bool = False

    @classmethod
    def read(cls, text: str) -> Augmentation:
        """``shift2``, ``flip``, both with a comma between, nothing or ``none``; ``str``'s inverse.

        Raises:
            TrainingError: something else.
        """
        found = cls()
        words = "" if text.strip() == NONE else text
        for word in filter(None, (part.strip() for part in words.split(","))):
            match = re.fullmatch(r"shift([1-9][0-9]?)", word)
            if match and not found.shift:
                found = found._replace(shift=int(match[1]))
            elif word == "flip" and not found.flip:
                found = found._replace(flip=True)
            else:
                raise TrainingError(f"{quoted(text)} is no augmentation", hint="e.g. shift2,flip")
        return found

    def __str__(self) -> str:
        return ",".join([f"shift{self.shift}"] * bool(self.shift) + ["flip"] * self.flip)

    def __call__(self, x: Tensor, keys: Tensor) -> Tensor:
        """Images ``(members, batch, channels, height, width)``, changed; a key a member."""
        members, batch, _, height, width = x.shape
        rows = torch.arange(height, device=x.device).expand(members, batch, height)
        columns = torch.arange(width, device=x.device).expand(members, batch, width)
        if self.flip:
            mirrored = streams.kept(streams.fold(keys, "flip"), 0.5, batch, 1)
            columns = torch.where(mirrored, width - 1 - columns, columns)
        if self.shift:
            key = streams.fold(keys, "shift")
            moved = streams.integers(key, 2 * self.shift + 1, batch, 2, 1) - self.shift
            rows = (rows + moved[:, :, 0]).clamp(0, height - 1)
            columns = (columns + moved[:, :, 1]).clamp(0, width - 1)
        place = rows.unsqueeze(3) * width + columns.unsqueeze(2)
        index = place.flatten(2).unsqueeze(2).expand(-1, -1, x.shape[2], -1)
        return x.flatten(3).gather(3, index).view(x.shape)


class Data(NamedTuple):
    """A training set of each member, or one of all.

    Args:
        x: ``(members or 1, examples, ...)``.
        y: ``(members or 1, examples, ...)``.
        batch: examples an update; the last of an epoch has what is left.
        key: from which the order of each epoch comes, the same for all members.
        keys: one a member; given, each reads in an order of its own, and ``x`` and ``y`` are one
            set of all.
        augmentation: of images, with ``keys``.
        sizes: examples of every update of the run, in place of ``batch``, with ``keys``. Epochs
            follow one another without a gap: a batch may begin in one and end in the next.
    """

    x: Tensor
    y: Tensor
    batch: int
    key: Tensor
    keys: Tensor | None = None
    augmentation: Augmentation = Augmentation()
    sizes: tuple[int, ...] = ()

    @property
    def per_epoch(self) -> int:
        """Updates an epoch, where all are of one size."""
        return -(-self.x.shape[1] // self.batch)

    def moments(self, looks: Iterable[Steps], until: Steps) -> list[int]:
        """The updates behind which to look, none twice, none beyond the end."""
        end = self.updates(until)
        return sorted({look for look in map(self.updates, looks) if look <= end})

    def updates(self, steps: Steps) -> int:
        """How many updates that is; so many epochs are over with the update that ends them."""
        if steps.unit == "it" or not self.sizes:
            return steps.iterations(self.per_epoch)
        ends = list(accumulate(self.sizes, initial=0))
        return bisect_left(ends, steps.length * self.x.shape[1])

    def examples(self, updates: int) -> int:
        """How many examples so many updates read."""
        if self.sizes:
            return sum(self.sizes[:updates])
        epoch, rest = divmod(updates, self.per_epoch)
        return epoch * self.x.shape[1] + rest * self.batch

    def reader(self) -> Batches:
        """Batches by the number of their update, counted from 0: ``(members or 1, batch, ...)``."""
        if self.sizes:
            return self._sized()
        shuffled = lru_cache(maxsize=1)(self.shuffled)

        def batch(update: int) -> tuple[Tensor, Tensor]:
            epoch, number = divmod(update, self.per_epoch)
            return shuffled(epoch)(number)

        return batch

    def shuffled(self, epoch: int) -> Batches:
        """The batches of an epoch, by their number: ``(members or 1, batch, ...)`` each."""
        if self.keys is not None:
            return self._own(self.keys.to(self.x.device), epoch)
        key = streams.fold(self.key, "order", epoch).to(self.x.device)
        order = streams.permutation(key, self.x.shape[1])
        x, y = self.x[:, order], self.y[:, order]
        return lambda number: (x[:, self._part(number)], y[:, self._part(number)])

    def _part(self, number: int) -> slice:
        return slice(number * self.batch, (number + 1) * self.batch)

    def _own(self, keys: Tensor, epoch: int) -> Batches:
        """Batches of which every member has its own."""
        orders = self._orders(keys, epoch)
        numbers = torch.arange(self.per_epoch, device=keys.device)
        own = streams.fold(keys.unsqueeze(1), "augment", epoch, numbers)  # of all batches at once
        return lambda number: self._chosen(orders[:, self._part(number)], own[:, number])

    def _sized(self) -> Batches:
        """Batches of sizes of their own, every member's in its own order."""
        assert self.keys is not None
        keys, count = self.keys.to(self.x.device), self.x.shape[1]
        ends = list(accumulate(self.sizes, initial=0))
        orders = lru_cache(maxsize=2)(lambda epoch: self._orders(keys, epoch))

        def batch(update: int) -> tuple[Tensor, Tensor]:
            first, end = ends[update], ends[update + 1]
            parts = [
                orders(epoch)[:, max(first - epoch * count, 0) : end - epoch * count]
                for epoch in range(first // count, -(-end // count))
            ]
            return self._chosen(torch.cat(parts, 1), streams.fold(keys, "augment", update))

        return batch

    def _orders(self, keys: Tensor, epoch: int) -> Tensor:
        """The order of an epoch, ``(members, examples)``."""
        return streams.permutation(streams.fold(keys, "order", epoch), self.x.shape[1])

    def _chosen(self, places: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """The examples at places ``(members, batch)``, changed by each member's key."""
        (x,), (y,) = self.x, self.y
        images = x.index_select(0, places.flatten()).view(*places.shape, *x.shape[1:])
        if any(self.augmentation):
            images = self.augmentation(images, keys)
        return images, y[places]
