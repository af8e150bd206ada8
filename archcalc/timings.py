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
    """What bounds every layer on a device.

    Attributes:
        peak: FLOP/s at the dtype in use.
        bandwidth: bytes/s.
        launch: seconds in which an operation that has next to nothing to do is done.
        source: where the first two are from.
    """

    peak: float
    bandwidth: float
    launch: float
    source: str


class Pass(NamedTuple):
    """A layer's forward or backward pass.

    Attributes:
        work: what it has to do.
        time: how long it took.
        bound: the least time that the ceilings allow.
        limit: the ceiling that gives it: ``compute``, ``memory`` or ``launch``.
    """

    work: Work
    time: Spread
    bound: float
    limit: str


class LayerTime(NamedTuple):
    """A layer: its word in the notation, its forward pass, and its backward pass while training."""

    name: str
    word: str
    forward: Pass
    backward: Pass | None


@dataclass(frozen=True)
class Profile(Result):
    """What :func:`archcalc.profile` found.

    Attributes:
        case: what was run: the network, its input, batch and dtype.
        train: whether forward, backward pass and optimizer ran, or the forward pass alone.
        optimizer: which one.
        device: its maker's name for it, and how many threads a CPU used.
        kind: ``cpu`` or ``cuda``.
        ceilings: of the device.
        rows: a layer each.
        step: a whole step, not looked into.
        update: the optimizer's part of it.
        repeats: passes that count.
        predicted: memory as archcalc predicts it.
        measured: memory as torch really used it.
        release: of torch.
    """

    case: Case
    train: bool
    optimizer: str
    device: str
    kind: str
    ceilings: Ceilings
    rows: tuple[LayerTime, ...]
    step: Spread
    update: Spread | None
    repeats: int
    predicted: Memory
    measured: Memory
    release: str

    @property
    def flops(self) -> int:
        """Of one step."""
        return sum(one.work.flops for one in self.passes())

    @property
    def bound(self) -> float:
        """Seconds below which no step can come, if each layer runs on its own."""
        return sum(one.bound for one in self.passes())

    def passes(self) -> Iterable[Pass]:
        """All forward and backward passes of layers."""
        for row in self.rows:
            yield row.forward
            if row.backward is not None:
                yield row.backward

    def to_dict(self) -> dict[str, Any]:
        """The profile as JSON-ready data; times in seconds."""

        def plain(one: Pass | None) -> dict[str, Any] | None:
            return one and {
                **one.work._asdict(),
                "seconds": one.time._asdict(),
                "bound": one.bound,
                "limit": one.limit,
            }

        return {
            "schema": SCHEMA,
            "network": self.case.network.name,
            "input": str(self.case.input),
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
                {
                    "name": row.name,
                    "layer": row.word,
                    "forward": plain(row.forward),
                    "backward": plain(row.backward),
                }
                for row in self.rows
            ],
            "memory": {
                "predicted": self.predicted._asdict(),
                "measured": self.measured._asdict(),
            },
        }
