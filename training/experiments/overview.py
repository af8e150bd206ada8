"""Which tasks a run has, which of them are done, and how long the rest will take."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archcalc.render.table import Block
from training.engine import ranks
from training.engine.loop import Task, state_of
from training.engine.record import FILE, STATE, TASKS, Record, hardware
from training.experiments import runner
from training.experiments.base import Experiment, counted
from training.experiments.words import table

if TYPE_CHECKING:
    import torch

SILENT: Final = 120.0  # seconds after which a task whose state was not written anew has stopped


class Standing(NamedTuple):
    """How far a task has come.

    Args:
        task: its name.
        population: whose updates are like its own.
        state: ``done``, ``running``, ``stopped`` or ``missing``.
        read: examples it has learnt from.
        of: examples it learns from in all.
        seconds: that this took.
        hardware: on what.
    """

    task: str
    population: str
    state: str
    read: int
    of: int
    seconds: float = 0.0
    hardware: str = ""


def overview(
    experiment: Experiment, folder: Path | None = None, *, device: str = "auto", status: bool = True
) -> tuple[list[Block], dict[str, Any]]:
    """The tasks of a run; with ``status``, how far each has come and the time left.

    The rest is taken to need as long for an example as the same population did on this hardware,
    and if none of it was trained here, as the others did.

    Args:
        experiment: with its configuration.
        folder: of the run; see :func:`training.experiments.runner.run`, as what follows.
        device: likewise.
        status: whether to look into the folder.

    Raises:
        TrainingError: the folder's record is of another run, or damaged.
    """
    where = ranks.device(device)
    place = folder or runner.folder_of(experiment)
    record = None
    if status and (place / FILE).exists():
        record = runner.kept(experiment, place, resume=True)
    tasks = experiment.tasks_after(record.arrays if record else {})
    head = {"schema": "archcalc.training.tasks/1", "command": experiment.command()}
    if not status:
        names = [name for task in tasks for name in task.tasks]
        listed = table(f"Tasks of {experiment.command()}", ("task",), [(name,) for name in names])
        return [listed], {**head, "tasks": names}
    here = hardware(where)
    found = [one for task in tasks for one in _standings(task, record, place, where)]
    left = hours(found, here)
    states = {one.state: sum(other.state == one.state for other in found) for one in found}
    said = ", ".join(f"{count} {state}" for state, count in states.items())
    time_left = f"{left:.1f} hours are left" if left is not None else "no hours can be told"
    rows = [
        (one.task, _told(one), f"{one.seconds:,.0f}" * bool(one.seconds), one.hardware)
        for one in found
    ]
    headings = ("task", "state", "seconds", "on")
    told = f"{counted(len(found), 'task')}: {said}; {time_left}, measured on this machine ({here})."
    data = {"folder": str(place), "hardware": here, "hours_left": left}
    listed = table(f"Tasks in {place}", headings, rows, words=2)
    return [listed, told], {**head, **data, "tasks": [one._asdict() for one in found]}


def _standings(
    task: Task, record: Record | None, folder: Path, device: torch.device
) -> Iterator[Standing]:
    """How far the tasks of a population have come."""
    _, data = task.build(task.members[:1], device)
    for name in task.tasks:
        every = data.examples(data.updates(task.until)) * (1 if task.names else len(task.members))
        missing = Standing(name, task.name, "missing", 0, every)
        state = state_of(folder, name) if record else None
        if record and record.has(name):
            about = record.tasks.get(name, record.about)
            yield missing._replace(
                state="done", read=every, seconds=about["seconds"], hardware=about["hardware"]
            )
        elif state:
            about = state.about
            written = (folder / TASKS / f"{name}{STATE}").stat().st_mtime
            yield missing._replace(
                state="running" if time.time() - written < SILENT else "stopped",
                read=data.examples(about["updates"]),
                seconds=about["seconds"] / len(about["tasks"]),
                hardware=about["hardware"],
            )
        else:
            yield missing


def hours(tasks: Sequence[Standing], here: str) -> float | None:
    """Until all are done, one after the other; None where nothing was measured on this hardware.

    Args:
        tasks: of a run.
        here: the hardware.
    """
    measured = [one for one in tasks if one.hardware == here and one.read and one.seconds]
    left = [one for one in tasks if one.read < one.of]
    if not left:
        return 0.0
    if not measured:
        return None
    seconds = 0.0
    for one in left:
        like = [other for other in measured if other.population == one.population] or measured
        pace = sum(other.seconds for other in like) / sum(other.read for other in like)
        seconds += pace * (one.of - one.read)
    return seconds / 3600


def _told(one: Standing) -> str:
    """Its state in words."""
    if one.state in {"done", "missing"}:
        return one.state
    return f"{one.state} at {one.read:,} of {one.of:,} examples"
