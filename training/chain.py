"""Floor 6: experiments one after the other, each with what those before it have found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from training import ranks, runner
from training.experiments import experiment
from training.loop import KEEP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from training.experiments.base import Experiment
    from training.record import Record

CHAIN: Final = "rate-and-batch"
# A part's folder: its experiment, and what it is given besides the options of all.
PARTS: Final = {
    "dataset": ("dataset", {}),
    "lr-finder": ("lr-finder", {}),
    "cyclical-lr": ("cyclical-lr", {}),
    "batch-size-grow": ("batch-size", {"policy": "grow"}),
    "batch-size-sweep": ("batch-size", {"policy": "sweep"}),
    "batch-finder": ("batch-finder", {}),
    "cyclical-batch": ("cyclical-batch", {}),
}
FINDERS: Final = {"lr_finder": "lr-finder", "batch_finder": "batch-finder"}


def run(
    given: Mapping[str, Any],
    folder: Path,
    *,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
    keep: float = KEEP,
) -> Iterator[tuple[str, Record]]:
    """Lab 3, problem 3 and homework 2, problem 4, every part in a folder of its own.

    Parts that are finished are read; with ``resume``, one that is not is gone on with.

    Args:
        given: options of the parts; each takes those that it has.
        folder: of the parts' folders.
        device: see :func:`training.runner.run`, as all that follow.
        resume: likewise.
        overwrite: likewise.
        keep: likewise.

    Yields:
        Each part's folder and record; on ranks other than the first, nothing.

    Raises:
        TrainingError: something that a person can mend.
        StoppedError: Ctrl-C; nothing is lost.
    """
    how: Any = {"device": device, "resume": resume, "overwrite": overwrite, "keep": keep}
    with ranks.together(ranks.device(device)):
        for name in PARTS:
            record = runner.run(part(name, given, folder), folder / name, **how)
            if record is not None:
                yield name, record


def part(name: str, given: Mapping[str, Any], folder: Path) -> Experiment:
    """A part, with the options that it has, and what the finders in ``folder`` have found."""
    of, more = PARTS[name]
    kind = experiment(of)
    known = {one.name for one in kind.fields()}
    mine = {key: value for key, value in {**given, **more}.items() if key in known}
    mine |= {key: str(folder / of) for key, of in FINDERS.items() if key in known}
    if name == "dataset":  # what is held out is what the others hold out
        finder: Any = part("lr-finder", given, folder)
        mine["validation"] = finder.validation
    return kind(**mine)
