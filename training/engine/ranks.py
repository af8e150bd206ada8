"""One process or several: ``torchrun`` gives each rank a part of the members.

Members do not speak with one another, so ranks meet only to agree on stopping and to hand what
they found to rank 0, which alone writes and prints.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed

from archcalc.errors import quoted
from training.errors import TrainingError

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """This process among all of a run."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this one writes and prints."""
        return self.rank == 0

    def own(self, members: Sequence[T]) -> Sequence[T]:
        """This rank's part of what is in the order of members."""
        count = len(members)
        return members[count * self.rank // self.world : count * (self.rank + 1) // self.world]

    def share(self, members: int) -> None:
        """Refuse more processes than members.

        Raises:
            TrainingError: naming how many there are.
        """
        if self.world > members:
            raise TrainingError(f"{self.world} processes have fewer than one member each")

    def gather(self, tensor: torch.Tensor) -> torch.Tensor | None:
        """All ranks' parts, joined along the members, for rank 0; None for the others."""
        if self.world == 1:
            return tensor.cpu()
        parts: list[torch.Tensor] | None = [torch.empty(0)] * self.world if self.first else None
        distributed.gather_object(tensor.cpu(), parts)
        return torch.cat(parts) if parts is not None else None

    def any(self, flag: bool) -> bool:  # noqa: FBT001 - what any() takes
        """Whether any rank says so; all ranks hear the same."""
        if self.world == 1:
            return flag
        said = torch.tensor(int(flag))
        distributed.all_reduce(said, distributed.ReduceOp.MAX)
        return bool(said)

    def leads(self, work: Callable[[], T]) -> T:
        """What rank 0 makes, for all; what it raises, all raise."""
        if self.world == 1:
            return work()
        said: list[T | Exception | None] = [None]
        if self.first:
            try:
                said = [work()]
            except Exception as error:  # noqa: BLE001 - the others would wait for ever
                said = [error]
        distributed.broadcast_object_list(said)
        (result,) = said
        if isinstance(result, Exception):
            raise result
        return result  # type: ignore[return-value]


def device(name: str) -> torch.device:
    """``auto``, ``cpu`` or ``cuda``; of several GPUs, that of this rank.

    Raises:
        TrainingError: another name, or ``cuda`` where torch finds no such device.
    """
    if name not in {"auto", "cpu", "cuda"}:
        raise TrainingError(f"--device: {quoted(name)} is none", hint="auto, cpu or cuda")
    there = name != "cpu" and torch.cuda.is_available()
    if name == "cuda" and not there:
        raise TrainingError("torch finds no CUDA device", hint="--device cpu runs everything")
    if not there:
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())


def join(where: torch.device) -> Ranks:
    """This process's place, by the variables that ``torchrun`` sets; alone without them."""
    if not {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys():
        return Ranks()
    if not _joined():
        distributed.init_process_group("cpu:gloo,cuda:nccl" if where.type == "cuda" else "gloo")
    return Ranks(distributed.get_rank(), distributed.get_world_size())


@contextmanager
def together(where: torch.device) -> Iterator[Ranks]:
    """This process's place among others, from the outermost of such blocks to its end.

    Runs that follow one another in one block share a group: torch cannot open a second one.
    """
    inside = _joined()
    try:
        yield join(where)
    finally:
        if _joined() and not inside:
            distributed.destroy_process_group()


def _joined() -> bool:
    return distributed.is_available() and distributed.is_initialized()
