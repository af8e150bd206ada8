"""Floor 1: a population: networks of one architecture, stacked on a leading axis.

Members may differ in seed, initialization, activation and rate. No operation mixes two of them, so
a member in company follows the path that it follows alone.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import torch

from training import kernel, losses, streams
from training.activations import Activations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from training.losses import Loss
    from training.models import Mlp
    from training.updates import Rule, State


SMALL: Final = 2**20  # numbers in a tensor


class Member(NamedTuple):
    """What is a member's own.

    Args:
        number: its number in the experiment, from which with the experiment's seed its stream
            comes: weights, data, dropout.
        initializer: see :mod:`training.initial`.
        activation: behind hidden layers, see :mod:`training.activations`.
        rate: its learning rate.
        variant: what else an experiment tells members apart by: a loss, a target function.
    """

    number: int
    initializer: str = "he"
    activation: str = "relu"
    rate: float = 1e-3
    variant: str = ""


@dataclass
class Cohort:
    """Members in training; :meth:`advance` is one update of all.

    Attributes:
        parameters: ``(members, parameters)``.
        state: what the rule remembers.
        updates: how many there have been.
    """

    model: Mlp
    members: tuple[Member, ...]
    loss: Loss
    rule: Rule
    keys: Tensor
    activations: Activations
    rates: Tensor
    parameters: Tensor
    state: State
    updates: int = 0

    @classmethod
    def born(
        cls,
        model: Mlp,
        members: Sequence[Member],
        seed: int,
        *,
        loss: Loss,
        rule: Rule,
        device: torch.device | str = "cpu",
    ) -> Cohort:
        """Members at birth: parameters drawn, nothing learnt."""
        keys = member_keys(seed, members).to(device)
        parameters = model.draw(keys, [member.initializer for member in members])
        rates = torch.tensor([[member.rate] for member in members], device=device)
        activations = Activations([member.activation for member in members], device)
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
        )

    def __len__(self) -> int:
        return len(self.members)

    def gradients(self, theta: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Each member's loss ``(members,)`` and its gradient, of the shape of ``theta``.

        Args:
            theta: where; ``(members, parameters)``.
            x: a batch of each member, or of all: ``(members or 1, batch, in)``.
            y: targets, as the loss takes them.
        """
        slopes = self.activations.slopes
        whole = y.dtype == x.dtype and y.shape[1:] == (x.shape[1], self.model.layers[-1].out)
        straight = slopes is not None and self.loss is losses.mse and whole
        if straight and kernel.fits(self.model, theta, x):
            assert slopes is not None
            return kernel.gradients(self.model, theta, x, y, slopes)
        with torch.enable_grad():
            theta = theta.detach().requires_grad_()
            own = streams.fold(self.keys, "update", self.updates)
            loss = self.loss(self.model.forward(theta, x, self.activations, keys=own), y)
            (gradient,) = torch.autograd.grad(loss.sum(), theta)
        return loss.detach(), gradient

    def advance(self, x: Tensor, y: Tensor, factor: float = 1.0) -> Tensor:
        """One update of every member on a batch; the losses before it, ``(members,)``.

        Args:
            x: ``(members or 1, batch, in)``.
            y: targets, as the loss takes them.
            factor: of a schedule, on every member's rate.
        """
        point = self.rule.point(self.parameters, self.state)
        loss, gradient = self.gradients(point, x, y)
        self.updates += 1
        with few_threads(self.parameters):
            self.parameters, self.state = self.rule.update(
                self.parameters, gradient, self.state, self.rates * factor, self.updates
            )
        return loss

    def part(self, places: Sequence[int]) -> Cohort:
        """Some of the members, by their places; they go on on their own from here.

        A loss that holds a number for each member (:func:`training.losses.margin`) is not cut.
        """
        members = tuple(self.members[place] for place in places)
        index = torch.tensor(places, dtype=torch.int64, device=self.parameters.device)
        return replace(
            self,
            members=members,
            keys=self.keys[index],
            activations=Activations([m.activation for m in members], self.parameters.device),
            rates=self.rates[index],
            parameters=self.parameters[index],
            state={name: value[index] for name, value in self.state.items()},
        )

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """Outputs ``(members, batch, out)``, without dropout."""
        return self.model.forward(self.parameters, x, self.activations)


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
