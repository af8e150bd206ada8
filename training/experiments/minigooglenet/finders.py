"""Rates and batch sizes that other experiments have found, or people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from training.engine.record import FILE, Array, Record
from training.errors import TrainingError
from training.experiments.minigooglenet.experiment import MiniGoogLeNet

# Read by `archcalc training lr-finder --preset quick`, tables/training/lr-finder; a test compares.
QUICK_RATES: Final = {"lr_min": 0.0036, "lr_max": 0.11}
# Read by `archcalc training batch-finder --preset quick`, tables/training/batch-finder; likewise.
QUICK_BATCHES: Final = {"b_min": 8, "b_max": 32}
# Read by eye by Rosebrock, "Keras Learning Rate Finder", pyimagesearch, 2019: the same network,
# data and optimizer at full size.
BLOG_RATES: Final = {"lr_min": 1e-5, "lr_max": 1e-2}

KEYS: Final = {"lr-finder": ("lr_min", "lr_max"), "batch-finder": ("b_min", "b_max")}


def fill(asked: object, finder: str, folder: str | None) -> None:
    """Give an experiment what a finished run of a finder has read, where nobody has said anything.

    Args:
        asked: the experiment, in which None stands for what is missing.
        finder: ``lr-finder`` or ``batch-finder``.
        folder: of its run; None if it is not asked.

    Raises:
        TrainingError: there is no such run, or it found nothing.
    """
    missing = [key for key in KEYS[finder] if getattr(asked, key) is None]
    if folder is None or not missing:
        return
    path = Path(folder) / "results.json"
    try:
        about = json.loads(path.read_text("utf-8"))
        known_one = about["schema"].startswith(f"archcalc.training.{finder}/")
        read = {key: about["results"][key] for key in missing}
    except OSError as error:
        hint = f"archcalc training {finder} --output {folder} makes it"
        raise TrainingError(f"{path}: {error.strerror}", hint=hint) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        known_one = False
    if not known_one:
        raise TrainingError(f"{path} is not of a run of {finder}")
    for key, value in read.items():
        if value is None:
            fact = f"{folder}: this run of {finder} could read nothing off its curve"
            raise TrainingError(fact, hint=f"say --{key.replace('_', '-')}")
        object.__setattr__(asked, key, value)


def known(asked: object, finder: str) -> None:
    """Refuse an experiment for which nobody has said what a finder finds.

    Raises:
        TrainingError: naming who could.
    """
    if any(getattr(asked, key) is None for key in KEYS[finder]):
        options = " and ".join(f"--{key.replace('_', '-')}" for key in KEYS[finder])
        hint = f"or --{finder}, the folder of a finished run of it"
        raise TrainingError(f"{options} have no value at this size", hint=hint)


def borrowed(asked: MiniGoogLeNet, folder: str | None, arm: str) -> dict[str, Array]:
    """What another experiment's run has found of a way to train, if it is the very same way.

    Args:
        asked: the experiment that would train it.
        folder: of the run; None if there is none.
        arm: the way.
    """
    if folder is None or not (Path(folder) / FILE).exists():
        return {}
    record = Record.read(Path(folder))
    ours, theirs = asked.configuration(), record.configuration
    shared = (theirs.keys() & ours.keys()) - asked.chooses
    if not all(map(record.has, asked.trained(arm))) or any(ours[k] != theirs[k] for k in shared):
        return {}
    return {k: v for k, v in record.arrays.items() if k.startswith(f"{arm}/")}
