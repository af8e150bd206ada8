"""The time of every layer of a twin, forward and backward, on the CPU or by a GPU's own events."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from archcalc.counters.base import backpropagate
from archcalc.counters.marks import Marks

if TYPE_CHECKING:
    from archcalc.measure.twin import Twin


class CpuMoment:
    """``perf_counter``."""

    def __init__(self) -> None:
        self.time = time.perf_counter()

    def since(self, earlier: CpuMoment) -> float:
        """Seconds."""
        return self.time - earlier.time


class CudaMoment:
    """An event in the device's stream: what comes before it has been done when it is reached."""

    def __init__(self) -> None:
        self.event = torch.cuda.Event(enable_timing=True)
        self.event.record()

    def since(self, earlier: CudaMoment) -> float:
        """Seconds; both events must have been reached."""
        return earlier.event.elapsed_time(self.event) / 1e3  # type: ignore[no-any-return]


def moments(x: torch.Tensor) -> Callable[[], Any]:
    """What tells the time on the device of a tensor."""
    return CudaMoment if x.is_cuda else CpuMoment


class Times(NamedTuple):
    """Seconds of every layer, forward and backward."""

    forward: dict[str, float]
    backward: dict[str, float]


def layers(model: Twin, *inputs: torch.Tensor) -> Times:
    """One pass in which every layer is timed; the backward one too, where gradients are enabled.

    A layer's backward time is that of the autograd nodes which it made.
    """
    moment = moments(inputs[0])
    spans: list[tuple[str, Any, Any]] = []
    back: list[tuple[str, Any]] = []  # when each node of a layer begins and, next, when it ends

    def mark(name: str) -> None:
        back.append((name, moment()))

    marks = Marks(mark, mark)
    steps = model.outputs(*inputs)  # which looks up what it needs before the clock starts
    start = moment()
    for name, y in steps:
        spans.append((name, start, moment()))
        marks.claim(name, y)
        start = moment()
    backpropagate(y)
    synchronize(inputs[0])
    times = Times(
        {name: end.since(start) for name, start, end in spans}, dict.fromkeys(model.names, 0.0)
    )
    for (name, begin), (_, end) in zip(back[::2], back[1::2], strict=True):
        times.backward[name] += end.since(begin)
    return times


def synchronize(x: torch.Tensor) -> None:
    """Wait until the device has done what it was told."""
    if x.is_cuda:
        torch.cuda.synchronize()
