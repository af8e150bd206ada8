"""Floor 0: optimizer rules as pure functions of parameters, gradient, state and rate.

Parameters and gradients are ``(members, numbers)``; a rate is a number or ``(members, 1)``. Nothing
is changed in place: a rule returns new parameters and a new state. Every rule but
:class:`RMSpropNesterov` is the one of that name in ``torch.optim``, whose defaults it has; a test
compares them over a hundred updates. ``weight_decay`` is coupled (L2: added to the gradient) save
in :class:`AdamW`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple, TypeAlias

import torch

if TYPE_CHECKING:
    from torch import Tensor

State: TypeAlias = "dict[str, Tensor]"  # the first axis of each is that of the members
Rate: TypeAlias = "float | Tensor"


class Updated(NamedTuple):
    """What a rule gives back."""

    parameters: Tensor
    state: State


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An optimizer: what it remembers, where it looks at the gradient, and what it then does.

    Attributes:
        name: as a person types it.
        rate: the rate that ``torch.optim`` takes where none is said.
        slots: what is remembered of every parameter, zero at first.
    """

    name: ClassVar[str]
    rate: ClassVar[float]
    slots: ClassVar[tuple[str, ...]] = ()
    weight_decay: float = 0.0

    def begin(self, parameters: Tensor) -> State:
        """The state before the first update."""
        return {slot: torch.zeros_like(parameters) for slot in self.slots}

    def point(self, parameters: Tensor, state: State) -> Tensor:  # noqa: ARG002 - one rule looks ahead
        """Where the gradient is to be taken."""
        return parameters

    def update(self, theta: Tensor, g: Tensor, state: State, rate: Rate, t: int) -> Updated:
        """Update number ``t``, counted from 1.

        Args:
            theta: parameters ``(members, numbers)``.
            g: the gradient at :meth:`point`, of the same shape.
            state: what the last update returned, or :meth:`begin`.
            rate: the learning rate, or one a member ``(members, 1)``.
            t: how many updates there are with this one.
        """
        raise NotImplementedError

    def decayed(self, theta: Tensor, g: Tensor) -> Tensor:
        """The gradient with that of the L2 penalty."""
        return g + self.weight_decay * theta if self.weight_decay else g

    def settings(self) -> dict[str, object]:
        """The name and all hyperparameters but the rate."""
        return {"name": self.name, **{f.name: getattr(self, f.name) for f in fields(self)}}


@dataclass(frozen=True, kw_only=True)
class SGD(Rule):
    """Stochastic gradient descent with heavy-ball or Nesterov momentum (Sutskever et al., 2013)."""

    name = "sgd"
    rate = 1e-3
    slots = ("momentum",)
    momentum: float = 0.0
    nesterov: bool = False

    def begin(self, parameters: Tensor) -> State:
        """Nothing, where there is no momentum."""
        return super().begin(parameters) if self.momentum else {}

    def update(self, theta: Tensor, g: Tensor, state: State, rate: Rate, t: int) -> Updated:  # noqa: ARG002
        """``v = mu v + g; theta = theta - rate v``."""
        g = self.decayed(theta, g)
        if not self.momentum:
            return Updated(theta - rate * g, {})
        v = self.momentum * state["momentum"] + g
        return Updated(
            theta - rate * (g + self.momentum * v if self.nesterov else v), {"momentum": v}
        )


@dataclass(frozen=True, kw_only=True)
class Adagrad(Rule):
    """Duchi, Hazan, Singer, JMLR 12, 2011, figure 1, with diagonal matrices."""

    name = "adagrad"
    rate = 1e-2
    slots = ("sum",)
    eps: float = 1e-10

    def update(self, theta: Tensor, g: Tensor, state: State, rate: Rate, t: int) -> Updated:  # noqa: ARG002
        """``s = s + g^2; theta = theta - rate g / (sqrt(s) + eps)``."""
        g = self.decayed(theta, g)
        s = state["sum"] + g * g
        return Updated(theta - rate * g / (s.sqrt() + self.eps), {"sum": s})


@dataclass(frozen=True, kw_only=True)
class RMSprop(Rule):
    """Tieleman, Hinton, lecture 6.5, 2012; ``momentum`` is heavy-ball, as in torch."""

    name = "rmsprop"
    rate = 1e-2
    slots = ("square", "momentum")
    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0

    def begin(self, parameters: Tensor) -> State:
        """The mean square alone, where there is no momentum."""
        state = super().begin(parameters)
        return state if self.momentum else {"square": state["square"]}

    def update(self, theta: Tensor, g: Tensor, state: State, rate: Rate, t: int) -> Updated:  # noqa: ARG002
        """``s = a s + (1 - a) g^2; theta = theta - rate g / (sqrt(s) + eps)``."""
        g = self.decayed(theta, g)
        s = self.alpha * state["square"] + (1 - self.alpha) * g * g
        step = g / (s.sqrt() + self.eps)
        if not self.momentum:
            return Updated(theta - rate * step, {"square": s})
        v = self.momentum * state["momentum"] + step
        return Updated(theta - rate * v, {"square": s, "momentum": v})


@dataclass(frozen=True, kw_only=True)
class RMSpropNesterov(Rule):
    """RMSProp with Nesterov momentum: Goodfellow, Bengio, Courville, algorithm 8.6.

    The gradient is taken at ``theta + alpha v``. ``torch.optim.RMSprop`` has no such rule.
    """

    name = "rmsprop-nesterov"
    rate = 1e-3
    slots = ("square", "velocity")
    rho: float = 0.9
    alpha: float = 0.9
    eps: float = 1e-7  # keeps a parameter that never had a gradient where it is

    def point(self, parameters: Tensor, state: State) -> Tensor:
        """One step of the velocity ahead."""
        return parameters + self.alpha * state["velocity"]

    def update(self, theta: Tensor, g: Tensor, state: State, rate: Rate, t: int) -> Updated:  # noqa: ARG002
        """``r = rho r + (1 - rho) g^2; v = alpha v - rate g / sqrt(r); theta = theta + v``."""
        g = self.decayed(self.point(theta, state), g)
        r = self.rho * state["square"] + (1 - self.rho) * g * g
        v = self.alpha * state["velocity"] - rate * g / (r.sqrt() + self.eps)
        return Updated(theta + v, {"square": r, "velocity": v})


@dataclass(frozen=True, kw_only=True)
class Adadelta(Rule):
    """Zeiler, arXiv 1212.5701, algorithm 1; the rate multiplies the step, as in torch."""

    name = "adadelta"
    rate = 1.0
    slots = ("square", "delta")
    rho: float = 0.9
    eps: float = 1e-6

    def update(self, theta: Tensor, g: Tensor, state: State, rate: Rate, t: int) -> Updated:  # noqa: ARG002
        """``theta = theta - rate g sqrt(d + eps) / sqrt(s + eps)``."""
        g = self.decayed(theta, g)
        s = self.rho * state["square"] + (1 - self.rho) * g * g
        step = g * (state["delta"] + self.eps).sqrt() / (s + self.eps).sqrt()
        d = self.rho * state["delta"] + (1 - self.rho) * step * step
        return Updated(theta - rate * step, {"square": s, "delta": d})


@dataclass(frozen=True, kw_only=True)
class Adam(Rule):
    """Kingma, Ba, arXiv 1412.6980, algorithm 1."""

    name = "adam"
    rate = 1e-3
    slots = ("mean", "square")
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def moments(self, g: Tensor, state: State) -> State:
        """Running means of the gradient and of its square."""
        return {
            "mean": torch.lerp(state["mean"], g, 1 - self.beta1),
            "square": (self.beta2 * state["square"]).addcmul_(g, g, value=1 - self.beta2),
        }

    def root(self, square: Tensor, t: int) -> Tensor:
        """What the step is divided by."""
        return (square.sqrt() / math.sqrt(1 - self.beta2**t)).add_(self.eps)

    def update(self, theta: Tensor, g: Tensor, state: State, rate: Rate, t: int) -> Updated:
        """``theta = theta - rate m / (1 - b1^t) / (sqrt(s / (1 - b2^t)) + eps)``."""
        moments = self.moments(self.decayed(theta, g), state)
        step = moments["mean"] / self.root(moments["square"], t)
        return Updated(theta - rate / (1 - self.beta1**t) * step, moments)


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: Loshchilov, Hutter, arXiv 1711.05101, algorithm 2."""

    name = "adamw"
    weight_decay: float = 1e-2

    def decayed(self, theta: Tensor, g: Tensor) -> Tensor:  # noqa: ARG002 - that is the point
        """The gradient as it is."""
        return g

    def update(self, theta: Tensor, g: Tensor, state: State, rate: Rate, t: int) -> Updated:
        """Adam's update of parameters that were shrunk by ``1 - rate weight_decay``."""
        return super().update(theta * (1 - rate * self.weight_decay), g, state, rate, t)


@dataclass(frozen=True, kw_only=True)
class NAdam(Adam):
    """Adam with Nesterov momentum: Dozat, ICLR workshop 2016, algorithm 2, with its schedule."""

    name = "nadam"
    rate = 2e-3
    momentum_decay: float = 4e-3

    def begin(self, parameters: Tensor) -> State:
        """Adam's state, and the product of all momenta so far, one a member."""
        return {**super().begin(parameters), "product": torch.ones_like(parameters[:, :1])}

    def momentum(self, t: int) -> float:
        """The momentum of update ``t``."""
        return float(self.beta1 * (1 - 0.5 * 0.96 ** (t * self.momentum_decay)))

    def update(self, theta: Tensor, g: Tensor, state: State, rate: Rate, t: int) -> Updated:
        """Adam's update with the next update's momentum on the mean, this one's on the gradient."""
        g = self.decayed(theta, g)
        moments = self.moments(g, state)
        now, then = self.momentum(t), self.momentum(t + 1)
        product = state["product"] * now
        step = g * ((1 - now) / (1 - product)) + moments["mean"] * (then / (1 - product * then))
        theta = theta - rate * step / self.root(moments["square"], t)
        return Updated(theta, {**moments, "product": product})


RULES: Final[dict[str, type[Rule]]] = {
    rule.name: rule
    for rule in (SGD, Adagrad, RMSprop, RMSpropNesterov, Adadelta, Adam, AdamW, NAdam)
}
