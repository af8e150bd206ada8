"""Floor 6: what a profile found, as plain data: times and memory, measured beside the bounds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from archcalc.case import Case
from archcalc.memory import Memory
from archcalc.results import Result
from archcalc.roofline import Work

SCHEMA: Final = "archcalc.profile/1"
COMPUTE, MEMORY, LAUNCH = "compute", "memory", "launch"
MEASURED: Final = "measured here"  # the source of ceilings that are from no data sheet


class Spread(NamedTuple):
    """Seconds over several passes: the median, and the quartiles around it."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(seconds: Sequence[float]) -> Spread:
        """The quartiles of some passes."""
        if len(seconds) == 1:
            return Spread(seconds[0], seconds[0], seconds[0])
        low, median, high = statistics.quantiles(seconds, n=4, method="inclusive")
        return Spread(median, low, high)


class Ceilings(NamedTuple):
    """What bounds every layer on a device."""

    peak: float  # FLOP/s at the dtype in use
    bandwidth: float  # bytes/s
    launch: float  # seconds in which an operation that has next to nothing to do is done
    source: str  # where the first two are from


class Pass(NamedTuple):
    """A layer's forward or backward pass."""

    work: Work
    time: Spread
    bound: float  # the least seconds that the ceilings allow
    limit: str  # the ceiling that gives it, COMPUTE, MEMORY or LAUNCH; empty if nothing is done

    @staticmethod
    def of(work: Work, seconds: Sequence[float], ceilings: Ceilings) -> Pass:
        """A pass beside what bounds it."""
        if not any(work):
            return Pass(work, Spread.of(seconds), 0.0, "")
        compute, memory = work.bound(ceilings.peak, ceilings.bandwidth)
        bounds = {COMPUTE: compute, MEMORY: memory, LAUNCH: ceilings.launch}
        limit = max(bounds, key=lambda name: bounds[name])
        return Pass(work, Spread.of(seconds), bounds[limit], limit)


class LayerTime(NamedTuple):
    """A layer: its word in the notation, its forward pass, and its backward pass while training."""

    name: str
    word: str
    forward: Pass
    backward: Pass | None


@dataclass(frozen=True)
class Profile(Result):
    """What :func:`archcalc.profile` found."""

    case: Case
    train: bool  # whether forward, backward pass and optimizer ran, or the forward pass alone
    optimizer: str
    device: str  # its maker's name for it, and how many threads a CPU used
    kind: str  # cpu or cuda
    ceilings: Ceilings
    rows: tuple[LayerTime, ...]
    step: Spread  # a whole step, not looked into
    update: Spread | None  # the optimizer's part of it
    repeats: int  # passes that count
    predicted: Memory  # by archcalc
    measured: Memory  # in torch
    release: str  # of torch

    @property
    def flops(self) -> int:
        """Of one step."""
        return sum(layer_pass.work.flops for layer_pass in self.passes())

    @property
    def bound(self) -> float:
        """Seconds below which no step can come, if each layer runs on its own."""
        return sum(layer_pass.bound for layer_pass in self.passes())

    def passes(self) -> Iterable[Pass]:
        """All forward and backward passes of layers."""
        both = (layer_pass for row in self.rows for layer_pass in (row.forward, row.backward))
        return (layer_pass for layer_pass in both if layer_pass is not None)

    def to_dict(self) -> dict[str, Any]:
        """The profile as JSON-ready data; times in seconds."""

        def plain(layer_pass: Pass | None) -> dict[str, Any] | None:
            return layer_pass and {
                **layer_pass.work._asdict(),
                "seconds": layer_pass.time._asdict(),
                "bound": layer_pass.bound,
                "limit": layer_pass.limit,
            }

        return {
            "schema": SCHEMA,
            "network": self.case.network.name,
            "input": self.case.sizes,
            "batch": self.case.batch,
            "dtype": self.case.dtype,
            "train": self.train,
            "optimizer": self.optimizer if self.train else None,
            "device": self.device,
            "torch": self.release,
            "repeats": self.repeats,
            "ceilings": self.ceilings._asdict(),
            "step": self.step._asdict(),
            "update": self.update._asdict() if self.update else None,
            "layers": [
                {"name": name, "layer": word, "forward": plain(forward), "backward": plain(back)}
                for name, word, forward, back in self.rows
            ],
            "memory": {side: getattr(self, side)._asdict() for side in ("predicted", "measured")},
        }
