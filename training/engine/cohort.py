"""A population: networks of one architecture, stacked on a leading axis.

Members may differ in seed, initialization, activation and rate. No operation mixes two of them, so
a member in company follows the path that it follows alone.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, reduce
from itertools import pairwise
from typing import Any, Final, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.profiler import record_function

from training.engine import fused, kernel, losses, schedules, streams, updates
from training.engine.activations import Activations
from training.engine.alignment import by_member
from training.engine.losses import Loss
from training.engine.models import Mlp
from training.engine.networks import Buffers, Net
from training.engine.schedules import Schedule
from training.engine.updates import Rule, State
from training.errors import TrainingError

M = TypeVar("M", bound=Mlp | Net)
W = TypeVar("W", bound="Tensor | tuple[Tensor, ...]")

UPDATE: Final = "update"  # what a profiler calls what a rule does
SMALL: Final = 2**20  # numbers in a tensor
EAGER: Final = 3  # updates of a size that are launched one operation at a time
PRECISIONS: Final = ("fp32", "tf32", "bf16")


class Way(NamedTuple):
    """How the same numbers are computed; `tests/benchmarks/gpu.py` tells what is fastest where.

    Args:
        in_turn: whether members compute one after the other; by device and size if None.
        graphs: whether a GPU is given updates as CUDA graphs.
        channels_last: whether images lie with the channels of a pixel side by side.
    """

    in_turn: bool | None = None
    graphs: bool = True
    channels_last: bool = False


WAY: Final[ContextVar[Way]] = ContextVar("way", default=Way())  # noqa: B039 - it cannot be changed


class Member(NamedTuple):
    """What is a member's own.

    Args:
        number: its number in the experiment, from which with the experiment's seed its stream
            comes: weights, data, dropout.
        initializer: see :mod:`training.engine.initializers`.
        activation: behind hidden layers of a stack of linear ones, see
            :mod:`training.engine.activations`; a :class:`training.engine.networks.Net` has its own.
        rate: its learning rate.
        variant: what else an experiment tells members apart by: a loss, a target function.
        schedule: a factor on its rate.
        rule: its optimizer, where it is not that of all.
    """

    number: int
    initializer: str = "he"
    activation: str = "relu"
    rate: float = 1e-3
    variant: str = ""
    schedule: Schedule = schedules.constant()
    rule: Rule | None = None


@dataclass
class Cohort(Generic[M]):
    """Members in training; :meth:`advance` is one update of all.

    On a GPU all members are one program, and so are stacks of small linear layers on a CPU. There
    grouped convolutions are slower than one network after the other (`tests/benchmarks/lenet.py`),
    and large matrix products no faster: these members compute and are updated in turn, and their
    paths do not depend on their company to the last bit.

    Attributes:
        rates: of the members, ``(members, 1)``; on the CPU, wherever the rest is.
        parameters: ``(members, parameters)``.
        rule: of all members; :class:`training.engine.updates.Mixed` where they differ in it.
        state: what the rule remembers.
        buffers: running statistics of batch normalization, ``(members, channels)`` each.
        updates: how many there have been.
        precision: ``fp32``; ``tf32``, where a GPU's products and convolutions round what they
            read to 10 bits behind the point; or ``bf16``: networks compute in 16 bits where
            ``torch.autocast`` holds that harmless. Parameters and statistics stay in 32.
        micro: the most examples of a batch that a :class:`Net` computes at once, in parts as
            equal as may be; 0 is all. The gradient is that of the whole batch, but batch
            normalization sees its parts.
        way: as :data:`WAY` says at birth.
    """

    model: M
    members: tuple[Member, ...]
    loss: Loss
    rule: Rule
    keys: Tensor
    activations: Activations
    rates: Tensor
    parameters: Tensor
    state: State
    updates: int = 0
    buffers: Buffers = field(default_factory=dict)
    precision: str = "fp32"
    micro: int = 0
    way: Way = field(default_factory=WAY.get)
    _graphs: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def born(
        cls,
        model: M,
        members: Sequence[Member],
        seed: int,
        *,
        loss: Loss,
        rule: Rule,
        device: torch.device | str = "cpu",
        precision: str = "fp32",
        micro: int = 0,
    ) -> Cohort[M]:
        """Members at birth: parameters drawn, nothing learnt.

        Raises:
            TrainingError: see :func:`numerics`.
        """
        numerics(device, precision)
        keys = member_keys(seed, members).to(device)
        parameters = model.draw(keys, [member.initializer for member in members])
        rates = torch.tensor([[member.rate] for member in members])
        activations = _activations(tuple(member.activation for member in members), device)
        rule = updates.together([member.rule or rule for member in members] or [rule])
        return cls(
            model,
            tuple(members),
            loss,
            rule,
            keys,
            activations,
            rates,
            parameters,
            rule.begin(parameters),
            buffers=model.begin(len(members), device) if isinstance(model, Net) else {},
            precision=precision,
            micro=micro,
        )

    def __len__(self) -> int:
        return len(self.members)

    def gradients(
        self, theta: Tensor, x: Tensor, y: Tensor, *, training: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Each member's loss ``(members,)`` and its gradient, of the shape of ``theta``.

        Dropout is at work, and running statistics change.

        Args:
            theta: where; ``(members, parameters)``.
            x: a batch of each member, or of all: ``(members or 1, batch, ...)``.
            y: targets, as the loss takes them.
            training: else a :class:`Net` normalizes by running statistics, which do not change.
        """
        if isinstance(self.model, Mlp):
            slopes = self.activations.slopes
            matched = y.dtype == x.dtype and y.shape[1:] == (x.shape[1], self.model.layers[-1].out)
            straight = slopes is not None and self.loss is losses.mse and matched
            if straight and kernel.fits(self.model, theta, x):
                assert slopes is not None
                return kernel.gradients(self.model, theta, x, y, slopes)
        if self.in_turn:
            self._settle()  # running statistics change where they lie
        there = replace(self, parameters=theta)
        loss, slope = there.each(
            lambda one, own: one.descent(
                one.parameters, _part(x, own), _part(y, own), training=training
            )
        )
        return loss, slope

    def descent(
        self, theta: Tensor, x: Tensor, y: Tensor, *, training: bool = True, apart: bool = False
    ) -> tuple[Tensor, ...]:
        """What :meth:`gradients` gives, by automatic differentiation, all members at once.

        With ``apart`` the gradient comes as the model cuts parameters, and is not copied.
        """
        count = x.shape[1]
        parts = math.ceil(count / (self.micro or count))
        ends = [part * count // parts for part in range(parts + 1)]
        given: Any = {"keys": streams.fold(self.keys, "update", self.updates)}
        losses, slopes = [], []
        for first, end in pairwise(ends):
            if isinstance(self.model, Net):
                given |= {"training": training, "first": first}
            with torch.enable_grad():
                points = [part.detach().requires_grad_() for part in self.model.cut(theta)]
                out = self.forward(theta, x[:, first:end], **given, parts=points)
                # what these examples add to the mean
                loss = self.loss(out, y[:, first:end]) * ((end - first) / count)
                slope = torch.autograd.grad(loss.sum(), points, materialize_grads=True)
            losses.append(loss.detach())
            slopes.append(slope if apart else (torch.cat(slope, 1),))
        sums = (reduce(torch.add, each) for each in zip(*slopes, strict=True))
        return reduce(torch.add, losses), *sums

    def forward(self, theta: Tensor, x: Tensor, **given: Any) -> Tensor:  # noqa: ANN401
        """Outputs ``(members, batch, out)`` at ``theta``; see the models' own ``forward``."""
        mixed = self.precision == "bf16"
        with torch.autocast(theta.device.type, torch.bfloat16, enabled=mixed):
            if isinstance(self.model, Net):
                given |= {"buffers": self.buffers, "channels_last": self.way.channels_last}
                out = self.model.forward(theta, x, **given)
            else:
                out = self.model.forward(theta, x, self.activations, **given)
        return out.to(theta.dtype)

    @property
    def in_turn(self) -> bool:
        """Whether members compute one after the other, which on a CPU is faster for large ones."""
        if self.way.in_turn is not None:
            return self.way.in_turn
        large = isinstance(self.model, Net) or self.model.parameters > SMALL
        return large and self.parameters.device.type == "cpu"

    def each(self, work: Callable[[Cohort[M], slice], W]) -> W:
        """Work on all members: at once, or one after the other where that is faster.

        Args:
            work: is given members and their places; gives a tensor or a tuple of tensors, members
                first.
        """
        if self.in_turn:
            self._settle()
        if len(self) == 1 or not self.in_turn:
            return work(self, slice(None))
        places = [slice(place, place + 1) for place in range(len(self))]
        found: Any = [work(self._view(own, self.members[own]), own) for own in places]
        alone = isinstance(found[0], torch.Tensor)
        joined: Any = torch.cat(found) if alone else tuple(map(torch.cat, zip(*found, strict=True)))
        return joined  # type: ignore[no-any-return]

    def _settle(self) -> None:
        """Lay every member's numbers where they would lie alone; most times they do."""
        if self.parameters.device.type != "cpu":
            return
        self.parameters = by_member(self.parameters)
        self.state = {name: by_member(value) for name, value in self.state.items()}
        self.buffers = {name: by_member(value) for name, value in self.buffers.items()}

    def _view(self, own: slice | Tensor, members: tuple[Member, ...]) -> Cohort[M]:
        """Some members; of a slice, with the very parameters, state and buffers of these members.

        A loss that holds a number a member (:func:`training.engine.losses.margin`) is not cut.
        """
        places = own.cpu() if isinstance(own, torch.Tensor) else own  # of what lies on the CPU
        return replace(
            self,
            members=members,
            rule=self.rule.part(own),
            keys=self.keys[own],
            activations=_activations(tuple(m.activation for m in members), self.keys.device),
            rates=self.rates[places],
            parameters=self.parameters[own],
            state={
                k: v[own if v.device == self.keys.device else places] for k, v in self.state.items()
            },
            buffers={name: value[own] for name, value in self.buffers.items()},
        )

    def advance(self, x: Tensor, y: Tensor) -> Tensor:
        """One update of every member on a batch; the losses before it, ``(members,)``.

        Parameters and state may be changed in place; who wants to keep them takes a copy.

        Args:
            x: ``(members or 1, batch, ...)``.
            y: targets, as the loss takes them.
        """
        rates = self.rates * self._factors()
        if self.parameters.device.type != "cpu":
            terms = fused.shared(self.rule, self.parameters, self.state, rates, self.updates + 1)
            loss = self._launched(x, y, terms, torch.tensor(self.updates))
            self.updates += 1
            return loss

        def one(some: Cohort[M], own: slice) -> Tensor:
            theta, state, t = some.parameters, some.state, self.updates + 1
            given = some.rule.point(theta, state), _part(x, own), _part(y, own)
            apart = fused.compiles(theta)
            loss, *slopes = some.descent(*given, apart=True) if apart else some.gradients(*given)
            with few_threads(theta), record_function(UPDATE):
                slope = slopes if apart else slopes[0]
                new = fused.update(some.rule, theta, slope, state, rates[own], t)
            if some is self:
                self.parameters, self.state = new.parameters, new.state
                return loss
            for old, now in ((theta, new.parameters), *((state[k], new.state[k]) for k in state)):
                if now is not old:
                    old.copy_(now)
            return loss

        loss = self.each(one)
        self.updates += 1
        return loss

    def _launched(self, *given: Tensor) -> Tensor:
        """An update on a GPU: by operations while its sizes are new, then by a CUDA graph.

        Args:
            given: what changes from update to update; see :meth:`_launches`.
        """
        where = (self.parameters, *self.state.values(), *self.buffers.values())
        key = (*(one.shape for one in given), *(one.data_ptr() for one in where))
        done, run = self._graphs.get(key, (0, None))
        there = [one.to(self.keys.device, non_blocking=True) for one in given]
        if done == EAGER and self.way.graphs and torch.cuda.is_available():
            run = recorded(self._launches, there)
        self._graphs[key] = (done + 1, run)
        return (run or self._launches)(*there)

    def _launches(self, x: Tensor, y: Tensor, terms: Tensor, updates: Tensor) -> Tensor:
        """An update by operations that neither wait for a GPU nor depend on what is on the CPU."""

        def one(some: Cohort[M], own: slice) -> Tensor:
            point = some.rule.point(some.parameters, some.state)
            loss, slope = some.gradients(point, _part(x, own), _part(y, own))
            with record_function(UPDATE):
                fused.change(some.rule, some.parameters, slope, some.state, terms[own])
            return loss

        now: Any = updates
        return replace(self, updates=now).each(one)

    def _factors(self) -> Tensor | float:
        """What schedules make of the members' rates at this update."""
        distinct, whose = self._schedules
        found = [schedule(self.updates) for schedule in distinct]
        if len(found) == 1:
            return found[0]
        return torch.tensor(found)[whose]

    @cached_property
    def _schedules(self) -> tuple[list[Schedule], Tensor]:
        """The members' different schedules, and the place of each one's, ``(members, 1)``."""
        distinct = list(dict.fromkeys(member.schedule for member in self.members))
        places = {schedule: place for place, schedule in enumerate(distinct)}
        whose = [[places[member.schedule]] for member in self.members]
        return distinct, torch.tensor(whose)

    def part(self, places: Sequence[int]) -> Cohort[M]:
        """Some of the members, by their places; they go on on their own from here."""
        members = tuple(self.members[place] for place in places)
        index = torch.tensor(places, dtype=torch.int64, device=self.parameters.device)
        return self._view(index, members)

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """Outputs ``(members, batch, out)``, without dropout, by running statistics."""
        return self.each(lambda one, own: one.forward(one.parameters, _part(x, own)))


def numerics(device: torch.device | str, precision: str) -> str:
    """How a device computes at a precision, in words; a GPU is told here.

    Torch's own default takes TF32 for convolutions and not for products.

    Args:
        device: where.
        precision: one of :data:`PRECISIONS`.

    Raises:
        TrainingError: ``tf32`` on a CPU, which has none.
    """
    coarse = precision == "tf32"
    if torch.device(device).type == "cpu":
        if coarse:
            raise TrainingError("--precision: tf32 is of GPUs", hint="fp32")
        return {"fp32": "fp32", "bf16": "bf16 autocast"}[precision]
    torch.backends.cudnn.benchmark = True  # sizes recur: what is fastest is tried once
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    if hasattr(products, "fp32_precision"):  # since torch 2.9, which minds the old flags
        for switch in (products, convolutions.conv):  # type: ignore[attr-defined]
            switch.fp32_precision = "tf32" if coarse else "ieee"
    else:
        products.allow_tf32 = convolutions.allow_tf32 = coarse
    said = "with TF32 in products and convolutions" if coarse else "without TF32"
    return f"bf16 autocast, else fp32 {said}" if precision == "bf16" else f"fp32 {said}"


def recorded(work: Callable[..., Tensor], given: Sequence[Tensor]) -> Callable[..., Tensor]:
    """Work on tensors of a GPU as one launch, a CUDA graph; as it is where that cannot be had.

    Args:
        work: done some times before; it waits for nothing, and changes tensors in place alone.
        given: what it is called with; what follows has the same sizes.
    """
    held = [one.clone() for one in given]
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            found = work(*held)
    except RuntimeError as error:
        logging.getLogger(__name__).warning("no CUDA graph, updates are slower: %s", error)
        return work

    def replay(*now: Tensor) -> Tensor:
        for old, new in zip(held, now, strict=True):
            old.copy_(new)
        graph.replay()
        return found.clone()

    return replay


@lru_cache(maxsize=256)
def _activations(names: tuple[str, ...], device: torch.device | str) -> Activations:
    """Activations by their names; made once, since that copies to a GPU."""
    return Activations(names, device)


def _part(tensor: Tensor, own: slice) -> Tensor:
    """Some members' part of what is each one's, or of all; one member's is aligned as alone."""
    part = tensor[own] if len(tensor) > 1 else tensor
    return by_member(part) if len(part) == 1 and part.device.type == "cpu" else part


@contextmanager
def few_threads(tensor: Tensor) -> Iterator[None]:
    """One thread for operations on what is small.

    Threads wait for one another at the end of every operation. On a machine that is busy otherwise
    that takes milliseconds, many times what such an operation takes.
    """
    threads = torch.get_num_threads()
    if tensor.device.type != "cpu" or tensor.numel() > SMALL or threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def member_keys(seed: int, members: Sequence[Member]) -> Tensor:
    """The key of each member's stream, ``(members,)``: of the seed and the member's number."""
    numbers = torch.tensor([member.number for member in members], dtype=torch.int64)
    return streams.fold(streams.root(seed), "member", numbers)
