"""What is trained and watched, on which images."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import torch
from torch import Tensor

from archcalc.layers.activation import Activation
from training.engine import datasets, losses, probes, schedules, streams
from training.engine.cohort import Cohort, Member
from training.engine.data import Augmentation, Data
from training.engine.datasets import Images, Normalization
from training.engine.loop import Task
from training.engine.networks import Net
from training.engine.steps import epochs
from training.engine.updates import Adam
from training.errors import TrainingError
from training.experiments.base import seeded
from training.experiments.batchnorm_dropout import summary
from training.experiments.batchnorm_dropout.grid import (
    HIDDEN_LAYERS,
    INPUT_NORM,
    SCORES,
    SHARES,
    SIZE,
    WATCHES,
    Grid,
    Group,
    text,
)

WARMUP: Final = 200  # updates
WATCHED: Final = 1000  # training images whose distributions are watched
UNITS: Final = 16  # channels of each layer that are watched
MEASURED: Final = 10_000  # training images that scores and variances are measured on
MASKS: Final = 20  # random choices of them


class BatchnormDropout(Grid):
    """What is trained, and what is seen of it."""

    summarise = summary.summarise

    def tasks(self) -> tuple[Task, ...]:
        """One population a group."""
        train, _ = self.images()  # what is not there is said before anything is kept
        fact = f"--batch {self.batch} of {len(train.x):,} images leaves"
        if len(train.x) < self.batch:
            raise TrainingError(f"{fact} no batch", hint="choose a smaller one")
        nets = (Net.read(text(g, train.x.shape[1], train.classes)) for g in self.groups())
        if len(train.x) % self.batch == 1 and any(net.norms for net in nets):
            raise TrainingError(
                f"{fact} a batch of one", hint="batch norm needs two; choose another"
            )
        return tuple(self._task(group) for group in self.groups())

    def images(self, device: str = "cpu", *, standard: bool = True) -> tuple[Images, Images]:
        """Training and test set, or what is held out in its place, as a variant reads them."""
        counts = (self.examples, self.validation, self.test_examples)
        return prepared(self.dataset, self.data_dir, *counts, self.seed, standard, device)

    def _task(self, group: Group) -> Task:
        train, _ = self.images()
        updates = max(self.epochs * -(-len(train.x) // self.batch), 1)
        schedule = schedules.warmup(min(WARMUP, -(-updates // 10))) * schedules.cosine(updates)
        members = tuple(
            Member(number, "torch", rate=self.rate, schedule=schedule)
            for number in range(self.seeds)
        )

        def sets(device: torch.device) -> tuple[Images, Images]:
            return self.images(str(device), standard=group.what.input == "standard")

        def build(own: tuple[Member, ...], device: torch.device) -> tuple[Cohort[Net], Data]:
            train, _ = sets(device)
            per_unit = [INPUT_NORM] if group.what.input == "bn-pixel" else []
            model = Net.read(text(group, train.x.shape[1], train.classes), per_unit)
            cohort = Cohort.born(
                model, own, self.seed, loss=losses.cross_entropy, rule=Adam(), device=device
            )
            root, change = streams.root(self.seed), Augmentation.read(self.augment)
            data = Data(train.x[None], train.y[None], self.batch, root, cohort.keys, change)
            return cohort, data

        def probe(cohort: Cohort[Net]) -> Mapping[str, Tensor]:
            train, test = sets(cohort.parameters.device)
            part = Images(train.x[:MEASURED], train.y[:MEASURED])
            found = (*probes.score(cohort, part), *probes.score(cohort, test))
            seen = dict(zip(SCORES, found, strict=True))
            names = [*HIDDEN_LAYERS, *probes.read_by(cohort.model, Activation).values()]
            spread = probes.distributions(cohort, train.x[None, :WATCHED], names, UNITS)
            for what, value in spread.items():
                for where, own in zip(WATCHES, value.split(len(HIDDEN_LAYERS), 1), strict=True):
                    seen[f"{where}/{what}"] = own
            return seen

        def last(cohort: Cohort[Net]) -> Mapping[str, Tensor]:
            return self._last(cohort, *sets(cohort.parameters.device))

        until, looks = epochs(self.epochs), tuple(map(epochs, self.looks()))
        names = tuple(seeded(group.name, self.seeds))
        return Task(group.name, members, build, until, looks, probe, last, names)

    def _last(self, cohort: Cohort[Net], train: Images, test: Images) -> dict[str, Tensor]:
        """What is seen once: all training images, what was learnt, variances, co-adaptation."""
        loss, accuracy = probes.score(cohort, train)
        found = {"final_train_loss": loss, "final_train_accuracy": accuracy}
        found["weights_sha256"] = probes.digest(cohort)
        part = Images(train.x[:MEASURED], train.y[:MEASURED])
        found |= probes.normalizations(cohort)
        if cohort.model.norms:
            found |= {f"{n}.test": v for n, v in probes.variances(cohort, part).items()}
            again = probes.score(probes.adjusted(cohort, part), test)
            found |= {"adjusted_loss": again.loss, "adjusted_accuracy": again.accuracy}
        values = probes.last_hidden(cohort, test)
        found["correlation"] = probes.correlation(values)
        found["silenced"] = torch.stack(
            [probes.silenced(cohort, values, test.y, s, MASKS, self.seed) for s in SHARES], 1
        )
        return found


@lru_cache(maxsize=4)  # two normalizations on each of two devices
def prepared(
    dataset: str,
    folder: str | None,
    examples: int,
    held: int,
    tested: int,
    seed: int,
    standard: bool,  # noqa: FBT001 - a cache's key
    device: str,
) -> tuple[Images, Images]:
    """Training and test set on a device, 28x28, as a variant reads them.

    Args:
        dataset: see :func:`training.engine.datasets.load`.
        folder: likewise.
        examples: how many of the others to learn from; 0 is all of them.
        held: so many training images are held out; they come in the test set's place.
        tested: how many of the test images, the first; 0 is all.
        seed: of both choices.
        standard: whether to normalize by mean and standard deviation of the training set.
        device: where to.

    Raises:
        TrainingError: there are no data, or too few.
    """
    train = datasets.load(dataset, folder)
    if held >= len(train.x):
        fact = (
            f"--validation: {held:,} of {len(train.x):,} training images leaves none to learn from"
        )
        raise TrainingError(fact)
    if held:
        train, test = train.split(held, seed)
    else:
        test = datasets.load(dataset, folder, train=False)
    _fewer("--examples", examples, train, "to learn from")
    _fewer("--test-examples", tested, test, "for the test")
    if examples:
        _, train = train.split(examples, seed)
    test = Images(test.x[: tested or None], test.y[: tested or None])
    train, test = train.resized(SIZE, SIZE), test.resized(SIZE, SIZE)
    if standard:
        by = Normalization.of(train)
        train, test = by(train), by(test)
    return train.to(device), test.to(device)


def _fewer(option: str, asked: int, there: Images, what: str) -> None:
    """Refuse more images than there are."""
    if asked > len(there.x):
        fact = f"{option} {asked}: there are {len(there.x):,} images {what}"
        raise TrainingError(fact, hint="0 takes all")
