"""What experiments on images in two sizes share: presets, and three sets of images."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, ClassVar, Final, NamedTuple, Self

import numpy as np

from training.engine import datasets
from training.engine.cohort import PRECISIONS
from training.engine.datasets import Images, Normalization
from training.engine.record import Array
from training.errors import TrainingError
from training.experiments.base import PLACE, Experiment, check_range, choice, counted

COUNTS: Final = ("train", "validation", "test", "classes", "channels")
FEWEST: Final = 8  # images to learn from
PRESET: Final[Any] = None  # stands for the preset's value


class Sets(NamedTuple):
    """Images to learn from, for validation and for the test, and how many classes they are of."""

    train: Images
    held: Images
    test: Images
    classes: int


@dataclass(frozen=True, kw_only=True)
class Preset(Experiment):
    """What is None takes the preset's value.

    Args:
        preset: ``quick``: minutes on two cores; ``reduced``, for MiniGoogLeNet: a quarter of the
            channels, hours on two cores; ``assignment``: what the questions fix; ``full``: more
            methods, rates and seeds.
        dataset: one of :data:`training.engine.datasets.NAMES`, or a ``.npz`` file.
        examples: training images, drawn with the seed from those not held out; 0 takes all.
        validation: training images that are held out, drawn with the seed.
        test_examples: the first of the test images; 0 takes all.
        size: pixels of the images' sides, to which they are resized bilinearly.
        batch: the minibatch where it does not change.
        seeds: networks of each way to train.
        precision: ``fp32``, ``bf16``, or on a GPU ``tf32``, see
            :class:`training.engine.cohort.Cohort`.
        data_dir: where data sets are, or ARCHCALC_DATA; the result does not depend on it.
        seed: of everything that is drawn.
    """

    presets: ClassVar[dict[str, dict[str, Any]]]
    own: ClassVar[dict[str, dict[str, Any]]] = {}  # what a subclass adds to the presets
    least_size: ClassVar[int] = 1  # pixels

    preset: str = "quick"
    dataset: str = "digits"
    examples: int = PRESET
    validation: int = PRESET
    test_examples: int = PRESET
    size: int = PRESET
    batch: int = 64
    seeds: int = PRESET
    precision: str = PRESET
    data_dir: str | None = field(default=None, compare=False, metadata=PLACE)

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("--preset", [self.preset], self.presets)
        usual = self.presets[self.preset] | self.own.get(self.preset, {})
        for one in fields(self):
            if getattr(self, one.name) is None and one.name in usual:
                object.__setattr__(self, one.name, usual[one.name])
        datasets.named("--dataset", self.dataset)
        choice("--precision", [self.precision], PRECISIONS)
        for option, least in (
            *(("examples", 0), ("validation", 1), ("test_examples", 0), ("seeds", 1)),
            *(("size", self.least_size), ("batch", 2)),
        ):
            check_range(f"--{option.replace('_', '-')}", getattr(self, option), least)

    # ------------------------------------------------------------------- how it is written

    def baseline(self) -> Self:
        """What runs with the preset alone."""
        return type(self)(preset=self.preset)

    def command(self) -> str:
        """With the preset, which decides what is usual, unless it is the default."""
        head, name, rest = super().command().partition(self.name)
        chosen = f" --preset {self.preset}" * (self.preset != type(self).preset)
        return f"{head}{name}{chosen}{rest}"

    def _seeds(self) -> str:
        return counted(self.seeds, "seed")

    def sets(self, device: str = "cpu") -> Sets:
        """Images to learn from, for validation, and for the test."""
        return prepared(*self.drawn(device))

    def drawn(self, device: str) -> tuple[Any, ...]:
        """What the sets depend on: the arguments of :func:`prepared`."""
        given = (self.examples, self.validation, self.test_examples, self.size)
        return (self.dataset, self.data_dir, *given, self.seed, device)

    def counts(self) -> dict[str, int]:
        """How many images each part has, and what they are like: :data:`COUNTS`."""
        train, held, test, classes = self.sets()
        found = (len(train.x), len(held.x), len(test.x), classes, train.x.shape[1])
        return dict(zip(COUNTS, found, strict=True))

    def observed(self) -> dict[str, Array]:
        """:meth:`counts`, for who has the record and not the data."""
        return {"counts": np.array(list(self.counts().values()))}


@lru_cache(maxsize=2)
def prepared(
    dataset: str,
    folder: str | None,
    examples: int,
    held: int,
    tested: int,
    size: int,
    seed: int,
    device: str,
) -> Sets:
    """Images to learn from, for validation and for the test, normalized by the first's mean.

    Args:
        dataset: see :func:`training.engine.datasets.load`.
        folder: likewise.
        examples: how many to learn from; 0 is all that are not held out.
        held: training images that are held out.
        tested: how many of the test images; 0 is all.
        size: of their sides.
        seed: of the choices.
        device: where to.

    Raises:
        TrainingError: there are no data, or too few.
    """
    training_set = datasets.load(dataset, folder)
    if 0 < examples < FEWEST:
        raise TrainingError(f"--examples: {examples} are too few", hint=f"{FEWEST} or more")
    if held + max(examples, FEWEST) > len(training_set.x):
        fact = f"{held:,} images held out and {examples or FEWEST} to learn from are more than"
        raise TrainingError(
            f"{fact} the {len(training_set.x):,} of {datasets.title(dataset)}",
            hint="--examples and --validation say how many",
        )
    train, validation = training_set.split(held, seed)
    if examples and examples < len(train.x):
        _, train = train.split(examples, seed)
    test = datasets.load(dataset, folder, train=False)
    test = Images(test.x[: tested or None], test.y[: tested or None])
    parts = [part.resized(size, size) for part in (train, validation, test)]
    by = Normalization.of(parts[0])
    train, validation, test = (by(part).to(device) for part in parts)
    return Sets(train, validation, test, training_set.classes)
