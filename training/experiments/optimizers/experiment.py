"""The search, the final networks, and what they cost."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from training.engine import costs, losses, probes, streams
from training.engine.cohort import UPDATE, Cohort, Member
from training.engine.data import Data
from training.engine.datasets import Images
from training.engine.loop import Task
from training.engine.models import DROPOUT, Mlp
from training.engine.record import Array
from training.engine.steps import epochs
from training.experiments.optimizers import summary
from training.experiments.optimizers.grid import FORMS, SCORES, WATCHED, Grid
from training.experiments.preset import prepared

SEARCHER: Final = 2**20  # the number of networks that search, which no final one has
MEASURED: Final = 5000  # training images that networks are scored on while they learn
SAME: Final = 1000  # test images on which both forms of dropout are compared
MASKS: Final = 30  # random choices of units whose outputs are averaged
WARM: Final = 2  # updates before those that are profiled
UPDATES: Final = {"cpu": 4, "cuda": 50}  # that are profiled
PROFILED: Final = "adam"  # whose update is taken apart
PRODUCTS: Final = ("aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm")


class Optimizers(Grid):
    """What is trained, and what it costs."""

    summarise = summary.summarise

    def tasks(self) -> tuple[Task, ...]:
        """The search without and with dropout; then every method with the rate that it chose."""
        return self.tasks_after({})

    def tasks_after(self, arrays: Mapping[str, Array]) -> tuple[Task, ...]:
        """The tasks, with the rates that the search has chosen so far."""
        self.sets()  # what is not there is said before anything is kept
        searches = [self._search(dropout, arrays) for dropout in self.dropout]
        return (*searches, *(self._final(dropout, arrays) for dropout in self.dropout))

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
