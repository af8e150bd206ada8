"""Variants, placements and what is asked of them; LeNet-5 with what a group puts in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from archcalc import load
from archcalc.layers.activation import Activation
from archcalc.layers.convolution import Convolution
from archcalc.layers.linear import Linear
from archcalc.notation.words import write_word
from training.engine import datasets
from training.engine.data import Augmentation
from training.errors import TrainingError
from training.experiments.base import PLACE, Experiment, check_range, choice, spaced
from training.experiments.fixed import ALL, all_of, at_least, exactly, one_of

SIZE: Final = 28  # pixels, which LeNet-5 pads by 2 on all sides
INPUT: Final = 0.2  # what dropout leaves out of the input
HIDDEN: Final = 0.5  # and of hidden units
INPUT_NORM: Final = "input/bn"
SHARES: Final = (0.0, 0.1, 0.25, 0.5, 0.75)  # of the last hidden layer's units, silenced
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
SCORES: Final = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")


class Variant(NamedTuple):
    """What is put into LeNet-5.

    Args:
        letter: of the question that it answers.
        description: in words.
        norm: whether hidden layers are batch-normalized.
        drop: whether there is dropout.
        input: how the input is normalized: ``standard``, ``bn``, or ``bn-pixel``.
    """

    letter: str
    description: str
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
class Grid(Experiment):
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
        check_range("--seeds", self.seeds, 1, 1000)
        check_range("--epochs", self.epochs, 0, 1000)
        check_range("--batch", self.batch, 2)
        check_range("--examples", self.examples, 0)
        check_range("--validation", self.validation, 0)
        check_range("--test-examples", self.test_examples, 0)
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
