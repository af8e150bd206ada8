"""Networks at birth, and what their layers give and are given."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from training.engine import activations, datasets, losses, streams
from training.engine.cohort import Cohort, Member
from training.engine.data import Data
from training.engine.initializers import initializer
from training.engine.loop import Task
from training.engine.losses import Loss
from training.engine.models import Mlp
from training.engine.record import Array
from training.engine.updates import SGD
from training.errors import TrainingError
from training.experiments.base import PLACE, Experiment, check_range, choice, distinct
from training.experiments.fixed import Fixed, all_of, one_of

LAYERS: Final = 5
DIMENSIONS: Final = 10
SAMPLE: Final = 500  # values a violin is drawn from
AT_ONCE: Final = 8  # members whose activations are in memory
KINDS: Final = ("z", "a", "weights", "deltas", "gradients")  # what has a violin


class Setting(NamedTuple):
    """A blog's network.

    Args:
        text: the network; its activation is replaced by each of those compared.
        first: the place of the first of its five hidden layers.
        loss: on its outputs.
        init: the initializers to compare.
        activation: the activations to compare.
        images: the data set that its networks look at; empty for points of the ball.
        train: whether at its training images, which nothing learns from, or its test images.
    """

    text: str
    first: int
    loss: Loss
    init: tuple[str, ...]
    activation: tuple[str, ...]
    images: str = ""
    train: bool = False


_OF_IMAGES: Final = Setting(
    f"28x28x1 fc-100 (fc-100 relu) x{LAYERS} fc-10",
    1,
    losses.cross_entropy,
    ("normal.1", "normal.14", "normal.28", "glorot", "he"),
    ("sigmoid", "tanh", "relu", "id"),
    "mnist",
)
SETTINGS: Final = {
    "ball": Setting(
        f"1x1x{DIMENSIONS} (fc-100 relu) x{LAYERS} fc-1",
        0,
        losses.binary_cross_entropy,
        ("normal.01", "normal.1", "normal1", "glorot", "he"),
        ("sigmoid", "tanh", "relu"),
    ),
    "mnist": _OF_IMAGES,
    "digits": _OF_IMAGES._replace(
        text=_OF_IMAGES.text.replace("28x28", "8x8"),
        images=datasets.DIGITS,
        train=True,  # it has few for the test
    ),
}


@dataclass(frozen=True, kw_only=True)
class Init(Experiment):
    """Activations and initializers, every combination with some networks.

    Args:
        setting: one of :data:`SETTINGS`.
        activation: some of ``sigmoid``, ``tanh``, ``relu``, ``id`` and archcalc's other words;
            the setting's own if none is named.
        init: initializers, see :mod:`training.engine.initializers`; the setting's own if none is
            named.
        networks: networks of each combination.
        examples: examples that they look at: points of the ball, or the first of the setting's
            images.
        data_dir: where MNIST is, or ARCHCALC_DATA; the result does not depend on it.
        seed: of everything that is drawn.
    """

    name = "init"
    title = "Weight initialization"
    question = {
        "setting": one_of("ball", "mnist"),  # the blogs' own
        "activation": all_of("tanh", "sigmoid", "relu"),
        "init": Fixed(
            "all of glorot, he, and normal with several standard deviations",
            lambda init: (
                {"glorot", "he"} <= {*init} and sum(one.startswith("normal") for one in init) > 1
            ),
        ),
    }
    setting: str = "ball"
    activation: tuple[str, ...] = ()
    init: tuple[str, ...] = ()
    networks: int = 20
    examples: int = 1000
    data_dir: str | None = field(default=None, compare=False, metadata=PLACE)

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("--setting", (self.setting,), SETTINGS)
        usual = SETTINGS[self.setting]
        object.__setattr__(self, "activation", self.activation or usual.activation)
        object.__setattr__(self, "init", self.init or usual.init)
        distinct("--activation", self.activation)
        distinct("--init", self.init)
        for name in self.activation:
            activations.slope(name)
        for name in self.init:
            initializer(name)
        check_range("--networks", self.networks, 1, 1000)
        check_range("--examples", self.examples, 2, 10_000)

    def baseline(self) -> Init:
        """The setting's own comparisons."""
        return type(self)(setting=self.setting, data_dir=self.data_dir)

    def command(self) -> str:
        """The command line that runs it."""
        words = super().command()
        return words if self.setting == "ball" else f"{words} --setting {self.setting}"

    def groups(self) -> list[tuple[str, str]]:
        """Activation and initializer of each group of members."""
        return [(activation, init) for activation in self.activation for init in self.init]

    def assigned(self) -> Init:
        """The setting's own comparisons; digits stand in for those of mnist."""
        departs = "setting" in self.departures()
        return type(self)(setting="mnist") if departs else self.baseline()

    def tasks(self) -> tuple[Task, ...]:
        """One population a group, looked at once."""
        self.examples_on(torch.device("cpu"))  # what is not there is said before anything is kept
        return tuple(self._task(activation, init) for activation, init in self.groups())

    def _task(self, activation: str, init: str) -> Task:
        setting = SETTINGS[self.setting]
        model = Mlp.read(setting.text)
        # The same numbers in every group: what differs is not chance.
        members = tuple(Member(number, init, activation) for number in range(self.networks))

        def build(own: tuple[Member, ...], device: torch.device) -> tuple[Cohort[Mlp], Data]:
            cohort = Cohort.born(
                model, own, self.seed, loss=setting.loss, rule=SGD(), device=device
            )
            x, y = self.examples_on(device)
            return cohort, Data(x, y, self.examples, streams.root(self.seed))

        def probe(cohort: Cohort[Mlp]) -> Mapping[str, Tensor]:
            x, y = self.examples_on(cohort.parameters.device)
            shown = [i for i, member in enumerate(cohort.members) if member.number == 0]
            found = [
                measures(cohort.part(range(i, min(i + AT_ONCE, len(cohort)))), x, y, setting.first)
                for i in range(0, len(cohort), AT_ONCE)
            ]
            table = {name: torch.cat([one[name] for one in found]) for name in found[0]}
            return {**table, **sampled(cohort.part(shown), x, y, setting.first, self.seed)}

        return Task(f"{activation}/{init}", members, build, last=probe)

    def examples_on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Inputs ``(1, examples, in)`` and targets, for all members alike."""
        setting = SETTINGS[self.setting]
        if setting.images:
            images = datasets.load(setting.images, self.data_dir, train=setting.train)
            if self.examples > len(images.x):
                title = datasets.title(setting.images)
                fact = f"--examples {self.examples}: {title} has {len(images.x):,} images"
                raise TrainingError(fact, hint="a smaller number")
            x, y = (one[None, : self.examples].to(device) for one in images)
            return x.flatten(2), y
        x, y = ball(streams.fold(streams.root(self.seed), "ball"), self.examples)
        return x[None].to(device), y[None].to(device)

    def summarise(self, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """Means over the networks of each group, layer by layer; first and last of each network."""
        groups = []
        for activation, init in self.groups():
            layers = []
            for layer in range(LAYERS):
                row: dict[str, Any] = {"layer": layer + 1}
                for name in MEASURES:
                    values = arrays[f"{activation}/{init}/{name}"][:, layer].astype(np.float64)
                    row[name] = float(values.mean())
                layers.append(row)
            ends = {name: arrays[f"{activation}/{init}/{name}"][:, [0, -1]] for name in LEVEL}
            group = {"activation": activation, "init": init, "layers": layers, "ends": ends}
            groups.append(group)
        return {"setting": self.setting, "groups": groups}


MEASURES: Final = {
    "weight_std": "standard deviation of the weights",
    "preactivation_std": "standard deviation of the pre-activations",
    "activation_std": "standard deviation of the activations, over units and examples",
    "example_std": "standard deviation of a unit over the examples, root mean square of all units",
    "delta_std": "standard deviation of the loss's gradient with respect to the pre-activations",
    "gradient_std": "standard deviation of the loss's gradient with respect to the weights",
    "saturated": "share of activations on a flat part: |tanh| > 0.95, sigmoid < 0.05 or > 0.95",
    "dead": "share of units whose activation is 0 for every example",
}
LEVEL: Final = ("example_std", "delta_std")  # which even weights at birth keep level


def ball(key: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Points in a ten-dimensional ball, and whether their coordinates' sum is large.

    The radius is sqrt(10), the density uniform in volume; the label is 1 where |sum| > radius/2;
    then all coordinates are divided by their common standard deviation.

    Returns:
        Points ``(count, 10)`` and labels ``(count, 1)``, 32-bit floats.
    """
    radius = math.sqrt(DIMENSIONS)
    direction = streams.normal(streams.fold(key, "direction"), count, DIMENSIONS)
    direction = direction / direction.norm(dim=1, keepdim=True)
    length = streams.uniform(streams.fold(key, "length"), count, 1) ** (1 / DIMENSIONS)
    x = radius * length * direction
    y = x.sum(1, keepdim=True).abs() > radius / 2
    return (x / x.std(correction=0)).float(), y.float()


def _values(cohort: Cohort[Mlp], x: Tensor, y: Tensor, first: int) -> dict[str, list[Tensor]]:
    """What :data:`KINDS` names, of the five layers; deltas are gradients at pre-activations."""
    seen: dict[str, Tensor] = {}
    own = cohort.model.layers[first : first + LAYERS]
    theta = cohort.parameters.detach().requires_grad_()
    output = cohort.model.forward(theta, x, cohort.activations, watch=seen.__setitem__)
    z, a = ([seen[f"{layer.name}.{what}"] for layer in own] for what in "za")
    gradient, *deltas = torch.autograd.grad(cohort.loss(output, y).sum(), [theta, *z])
    both = (cohort.model.split(t).values() for t in (theta.detach(), gradient))
    weights, gradients = ([*layers][first : first + LAYERS] for layers in both)
    return {
        "z": [value.detach() for value in z],
        "a": [value.detach() for value in a],
        "weights": [weight for weight, _ in weights],
        "deltas": deltas,
        "gradients": [weight for weight, _ in gradients],
    }


def measures(cohort: Cohort[Mlp], x: Tensor, y: Tensor, first: int) -> dict[str, Tensor]:
    """:data:`MEASURES`, ``(members, layers)`` each."""
    found = _values(cohort, x, y, first)

    def std(values: Sequence[Tensor]) -> Tensor:
        return torch.stack([v.double().flatten(1).std(1, correction=0) for v in values], 1).float()

    def flat(a: Tensor) -> Tensor:
        return torch.stack([share(m.activation, a[i]) for i, m in enumerate(cohort.members)])

    spread = [a.double().var(1, correction=0).mean(1).sqrt() for a in found["a"]]
    return {
        "weight_std": std(found["weights"]),
        "preactivation_std": std(found["z"]),
        "activation_std": std(found["a"]),
        "example_std": torch.stack(spread, 1).float(),
        "delta_std": std(found["deltas"]),
        "gradient_std": std(found["gradients"]),
        "saturated": torch.stack([flat(a) for a in found["a"]], 1),
        "dead": torch.stack([(a == 0).all(1).float().mean(1) for a in found["a"]], 1),
    }


def share(activation: str, a: Tensor) -> Tensor:
    """The share of activations on a flat part of their function; 0 where it has none."""
    if activation == "tanh":
        return (a.abs() > 0.95).float().mean()  # noqa: PLR2004
    if activation == "sigmoid":
        return ((a < 0.05) | (a > 0.95)).float().mean()  # noqa: PLR2004
    return torch.zeros((), device=a.device)


def sampled(cohort: Cohort[Mlp], x: Tensor, y: Tensor, first: int, seed: int) -> dict[str, Tensor]:
    """Some values of each kind and layer, ``(members, layers, SAMPLE)``, for the violins."""
    found = _values(cohort, x, y, first)
    out = {}
    for kind in KINDS:
        layers = []
        for place, values in enumerate(found[kind]):
            flat = values.flatten(1)
            key = streams.fold(streams.root(seed), "sample", kind, place).to(flat.device)
            layers.append(flat[:, streams.integers(key, flat.shape[1], SAMPLE)])
        out[f"sample_{kind}"] = torch.stack(layers, 1)
    return out
