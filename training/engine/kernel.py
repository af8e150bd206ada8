"""Narrow networks of straight activations on the CPU, compiled by numba.

A network of width 2 has too little work in a tensor operation to be worth one: here the loss and
its gradient of one member are computed from end to end while its values stay in the first cache,
and members are spread over threads. :mod:`training.engine.cohort` does without where numba is
missing, and a test holds both to the same numbers. Every function is written for one range of
members, whose results do not depend on who else is in it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from training.engine.models import Mlp

WIDEST: Final = 16  # beyond that, matrix products are faster
LEAST: Final = 64  # members a thread is woken for

# What an array of numba is called, and what a sum may do: order freely, but keep NaN and infinity.
_F1, _F2, _F3 = "float32[:]", "float32[:, :]", "float32[:, :, :]"
_GRADIENTS: Final = f"void({_F2}, {_F3}, {_F3}, {_F1}, int64[:], {_F2}, {_F1}, int64, int64)"
_SURVEY: Final = f"void({_F2}, {_F1}, {_F1}, int64[:], int64[:], {_F2}, boolean[:], int64, int64)"
_LOOSE: Final = {"reassoc", "contract", "nsz"}


def _gradients(  # pragma: no cover - numba compiles it
    theta: Any,  # noqa: ANN401
    x: Any,  # noqa: ANN401
    y: Any,  # noqa: ANN401
    slopes: Any,  # noqa: ANN401
    sizes: Any,  # noqa: ANN401
    gradient: Any,  # noqa: ANN401
    loss: Any,  # noqa: ANN401
    first: int,
    end: int,
) -> None:
    """Mean squared error and its gradient, members ``first`` to ``end``."""
    batch = x.shape[1]
    depth = len(sizes) - 1
    zero, one, two = np.float32(0), np.float32(1), np.float32(2)
    values = np.empty((depth + 1, sizes.max(), batch), np.float32)
    delta = np.empty((2, sizes.max(), batch), np.float32)  # of a layer, and of the one below
    for m in range(first, end):
        slope = slopes[m]
        own_x = m if x.shape[0] > 1 else 0
        own_y = m if y.shape[0] > 1 else 0
        for i in range(sizes[0]):
            for b in range(batch):
                values[0, i, b] = x[own_x, b, i]
        at = 0  # where the layer's weights begin
        for k in range(depth):
            fan_in, out = sizes[k], sizes[k + 1]
            for o in range(out):
                bias = theta[m, at + out * fan_in + o]
                weight = theta[m, at + o * fan_in]
                for b in range(batch):
                    values[k + 1, o, b] = bias + weight * values[k, 0, b]
                for i in range(1, fan_in):
                    weight = theta[m, at + o * fan_in + i]
                    for b in range(batch):
                        values[k + 1, o, b] += weight * values[k, i, b]
                if k < depth - 1 and slope == 0:  # 0 * z would make NaN of an infinity
                    for b in range(batch):
                        z = values[k + 1, o, b]
                        values[k + 1, o, b] = zero if z <= 0 else z
                elif k < depth - 1:
                    for b in range(batch):
                        z = values[k + 1, o, b]
                        values[k + 1, o, b] = z if z > 0 else slope * z
            at += out * (fan_in + 1)
        count = np.float32(batch * sizes[depth])
        total = np.float32(0)
        for o in range(sizes[depth]):
            for b in range(batch):
                difference = values[depth, o, b] - y[own_y, b, o]
                total += difference * difference
                delta[0, o, b] = two * difference / count
        loss[m] = total / count
        here = 0
        for k in range(depth - 1, -1, -1):
            fan_in, out = sizes[k], sizes[k + 1]
            at -= out * (fan_in + 1)
            for o in range(out):
                if k < depth - 1:
                    for b in range(batch):
                        delta[here, o, b] *= one if values[k + 1, o, b] > 0 else slope
                total = np.float32(0)
                for b in range(batch):
                    total += delta[here, o, b]
                gradient[m, at + out * fan_in + o] = total
                for i in range(fan_in):
                    total = np.float32(0)
                    for b in range(batch):
                        total += delta[here, o, b] * values[k, i, b]
                    gradient[m, at + o * fan_in + i] = total
            if k > 0:
                below = 1 - here
                for i in range(fan_in):
                    weight = theta[m, at + i]
                    for b in range(batch):
                        delta[below, i, b] = weight * delta[here, 0, b]
                    for o in range(1, out):
                        weight = theta[m, at + o * fan_in + i]
                        for b in range(batch):
                            delta[below, i, b] += weight * delta[here, o, b]
                here = below


def _survey(  # pragma: no cover - numba compiles it
    theta: Any,  # noqa: ANN401
    grid: Any,  # noqa: ANN401
    slopes: Any,  # noqa: ANN401
    sizes: Any,  # noqa: ANN401
    off: Any,  # noqa: ANN401
    ends: Any,  # noqa: ANN401
    constant: Any,  # noqa: ANN401
    first: int,
    end: int,
) -> None:
    """What members ``first`` to ``end`` with one input do on a grid; see :class:`Survey`."""
    points = len(grid)
    depth = len(sizes) - 1
    values = np.empty((2, sizes.max(), points), np.float32)
    rises = np.empty((2, sizes.max(), points), np.float64)  # derivatives; no product underflows
    for m in range(first, end):
        slope = slopes[m]
        for b in range(points):
            values[0, 0, b] = grid[b]
            rises[0, 0, b] = 1
        off[m] = 0
        at = 0
        here = 0
        for k in range(depth):
            fan_in, out = sizes[k], sizes[k + 1]
            above = 1 - here
            alive = False
            for o in range(out):
                bias = theta[m, at + out * fan_in + o]
                for b in range(points):
                    values[above, o, b] = bias
                    rises[above, o, b] = 0
                for i in range(fan_in):
                    weight = theta[m, at + o * fan_in + i]
                    for b in range(points):
                        values[above, o, b] += weight * values[here, i, b]
                        rises[above, o, b] += weight * rises[here, i, b]
                if k < depth - 1:
                    for b in range(points):
                        z = values[above, o, b]
                        alive |= z > 0
                        if z <= 0:
                            values[above, o, b] = slope * z if slope != 0 else np.float32(0)
                        rises[above, o, b] *= 1.0 if z > 0 else np.float64(slope)
            if k < depth - 1 and not alive and off[m] == 0:
                off[m] = k + 1
            at += out * (fan_in + 1)
            here = above
        low = high = values[here, 0, 0]
        flat = True
        for b in range(points):
            value = values[here, 0, b]
            low = value if value < low or value != value else low  # noqa: PLR0124 - NaN stays
            high = value if value > high or value != value else high  # noqa: PLR0124 - likewise
            flat &= rises[here, 0, b] == 0
        ends[m, 0], ends[m, 1] = low, high
        constant[m] = flat


@cache
def _compiled() -> tuple[Callable[..., None], Callable[..., None]] | None:
    try:
        import numba  # noqa: PLC0415 - slow to load, and only narrow networks need it
    except ImportError:
        return None

    def both(**kept: bool) -> tuple[Callable[..., None], Callable[..., None]]:
        options: Any = {"nogil": True, "fastmath": _LOOSE, "error_model": "numpy", **kept}
        return (
            numba.njit(_GRADIENTS, **options)(_gradients),
            numba.njit(_SURVEY, **options)(_survey),
        )

    try:
        return both(cache=True)
    except RuntimeError:  # no folder to keep compiled code in
        return both()


def fits(model: Mlp, theta: Tensor, x: Tensor) -> bool:
    """Whether there is a kernel for the model on this device, and numba to compile it."""
    plain = all(d.bias and not d.dropout for d in model.layers)
    hidden = all(d.activation != "id" for d in model.layers[:-1])
    end = model.layers[-1].activation == "id"
    kind = theta.device.type == "cpu" and theta.dtype == x.dtype == torch.float32
    small = model.widest <= WIDEST
    return plain and hidden and end and kind and small and _compiled() is not None


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


def spread(
    function: Callable[..., None], count: int, *arguments: object, least: int = LEAST
) -> None:
    """Call for ranges of what is counted, on as many threads as torch would use.

    Args:
        function: called with the arguments and a range's first and end.
        count: of all.
        arguments: for every call.
        least: what a thread is woken for.
    """
    threads = torch.get_num_threads()
    parts = max(1, min(2 * threads, count // least)) if threads > 1 else 1
    ends = [count * i // parts for i in range(parts + 1)]
    if parts == 1:
        function(*arguments, 0, count)
        return
    waiting = [
        _pool(threads).submit(function, *arguments, first, end) for first, end in pairwise(ends)
    ]
    for one in waiting:
        one.result()


def _sizes(model: Mlp) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array([model.layers[0].fan_in, *(d.out for d in model.layers)])


def gradients(
    model: Mlp, theta: Tensor, x: Tensor, y: Tensor, slopes: Tensor
) -> tuple[Tensor, Tensor]:
    """The mean squared error of each member, and its gradient.

    Args:
        model: one for which :func:`fits`.
        theta: ``(members, parameters)``.
        x: ``(members or 1, batch, in)``.
        y: ``(members or 1, batch, out)``.
        slopes: of each member's activation on the left of 0, ``(members,)``.

    Returns:
        Losses ``(members,)`` and gradients ``(members, parameters)``.
    """
    found = _compiled()
    assert found is not None, "fits() says whether there is a kernel"
    gradient, loss = torch.empty_like(theta), theta.new_empty(len(theta))
    arrays = [t.numpy() for t in (theta, x, y, slopes)]
    spread(found[0], len(theta), *arrays, _sizes(model), gradient.numpy(), loss.numpy())
    return loss, gradient


class Survey(NamedTuple):
    """What each member does on a grid of inputs.

    Attributes:
        off: the first hidden layer, counted from 1, whose every unit is <= 0 at every point; 0 if
            there is none. ``(members,)``.
        ends: the least and the greatest output, ``(members, 2)``.
        constant: whether the derivative is 0 at every point, ``(members,)``.
    """

    off: Tensor
    ends: Tensor
    constant: Tensor


def survey(model: Mlp, theta: Tensor, grid: Tensor, slopes: Tensor) -> Survey:
    """Survey members that have one input and one output.

    Args:
        model: one for which :func:`fits`.
        theta: ``(members, parameters)``.
        grid: inputs ``(points,)``.
        slopes: of each member's activation on the left of 0, ``(members,)``.
    """
    found = _compiled()
    assert found is not None, "fits() says whether there is a kernel"
    members = len(theta)
    off = torch.empty(members, dtype=torch.int64)
    ends = torch.empty(members, 2)
    constant = torch.empty(members, dtype=torch.bool)
    arrays = [t.numpy() for t in (theta, grid, slopes)]
    outputs = [t.numpy() for t in (off, ends, constant)]
    spread(found[1], members, *arrays, _sizes(model), *outputs)
    return Survey(off, ends, constant)
