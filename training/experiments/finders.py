"""Rates and batch sizes that other experiments have found, or people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from training.errors import TrainingError

# Read by `archcalc training lr-finder --preset quick`, tables/training/lr-finder; a test compares.
QUICK_RATES: Final = {"lr_min": 0.0036, "lr_max": 0.11}
# Read by `archcalc training batch-finder --preset quick`, tables/training/batch-finder; likewise.
QUICK_BATCHES: Final = {"b_min": 16, "b_max": 128}
# Read by eye by Rosebrock, "Keras Learning Rate Finder", pyimagesearch, 2019: the same network,
# data and optimizer at full size.
BLOG_RATES: Final = {"lr_min": 1e-5, "lr_max": 1e-2}

KEYS: Final = {"lr-finder": ("lr_min", "lr_max"), "batch-finder": ("b_min", "b_max")}


def found(finder: str, folder: str) -> dict[str, Any]:
    """What a finished run of a finder has read, by the names of options.

    Args:
        finder: ``lr-finder`` or ``batch-finder``.
        folder: of the run.

    Raises:
        TrainingError: there is no such run, or it found nothing.
    """
    path = Path(folder) / "results.json"
    try:
        about = json.loads(path.read_text("utf-8"))
        read = {key: about["results"][key] for key in KEYS[finder]}
    except OSError as error:
        hint = f"archcalc training {finder} --output {folder} makes it"
        raise TrainingError(f"{path}: {error.strerror}", hint=hint) from None
    except (ValueError, KeyError, TypeError):
        raise TrainingError(f"{path} is not of a run of {finder}") from None
    if None in read.values():
        option, other = (f"--{key.replace('_', '-')}" for key in KEYS[finder])
        fact = f"{folder}: this run of {finder} could read nothing off its curve"
        raise TrainingError(fact, hint=f"say {option} and {other}")
    return read


def fill(asked: object, finder: str, folder: str | None) -> None:
    """Give an experiment what a finder has read and nobody has said.

    Args:
        asked: the experiment, in which None stands for what is missing.
        finder: ``lr-finder`` or ``batch-finder``.
        folder: of its run; None if it is not asked.
    """
    missing = [key for key in KEYS[finder] if getattr(asked, key) is None]
    if folder is not None and missing:
        read = found(finder, folder)
        for key in missing:
            object.__setattr__(asked, key, read[key])


def known(b_min: int | None, b_max: int | None) -> None:
    """Refuse batch sizes that nobody has said.

    Raises:
        TrainingError: naming who could.
    """
    if b_min is None or b_max is None:
        hint = "or --batch-finder, the folder of a finished run of it"
        raise TrainingError("--b-min and --b-max have no value at this size", hint=hint)
