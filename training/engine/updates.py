"""Optimizer rules as pure functions of parameters, gradient, state and rate.

Parameters and gradients are ``(members, numbers)``; a rate is a number or ``(members, 1)``. Nothing
is changed in place: a rule returns new parameters and a new state. Every rule but
:class:`RMSpropNesterov` is the one of that name in ``torch.optim``, with its defaults; a test
compares them over a hundred updates. ``weight_decay`` is coupled (L2: added to the gradient) save
in :class:`AdamW`.

A rule is arithmetic and nothing else, so that :func:`traced` can run it on letters: the equations
that are shown and the code that :mod:`training.engine.fused` compiles both come of the same lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import groupby
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias

import torch
from torch import Tensor

from training.engine.equations import Equation, Letter, Operation, Symbol, Term, latex, text

State: TypeAlias = "dict[str, Tensor]"  # the first axis of each is that of the members
Rate: TypeAlias = "float | Tensor"

THETA: Final = Symbol(r"\theta", "the parameters: weights and biases")
G: Final = "the gradient of the minibatch's mean loss"
PENALTY: Final = ", with that of the L2 penalty"
RATE: Final = Symbol(r"\eta", "the learning rate: how far a step goes")
DECAY: Final = Symbol(r"\lambda", "L2 regularization: pulls every parameter towards 0")
EPS: Final = Symbol(r"\epsilon", "keeps the denominator from 0")
TIME: Final = Symbol("t", "the number of the update, counted from 1")


class Updated(NamedTuple):
    """What a rule gives back."""

    parameters: Tensor
    state: State


class Step(NamedTuple):
    """What a rule makes of a gradient.

    Attributes:
        parameters: the new ones.
        state: the new one.
        between: what equations name on the way, such as ``step[t]``.
    """

    parameters: Tensor
    state: State
    between: Mapping[str, Tensor] = {}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An optimizer: what it remembers, where it looks at the gradient, and what it then does.

    Attributes:
        name: as a person types it.
        source: where it was published.
        slots: what is remembered of every parameter, zero at first.
        symbols: what its own letters are in LaTeX, and what they mean.
    """

    name: ClassVar[str]
    source: ClassVar[str]
    slots: ClassVar[tuple[str, ...]] = ()
    symbols: ClassVar[dict[str, Symbol]] = {}
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
        g = self.decayed(self.point(theta, state), g)
        return Updated(*self.step(theta, g, state, rate, t)[:2])

    def decayed(self, theta: Tensor, g: Tensor) -> Tensor:
        """The gradient with that of the L2 penalty."""
        return g + self.weight_decay * theta if self.weight_decay else g

    def step(self, theta: Tensor, g: Tensor, state: State, rate: Rate, t: int) -> Step:
        """What :meth:`update` does with the gradient that has the penalty's in it."""
        raise NotImplementedError

    def part(self, places: slice | Tensor) -> Rule:  # noqa: ARG002 - of members that differ
        """The rule of some members."""
        return self

    def settings(self) -> dict[str, object]:
        """The name and all hyperparameters but the rate."""
        return {"name": self.name, **{f.name: getattr(self, f.name) for f in fields(self)}}


@dataclass(frozen=True, kw_only=True)
class SGD(Rule):
    """Stochastic gradient descent with heavy-ball or Nesterov momentum (Sutskever et al., 2013)."""

    name = "sgd"
    source = "Sutskever, Martens, Dahl, Hinton, ICML 2013, equations 1 to 4, as torch has it"
    slots = ("velocity",)
    symbols = {
        "momentum": Symbol(r"\mu", "how much of the last velocity is kept"),
        "velocity[t]": Symbol("v", "the velocity: past gradients, the older the less"),
    }
    momentum: float = 0.0
    nesterov: bool = False

    def begin(self, parameters: Tensor) -> State:
        """Nothing, where there is no momentum."""
        return super().begin(parameters) if self.momentum else {}

    def step(self, theta: Tensor, g: Tensor, state: State, rate: Rate, t: int) -> Step:  # noqa: ARG002
        """``v = mu v + g; theta = theta - rate v``, or with Nesterov ``rate (g + mu v)``."""
        if not self.momentum:
            return Step(theta - rate * g, {})
        v = self.momentum * state["velocity"] + g
        ahead = g + self.momentum * v if self.nesterov else v
        return Step(theta - rate * ahead, {"velocity": v})


@dataclass(frozen=True, kw_only=True)
class Adagrad(Rule):
    """Duchi, Hazan, Singer, JMLR 12, 2011, figure 1, with diagonal matrices."""

    name = "adagrad"
    source = "Duchi, Hazan, Singer, JMLR 12, 2011, figure 1, with diagonal matrices"
    slots = ("sum",)
    symbols = {
        "eps": EPS,
        "sum[t]": Symbol("s", "the sum of all squared gradients so far; it only grows"),
    }
    eps: float = 1e-10

    def step(self, theta: Tensor, g: Tensor, state: State, rate: Rate, t: int) -> Step:  # noqa: ARG002
        """``s = s + g^2; theta = theta - rate g / (sqrt(s) + eps)``."""
        s = state["sum"] + g**2
        return Step(theta - rate * g / (s.sqrt() + self.eps), {"sum": s})


@dataclass(frozen=True, kw_only=True)
class RMSprop(Rule):
    """Tieleman, Hinton, lecture 6.5, 2012."""

    name = "rmsprop"
    source = "Tieleman, Hinton, Neural Networks for Machine Learning, lecture 6.5, 2012"
    slots = ("square",)
    symbols = {
        "alpha": Symbol(r"\rho", "how much of the running mean is kept"),
        "eps": EPS,
        "square[t]": Symbol("s", "the running mean of squared gradients"),
    }
    alpha: float = 0.99
    eps: float = 1e-8

    def step(self, theta: Tensor, g: Tensor, state: State, rate: Rate, t: int) -> Step:  # noqa: ARG002
        """``s = a s + (1 - a) g^2; theta = theta - rate g / (sqrt(s) + eps)``."""
        s = self.alpha * state["square"] + (1 - self.alpha) * g**2
        return Step(theta - rate * g / (s.sqrt() + self.eps), {"square": s})


@dataclass(frozen=True, kw_only=True)
class RMSpropNesterov(Rule):
    """RMSProp with Nesterov momentum: Goodfellow, Bengio, Courville, algorithm 8.6.

    The gradient is taken at ``theta + alpha v``. ``torch.optim.RMSprop`` has no such rule.
    """

    name = "rmsprop-nesterov"
    source = "Goodfellow, Bengio, Courville, Deep Learning, 2016, algorithm 8.6"
    slots = ("square", "velocity")
    symbols = {
        "rho": Symbol(r"\rho", "how much of the running mean is kept"),
        "alpha": Symbol(r"\alpha", "how much of the last velocity is kept"),
        "eps": Symbol(r"\epsilon", "keeps the denominator from 0; the book has none"),
        "square[t]": Symbol("r", "the running mean of squared gradients"),
        "velocity[t]": Symbol("v", "the velocity: past steps, the older the less"),
    }
    rho: float = 0.9
    alpha: float = 0.9
    eps: float = 1e-7  # keeps a parameter that never had a gradient where it is

    def point(self, parameters: Tensor, state: State) -> Tensor:
        """One step of the velocity ahead."""
        return parameters + self.alpha * state["velocity"]

    def step(self, theta: Tensor, g: Tensor, state: State, rate: Rate, t: int) -> Step:  # noqa: ARG002
        """``r = rho r + (1 - rho) g^2; v = alpha v - rate g / sqrt(r); theta = theta + v``."""
        r = self.rho * state["square"] + (1 - self.rho) * g**2
        v = self.alpha * state["velocity"] - rate * g / (r.sqrt() + self.eps)
        return Step(theta + v, {"square": r, "velocity": v})


@dataclass(frozen=True, kw_only=True)
class Adadelta(Rule):
    """Zeiler, arXiv 1212.5701, algorithm 1; the rate multiplies the step, as in torch."""

    name = "adadelta"
    source = "Zeiler, arXiv 1212.5701, algorithm 1; the paper has no rate, which is 1"
    slots = ("square", "delta")
    symbols = {
        "rho": Symbol(r"\rho", "how much of both running means is kept"),
        "eps": Symbol(r"\epsilon", "keeps the denominator from 0, and starts the first steps"),
        "square[t]": Symbol("s", "the running mean of squared gradients"),
        "delta[t]": Symbol("d", "the running mean of squared steps"),
        "step[t]": Symbol(r"\Delta_{t}", "the step, in the units of the parameters"),
    }
    rho: float = 0.9
    eps: float = 1e-6

    def step(self, theta: Tensor, g: Tensor, state: State, rate: Rate, t: int) -> Step:  # noqa: ARG002
        """``theta = theta - rate g sqrt(d + eps) / sqrt(s + eps)``."""
        s = self.rho * state["square"] + (1 - self.rho) * g**2
        step = (state["delta"] + self.eps).sqrt() / (s + self.eps).sqrt() * g
        d = self.rho * state["delta"] + (1 - self.rho) * step**2
        return Step(theta - rate * step, {"square": s, "delta": d}, {"step[t]": step})


@dataclass(frozen=True, kw_only=True)
class Adam(Rule):
    """Kingma, Ba, arXiv 1412.6980, algorithm 1."""

    name = "adam"
    source = "Kingma, Ba, arXiv 1412.6980, algorithm 1"
    slots = ("mean", "square")
    symbols = {
        "beta1": Symbol(r"\beta_1", "how much of the running mean of gradients is kept"),
        "beta2": Symbol(r"\beta_2", "how much of the running mean of their squares is kept"),
        "eps": EPS,
        "mean[t]": Symbol("m", "the running mean of gradients: the first moment"),
        "square[t]": Symbol("s", "the running mean of squared gradients: the second moment"),
        "mean_hat[t]": Symbol(r"\hat{m}_{t}", "the mean, without the pull of its first value, 0"),
        "square_hat[t]": Symbol(
            r"\hat{s}_{t}", "the mean of squares, without the pull of its first value, 0"
        ),
    }
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def moments(self, g: Tensor, state: State) -> State:
        """Running means of the gradient and of its square."""
        return {
            "mean": self.beta1 * state["mean"] + (1 - self.beta1) * g,
            "square": self.beta2 * state["square"] + (1 - self.beta2) * g**2,
        }

    def step(self, theta: Tensor, g: Tensor, state: State, rate: Rate, t: int) -> Step:
        """``theta = theta - rate m / (1 - b1^t) / (sqrt(s / (1 - b2^t)) + eps)``."""
        moments = self.moments(g, state)
        # both means begin at 0, which this corrects
        mean = moments["mean"] / (1 - self.beta1**t)
        square = moments["square"] / (1 - self.beta2**t)
        between = {"mean_hat[t]": mean, "square_hat[t]": square}
        return Step(theta - rate * mean / (square.sqrt() + self.eps), moments, between)


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: Loshchilov, Hutter, arXiv 1711.05101, algorithm 2."""

    name = "adamw"
    source = "Loshchilov, Hutter, arXiv 1711.05101, algorithm 2"
    symbols = {
        **Adam.symbols,
        "weight_decay": Symbol(
            r"\lambda", "decoupled weight decay: shrinks every parameter, beside the gradient"
        ),
    }
    weight_decay: float = 1e-2

    def decayed(self, theta: Tensor, g: Tensor) -> Tensor:  # noqa: ARG002 - that is the point
        """The gradient as it is."""
        return g

    def step(self, theta: Tensor, g: Tensor, state: State, rate: Rate, t: int) -> Step:
        """Adam's update of parameters that were shrunk by ``1 - rate weight_decay``."""
        return super().step(theta * (1 - rate * self.weight_decay), g, state, rate, t)


@dataclass(frozen=True, kw_only=True)
class NAdam(Adam):
    """Adam with Nesterov momentum: Dozat, ICLR workshop 2016, algorithm 2, with its schedule."""

    name = "nadam"
    source = "Dozat, Incorporating Nesterov Momentum into Adam, ICLR workshop 2016, algorithm 2"
    symbols = {
        **Adam.symbols,
        "beta1": Symbol(r"\beta_1", "what the momentum comes to, and how much of the mean is kept"),
        "momentum_decay": Symbol(r"\psi", "how soon the momentum comes to beta1"),
        "mean_hat[t]": Symbol(
            r"\hat{m}_{t}", "the mean as it will be looked at in the next update, and the gradient"
        ),
        "mu[t]": Symbol(r"\mu_{t}", "the momentum of this update"),
        "mu[t+1]": Symbol(r"\mu_{t+1}", "that of the next one, which the mean is given already"),
        "product[t]": Symbol("P", "the product of all momenta so far, 1 at first"),
    }
    momentum_decay: float = 4e-3

    def begin(self, parameters: Tensor) -> State:
        """Adam's state, and the product of all momenta so far, one a member, on the CPU."""
        ones = torch.ones(len(parameters), 1, dtype=parameters.dtype, device="cpu")
        return {**super().begin(parameters), "product": ones}

    def momentum(self, t: int) -> Any:  # noqa: ANN401 - a number, or a term
        """The momentum of update ``t``."""
        return self.beta1 * (1 - 0.5 * 0.96 ** (t * self.momentum_decay))

    def step(self, theta: Tensor, g: Tensor, state: State, rate: Rate, t: int) -> Step:
        """Adam's update with the next update's momentum on the mean, this one's on the gradient."""
        moments = self.moments(g, state)
        now, then = self.momentum(t), self.momentum(t + 1)
        product = state["product"] * now
        mean = then * moments["mean"] / (1 - product * then) + (1 - now) * g / (1 - product)
        square = moments["square"] / (1 - self.beta2**t)
        theta = theta - rate * mean / (square.sqrt() + self.eps)
        between = {"mu[t]": now, "mu[t+1]": then, "mean_hat[t]": mean, "square_hat[t]": square}
        return Step(theta, {**moments, "product": product}, between)


# ------------------------------------------------------------------------- members that differ


@dataclass(frozen=True, kw_only=True)
class Mixed(Rule):
    """Members of one population that differ in their rule.

    What rules remember lies in common slots, ``0`` and ``1``: the first and second of each rule.

    Args:
        rules: one a member.
    """

    name = "mixed"
    rules: tuple[Rule, ...] = ()

    def runs(self) -> Iterator[tuple[slice, Rule, dict[str, str]]]:
        """Members with the same rule that stand side by side.

        Yields:
            Their places, their rule, and by what names the common state holds theirs.
        """
        first = 0
        for rule, members in groupby(self.rules):
            end = first + len(list(members))
            held = {slot: str(place) for place, slot in enumerate(slots_of(rule))}
            yield slice(first, end), rule, held
            first = end

    def part(self, places: slice | Tensor) -> Rule:
        """The rule of some members; their state keeps its names."""
        if isinstance(places, slice):
            return Mixed(rules=self.rules[places])
        return Mixed(rules=tuple(self.rules[place] for place in places.tolist()))

    def of(self, state: State, own: slice, held: Mapping[str, str]) -> State:
        """What a run's rule remembers, by its own names."""
        mine = {slot: state[common][own] for slot, common in held.items()}
        return mine | {name: state[name][own] for name in state if not name.isdigit()}

    def begin(self, parameters: Tensor) -> State:
        """As many slots as the rule with the most, and what rules have besides."""
        state: State = {}
        for rule in dict.fromkeys(self.rules):
            held = slots_of(rule)
            state |= {str(place): torch.zeros_like(parameters) for place in range(len(held))}
            rest = rule.begin(parameters)
            state |= {name: rest[name] for name in rest if name not in held}
        return state

    def point(self, parameters: Tensor, state: State) -> Tensor:
        """Where each member's rule wants the gradient."""
        found = parameters
        for own, rule, held in self.runs():
            mine = rule.point(parameters[own], self.of(state, own, held))
            if mine.data_ptr() != parameters[own].data_ptr():
                found = parameters.clone() if found is parameters else found
                found[own] = mine
        return found

    def update(self, theta: Tensor, g: Tensor, state: State, rate: Rate, t: int) -> Updated:
        """Every member's own."""
        after = Updated(torch.empty_like(theta), {k: v.clone() for k, v in state.items()})
        for own, rule, held in self.runs():
            mine = self.of(state, own, held)
            rates = rate[own] if isinstance(rate, torch.Tensor) else rate
            new = rule.update(theta[own], g[own], mine, rates, t)
            after.parameters[own] = new.parameters
            for name, value in new.state.items():
                after.state[held.get(name, name)][own] = value
        return after


@cache
def slots_of(rule: Rule) -> tuple[str, ...]:
    """What a rule remembers of every parameter, with its hyperparameters as they are."""
    begun = rule.begin(torch.empty(1, 2, device="meta"))
    return tuple(slot for slot in rule.slots if slot in begun)


def together(rules: Sequence[Rule]) -> Rule:
    """One rule for members that each have one."""
    first, *rest = rules
    return Mixed(rules=tuple(rules)) if any(rule != first for rule in rest) else first


# ------------------------------------------------------------------------- rules on letters


class Traced(NamedTuple):
    """A rule as terms.

    Attributes:
        letters: what it is given: hyperparameters, ``theta``, ``g``, ``rate``, ``t``, and the
            state by its names.
        updated: what it gives back.
        equations: the same, one after the other, as people write them; the first is that of the
            gradient.
    """

    letters: dict[str, Letter]
    updated: Any
    equations: list[Equation]


def traced(rule: Rule) -> Traced:
    """Run a rule on letters: its equations are what its code does.

    A hyperparameter that is 0 or false is no letter. Where the code asks whether it is there at
    all, as with momentum and weight_decay, its terms are not there either.

    Args:
        rule: with its hyperparameters.
    """
    found = symbols(rule)
    mine = [f.name for f in fields(rule) if _number(getattr(rule, f.name))]
    letters = {name: Letter(name, found[name].latex) for name in [*mine, "rate", "t"]}
    given: Any = {name: letters[name] for name in mine}
    on_letters: Any = replace(rule, **given)
    each = slots_of(rule)
    begun = rule.begin(torch.empty(1, 2))
    state = {name: _at(name, "t-1", found, each=name in each) for name in begun}
    theta = _at("theta", "t-1", found, each=True)
    point = on_letters.point(theta, state)
    gradient = Letter(f"grad({text(point, {})})", rf"\nabla L({latex(point, {})})", each=True)
    decayed = on_letters.decayed(point, gradient)
    g = _at("g", "t", found, each=True)
    updated = on_letters.step(theta, g, state, letters["rate"], letters["t"])

    named = {term: _at(name, "t", found, each=name in each) for name, term in updated.state.items()}
    named |= {term: Letter(name, found[name].latex) for name, term in updated.between.items()}
    lines = [Equation(g, decayed, {})]
    done: dict[Term, Letter] = {}

    def add(left: Letter, right: Term) -> None:
        """An equation, behind those of what it names."""
        for part in _parts(right):
            if part in named and part not in done:
                add(named[part], part)
        lines.append(Equation(left, right, dict(done)))
        done[right] = left

    for term, letter in named.items():
        if term not in done:
            add(letter, term)
    add(_at("theta", "t", found, each=True), updated.parameters)
    letters |= {"theta": theta, "g": gradient, **state}
    return Traced(letters, updated, lines)


def symbols(rule: Rule) -> dict[str, Symbol]:
    """What the letters of a rule's equations mean, those of all rules among them."""
    coupled = bool(rule.weight_decay) and type(rule).decayed is Rule.decayed
    gradient = Symbol("g", G + PENALTY * coupled)
    usual = {"theta[t]": THETA, "g[t]": gradient, "rate": RATE, "weight_decay": DECAY, "t": TIME}
    return usual | rule.symbols


def _number(value: object) -> bool:
    return bool(value) and not isinstance(value, bool)


def _at(name: str, time: str, found: Mapping[str, Symbol], *, each: bool) -> Letter:
    """A letter that changes from update to update."""
    return Letter(f"{name}[{time}]", f"{found[f'{name}[t]'].latex}_{{{time}}}", each=each)


def _parts(term: Term) -> Iterator[Term]:
    """All terms inside a term, the innermost first."""
    if isinstance(term, Operation):
        for part in term.parts:
            yield from _parts(part)
            yield part
