"""The time of every layer of a twin, forward and backward, on the CPU or by a GPU's own events."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from archcalc.counters.base import backpropagate
from archcalc.counters.marks import Marks
from archcalc.measure.twin import Twin


def moments(x: torch.Tensor) -> Callable[[], Any]:
    """What tells the time on the device of a tensor: seconds, or an event in a GPU's stream."""
    return _event if x.is_cuda else time.perf_counter


def _event() -> torch.cuda.Event:
    """It is reached when what comes before it in the stream is done."""
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def seconds(start: Any, end: Any) -> float:  # noqa: ANN401 - two moments
    """From one moment to another; events must have been reached."""
    span: float = (
        start.elapsed_time(end) / 1e3 if isinstance(start, torch.cuda.Event) else end - start
    )
    return span


class Times(NamedTuple):
    """Seconds of every layer, forward and backward."""

    forward: dict[str, float]
    backward: dict[str, float]


def layers(model: Twin, *inputs: torch.Tensor) -> Times:
    """One pass in which every layer is timed; the backward one too, where gradients are enabled.

    A layer's backward time is that of the autograd nodes which it made.
    """
    moment = moments(inputs[0])
    forward: list[tuple[str, Any, Any]] = []
    marked: list[tuple[str, Any]] = []  # when each node of a layer begins and, next, when it ends

    def mark(name: str) -> None:
        marked.append((name, moment()))

    marks = Marks(mark, mark)
    steps = model.outputs(*inputs)  # which looks up what it needs before the clock starts
    start = moment()
    for name, y in steps:
        forward.append((name, start, moment()))
        marks.claim(name, y)
        start = moment()
    backpropagate(y)
    synchronize(inputs[0])
    backward = dict.fromkeys(model.names, 0.0)
    for (name, start), (_, end) in zip(marked[::2], marked[1::2], strict=True):
        backward[name] += seconds(start, end)
    return Times({name: seconds(start, end) for name, start, end in forward}, backward)


def synchronize(x: torch.Tensor) -> None:
    """Wait until the device has done what it was told."""
    if x.is_cuda:
        torch.cuda.synchronize()
