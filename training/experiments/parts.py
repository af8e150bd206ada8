"""Everything that the assignments ask to be run: a part a folder, in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from training.engine import datasets
from training.experiments import experiment
from training.experiments.base import typed
from training.experiments.init.experiment import SETTINGS

Options: TypeAlias = Mapping[str, Any]


class Part(NamedTuple):
    """An experiment of a chain.

    Args:
        of: its name.
        more: what it is given besides the options of the whole chain.
        quick: its sizes in ``all --preset quick``, which has minutes for all parts together.
        images: the data set that the assignment names; empty for none.
        digits: what is given besides ``quick`` where that set is absent and digits stand in.
    """

    of: str
    more: Options = {}
    quick: Options = {}
    images: str = ""
    digits: Options = {"dataset": datasets.DIGITS}


# MiniGoogLeNet in `all --preset quick`. An update's time is that of starting its hundreds of small
# operations, so what counts is how many updates there are.
_MINI: Final = {
    "examples": 1000,
    "validation": 400,
    "test_examples": 1000,
    "width": 0.125,
    "size": 12,
    "augment": "none",
}
_CYCLES: Final = {**_MINI, "epochs": 6, "step": 1}
_FASHION: Final = "fashion-mnist"
_DIGITS: Final = {"dataset": datasets.DIGITS, "test_examples": 0}
_SMALL: Final = {**_DIGITS, "size": 8}
# By folder, in the order in which they are run.
PARTS: Final = {
    "perceptron": Part("perceptron"),
    "init-ball": Part("init", {"setting": "ball"}, {"networks": 10}),
    "init-mnist": Part(
        "init", {"setting": "mnist"}, {"networks": 4}, "mnist", {"setting": datasets.DIGITS}
    ),
    "dying-relu": Part("dying-relu"),
    "batchnorm-dropout": Part(
        "batchnorm-dropout",
        {},
        {"examples": 3000, "test_examples": 2000, "seeds": 2, "epochs": 4},
        "mnist",
        {**_DIGITS, "examples": 0, "epochs": 6},
    ),
    "dataset": Part("dataset", {}, {"validation": _MINI["validation"]}, _FASHION),
    "lr-finder": Part(
        "lr-finder", {}, {**_MINI, "epochs": 3, "sweep": 3, "seeds": 1}, _FASHION, _SMALL
    ),
    "cyclical-lr": Part("cyclical-lr", {}, _CYCLES, _FASHION, _SMALL),
    "batch-size-grow": Part(
        "batch-size", {}, {**_CYCLES, "largest": 512, "hold": "6it"}, _FASHION, _SMALL
    ),
    "batch-finder": Part(
        "batch-finder",
        {},
        {**_CYCLES, "smallest": 16, "largest": 512, "trial": 2},
        _FASHION,
        {**_SMALL, "largest": 256, "trial": 4},
    ),
    "cyclical-batch": Part("cyclical-batch", {}, {**_CYCLES, "epochs": 4}, _FASHION, _SMALL),
    "optimizers": Part(
        "optimizers",
        {},
        {
            "method": ("adagrad", "rmsprop", "rmsprop-nesterov", "adadelta", "adam"),
            "examples": 2000,
            "validation": 500,
            "test_examples": 1000,
            "width": 200,
            "search_epochs": 3,
            "epochs": 8,
            "seeds": 2,
        },
        "cifar10",
        {**_DIGITS, "examples": 1000, "validation": 400, "size": 8},
    ),
}
# Runs that go beyond the assignments; the report shows them where their records are.
MORE: Final = {
    "dying-relu-functions": Part(
        "dying-relu",
        {
            "activation": ("relu",),
            "function": ("abs", "xsin5x", "step"),
            "init": ("he", "torch", "glorot", "rai"),
            "born": 0,
        },
    ),
    "batchnorm-dropout-placement": Part(
        "batchnorm-dropout",
        {"variant": ("dropout", "both"), "dropout_placement": ("dense", "conv", "before", "last")},
        images="mnist",
    ),
    "optimizers-assignment": Part("optimizers", {"preset": "assignment"}, images="cifar10"),
    "optimizers-full-size": Part("optimizers", {"preset": "full"}, images="cifar10"),
}
EVERY: Final = {**PARTS, **MORE}


def command(name: str) -> str:
    """The line that runs a part by itself, at the experiment's own size."""
    part = EVERY[name]
    usual = {one.name: one.default for one in experiment(part.of).fields()}
    words = ["archcalc training", part.of]
    for key, value in part.more.items():
        if value != usual[key]:
            words.append(typed(key, value))
    return " ".join(words)


def images(configuration: Options) -> str:
    """The data set of a run; empty if it has none."""
    setting = configuration.get("setting")
    return str(configuration.get("dataset") or (SETTINGS[setting].images if setting else ""))
