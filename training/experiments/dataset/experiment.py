"""What is counted and measured of a data set."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

import torch
from torch import Tensor

from training.engine import datasets
from training.engine.datasets import Images, Normalization
from training.engine.loop import Task
from training.engine.record import Array
from training.errors import TrainingError
from training.experiments.base import PLACE, Experiment, check_range, distinct
from training.experiments.fixed import Fixed, exactly

IMAGES: Final = 3  # of each class that is shown, beside the class's mean
SHOWN: Final = 3  # classes, in the assignment
CLASSES: Final = 1000  # rows that a table may have
AT_ONCE: Final = 1000  # images whose distances are computed
PARTS: Final = ("train", "validation", "test")
WORDS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# What the sets' authors call their classes; a file has numbers alone.
NAMES: Final = {
    "mnist": WORDS,
    "fashion-mnist": (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    "cifar10": (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
    datasets.DIGITS: WORDS,
}


class Parts(NamedTuple):
    """The whole training set, what is learnt from, what is held out of it, and the test set."""

    whole: Images
    train: Images
    validation: Images
    test: Images


@dataclass(frozen=True, kw_only=True)
class Dataset(Experiment):
    """A data set, and the classes of which images are shown.

    Args:
        dataset: one of :data:`training.engine.datasets.NAMES`, or a ``.npz`` file.
        validation: training images that are held out, drawn with the seed, as the experiments with
            MiniGoogLeNet hold out theirs.
        classes: classes of which images are shown, by number.
        data_dir: where data sets are, or ARCHCALC_DATA; the result does not depend on it.
        seed: of the choice of what is held out.
    """

    name = "dataset"
    title = "The data set"
    question = {
        "dataset": exactly("fashion-mnist"),
        "classes": Fixed(f"{SHOWN} or more", lambda classes: len(classes) >= SHOWN),
    }
    dataset: str = "fashion-mnist"
    validation: int = 5000
    classes: tuple[int, ...] = (0, 1, 2)
    data_dir: str | None = field(default=None, compare=False, metadata=PLACE)

    def __post_init__(self) -> None:
        super().__post_init__()
        datasets.named("NAME", self.dataset)
        check_range("--validation", self.validation, 0)
        distinct("--classes", self.classes)

    def baseline(self) -> Self:
        """The same data set."""
        return type(self)(dataset=self.dataset)

    def command(self) -> str:
        """With the data set, which is no option."""
        head, name, rest = super().command().partition(self.name)
        return f"{head}{name} {shlex.quote(self.dataset)}{rest}"

    def tasks(self) -> tuple[Task, ...]:
        """None; but what is not there is said before anything is kept."""
        self.parts()
        return ()

    def parts(self) -> Parts:
        """The images.

        Raises:
            TrainingError: there are none, or fewer than are to be held out or shown, or more
                classes than a table has room for.
        """
        images = datasets.load(self.dataset, self.data_dir)
        title = datasets.title(self.dataset)
        if self.validation >= len(images.x):
            fact = f"--validation: {self.validation:,} images held out leave none to learn from"
            raise TrainingError(fact, hint=f"{title} has {len(images.x):,} training images")
        if images.classes > CLASSES:
            hint = f"a table has room for {CLASSES:,}"
            raise TrainingError(f"{title} has {images.classes:,} classes", hint=hint)
        for number in self.classes:
            if number >= images.classes:
                fact = f"--classes: {title} has no class {number}"
                raise TrainingError(fact, hint=f"its classes are 0 to {images.classes - 1}")
            count = int((images.y == number).sum())
            if count < IMAGES:
                fact = f"--classes: class {number} of {title} has {count} training images"
                raise TrainingError(fact, hint=f"{IMAGES} of each class are shown; choose another")
        test = datasets.load(self.dataset, self.data_dir, train=False)
        return Parts(images, *images.split(self.validation, self.seed), test)

    def observed(self) -> dict[str, Array]:
        """Images a class, their size and pixels, and pictures of the classes that are shown."""
        parts = self.parts()
        images = parts.whole
        by = Normalization.of(parts.train)
        ends = torch.stack(images.x.aminmax())
        counts = [torch.bincount(part.y, minlength=images.classes) for part in parts[1:]]
        channels, height, width = images.x.shape[1:]
        found = {
            "counts": torch.stack(counts),
            "size": torch.tensor([height, width, channels]),
            "range": ends,
            "mean": by.mean,
            "std": by.std,
        }
        shown = [_shown(images, number) for number in self.classes]
        for name in shown[0]:
            found[name] = torch.stack([one[name] for one in shown])
        # black is 0 and white 1; what a file has beyond them is the blackest and the whitest
        black, white = min(0.0, float(ends[0])), max(1.0, float(ends[1]))
        scaled = (found["pictures"] - black) / (white - black) * 255
        found["pictures"] = scaled.round().to(torch.uint8).movedim(2, -1)
        return {name: value.numpy() for name, value in found.items()}

    def summarise(self, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """Numbers of images, by part and class; what they are like; which ones are shown."""
        counts = dict(zip(PARTS, arrays["counts"], strict=True))
        rows = []
        for number in range(arrays["counts"].shape[1]):
            own = {part: int(count[number]) for part, count in counts.items()}
            name = name_of(self.dataset, number)
            rows.append({"class": number, "name": name, **own, "total": sum(own.values())})
        sizes = {part: int(count.sum()) for part, count in counts.items()}
        shown = [
            {
                "class": number,
                "name": name_of(self.dataset, number),
                **{what: arrays[what][row] for what in ("places", "distances", "median")},
            }
            for row, number in enumerate(self.classes)
        ]
        return {
            "sizes": {**sizes, "total": sum(sizes.values())},
            "classes": rows,
            "image": dict(zip(("height", "width", "channels"), arrays["size"], strict=True)),
            "pixels": {name: arrays[name] for name in ("range", "mean", "std")},
            "shown": shown,
        }


def name_of(dataset: str, number: int) -> str:
    """What a class is called; empty where nobody has named it."""
    names = NAMES.get(dataset, ())
    return names[number] if number < len(names) else ""


def _shown(images: Images, number: int) -> dict[str, Tensor]:
    """The mean of a class's images, and those nearest to it in the Euclidean norm of all pixels.

    Args:
        images: in which ``places`` counts from 0.
        number: of the class.
    """
    own = (images.y == number).nonzero().squeeze(1)
    x = images.x[own]
    mean = x.mean(0, dtype=torch.float64)
    far = torch.cat([(part - mean).flatten(1).norm(dim=1) for part in x.split(AT_ONCE)])
    near = far.argsort(stable=True)[:IMAGES]
    return {
        "pictures": torch.cat([mean[None], x[near].double()]),
        "places": own[near],
        "distances": far[near],
        "median": far.median(),
    }
