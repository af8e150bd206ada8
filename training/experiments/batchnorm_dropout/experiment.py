"""What is trained, and what comes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import torch

from archcalc import load
from archcalc.layers import Activation, Convolution, Layer, Linear
from archcalc.notation.words import write_word
from training.engine import datasets, losses, probes, schedules, statistics, streams
from training.engine.cohort import Cohort, Member
from training.engine.data import Augmentation, Data
from training.engine.datasets import Images, Normalization
from training.engine.loop import Task
from training.engine.networks import Net
from training.engine.steps import epochs
from training.engine.updates import Adam
from training.errors import TrainingError
from training.experiments.base import (
    ALL,
    PLACE,
    Experiment,
    all_of,
    at_least,
    choice,
    exactly,
    one_of,
    rows,
    seeded,
    spaced,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from training.engine.record import Array

SIZE: Final = 28  # pixels, which LeNet-5 pads by 2 on all sides
INPUT: Final = 0.2  # what dropout leaves out of the input
HIDDEN: Final = 0.5  # and of hidden units
INPUT_NORM: Final = "input/bn"
WARMUP: Final = 200  # updates
WATCHED: Final = 1000  # training images whose distributions are watched
UNITS: Final = 16  # channels of each layer that are watched
MEASURED: Final = 10_000  # training images that scores and variances are measured on
SHARES: Final = (0.0, 0.1, 0.25, 0.5, 0.75)  # of the last hidden layer's units, silenced
MASKS: Final = 20  # random choices of them
HIDDEN_LAYERS: Final = ("c1", "c3", "c5", "f6")
# Behind or in front of whose activations a placement drops.
DROPPED: Final = {
    "dense": ("c5", "f6"),
    "conv": HIDDEN_LAYERS,
    "before": ("c5", "f6"),
    "last": ("f6",),
}
KINDS: Final = {  # what each batch norm has, and how it is called
    "gamma": "gamma",
    "beta": "beta",
    "mean": "running mean",
    "var": "running variance",
}
# What a layer's weights give, and what its activation reads: behind batch norm, where there is one.
WATCHES: Final = ("weighted", "read")
FEW: Final = 16  # channels of a layer, up to which each has its own values in the results
SCORES: Final = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")


class Variant(NamedTuple):
    """What is put into LeNet-5.

    Args:
        letter: of the question that it answers.
        said: in words.
        norm: whether hidden layers are batch-normalized.
        drop: whether there is dropout.
        input: how the input is normalized: ``standard``, ``bn``, or ``bn-pixel``.
    """

    letter: str
    said: str
    norm: bool = False
    drop: bool = False
    input: str = "standard"


VARIANTS: Final = {
    "plain": Variant("", "standard normalization alone"),
    "bn": Variant("a", "standard normalization, batch norm in hidden layers", norm=True),
    "bn-input": Variant("b", "batch norm of the input's one channel too", norm=True, input="bn"),
    "bn-pixel": Variant("b", "batch norm of each input pixel too", norm=True, input="bn-pixel"),
    "dropout": Variant("c", "dropout without batch norm", drop=True),
    "both": Variant("d", "batch norm in hidden layers and dropout", norm=True, drop=True),
}
PLACEMENTS: Final = {
    "dense": "input, and behind the activations of C5 and F6 (as Krizhevsky et al. 2012)",
    "conv": "as dense, and behind the activations of C1 and C3 too (Srivastava et al. 2014)",
    "before": "input, and in front of the batch norms of C5 and F6 (as Li et al. 2019 warn of)",
    "last": "behind F6's activation alone, after all batch norms (Li et al. 2019)",
}


class Group(NamedTuple):
    """Networks that differ in nothing but their stream.

    Args:
        variant: one of :data:`VARIANTS`.
        placement: one of :data:`PLACEMENTS` where there is dropout, and nothing where there is not.
    """

    variant: str
    placement: str = ""

    @property
    def name(self) -> str:
        """``both/dense``, ``plain``."""
        return f"{self.variant}/{self.placement}".rstrip("/")

    @property
    def what(self) -> Variant:
        """What is put in."""
        return VARIANTS[self.variant]


# What the paired comparison compares: the first less the second.
PAIRS: Final = (
    ("bn", "plain"),
    ("bn-input", "bn"),
    ("bn-pixel", "bn"),
    ("dropout", "plain"),
    ("dropout", "bn"),
    ("dropout", "bn-input"),
    ("both", "bn"),
    ("both", "dropout"),
    ("both", "plain"),
)


@dataclass(frozen=True, kw_only=True)
class BatchnormDropout(Experiment):
    """Every variant, and where it has dropout every placement, trained with several seeds.

    For how long, and with how many seeds, the question does not say: that they are trained.

    Args:
        dataset: one of :data:`training.engine.datasets.NAMES`, or a ``.npz`` file.
        variant: some of :data:`VARIANTS`.
        dropout_placement: some of :data:`PLACEMENTS`.
        seeds: networks a group; they differ in weights, dropout, and the order of their batches.
        epochs: passes over the training set.
        batch: the minibatch.
        rate: Adam's, at its height: up in 200 updates (or a tenth of all), and down to 0 along half
            a cosine.
        augment: random changes of images, such as ``shift2``, see
            :class:`training.engine.data.Augmentation`; nothing if empty.
        examples: training images, drawn with the seed from those not held out; 0 takes all.
        validation: so many training images are held out and stand in for the test set, so that
            settings can be chosen without it.
        test_examples: the first of the test images, or of those held out; 0 takes all.
        data_dir: where data sets are, or ARCHCALC_DATA; the result does not depend on it.
        seed: of everything that is drawn.
    """

    name = "batchnorm-dropout"
    title = "Batch normalization and dropout"
    question = {
        "dataset": exactly("mnist"),
        "variant": all_of("bn", "bn-input", "dropout", "both"),
        "dropout_placement": one_of("dense", "conv"),  # of the input and of hidden layers
        "epochs": at_least(1),
        "examples": ALL,
        "validation": exactly(0),
        "test_examples": ALL,
    }
    chooses = frozenset({"variant", "dropout_placement", "seeds"})
    dataset: str = "mnist"
    variant: tuple[str, ...] = tuple(VARIANTS)
    dropout_placement: tuple[str, ...] = ("dense",)
    seeds: int = 10
    epochs: int = 20
    batch: int = 128
    rate: float = 3e-3
    augment: str = ""
    examples: int = 0
    validation: int = 0
    test_examples: int = 0
    data_dir: str | None = field(default=None, compare=False, metadata=PLACE)

    def __post_init__(self) -> None:
        super().__post_init__()
        datasets.named("--dataset", self.dataset)
        choice("--variant", self.variant, VARIANTS)
        choice("--dropout-placement", self.dropout_placement, PLACEMENTS)
        object.__setattr__(self, "augment", str(Augmentation.read(self.augment)))
        whole("--seeds", self.seeds, 1, 1000)
        whole("--epochs", self.epochs, 0, 1000)
        whole("--batch", self.batch, 2)
        whole("--examples", self.examples, 0)
        whole("--validation", self.validation, 0)
        whole("--test-examples", self.test_examples, 0)
        if not self.groups():
            fact = (
                "--dropout-placement before is in front of batch norms, and dropout alone has none"
            )
            raise TrainingError(fact, hint="--variant both has them")

    def groups(self) -> list[Group]:
        """What is compared, in the order in which it is trained."""
        found = []
        for name in self.variant:
            what = VARIANTS[name]
            places = self.dropout_placement if what.drop else ("",)
            found += [Group(name, place) for place in places if place != "before" or what.norm]
        return found

    def text(self, group: Group) -> str:
        """The network of a group; letters stand for what only a file of one's own would tell."""
        if self.dataset in datasets.NAMES:
            channels = (
                datasets.SOURCES[self.dataset].size[2] if self.dataset in datasets.SOURCES else 1
            )
            return text(group, channels, 10)
        return text(group, "C", "K")

    def looks(self) -> tuple[int, ...]:
        """Epochs after which networks are looked at."""
        return tuple(sorted({*range(min(self.epochs, 50) + 1), *spaced(self.epochs)}))

    def tasks(self) -> tuple[Task, ...]:
        """One population a group."""
        train, _ = self.images()  # what is not there is said before anything is kept
        if len(train.x) % self.batch == 1 or len(train.x) < self.batch:
            fact = f"--batch {self.batch} of {len(train.x):,} images leaves a batch of one or none"
            raise TrainingError(fact, hint="batch norm needs two; choose another")
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

        return Task(
            group.name,
            members,
            build,
            epochs(self.epochs),
            tuple(map(epochs, self.looks())),
            probe,
            last,
            tuple(seeded(group.name, self.seeds)),
        )

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

    def summarise(self, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """Means and spreads of every group, comparisons in pairs, what was learnt."""
        groups = [self._group(group, arrays) for group in self.groups()]
        by_name = {group["name"]: group for group in groups}
        return {"looks": self.looks(), "groups": groups, "pairs": list(self._pairs(by_name))}

    def _group(self, group: Group, arrays: Mapping[str, Array]) -> dict[str, Any]:
        def of(what: str) -> Array:
            return rows(arrays, seeded(group.name, self.seeds), what).astype(np.float64)

        finals = {name: of(name)[:, -1] for name in SCORES}
        if self.epochs:
            finals["train_loss"] = of("final_train_loss")
            finals["train_accuracy"] = of("final_train_accuracy")
        return {
            **group._asdict(),
            "name": group.name,
            "text": self.text(group),
            "curves": {
                name: {"mean": of(name).mean(0), "min": of(name).min(0), "max": of(name).max(0)}
                for name in SCORES
            },
            "learning_loss": of("training_loss").mean(0) if self.epochs else [],
            "final": {
                name: {
                    "mean": statistics.score(name, values),
                    "std": float(values.std(ddof=1)) if len(values) > 1 else math.nan,
                    "min": float(values.min()),
                    "max": float(values.max()),
                    "each": values,
                }
                for name, values in finals.items()
            },
            "norms": list(_norms(group, of)),
            "adjusted": _adjusted(group, of),
            "drift": {where: _drift(of, where) for where in WATCHES},
            "correlation": statistics.student(of("correlation")),
            "silenced": list(map(statistics.proportion, of("silenced").T)),
            "silenced_each": of("silenced"),
        }

    def _pairs(self, groups: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Differences of members with the same number."""
        placement = self.dropout_placement[0]
        compared = [
            (Group(a, placement * VARIANTS[a].drop), Group(b, placement * VARIANTS[b].drop))
            for a, b in PAIRS
        ]
        others = [p for p in self.dropout_placement if p != placement]
        for name in ("dropout", "both"):
            compared += [(Group(name, other), Group(name, placement)) for other in others]
        for one, two in compared:
            if one.name in groups and two.name in groups:
                ours, theirs = groups[one.name]["final"], groups[two.name]["final"]
                row: dict[str, Any] = {"one": one.name, "two": two.name}
                for score in SCORES:
                    difference = ours[score]["each"] - theirs[score]["each"]
                    row[score] = statistics.student(difference)
                yield row


def text(group: Group, channels: int | str, classes: int | str) -> str:
    """LeNet-5 in archcalc's notation, from the zoo, with what a group puts in.

    Args:
        group: which.
        channels: of the images; a letter, where they are not known.
        classes: outputs; likewise.
    """
    what, place = group.what, group.placement
    words = [f"{SIZE}x{SIZE}x{channels}"]
    if what.input != "standard":
        words.append(f"{INPUT_NORM}: bn")
    if what.drop and place != "last":
        words.append(f"input/drop: {_drop(INPUT)}")
    nodes = load("lenet5").nodes
    learnt = ""  # the last layer with weights
    for node in nodes:
        layer = node.layer
        assert isinstance(layer, Layer), "LeNet-5 has no branches"
        if isinstance(layer, Activation):
            drop = learnt in DROPPED.get(place, ())
            if drop and place == "before":
                words.append(f"{learnt}/drop: {_drop(HIDDEN)}")
            if what.norm:
                words.append(f"{learnt}/bn: bn")
            words.append(write_word(layer))
            if drop and place != "before":
                words.append(f"{learnt}/drop: {_drop(HIDDEN)}")
            continue
        if isinstance(layer, Convolution | Linear):
            learnt = node.name
        if node is nodes[-1]:
            words.append(f"{node.name}: fc-{classes}")
        else:
            words.append(f"{node.name}: {write_word(layer)}")
    return " ".join(words)


def _drop(probability: float) -> str:
    return f"drop{probability:g}".replace("0.", ".")


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
    """Refuse more images than there are.

    Raises:
        TrainingError: naming the option.
    """
    if asked > len(there.x):
        fact = f"{option} {asked}: there are {len(there.x):,} images {what}"
        raise TrainingError(fact, hint="0 takes all")


def _norms(group: Group, of: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - arrays by name
    """What each batch normalization learnt, and how far its variance shifts, over members."""
    names = [f"{name}/bn" for name in HIDDEN_LAYERS] if group.what.norm else []
    if group.what.input != "standard":
        names.insert(0, INPUT_NORM)
    for name in names:
        row: dict[str, Any] = {"name": name, "count": of(f"{name}.gamma").shape[1]}
        for what in KINDS:
            values = of(f"{name}.{what}")
            row[what] = {
                "mean": float(values.mean()),
                "std": float(values.std()),
                "min": float(values.min()),
                "max": float(values.max()),
                "channels": list(map(statistics.student, values.T)) if row["count"] <= FEW else [],
            }
        # a pixel that is never lit has no variance, neither in training nor at test time
        running, real = of(f"{name}.var"), of(f"{name}.test")
        live = running > np.quantile(running, 0.5) * 1e-3
        ratio = np.where(live, real / np.where(live, running, 1), np.nan)
        row["shift"] = statistics.student(np.nanmean(ratio, 1))
        yield row


def _adjusted(group: Group, of: Any) -> dict[str, Any] | None:  # noqa: ANN401 - arrays by name
    """What new running statistics change; None without batch norm."""
    if not group.what.norm:
        return None
    return {
        "accuracy": statistics.proportion(of("adjusted_accuracy")),
        "gain": statistics.student(of("adjusted_accuracy") - of("test_accuracy")[:, -1]),
        "loss_gain": statistics.student(of("adjusted_loss") - of("test_loss")[:, -1]),
    }


def _drift(of: Any, where: str) -> dict[str, Any]:  # noqa: ANN401 - arrays by name
    """How far a value moves from look to look, by layer, over members and units.

    ``mean``: by how many standard deviations a unit's mean moves. ``std``: the absolute
    logarithm of the factor by which its standard deviation changes. ``(looks - 1, layers)``.
    ``each``: the mean over units alone, ``(members, looks - 1, layers)``.
    """
    mean, std = of(f"{where}/mean"), of(f"{where}/std")  # (members, looks, layers, units)
    moved = np.abs(np.diff(mean, axis=1)) / std[:, :-1]
    scaled = np.abs(np.diff(np.log(std), axis=1))
    return {
        "mean": np.nanmean(moved, (0, 3)),
        "each": np.nanmean(moved, 3),
        "std": np.nanmean(scaled, (0, 3)),
        "percentiles": of(f"{where}/percentiles").mean(0),
    }
