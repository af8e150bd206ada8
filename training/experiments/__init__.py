"""Floor 4: the experiments, one a module; nothing is loaded before it is named."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from training.errors import TrainingError

if TYPE_CHECKING:
    from training.experiments.base import Experiment

# The command's name: its module and class.
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


def experiment(name: str) -> type[Experiment]:
    """The class of an experiment.

    Raises:
        TrainingError: there is none of that name.
    """
    if name not in EXPERIMENTS:
        raise TrainingError(f"no experiment is called {name!r}", hint=", ".join(EXPERIMENTS))
    module, found = EXPERIMENTS[name]
    chosen: type[Experiment] = getattr(import_module(f"training.experiments.{module}"), found)
    return chosen
