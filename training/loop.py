"""Floor 3: the one training loop: tasks of a run in turn, looked at, kept, stopped and resumed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np
import torch

from training import schedules
from training.errors import StoppedError
from training.progress import bar, stoppable
from training.record import CHECKPOINT
from training.steps import Steps, epochs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from training.cohort import Cohort, Member
    from training.data import Data
    from training.progress import Bar, Stop
    from training.ranks import Ranks
    from training.record import Record
    from training.schedules import Schedule

    Probe: TypeAlias = Callable[[Cohort[Any]], Mapping[str, torch.Tensor]]
    Build: TypeAlias = Callable[[tuple[Member, ...], torch.device], tuple[Cohort[Any], Data]]

KEEP: Final = 15.0  # seconds between checkpoints
AGREE: Final = 64  # updates after which ranks ask one another whether to stop


class Task(NamedTuple):
    """One population and what is asked of it.

    Args:
        name: in front of its results: ``9x2`` gives ``9x2/collapsed``.
        members: who.
        build: members, some or all of the task's, at birth on a device, and what they learn from.
        until: how long.
        looks: after how many epochs ``probe`` is asked; 0 is birth.
        probe: what a look sees, ``(members, ...)`` each; it becomes ``(members, looks, ...)``.
        last: what is seen once, at the end: any number of rows, in the members' order.
        schedule: a factor on every member's rate.
    """

    name: str
    members: tuple[Member, ...]
    build: Build
    until: Steps = epochs(0)
    looks: tuple[int, ...] = (0,)
    probe: Probe | None = None
    last: Probe | None = None
    schedule: Schedule = schedules.constant()


@dataclass
class _Course:
    """Where the present task stands, on this rank: what a checkpoint holds."""

    cohort: Cohort[Any]
    data: Data
    seen: dict[str, list[torch.Tensor]] = field(default_factory=dict)
    looks: int = 0
    summed: torch.Tensor = field(default_factory=lambda: torch.zeros(0))  # losses since a look

    def look(self, task: Task) -> None:
        """Ask the probe, and close the interval whose losses were summed."""
        end = self.cohort.updates
        begin = task.looks[self.looks - 1] * self.data.per_epoch if self.looks else 0
        if self.looks:
            self.note("training_loss", self.summed / (end - begin))
            self.summed = torch.zeros_like(self.summed)
        if task.probe is not None:
            for name, value in task.probe(self.cohort).items():
                self.note(name, value)
        self.looks += 1

    def note(self, name: str, value: torch.Tensor) -> None:
        """Add to a curve."""
        self.seen.setdefault(name, []).append(value.cpu())

    def arrays(self) -> dict[str, torch.Tensor]:
        """Everything that the rest of the task depends on; members first."""
        state = {f"state/{name}": value for name, value in self.cohort.state.items()}
        buffers = {f"buffers/{name}": value for name, value in self.cohort.buffers.items()}
        curves = {f"seen/{name}": torch.stack(v, 1) for name, v in self.seen.items()}
        mine = {"parameters": self.cohort.parameters, "summed": self.summed}
        return {**mine, **state, **buffers, **curves}

    def restore(self, arrays: Mapping[str, Any], updates: int, looks: int) -> None:
        """The inverse of :meth:`arrays`, on this rank's members."""
        tensors = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
        cohort = self.cohort
        where = cohort.parameters.device
        cohort.parameters = tensors["parameters"].to(where)
        self.summed = tensors["summed"].to(where)
        cohort.state = {name: tensors[f"state/{name}"].to(where) for name in cohort.state}
        cohort.buffers = {name: tensors[f"buffers/{name}"].to(where) for name in cohort.buffers}
        self.seen = {
            name.removeprefix("seen/"): list(value.unbind(1))
            for name, value in tensors.items()
            if name.startswith("seen/")
        }
        cohort.updates, self.looks = updates, looks


class Loop:
    """Runs the tasks of a record.

    Args:
        record: new, or to be gone on with.
        folder: where the record is kept.
        tasks: all of the run, in order.
        ranks: this process among others.
        device: where to compute.
        keep: seconds between checkpoints.
    """

    def __init__(
        self,
        record: Record,
        folder: Path,
        tasks: tuple[Task, ...],
        ranks: Ranks,
        device: torch.device,
        keep: float = KEEP,
    ) -> None:
        self.record, self.folder, self.tasks = record, folder, tasks
        self.ranks, self.device, self.keep = ranks, device, keep
        self.before = float(record.about.get("seconds", 0.0))
        self.started = self.kept = time.monotonic()

    def run(self) -> None:
        """Train what is not trained yet; the record is finished afterwards.

        Raises:
            StoppedError: Ctrl-C; the record can be resumed.
            TrainingError: the record cannot be written.
        """
        # One step is an update, or what is done once a task.
        lengths = [self._length(task) + 1 for task in self.tasks]
        done = int(self.record.about.get("task", 0))
        with stoppable() as stop, bar(sum(lengths), shown=self.ranks.first) as told:
            for place in range(done, len(self.tasks)):
                self._train(place, stop, told, sum(lengths[:place]))
        self.record.about["finished"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._save()

    def _length(self, task: Task) -> int:
        """Updates of a task, of which one member's data tell enough."""
        return task.until.iterations(task.build(task.members[:1], self.device)[1].per_epoch)

    def _train(self, place: int, stop: Stop, told: Bar, before: int) -> None:
        task = self.tasks[place]
        course = self._begin(task, place)
        cohort, data = course.cohort, course.data
        end = task.until.iterations(data.per_epoch)
        looks = [look * data.per_epoch for look in task.looks if look * data.per_epoch <= end]
        epoch = -1
        while True:
            if course.looks < len(looks) and looks[course.looks] == cohort.updates:
                course.look(task)
            told(before + cohort.updates, task.name)
            if self._ask(stop, cohort.updates):
                self._checkpoint(course, place)
                self._stopped(task, cohort.updates, end)
            if cohort.updates == end:
                break
            now, number = divmod(cohort.updates, data.per_epoch)
            if now != epoch:
                epoch = now
                batches = data.shuffled(epoch)
            x, y = batches(number)
            course.summed += cohort.advance(x, y, task.schedule(cohort.updates))
            if self._due(cohort.updates):
                self._checkpoint(course, place)
        self._end(task, course, place)
        told(before + end + 1, task.name)

    def _begin(self, task: Task, place: int) -> _Course:
        cohort, data = task.build(tuple(self.ranks.own(task.members)), self.device)
        course = _Course(cohort, data, summed=torch.zeros(len(cohort), device=self.device))
        at = self.record.about.get("checkpoint")
        if at and at["task"] == place:
            kept = self.record.checkpoint()
            own = list(self.ranks.own(range(len(task.members))))
            mine = {name: value[own[0] : own[-1] + 1] for name, value in kept.items()}
            course.restore(mine, at["updates"], at["looks"])
        return course

    def _ask(self, stop: Stop, updates: int) -> bool:
        """Whether to stop here, of which all ranks say the same."""
        if self.ranks.world == 1:
            return stop.wanted
        return updates % AGREE == 0 and self.ranks.any(stop.wanted)

    def _due(self, updates: int) -> bool:
        """Whether a checkpoint is due, of which all ranks say the same."""
        if self.ranks.world > 1 and updates % AGREE:
            return False
        return self.ranks.any(self._old())

    def _old(self) -> bool:
        return time.monotonic() - self.kept >= self.keep

    def _checkpoint(self, course: _Course, place: int) -> None:
        found = {name: self.ranks.gather(value) for name, value in course.arrays().items()}
        if self.ranks.first:
            self._drop()
            for name, value in found.items():
                assert value is not None
                self.record.arrays[f"{CHECKPOINT}{name}"] = value.numpy()
        self.record.about["checkpoint"] = {
            "task": place,
            "updates": course.cohort.updates,
            "looks": course.looks,
        }
        self._save()

    def _end(self, task: Task, course: _Course, place: int) -> None:
        last = task.last(course.cohort) if task.last is not None else {}
        curves = {name: torch.stack(values, 1) for name, values in course.seen.items()}
        found = {name: self.ranks.gather(value) for name, value in {**curves, **last}.items()}
        self._drop()
        self.record.about.pop("checkpoint", None)
        self.record.about["task"] = place + 1
        for name, value in found.items():
            if value is not None:
                self.record.arrays[f"{task.name}/{name}"] = value.numpy()
        if place + 1 < len(self.tasks) and self.ranks.any(self._old()):
            self._save()

    def _drop(self) -> None:
        """Forget the last checkpoint."""
        self.record.arrays = self.record.results()

    def _save(self) -> None:
        self.kept = time.monotonic()
        self.record.about["seconds"] = round(self.before + self.kept - self.started, 2)
        self.ranks.leads(lambda: self.record.save(self.folder))

    def _stopped(self, task: Task, updates: int, end: int) -> None:
        where = f"{task.name}, update {updates:,} of {end:,}"
        raise StoppedError(f"stopped at {where}; the same command with --resume goes on from there")
