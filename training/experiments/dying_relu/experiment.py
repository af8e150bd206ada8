"""Populations of narrow networks, and how many of them are constant."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from training.engine import kernel, losses, statistics, streams
from training.engine.activations import places_of, straight
from training.engine.cohort import Cohort, Member
from training.engine.data import Data
from training.engine.loop import Task
from training.engine.models import Mlp
from training.engine.record import Array
from training.engine.steps import epochs
from training.engine.updates import Adam
from training.errors import TrainingError
from training.experiments.base import Experiment, check_range, choice, distinct, spaced
from training.experiments.fixed import all_of, at_least, exactly, one_of

END: Final = math.sqrt(7)  # the domain is [-END, END]
GRID: Final = 1001  # points of the dense grid, both ends and 0 among them
NEARLY: Final = 1e-3  # an output range below this is called nearly constant
PICTURED: Final = 60  # networks a group whose functions are kept
PICTURE: Final = 121  # points at which they are
MANY: Final = 5000  # members of one depth, beyond which fewer looks are kept
CHUNK: Final = 256  # members surveyed at once without a kernel

FUNCTIONS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "abs": torch.abs,
    "xsin5x": lambda x: x * torch.sin(5 * x),
    "step": lambda x: (x > 0) + 0.2 * torch.sin(5 * x),
}
ACTIVATIONS: Final = {"relu": "relu", "leaky": "leakyrelu.01"}
INITIALIZERS: Final = ("he", "torch", "glorot", "rai")


class Published(NamedTuple):
    """A fraction of collapsed networks that the paper reports, second-hand; compared, never used.

    Args:
        printed: as it is quoted.
        of: what it is the fraction of.
        init: the initialization it belongs to.
    """

    printed: str
    of: str
    init: str


PUBLISHED: Final = (
    Published("over 90 %", "1,000 trainings, width 2, 10 layers", "he"),
    Published("91.9 %", "one one-dimensional example", "he"),
    Published("93.8 %", "another one", "he"),
    Published("29.2 %", "the first of these examples", "rai"),
    Published("32.6 %", "the second of these examples", "rai"),
)


class Group(NamedTuple):
    """Simulations that differ in nothing but their stream."""

    activation: str
    function: str
    hidden: int
    init: str


@dataclass(frozen=True, kw_only=True)
class DyingRelu(Experiment):
    """Every combination of activation, function, depth and initialization, simulated often.

    Args:
        activation: some of ``relu`` and ``leaky``.
        function: some of ``abs``, ``xsin5x`` and ``step``: f1, f2, f3 of the paper.
        hidden_layers: hidden layers; the paper's "10-layer" network has 9 and an output layer.
        width: units a hidden layer.
        init: some of ``he``, ``torch``, ``glorot``, ``rai``.
        simulations: networks of each combination.
        points: points of each simulation's own training set, uniform in [-sqrt 7, sqrt 7].
        batch: the minibatch.
        epochs: passes over the training set.
        born: networks a width that are drawn for the theory of birth, He's initialization; 0 leaves
            the theory out.
        seed: of everything that is drawn.
    """

    name = "dying-relu"
    title = "Dying ReLU"
    question = {
        "activation": all_of(*ACTIVATIONS),
        "hidden_layers": one_of(9, 10),  # "10-layer", with the output layer or without
        "width": exactly(2),
        "simulations": at_least(1000),
        "points": exactly(3000),
        "batch": exactly(64),
        "epochs": at_least(1),
    }
    activation: tuple[str, ...] = ("relu", "leaky")
    function: tuple[str, ...] = ("abs",)
    hidden_layers: tuple[int, ...] = (9, 10)
    width: int = 2
    init: tuple[str, ...] = ("he",)
    simulations: int = 1000
    points: int = 3000
    batch: int = 64
    epochs: int = 50
    born: int = 20_000

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("--activation", self.activation, ACTIVATIONS)
        choice("--function", self.function, FUNCTIONS)
        choice("--init", self.init, INITIALIZERS)
        distinct("--hidden-layers", self.hidden_layers)
        for hidden in self.hidden_layers:
            check_range("--hidden-layers", hidden, 1, 1000)
        check_range("--width", self.width, 1, 1000)
        check_range("--simulations", self.simulations, 1, 10**6)
        check_range("--points", self.points, 1, 10**6)
        check_range("--batch", self.batch)
        if self.batch > self.points:
            raise TrainingError(f"--batch {self.batch} is more than --points {self.points}")
        check_range("--epochs", self.epochs, 0, 10**5)
        check_range("--born", self.born, 0, 10**6)

    def looks(self) -> tuple[int, ...]:
        """Epochs after which is counted: the first fifty and then fewer; fewer in large runs.

        A record would grow beyond what people like to keep.
        """
        few = spaced(self.epochs)
        if len(self.groups(0)) * self.simulations > MANY:
            return few
        return tuple(sorted({*range(min(self.epochs, 50) + 1), *few}))

    def groups(self, hidden: int) -> list[Group]:
        """The groups of one depth, in the order of their members."""
        return [
            Group(activation, function, hidden, init)
            for activation in self.activation
            for function in self.function
            for init in self.init
        ]

    def tasks(self) -> tuple[Task, ...]:
        """One population a depth, and one a width of networks that are only born."""
        trained = tuple(self._trained(hidden) for hidden in self.hidden_layers)
        born = tuple(self._born(width) for width in BIRTH_WIDTHS) if self.born else ()
        return (*trained, *born)

    def _trained(self, hidden: int) -> Task:
        model = Mlp.read(f"1x1x1 (fc-{self.width} relu) x{hidden} fc-1")
        members = tuple(
            Member(
                place * self.simulations + number,
                group.init,
                ACTIVATIONS[group.activation],
                variant=group.function,
            )
            for place, group in enumerate(self.groups(hidden))
            for number in range(self.simulations)
        )

        def build(own: tuple[Member, ...], device: torch.device) -> tuple[Cohort[Mlp], Data]:
            cohort = Cohort.born(model, own, self.seed, loss=losses.mse, rule=Adam(), device=device)
            drawn = streams.uniform(streams.fold(cohort.keys, "points"), self.points, 1)
            x = ((2 * drawn - 1) * END).float()
            return cohort, Data(x, _targets(own, x), self.batch, streams.root(self.seed))

        def probe(cohort: Cohort[Mlp]) -> Mapping[str, Tensor]:
            return look(cohort, dense(GRID, cohort.parameters.device))

        name, until = f"{hidden}x{self.width}", epochs(self.epochs)
        looks = tuple(map(epochs, self.looks()))
        return Task(name, members, build, until, looks, probe, self._pictures)

    def _pictures(self, cohort: Cohort[Mlp]) -> dict[str, Tensor]:
        """The functions of the first members of each group, ``(pictured, points)``."""
        places = [i for i, m in enumerate(cohort.members) if self.is_pictured(m.number)]
        grid = dense(PICTURE, cohort.parameters.device)
        return {"pictures": cohort.part(places).predict(grid.view(1, -1, 1))[..., 0]}

    def is_pictured(self, number: int) -> bool:
        """Whether the function of a member is kept."""
        return number % self.simulations < self.pictured

    @property
    def pictured(self) -> int:
        """Networks a group whose functions are kept."""
        return min(PICTURED, self.simulations)

    def _born(self, width: int) -> Task:
        model = Mlp.read(f"1x1x1 (fc-{width} relu) x{BIRTH_DEPTH} fc-1")
        members = tuple(Member(number) for number in range(self.born))

        def build(own: tuple[Member, ...], device: torch.device) -> tuple[Cohort[Mlp], Data]:
            cohort = Cohort.born(model, own, self.seed, loss=losses.mse, rule=Adam(), device=device)
            nothing = torch.zeros(1, 1, 1, device=device)
            return cohort, Data(nothing, nothing, 1, streams.root(self.seed))

        # Without biases the network is linear on each side of 0: three points say everything.
        return Task(
            f"born-{width}",
            members,
            build,
            probe=lambda cohort: {"off": survey(cohort, dense(3, cohort.parameters.device)).off},
        )

    def summarise(self, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """Collapsed and nearly constant fractions with intervals, and the theory of birth."""
        looks = self.looks()
        groups = []
        for hidden in self.hidden_layers:
            for place, group in enumerate(self.groups(hidden)):
                part = slice(place * self.simulations, (place + 1) * self.simulations)
                name = f"{hidden}x{self.width}"
                off, constant, span, loss = (
                    arrays[f"{name}/{what}"][part] for what in ("off", "constant", "range", "loss")
                )
                dead = (off > 0) if group.activation == "relu" else constant
                curve = [
                    {
                        "epochs": epoch,
                        "collapsed": statistics.wilson(int(dead[:, at].sum()), len(dead)),
                        "constant": float(constant[:, at].mean()),
                        "nearly_constant": statistics.wilson(
                            int((span[:, at] < NEARLY).sum()), len(dead)
                        ),
                        "diverged": int((~np.isfinite(span[:, at])).sum()),
                        "median_loss": float(np.median(loss[:, at])),
                        "tenth_percentile_loss": float(np.quantile(loss[:, at], 0.1)),
                    }
                    for at, epoch in enumerate(looks)
                ]
                born_dead = dead[:, 0]
                groups.append(
                    {
                        **group._asdict(),
                        "simulations": len(dead),
                        "curve": curve,
                        "born_dead_and_revived": int((born_dead & ~dead[:, -1]).sum()),
                        "died_in_training": int((~born_dead & dead[:, -1]).sum()),
                        "off_layer": np.bincount(off[:, -1], minlength=hidden + 1),
                    }
                )
        return {"looks": looks, "groups": groups, "birth": self._birth(arrays)}

    def _birth(self, arrays: Mapping[str, Array]) -> list[dict[str, Any]]:
        """Born-dead fractions over depth and width beside the bounds."""
        rows = []
        for width in BIRTH_WIDTHS if self.born else ():
            off = arrays[f"born-{width}/off"][:, 0]
            for layers in range(2, BIRTH_DEPTH + 2):
                dead = int(((off > 0) & (off <= layers - 1)).sum())
                low, high = bounds(width, layers)
                fraction = statistics.wilson(dead, len(off))
                rows.append(
                    {
                        "width": width,
                        "layers": layers,
                        "born_dead": fraction,
                        "lower": low,
                        "upper": high,
                        "inside": low <= fraction.value <= high,
                        "agrees": low <= fraction.high and fraction.low <= high,
                    }
                )
        return rows


BIRTH_WIDTHS: Final = (2, 3, 4, 5)
BIRTH_DEPTH: Final = 30  # hidden layers; a network dead in layer k is dead in every deeper one


def bounds(width: int, layers: int) -> tuple[float, float]:
    """Lower and upper bound of the probability to be born dead (Lu et al.).

    For one input, symmetrically distributed weights and no biases.

    Args:
        width: units a hidden layer.
        layers: all but the input, at least 2: the output layer among them.
    """
    n = width
    a1 = 1 - 0.5**n
    a2 = 1 - 0.5 ** (n - 1) - (n - 1) * 0.25**n
    share = (1 - 0.5 ** (n - 1)) * (1 - 0.5**n) / (1 + (n - 1) * 0.5**n)
    lower = 1 - a1 ** (layers - 2) + share * (a2 ** (layers - 2) - a1 ** (layers - 2))
    return lower, 1 - a1 ** (layers - 1)


def dense(points: int, device: torch.device) -> Tensor:
    """A grid over the domain, ``(points,)``, 32-bit floats."""
    # in whole numbers first, so that the middle is 0 and not nearly
    places = torch.arange(1 - points, points, 2, dtype=torch.float64) / max(points - 1, 1)
    return (places * END).float().to(device)


def _targets(members: tuple[Member, ...], x: Tensor) -> Tensor:
    y = torch.empty_like(x)
    variants = [member.variant for member in members]
    for name, places in places_of(variants, x.device).items():
        y[places] = FUNCTIONS[name](x[places]).to(x.dtype)
    return y


def look(cohort: Cohort[Mlp], grid: Tensor) -> dict[str, Tensor]:
    """What is counted: the layer that is off, constancy, the output's range, the loss."""
    found = survey(cohort, grid)
    return {
        "off": found.off.to(torch.int16),
        "constant": found.constant,
        "range": found.ends[:, 1] - found.ends[:, 0],
        "loss": _loss(cohort),
    }


def _loss(cohort: Cohort[Mlp]) -> Tensor:
    """The mean squared error against the target itself on a grid of 121 points."""
    grid = dense(PICTURE, cohort.parameters.device).view(1, -1, 1)
    x = grid.expand(len(cohort), -1, -1)
    y = _targets(cohort.members, x.contiguous())
    loss, _ = cohort.gradients(cohort.parameters, grid, y)
    return loss


def survey(cohort: Cohort[Mlp], grid: Tensor) -> kernel.Survey:
    """What each member does on a grid: :class:`training.engine.kernel.Survey`."""
    model, theta, slopes = cohort.model, cohort.parameters, cohort.activations.slopes
    assert slopes is not None, "relu and leaky relu are straight on both sides of 0"
    if kernel.fits(model, theta, grid):
        return kernel.survey(model, theta, grid, slopes)
    parts = [
        plain_survey(model, theta[i : i + CHUNK], grid, slopes[i : i + CHUNK])
        for i in range(0, len(theta), CHUNK)
    ]
    return kernel.Survey(*(torch.cat(one) for one in zip(*parts, strict=True)))


@torch.no_grad()
def plain_survey(model: Mlp, theta: Tensor, grid: Tensor, slopes: Tensor) -> kernel.Survey:
    """The same as :func:`training.engine.kernel.survey`, in tensor operations."""
    h = grid.view(1, -1, 1).expand(len(theta), -1, -1)
    rise = torch.ones_like(h, dtype=torch.float64)  # no product underflows
    left = slopes.view(-1, 1, 1)
    off = torch.zeros(len(theta), dtype=torch.int64, device=theta.device)
    for place, (weight, bias) in enumerate(model.split(theta).values(), 1):
        h = torch.matmul(h, weight.mT) + bias.unsqueeze(1)
        rise = torch.matmul(rise, weight.mT.double())
        if place < len(model.layers):
            on = h > 0
            off = torch.where((off == 0) & ~on.any(2).any(1), place, off)
            h = straight(h, left)
            rise = torch.where(on, rise, left.double() * rise)
    ends = torch.stack([h.amin((1, 2)), h.amax((1, 2))], 1)
    return kernel.Survey(off, ends, (rise == 0).all(2).all(1))
