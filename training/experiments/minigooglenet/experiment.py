"""The network, its data, the ways to train it, and what comes of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from archcalc import load
from archcalc.count import integer
from archcalc.layers.base import Layer
from archcalc.layers.convolution import Convolution
from archcalc.layers.linear import Linear
from archcalc.network import Input
from archcalc.notation import write
from archcalc.shape import Shape
from training.engine import costs, datasets, losses, probes, statistics, streams
from training.engine.cohort import Cohort, Member
from training.engine.data import NONE, Augmentation, Data
from training.engine.datasets import Images
from training.engine.loop import Task
from training.engine.networks import Net
from training.engine.record import Array
from training.engine.schedules import Schedule, constant
from training.engine.steps import Steps, epochs
from training.engine.updates import SGD
from training.errors import TrainingError
from training.experiments.base import NOT_ASSIGNED, check_range, rows, seeded
from training.experiments.fixed import ALL, exactly
from training.experiments.preset import COUNTS, PRESET, Preset

SCORES: Final = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
FULL_SIZE: Final = 32  # pixels, to which 28 are enlarged
SMALLEST: Final = 7  # from which the network's last map has one pixel
ASSIGNMENT: Final = {
    "examples": 0,
    "validation": 5000,
    "test_examples": 0,
    "width": 1.0,
    "size": FULL_SIZE,
    "augment": "shift3,flip",
    "seeds": 1,
    "precision": "fp32",
}


class Arm(NamedTuple):
    """A way to train.

    Args:
        name: of it.
        rate: the highest rate.
        schedule: a factor on it.
        description: in words.
    """

    name: str
    rate: float
    schedule: Schedule = constant()
    description: str = ""


class Plan(NamedTuple):
    """Ways to train with batches of the same sizes: one population.

    Args:
        name: of it.
        arms: the ways; each is trained with every seed.
        batch: examples an update,
        sizes: or those of each update.
        until: how long.
        looks: when networks are looked at; likewise.
        scored: whether a look scores them, which takes time; their losses are kept in any case.
    """

    name: str
    arms: tuple[Arm, ...]
    batch: int
    sizes: tuple[int, ...] = ()
    until: Steps = epochs(0)
    looks: tuple[Steps, ...] = (epochs(0),)
    scored: bool = True

    def moments(self, count: int) -> list[int]:
        """The updates behind which networks are looked at, of a training set of ``count``."""
        return self._data(count).moments(self.looks, self.until)

    def end(self, count: int) -> int:
        """How many updates there are."""
        return self._data(count).updates(self.until)

    def _data(self, count: int) -> Data:
        nothing = torch.empty(1, count)
        return Data(nothing, nothing, self.batch, streams.root(0), sizes=self.sizes)

    def read(self, updates: Sequence[int], count: int) -> list[int]:
        """Examples read before each of some updates, of a training set of ``count``."""
        return list(map(self._data(count).examples, updates))


@dataclass(frozen=True, kw_only=True)
class MiniGoogLeNet(Preset):
    """The network, its data, and how they are read; see also :class:`Preset`.

    Args:
        width: the share of each layer's channels that is built.
        augment: such as ``shift3,flip``, see :class:`training.engine.data.Augmentation`; or
            ``none``.
        momentum: of SGD, the heavy ball.
        micro_batch: the most examples that are computed at once.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "quick": {
            "examples": 2000,
            "validation": 1000,
            "test_examples": 2000,
            "width": 0.25,
            "size": 16,
            "augment": "shift1,flip",
            "seeds": 2,
            "precision": "fp32",
        },
        "reduced": ASSIGNMENT | {"width": 0.25},
        "assignment": ASSIGNMENT,
        "full": ASSIGNMENT | {"seeds": 3, "precision": "bf16"},
    }
    least_size = SMALLEST
    question = {
        "dataset": exactly("fashion-mnist"),
        "examples": ALL,
        "test_examples": ALL,
        "width": exactly(1.0),
        "size": exactly(FULL_SIZE),
    }
    chooses = frozenset({"preset", "seeds", "precision"})

    dataset: str = "fashion-mnist"
    width: float = PRESET
    augment: str = PRESET
    momentum: float = 0.9
    micro_batch: int = 1024

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "augment", str(Augmentation.read(self.augment)) or NONE)
        check_range("--micro-batch", self.micro_batch, 4)
        if not 0 < self.width <= 1:
            raise TrainingError(f"--width: {self.width:g} is no share of the channels, 0 to 1")
        if not 0 <= self.momentum < 1:
            raise TrainingError(f"--momentum: {self.momentum:g} is not from 0 to below 1")

    # ------------------------------------------------------------------- what a subclass says

    def plans(self, count: int) -> list[Plan]:
        """What is trained, of a training set of so many examples."""
        raise NotImplementedError

    def full(self) -> str:
        """The assignment, all parts of it: one needs what another has found."""
        return "archcalc training rate-and-batch --preset assignment"

    def short(self) -> str:
        """What was trained, in a line below a figure."""
        of = f"{self.examples:,} images" if self.examples else "all training images"
        part = "" if self.width == 1 else f", {self.width:g} of the channels"
        smaller = "" if self.assignment else f"; {NOT_ASSIGNED}"
        on = datasets.title(self.dataset)
        return f"{on}, {of}, {self.size}x{self.size}{part}, {self._seeds()}{smaller}"

    def noise(self, rate: float, batch: int, count: int) -> float:
        """The noise scale ``rate count / (batch (1 - momentum))``.

        Smith, Kindermans, Ying, Le, arXiv 1711.00489, section 2, of a batch much smaller than the
        training set.
        """
        return rate * count / (batch * (1 - self.momentum))

    def scale(self, counts: Mapping[str, int]) -> str:
        """What was trained, in sentences below a table.

        Args:
            counts: images of each part, by :data:`COUNTS`.
        """
        change = f", changed at random ({self.augment})" if self.augment != NONE else ""
        return (
            f"MiniGoogLeNet with {self.width:g} of its channels on "
            f"{datasets.title(self.dataset)}: {counts['train']:,} images to learn from{change}, "
            f"{counts['validation']:,} others of the training set, drawn with seed {self.seed}, "
            f"for validation, {counts['test']:,} test images; {self.size}x{self.size} pixels. "
            f"SGD, momentum {self.momentum:g}; {self._seeds()}; {self.precision}."
        )

    # ------------------------------------------------------------------- the network and its data

    def text(self, channels: int, classes: int) -> str:
        """The network in archcalc's notation."""
        return text(self.width, self.size, channels, classes)

    def tasks(self) -> tuple[Task, ...]:
        """One population a plan."""
        count = self.counts()["train"]
        plans = self.plans(count)
        for plan in plans:
            if not plan.sizes and count % plan.batch == 1:
                fact = f"batches of {plan.batch} of {count:,} images leave one over"
                hint = "batch norm needs two; another --batch or --examples"
                raise TrainingError(fact, hint=hint)
        return tuple(map(self._task, plans))

    def _task(self, plan: Plan) -> Task:
        members = tuple(
            Member(number, "torch", rate=arm.rate, variant=arm.name, schedule=arm.schedule)
            for arm in plan.arms
            for number in range(self.seeds)
        )

        def build(own: tuple[Member, ...], device: torch.device) -> tuple[Cohort[Net], Data]:
            return self.population(own, plan, device)

        def probe(cohort: Cohort[Net]) -> Mapping[str, Tensor]:
            train, held, *_ = self.sets(str(cohort.parameters.device))
            part = Images(train.x[: len(held.x)], train.y[: len(held.x)])
            found = (*probes.score(cohort, part), *probes.score(cohort, held))
            return dict(zip(SCORES, found, strict=True))

        def last(cohort: Cohort[Net]) -> Mapping[str, Tensor]:
            test = self.sets(str(cohort.parameters.device)).test
            loss, accuracy = probes.score(cohort, test)
            seen = {"test_loss": loss, "test_accuracy": accuracy}
            return {**seen, "weights_sha256": probes.digest(cohort), **self.more(cohort, plan)}

        names = tuple(name for arm in plan.arms for name in self.trained(arm.name))
        task = Task(plan.name, members, build, plan.until, plan.looks, names=names)
        return task._replace(probe=probe, last=last) if plan.scored else task

    def trained(self, arm: str) -> list[str]:
        """The tasks of a way to train: ``exp_range/seed0``, ..."""
        return seeded(arm, self.seeds)

    def more(self, cohort: Cohort[Net], plan: Plan) -> Mapping[str, Tensor]:  # noqa: ARG002 - of one
        """What else is seen of a plan's networks at the end."""
        return {}

    def population(
        self, members: tuple[Member, ...], plan: Plan, device: torch.device
    ) -> tuple[Cohort[Net], Data]:
        """Networks at birth, and what they learn from."""
        train, _, _, classes = self.sets(str(device))
        model = Net.read(self.text(train.x.shape[1], classes))
        how: Any = {"device": device, "precision": self.precision, "micro": self.micro_batch}
        rule = SGD(momentum=self.momentum)
        cohort = Cohort.born(model, members, self.seed, loss=losses.cross_entropy, rule=rule, **how)
        change = Augmentation.read(self.augment)
        root, keys = streams.root(self.seed), cohort.keys
        x, y = train.x[None], train.y[None]
        return cohort, Data(x, y, plan.batch, root, keys, change, plan.sizes)

    # ------------------------------------------------------------------- what it costs

    def forecast(self, device: str) -> str:
        """Parameters, FLOPs and memory, as archcalc predicts them."""
        counts = self.counts()
        count = counts["train"]
        examples = sum(
            len(plan.arms) * self.seeds * plan.read([plan.end(count)], count)[0]
            for plan in self.plans(count)
        )
        return costs.forecast(self._predicted(counts, device), examples)

    def cost(self, device: str) -> dict[str, Any]:
        """Predicted and measured."""
        counts = self.counts()
        text = self.text(counts["channels"], counts["classes"])
        found = costs.measured(text, self.batch, self.precision, device)
        return {"predicted": self._predicted(counts, device), "measured": found}

    def _predicted(self, counts: Mapping[str, int], device: str) -> dict[str, int]:
        text = self.text(counts["channels"], counts["classes"])
        return costs.predicted(text, self.batch, self.precision, device)

    # ------------------------------------------------------------------- what comes of it

    def found(self, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """Counts, and every arm: curves, last values, best values."""
        counts = dict(zip(COUNTS, map(int, arrays["counts"]), strict=True))
        arms = {}
        for plan in self.plans(counts["train"]):
            for arm in plan.arms:
                arms[arm.name] = self._arm(plan, arm, arrays, counts["train"])
        network = self.text(counts["channels"], counts["classes"])
        return {"counts": counts, "text": network, "arms": arms}

    def _arm(self, plan: Plan, arm: Arm, arrays: Mapping[str, Array], count: int) -> dict[str, Any]:
        def of(name: str) -> Array:
            return rows(arrays, self.trained(arm.name), name).astype(np.float64)

        updates = plan.moments(count)
        read = plan.read(updates, count)
        found: dict[str, Any] = {
            "plan": plan.name,
            "said": arm.description,
            "rate": arm.rate,
            "schedule": str(arm.schedule),
            "updates": updates,
            "examples": read,
            "learning_loss": of("training_loss"),
            "diverged": [_first(read[1:], ~np.isfinite(own)) for own in of("training_loss")],
        }
        if plan.scored:
            found["curves"] = {name: of(name) for name in SCORES}
            last = {name: of(name)[:, -1] for name in SCORES}
            last |= {name: of(name) for name in ("test_loss", "test_accuracy")}
            last["best_val_accuracy"] = of("val_accuracy").max(1)
            found["final"] = statistics.scores(last)
        return found


def _first(read: Sequence[int], where: Array) -> int | None:
    """What was read when something was first so; None if it never was."""
    return read[int(where.argmax())] if where.any() else None


def text(width: float, size: int, channels: int, classes: int) -> str:
    """MiniGoogLeNet in archcalc's notation, from the zoo, at another size.

    Args:
        width: the share of every convolution's filters that is built, at least one of each.
        size: of the images' sides.
        channels: of the images.
        classes: outputs.
    """
    network = load("minigooglenet")

    def narrow(layer: Layer) -> Layer:
        if isinstance(layer, Convolution):
            narrower = max(1, round(width * integer(layer.out_channels)))
            return replace(layer, out_channels=narrower)
        return replace(layer, out_features=classes) if isinstance(layer, Linear) else layer

    inputs = (Input(shape=Shape((size, size), channels)),)
    return write(replace(network.mapped(narrow), inputs=inputs))


def ladder(least: int, most: int) -> list[int]:
    """Powers of two from one number to another."""
    return [2**n for n in range(math.ceil(math.log2(least)), math.floor(math.log2(most)) + 1)]
