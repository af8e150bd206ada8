"""The experiments, a folder a question: what is trained, its answer in words, its figures."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from training.errors import TrainingError

if TYPE_CHECKING:
    from training.experiments.base import Experiment

# The command's name: its folder and class. Nothing is loaded before it is named.
EXPERIMENTS: Final = {
    "perceptron": ("perceptron", "Perceptron"),
    "init": ("init", "Init"),
    "dying-relu": ("dying_relu", "DyingRelu"),
    "batchnorm-dropout": ("batchnorm_dropout", "BatchnormDropout"),
    "dataset": ("dataset", "Dataset"),
    "lr-finder": ("lr_finder", "LrFinder"),
    "cyclical-lr": ("cyclical_lr", "CyclicalLr"),
    "batch-size": ("batch_size", "BatchSize"),
    "batch-finder": ("batch_finder", "BatchFinder"),
    "cyclical-batch": ("cyclical_batch", "CyclicalBatch"),
    "optimizers": ("optimizers", "Optimizers"),
}


def module(name: str, what: str) -> Any:  # noqa: ANN401 - of its names, each kind has its own
    """A module of an experiment: ``experiment``, ``answer`` or ``figure``.

    Raises:
        TrainingError: there is no such experiment.
    """
    if name not in EXPERIMENTS:
        raise TrainingError(f"no experiment is called {name!r}", hint=", ".join(EXPERIMENTS))
    return import_module(f"training.experiments.{EXPERIMENTS[name][0]}.{what}")


def experiment(name: str) -> type[Experiment]:
    """The class of an experiment.

    Raises:
        TrainingError: there is none of that name.
    """
    chosen: type[Experiment] = getattr(module(name, "experiment"), EXPERIMENTS[name][1])
    return chosen
