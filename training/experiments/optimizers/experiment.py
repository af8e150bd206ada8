"""What is trained, and what comes of it."""

from __future__ import annotations

import math
import os
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

import numpy as np
import torch
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from training.engine import costs, datasets, losses, probes, statistics, streams
from training.engine.cohort import UPDATE, Cohort, Member
from training.engine.data import Data
from training.engine.datasets import Images
from training.engine.loop import Task
from training.engine.models import DROPOUT, Mlp
from training.engine.steps import epochs
from training.engine.updates import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    NAdam,
    RMSprop,
    RMSpropNesterov,
    Rule,
)
from training.errors import TrainingError
from training.experiments.base import (
    ALL,
    NOT_ASSIGNED,
    Fixed,
    all_of,
    choice,
    counted,
    distinct,
    exactly,
    rows,
    seeded,
    whole,
)
from training.experiments.preset import COUNTS, PRESET, Preset, prepared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import Tensor

    from training.engine.record import Array

PIXELS: Final = 32
UNITS: Final = 1000  # of each hidden layer, in the assignment
EPOCHS: Final = 200  # likewise
BATCH: Final = 128  # likewise
SEARCHER: Final = 2**20  # the number of networks that search, which no final one has
INPUT: Final = 0.2  # what dropout leaves out of the input
HIDDEN: Final = 0.5  # and of hidden units
DECADES: Final = tuple(10.0**n for n in range(-5, 2))
HALVES: Final = tuple(float(f"{10.0 ** (n / 2):.2g}") for n in range(-10, 3))
START: Final = HALVES[2:7]  # 1e-4 to 1e-2; where the best lies at an end, there are more
MEASURED: Final = 5000  # training images that networks are scored on while they learn
WATCHED: Final = ("val_loss", "val_accuracy")  # in the search
LOSS, TRAINING = "learning_loss", "training_loss"  # as it learns: in results, in records
SCORES: Final = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
DROPPED: Final = ("without", "with")
SETTINGS: Final = {"without": "plain", "with": "dropout"}  # in the names of tasks
SAME: Final = 1000  # test images on which both forms of dropout are compared
MASKS: Final = 30  # random choices of units whose outputs are averaged
WARM: Final = 2  # updates before those that are profiled
UPDATES: Final = {"cpu": 4, "cuda": 50}  # that are profiled
PROFILED: Final = "adam"  # whose update is taken apart
PRODUCTS: Final = ("aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm")


class Method(NamedTuple):
    """A way to learn.

    Args:
        said: its name in words.
        rule: with its hyperparameters, save the L2 penalty and the rate.
        asked: whether the assignment names it; else it is a reference.
    """

    said: str
    rule: Rule
    asked: bool = True


METHODS: Final = {
    "adagrad": Method("AdaGrad", Adagrad()),
    "rmsprop": Method("RMSProp", RMSprop(alpha=0.9)),
    "rmsprop-nesterov": Method("RMSProp + Nesterov", RMSpropNesterov(rho=0.9, alpha=0.9)),
    "adadelta": Method("AdaDelta", Adadelta(rho=0.9)),
    "adam": Method("Adam", Adam()),
    "nadam": Method("NAdam", NAdam(), asked=False),
    "adamw": Method("AdamW", AdamW(), asked=False),
    "sgd-nesterov": Method(
        "SGD + Nesterov momentum", SGD(momentum=0.9, nesterov=True), asked=False
    ),
}
ASKED: Final = tuple(name for name, method in METHODS.items() if method.asked)
ASSIGNMENT: Final = {
    "method": ASKED,
    "widen": 6,
    "examples": 0,
    "validation": 5000,
    "test_examples": 0,
    "size": PIXELS,
    "width": UNITS,
    "rate": START,
    "search_epochs": 5,
    "epochs": EPOCHS,
    "seeds": 1,
    "precision": "fp32",
}


class Criterion(NamedTuple):
    """What a method can be best by.

    Args:
        said: in words.
        highest: whether more is better.
    """

    said: str
    highest: bool = False


CRITERIA: Final = {
    "learning_loss": Criterion("training loss, as it learns"),
    "train_loss": Criterion("training loss, all units at work"),
    "test_loss": Criterion("test loss"),
    "test_accuracy": Criterion("test accuracy", highest=True),
}


@dataclass(frozen=True, kw_only=True)
class Optimizers(Preset):
    """Methods, the grid of their rates, and how long they learn; see also :class:`Preset`.

    Args:
        method: some of :data:`METHODS`.
        dropout: ``without``, ``with``, or both.
        rate: the grid, the same for all methods.
        widen: so many more rates are tried beyond an end of the grid where a method's best one
            lies at that end.
        search_epochs: epochs of every method with every rate.
        epochs: of every method with the rate that it does best with, over all training images.
        width: units of each of the two hidden layers.
        weight_decay: of the L2 penalty, in the gradient of weights and biases (coupled). AdamW,
            whose decay is decoupled, has its own, 0.01.
    """

    name = "optimizers"
    title = "Adaptive methods"
    question = {
        "dataset": exactly("cifar10"),
        "examples": ALL,
        "test_examples": ALL,
        "size": exactly(PIXELS),
        "width": exactly(UNITS),
        "batch": exactly(BATCH),
        "epochs": exactly(EPOCHS),
        "method": all_of(*ASKED),
        "dropout": all_of(*DROPPED),
        "weight_decay": Fixed("above 0", lambda penalty: penalty > 0),
    }
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "quick": {
            "method": tuple(METHODS),
            "widen": 0,
            "examples": 3000,
            "validation": 1000,
            "test_examples": 2000,
            "size": 16,
            "width": 250,
            "rate": DECADES,
            "search_epochs": 6,
            "epochs": 15,
            "seeds": 3,
            "precision": "fp32",
        },
        "assignment": ASSIGNMENT,
        "full": ASSIGNMENT
        | {"method": tuple(METHODS), "widen": 0, "rate": HALVES, "search_epochs": 40, "seeds": 3},
    }
    chooses = frozenset({"preset", "method", "dropout", "rate", "widen", "seeds", "precision"})
    dataset: str = "cifar10"
    batch: int = BATCH
    method: tuple[str, ...] = PRESET
    dropout: tuple[str, ...] = DROPPED
    rate: tuple[float, ...] = PRESET
    widen: int = PRESET
    search_epochs: int = PRESET
    epochs: int = PRESET
    width: int = PRESET
    weight_decay: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("--method", self.method, METHODS)
        choice("--dropout", self.dropout, DROPPED)
        distinct("--rate", self.rate)
        object.__setattr__(self, "rate", tuple(sorted(self.rate)))
        object.__setattr__(self, "dropout", tuple(one for one in DROPPED if one in self.dropout))
        whole("--widen", self.widen, 0, 100)
        whole("--search-epochs", self.search_epochs, 1, 10_000)
        whole("--epochs", self.epochs, 1, 10_000)
        whole("--width", self.width, 1, 100_000)
        if not 0 <= self.weight_decay < math.inf:
            raise TrainingError(f"--weight-decay: {self.weight_decay:g} is no penalty")

    def rule(self, method: str) -> Rule:
        """A method's rule, with the L2 penalty."""
        rule = METHODS[method].rule
        if isinstance(rule, AdamW):
            return rule
        return replace(rule, weight_decay=self.weight_decay)

    # ------------------------------------------------------------------- how it is written

    def full(self) -> str:
        """The assignment."""
        return f"archcalc training {self.name} --preset assignment"

    def short(self) -> str:
        """What was trained, in a line below a figure."""
        images = f"{self.examples + self.validation:,}" if self.examples else "all"
        smaller = "" if self.assignment else f"; {NOT_ASSIGNED}"
        return (
            f"{datasets.title(self.dataset)}, {images} training images, {self.size}x{self.size}, "
            f"{self.width:,} units a hidden layer, {counted(self.epochs)}, {self._seeds()}{smaller}"
        )

    def text(self, dropout: str, channels: int, classes: int) -> str:
        """The network in archcalc's notation."""
        first, behind = (f"drop{p:g} ".replace("0.", ".") for p in (INPUT, HIDDEN))
        if dropout == "without":
            first = behind = ""
        hidden = f"fc-{self.width} relu {behind}"
        return f"{self.size}x{self.size}x{channels} flatten {first}{hidden}{hidden}fc-{classes}"

    # ------------------------------------------------------------------- what is trained

    def tasks(self) -> tuple[Task, ...]:
        """The search without and with dropout; then every method with the rate that it chose."""
        return self.tasks_after({})

    def tasks_after(self, arrays: Mapping[str, Array]) -> tuple[Task, ...]:
        """The tasks, with the rates that the search has chosen so far."""
        self.sets()  # what is not there is said before anything is kept
        searches = [self._search(dropout, arrays) for dropout in self.dropout]
        return (*searches, *(self._final(dropout, arrays) for dropout in self.dropout))

    def having(self, has: Callable[[str], bool]) -> Optimizers | None:
        """The methods that are trained with as many seeds as most, without and with dropout."""
        parts = []
        for dropout in {self.dropout, *((one,) for one in self.dropout)}:
            for seeds in range(1, self.seeds + 1):
                methods = tuple(
                    method
                    for method in self.method
                    if all(has(task) for one in dropout for task in self.final(one, method, seeds))
                )
                parts.append((len(methods) * len(dropout), seeds, dropout, methods))
        count, seeds, dropout, methods = max(parts)
        if not count:
            return None
        return replace(self, seeds=seeds, dropout=dropout, method=methods)

    def final(self, dropout: str, method: str, seeds: int | None = None) -> list[str]:
        """The tasks of a method's networks: ``adam/plain/seed0``, ..."""
        return seeded(f"{method}/{SETTINGS[dropout]}", seeds or self.seeds)

    def searched(self, dropout: str, method: str, rate: float | None = None) -> str:
        """The task of a rate that is tried, ``search/adam/plain/0.001``, or where all lie."""
        place = f"search/{method}/{SETTINGS[dropout]}"
        return place if rate is None else f"{place}/{rate:g}"

    def grid(self, dropout: str, method: str, arrays: Mapping[str, Array]) -> tuple[float, ...]:
        """The rates that are tried for a method, with those beyond the grid that have to be.

        As long as the best of all is the lowest or the highest, one more is tried there, as far
        from it as the grid's are from one another in the mean.
        """
        rates = list(self.rate)
        gaps = len(rates) - 1
        factor = (rates[-1] / rates[0]) ** (1 / gaps) if gaps else 1.0
        for end in (0, -1):
            for _ in range(self.widen if gaps else 0):
                best = self.best_rate(dropout, method, arrays, rates)
                if best != rates[end]:  # or not all are tried yet
                    break
                more = rates[end] * factor if end else rates[end] / factor
                rates.insert(len(rates) if end else 0, float(f"{more:.2g}"))
        return tuple(rates)

    def best_rate(
        self,
        dropout: str,
        method: str,
        arrays: Mapping[str, Array],
        rates: Sequence[float],
    ) -> float | None:
        """The rate that a method does best with; None as long as not all of some are tried.

        The one with the highest accuracy on the held-out images after the search's last epoch; of
        two with the same, the one with the lower loss. What has diverged is not chosen.
        """
        names = [self.searched(dropout, method, rate) for rate in rates]
        if any(f"{name}/{what}" not in arrays for name in names for what in WATCHED):
            return None
        loss, accuracy = (rows(arrays, names, what)[:, -1].astype(np.float64) for what in WATCHED)
        whole_ones = np.isfinite(loss)
        score = np.where(whole_ones, accuracy, -1.0)
        lost = np.where(whole_ones, loss, np.inf)
        return rates[int(np.lexsort((lost, -score))[0])]

    def _search(self, dropout: str, arrays: Mapping[str, Array]) -> Task:
        grids = {method: self.grid(dropout, method, arrays) for method in self.method}
        # networks of a seed of their own, so that no final run is among those that were chosen from
        members = tuple(
            Member(SEARCHER, rate=rate, variant=method, rule=self.rule(method))
            for method, rates in grids.items()
            for rate in rates
        )
        names = tuple(self.searched(dropout, one.variant, one.rate) for one in members)

        def probe(cohort: Cohort[Mlp]) -> Mapping[str, Tensor]:
            held = self.images(cohort.parameters.device).held
            return dict(zip(WATCHED, probes.score(cohort, held), strict=True))

        looks = tuple(map(epochs, range(self.search_epochs + 1)))
        build = self._builder(dropout, "train")
        until = epochs(self.search_epochs)
        return Task(f"search-{dropout}", members, build, until, looks, probe, names=names)

    def _final(self, dropout: str, arrays: Mapping[str, Array]) -> Task:
        rates = {
            method: self.best_rate(dropout, method, arrays, self.grid(dropout, method, arrays))
            for method in self.method
        }
        members = tuple(
            Member(number, rate=rate or math.nan, variant=method, rule=self.rule(method))
            for method, rate in rates.items()
            for number in range(self.seeds)
        )
        names = tuple(task for method in self.method for task in self.final(dropout, method))
        needs = tuple(self.searched(dropout, member.variant) for member in members)

        def probe(cohort: Cohort[Mlp]) -> Mapping[str, Tensor]:
            images = self.images(cohort.parameters.device)
            part = Images(images.both.x[:MEASURED], images.both.y[:MEASURED])
            found = (*probes.score(cohort, part), *probes.score(cohort, images.test))
            return dict(zip(SCORES, found, strict=True))

        def last(cohort: Cohort[Mlp]) -> Mapping[str, Tensor]:
            images = self.images(cohort.parameters.device)
            loss, accuracy = probes.score(cohort, images.both)
            seen = {"final_train_loss": loss, "final_train_accuracy": accuracy}
            seen["weights_sha256"] = probes.digest(cohort)
            return seen | (two_forms(cohort, images.test) if dropout == "with" else {})

        looks = tuple(map(epochs, range(self.epochs + 1)))
        build, until = self._builder(dropout, "both"), epochs(self.epochs)
        name = f"final-{dropout}"
        return Task(name, members, build, until, looks, probe, last, names, needs)

    def _builder(self, dropout: str, which: str) -> Callable[..., tuple[Cohort[Mlp], Data]]:
        """What builds members that learn from one of :class:`Rows`, by its name."""

        def build(own: tuple[Member, ...], device: torch.device) -> tuple[Cohort[Mlp], Data]:
            sets = self.sets(str(device))
            images: Images = getattr(self.images(device), which)
            model = Mlp.read(self.text(dropout, sets.train.x.shape[1], sets.classes))
            given: Any = {"rule": own[0].rule, "device": device, "precision": self.precision}
            cohort = Cohort.born(model, own, self.seed, loss=losses.cross_entropy, **given)
            root = streams.root(self.seed)
            return cohort, Data(images.x[None], images.y[None], self.batch, root, cohort.keys)

        return build

    def images(self, device: torch.device) -> Rows:
        """The sets on a device."""
        return in_rows(*self.drawn(str(device)))

    # ------------------------------------------------------------------- what it costs

    def forecast(self, device: str) -> str:
        """Parameters, FLOPs and memory, as archcalc predicts them."""
        counts = self.counts()
        train, held = counts["train"], counts["validation"]
        search = len(self.rate) * self.search_epochs * train
        final = self.seeds * self.epochs * (train + held)
        examples = len(self.dropout) * len(self.method) * (search + final)
        text = self.text("without", counts["channels"], counts["classes"])
        predicted = costs.predicted(text, self.batch, self.precision, device, "adam")
        return costs.forecast(predicted, examples)

    def cost(self, device: str) -> dict[str, Any]:
        """Where the time of an update goes."""
        where = torch.device(device)
        return {"profile": {dropout: self._profiled(dropout, where) for dropout in self.dropout}}

    def _profiled(self, dropout: str, device: torch.device) -> dict[str, float]:
        """The seconds of each part of one network's update, as torch's profiler tells them."""
        rate = self.rate[len(self.rate) // 2]
        member = Member(0, rate=rate, variant=PROFILED, rule=self.rule(PROFILED))
        cohort, data = self._builder(dropout, "both")((member,), device)
        read, cuda = data.reader(), device.type == "cuda"

        def train(updates: int) -> float:
            began = time.perf_counter()
            for _ in range(updates):
                cohort.advance(*read(cohort.updates))
            if cuda:
                torch.cuda.synchronize(device)
            return time.perf_counter() - began

        train(WARM)
        kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] * cuda)]
        with quiet(), profile(activities=kinds) as profiler:
            wall = train(UPDATES[device.type])
        on = "device" if cuda else "cpu"
        events = {event.key: event for event in profiler.key_averages()}
        seconds = {
            "products": sum(
                getattr(events[key], f"self_{on}_time_total") for key in PRODUCTS if key in events
            ),
            "dropout": getattr(events.get(DROPOUT), f"{on}_time_total", 0.0),
            "update": getattr(events.get(UPDATE), f"{on}_time_total", 0.0),
        }
        parts = {name: value / 1e6 for name, value in seconds.items()}
        parts["rest"] = max(wall - sum(parts.values()), 0.0)
        return {name: value / UPDATES[device.type] for name, value in parts.items()}

    # ------------------------------------------------------------------- what comes of it

    def summarise(self, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """The search, the chosen rates, curves and scores of all, who is best by what."""
        counts = dict(zip(COUNTS, map(int, arrays["counts"]), strict=True))
        text = {one: self.text(one, counts["channels"], counts["classes"]) for one in self.dropout}
        found = {dropout: self._setting(dropout, arrays) for dropout in self.dropout}
        both = list(self._differences(found)) if len(found) > 1 else []
        return {"counts": counts, "text": text, "settings": found, "differences": both}

    def _setting(self, dropout: str, arrays: Mapping[str, Array]) -> dict[str, Any]:
        grids = {method: self.grid(dropout, method, arrays) for method in self.method}
        every = sorted({rate for rates in grids.values() for rate in rates})

        def last(what: str, method: str, rate: float) -> float:
            values = arrays.get(f"{self.searched(dropout, method, rate)}/{what}")
            return math.nan if values is None else float(values[-1])

        search: dict[str, Any] = {
            name: np.array([[last(what, method, rate) for rate in every] for method in self.method])
            for name, what in {**dict(zip(WATCHED, WATCHED, strict=True)), LOSS: TRAINING}.items()
        }
        methods = {name: self._method(dropout, name, grids[name], arrays) for name in self.method}
        search |= {"rates": every, "tried": grids}
        found: dict[str, Any] = {"search": search, "methods": methods}
        found["best"] = {score: best(methods, score) for score in CRITERIA}
        if dropout == "with":
            names = [task for method in self.method for task in self.final(dropout, method)]
            found["forms"] = {name: rows(arrays, names, name).astype(np.float64) for name in FORMS}
        return found

    def _method(
        self, dropout: str, method: str, grid: Sequence[float], arrays: Mapping[str, Array]
    ) -> dict[str, Any]:
        names = self.final(dropout, method)

        def of(name: str) -> Array:
            found = rows(arrays, names, name).astype(np.float64)
            if not name.endswith("accuracy"):
                return found
            # of numbers that are none the largest is the first: no answer, be it right by chance
            lost = ~np.isfinite(of(f"{name.removesuffix('accuracy')}loss"))
            return np.where(lost, np.nan, found)

        curves = {LOSS: of(TRAINING), **{name: of(name) for name in SCORES}}
        final = {name: curve[:, -1] for name, curve in curves.items()}
        final |= {name: of(f"final_{name}") for name in ("train_loss", "train_accuracy")}
        rate = self.best_rate(dropout, method, arrays, grid)
        edges = {grid[0]: "lowest", grid[-1]: "highest"} if len(grid) > 1 else {}
        timed = f"{names[0]}/seconds" in arrays  # records before there were tasks say no times
        return {
            "rate": rate,
            "edge": edges.get(rate or 0.0, ""),
            "curves": curves,
            "final": {
                name: {"mean": statistics.score(name, values), "each": values}
                for name, values in final.items()
            },
            "epoch_seconds": of("seconds") if timed else None,
            "diverged": int((~np.isfinite(final[LOSS])).sum()),
        }

    def _differences(self, found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """What dropout changes, in pairs: with it less without."""
        for method in self.method:
            with_, without = (found[one]["methods"][method]["final"] for one in ("with", "without"))
            row: dict[str, Any] = {"method": method}
            for score in with_:
                row[score] = statistics.student(with_[score]["each"] - without[score]["each"])
            yield row


def best(methods: Mapping[str, Any], score: str) -> dict[str, Any]:
    """The assigned method with the best mean, ``name``, and the others, ``against``.

    What has diverged is not compared. Where none of the assignment's five is there, the references
    are compared.
    """
    sign = 1 if CRITERIA[score].highest else -1
    means = {name: sign * one["final"][score]["mean"].value for name, one in methods.items()}
    there = [name for name, mean in means.items() if np.isfinite(mean)]
    compared = [name for name in there if METHODS[name].asked] or there
    first = max(compared, key=lambda name: means[name], default="")
    return {"name": first, "against": [name for name in compared if name != first]}


# What is seen of the two forms of dropout, each member a number.
FORMS: Final = (
    "same_masks",
    "same_outputs",
    "inverted_accuracy",
    "scaled_accuracy",
    "unscaled_accuracy",
    "averaged_accuracy",
)


@torch.no_grad()
def two_forms(cohort: Cohort[Mlp], test: Images) -> dict[str, Tensor]:
    """Inverted dropout beside that of Srivastava et al. 2014, which scales weights at test time.

    A network that has learnt weights W behind inverted dropout has in the other form the weights
    W/(1 - p): while it learns, and the same units are left out, it gives the same outputs, and at
    test time, when these weights are multiplied by 1 - p, likewise.

    Args:
        cohort: networks with dropout, trained.
        test: images of which the first :data:`SAME` are looked at.

    Returns:
        By :data:`FORMS`, ``(members,)`` each: the largest difference of outputs with the same units
        left out, and at test time, relative to the largest output; accuracies at test time: of the
        network as it is, of the other form with its weights scaled, without that, and where the
        probabilities of :data:`MASKS` random choices of units are averaged.
    """
    x, y = test.x[None, :SAME], test.y[:SAME]
    model = cohort.model

    def right(outputs: Tensor) -> Tensor:
        return (outputs.argmax(2) == y).double().mean(1)

    def one(own: Cohort[Mlp], _: slice) -> tuple[Tensor, ...]:
        theta, keys = own.parameters, streams.fold(own.keys, "two forms")
        other = model.scaled(theta, -1)
        trained = model.forward(theta, x, own.activations, keys=keys)
        plain = model.forward(other, x, own.activations, keys=keys, inverted=False)
        inverted = own.predict(x)
        scaled = model.forward(model.scaled(other), x, own.activations)
        unscaled = model.forward(other, x, own.activations)
        averaged = torch.zeros_like(inverted)
        for number in range(MASKS):
            mask = streams.fold(keys, "mask", number)
            outputs = model.forward(theta, x, own.activations, keys=mask)
            averaged += functional.softmax(outputs, 2)
        pairs = ((trained, plain), (inverted, scaled))
        differences = [(a - b).abs().amax((1, 2)) / a.abs().amax((1, 2)) for a, b in pairs]
        accuracies = map(right, (inverted, scaled, unscaled, averaged))
        return (*differences, *accuracies)

    return dict(zip(FORMS, cohort.each(one), strict=True))


class Rows(NamedTuple):
    """Images to learn from, those held out, both together, and the test's: a row an image."""

    train: Images
    held: Images
    both: Images
    test: Images


@lru_cache(maxsize=2)
def in_rows(*drawn: Any) -> Rows:  # noqa: ANN401 - see Preset.drawn
    """The sets of :func:`training.experiments.preset.prepared`, a row an image."""
    sets = prepared(*drawn)
    train, held, test = (Images(one.x.flatten(1), one.y) for one in sets[:3])
    both = Images(torch.cat([train.x, held.x]), torch.cat([train.y, held.y]))
    return Rows(train, held, both, test)


@contextmanager
def quiet() -> Iterator[None]:
    """Without the lines that the profiler's library writes past Python to the terminal."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - likewise
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
