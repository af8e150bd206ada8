"""Random numbers as a function of who asks, what for, and the how-manieth.

Every member of a population has a key; what it draws depends on that key and on nothing else. So a
member draws the same numbers alone, in company, on another rank, after a restart, and on another
device, and no generator's state has to be kept. The function is SplitMix64 (Steele, Lea, Flood,
Fast Splittable Pseudorandom Number Generators, OOPSLA 2014, figure 16) at a counter.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import Final, TypeAlias

import torch
from torch import Tensor

Word: TypeAlias = int | str | Tensor
_BITS: Final = 64


def _signed(value: int) -> int:
    """The same 64 bits as a signed number, which is what tensors hold."""
    value &= 2**_BITS - 1
    return value - 2**_BITS if value >= 2 ** (_BITS - 1) else value


_GAMMA: Final = _signed(0x9E3779B97F4A7C15)
_MIX: Final = ((30, _signed(0xBF58476D1CE4E5B9)), (27, _signed(0x94D049BB133111EB)))


def _shifted(z: Tensor, bits: int) -> Tensor:
    """A logical shift to the right: tensors have the arithmetic one only."""
    return (z >> bits) & ((1 << (_BITS - bits)) - 1)


def _mixed(z: Tensor) -> Tensor:
    for bits, factor in _MIX:
        z = (z ^ _shifted(z, bits)) * factor
    return z ^ _shifted(z, 31)


def _code(word: Word) -> int | Tensor:
    if isinstance(word, str):
        word = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")
    return _signed(word) if isinstance(word, int) else word


def root(seed: int) -> Tensor:
    """The key of an experiment, a tensor without axes."""
    return fold(torch.tensor(0, dtype=torch.int64), seed)


def fold(keys: Tensor, *words: Word) -> Tensor:
    """A key for each key and a purpose: ``fold(keys, "init", "fc1")``.

    Args:
        keys: 64-bit integers of any shape.
        words: names, numbers, or 64-bit integers that broadcast against the keys.
    """
    for word in words:
        keys = _mixed((keys ^ _code(word)) + _GAMMA)
    return keys


def bits(keys: Tensor, count: int, start: int = 0) -> Tensor:
    """The numbers ``start`` to ``start + count`` of every key's stream, on a new last axis."""
    counter = torch.arange(start + 1, start + count + 1, dtype=torch.int64, device=keys.device)
    return _mixed(keys.unsqueeze(-1) + counter * _GAMMA)


def uniform(keys: Tensor, *shape: int) -> Tensor:
    """Numbers from the open unit interval, ``(*keys.shape, *shape)``, 64-bit floats."""
    # 52 bits and a half: a 64-bit float holds that exactly, so neither 0 nor 1 comes of rounding
    drawn = _shifted(bits(keys, math.prod(shape)), 12).double()
    return ((drawn + 0.5) * 2.0**-52).view(*keys.shape, *shape)


def normal(keys: Tensor, *shape: int) -> Tensor:
    """Standard normal numbers, ``(*keys.shape, *shape)``, 64-bit floats, by inversion."""
    drawn: Tensor = torch.special.ndtri(uniform(keys, *shape))
    return drawn


def integers(keys: Tensor, below: int, *shape: int) -> Tensor:
    """Whole numbers from 0 to ``below`` - 1, ``(*keys.shape, *shape)``."""
    return (uniform(keys, *shape) * below).long()


def kept(keys: Tensor, dropped: float, *shape: int, first: int = 0) -> Tensor:
    """What dropout keeps: True with probability 1 - ``dropped``, ``(*keys.shape, *shape)``.

    Four decisions come of one number of a stream: the probability is exact to 2^-16.

    Args:
        keys: one a stream.
        dropped: the probability of what is left out.
        shape: of the decisions.
        first: so many rows, of the shape's first axis, come before these and are left out.
    """
    count = math.prod(shape)
    start, skip = divmod(first * math.prod(shape[1:]), 4)
    drawn = bits(keys, -(-(skip + count) // 4), start).view(torch.int16)[..., skip : skip + count]
    return (drawn >= round(dropped * 2**16) - 2**15).reshape(*keys.shape, *shape)


def permutation(key: Tensor, count: int) -> Tensor:
    """An order of ``count`` things, ``(*key.shape, count)``."""
    return torch.argsort(bits(key, count), dim=-1, stable=True)
