"""Floor 3: the one training loop: tasks of a run in turn, looked at, kept, stopped and resumed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np
import torch

from training.errors import StoppedError
from training.progress import bar, stoppable
from training.record import CHECKPOINT
from training.steps import Steps, epochs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from training.cohort import Cohort, Member
    from training.data import Data
    from training.progress import Bar, Stop
    from training.ranks import Ranks
    from training.record import Record

    Probe: TypeAlias = Callable[[Cohort[Any]], Mapping[str, torch.Tensor]]
    Build: TypeAlias = Callable[[tuple[Member, ...], torch.device], tuple[Cohort[Any], Data]]

KEEP: Final = 15.0  # seconds between checkpoints
SHARE: Final = 20  # and so many times what the last one took,
SLOW: Final = 1.0  # if that was more than so many seconds
AGREE: Final = 64  # updates after which ranks ask one another whether to stop


class Task(NamedTuple):
    """One population and what is asked of it.

    Args:
        name: in front of its results: ``9x2`` gives ``9x2/collapsed``.
        members: who.
        build: members, some or all of the task's, at birth on a device, and what they learn from.
        until: how long.
        looks: when ``probe`` is asked; no epochs, or no updates, is birth.
        probe: what a look sees, ``(members, ...)`` each; it becomes ``(members, looks, ...)``.
        last: what is seen once, at the end: any number of rows, in the members' order.
        rates: the members' rates, where they come of what tasks before this one have found.
    """

    name: str
    members: tuple[Member, ...]
    build: Build
    until: Steps = epochs(0)
    looks: tuple[Steps, ...] = (epochs(0),)
    probe: Probe | None = None
    last: Probe | None = None
    rates: Callable[[Mapping[str, Any]], Sequence[float]] | None = None


@dataclass
class _Course:
    """Where the present task stands, on this rank: what a checkpoint holds."""

    cohort: Cohort[Any]
    moments: list[int]  # the updates behind which looks are taken
    seen: dict[str, list[torch.Tensor]] = field(default_factory=dict)
    looks: int = 0
    summed: torch.Tensor = field(default_factory=lambda: torch.zeros(0))  # losses since a look

    def look(self, task: Task) -> None:
        """Ask the probe, and close the interval whose losses were summed."""
        if self.looks:
            since = self.cohort.updates - self.moments[self.looks - 1]
            self.note("training_loss", self.summed / since)
            self.summed = torch.zeros_like(self.summed)
        if task.probe is not None:
            for name, value in task.probe(self.cohort).items():
                self.note(name, value)
        self.looks += 1

    def note(self, name: str, value: torch.Tensor) -> None:
        """Add to a curve."""
        # parameters are changed in place
        self.seen.setdefault(name, []).append(value.detach().cpu().clone())

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


class _Watch:
    """Adds the seconds of a task's updates, without looks and checkpoints, to a record's."""

    def __init__(self, seconds: dict[str, float], name: str, device: torch.device) -> None:
        self.seconds, self.name, self.device = seconds, name, device
        self.before = seconds.get(name, 0.0)
        self.go_on()

    def pause(self) -> None:
        """Add what has passed."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.before += time.monotonic() - self.since
        self.seconds[self.name] = round(self.before, 3)

    def go_on(self) -> None:
        """Begin to count."""
        self.since = time.monotonic()


class Loop:
    """Runs the tasks of a record.

    Args:
        record: new, or to be gone on with.
        folder: where the record is kept.
        tasks: all of the run, in order.
        ranks: this process among others.
        device: where to compute.
        keep: seconds between checkpoints.
        closing: what the record is to say of the run besides, asked at its end.
    """

    def __init__(
        self,
        record: Record,
        folder: Path,
        tasks: tuple[Task, ...],
        ranks: Ranks,
        device: torch.device,
        keep: float = KEEP,
        closing: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self.closing = closing
        self.record, self.folder, self.tasks = record, folder, tasks
        self.ranks, self.device, self.keep = ranks, device, keep
        self.before = float(record.about.get("seconds", 0.0))
        self.started = self.kept = time.monotonic()
        self.took = 0.0  # seconds of the last checkpoint

    def run(self) -> None:
        """Train what is not trained yet; the record is finished afterwards.

        Raises:
            StoppedError: Ctrl-C; the record can be resumed.
            TrainingError: the record cannot be written.
        """
        # One step is an update, or what is done once a task.
        lengths = [self._length(task) + 1 for task in self.tasks]
        done = int(self.record.about.get("task", 0))
        shown = self.ranks.first and bool(self.tasks)
        with stoppable() as stop, bar(sum(lengths), shown=shown) as told:
            for place in range(done, len(self.tasks)):
                self._train(place, stop, told, sum(lengths[:place]))
        if self.ranks.first:
            self.record.about.update(self.closing())
        self.record.about["finished"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._save()

    def _settled(self, task: Task) -> Task:
        """A task whose members have the rates that tasks before it chose."""
        choose = task.rates
        if choose is None:
            return task
        rates = self.ranks.leads(lambda: list(choose(self.record.arrays)))
        pairs = zip(task.members, rates, strict=True)
        return task._replace(members=tuple(one._replace(rate=rate) for one, rate in pairs))

    def _length(self, task: Task) -> int:
        """Updates of a task, of which one member's data tell enough."""
        return task.build(task.members[:1], self.device)[1].updates(task.until)

    def _train(self, place: int, stop: Stop, told: Bar, before: int) -> None:
        task = self._settled(self.tasks[place])
        course, data = self._begin(task, place)
        cohort, looks = course.cohort, course.moments
        end = data.updates(task.until)
        read = data.reader()
        watch = self._watch(task)
        while True:
            if course.looks < len(looks) and looks[course.looks] == cohort.updates:
                watch.pause()
                course.look(task)
                watch.go_on()
            told(before + cohort.updates, task.name)
            if self._ask(stop, cohort.updates):
                watch.pause()
                self._checkpoint(course, place)
                self._stopped(task, cohort.updates, end)
            if cohort.updates == end:
                break
            course.summed += cohort.advance(*read(cohort.updates))
            if self._due(cohort.updates):
                watch.pause()
                self._checkpoint(course, place)
                watch.go_on()
        watch.pause()
        self._end(task, course, place)
        told(before + end + 1, task.name)

    def _watch(self, task: Task) -> _Watch:
        """The time that a task's updates take, which the record keeps."""
        return _Watch(self.record.about.setdefault("learning", {}), task.name, self.device)

    def _begin(self, task: Task, place: int) -> tuple[_Course, Data]:
        cohort, data = task.build(tuple(self.ranks.own(task.members)), self.device)
        summed = torch.zeros(len(cohort), device=self.device)
        course = _Course(cohort, data.moments(task.looks, task.until), summed=summed)
        at = self.record.about.get("checkpoint")
        if at and at["task"] == place:
            kept = self.record.checkpoint()
            own = list(self.ranks.own(range(len(task.members))))
            mine = {name: value[own[0] : own[-1] + 1] for name, value in kept.items()}
            course.restore(mine, at["updates"], at["looks"])
        return course, data

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
        rest = SHARE * self.took if self.took > SLOW else 0.0
        return time.monotonic() - self.kept >= max(self.keep, rest)

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
        began = self.kept = time.monotonic()
        self.record.about["seconds"] = round(self.before + self.kept - self.started, 2)
        self.ranks.leads(lambda: self.record.save(self.folder))
        self.kept = time.monotonic()
        self.took = self.kept - began

    def _stopped(self, task: Task, updates: int, end: int) -> None:
        where = f"{task.name}, update {updates:,} of {end:,}"
        raise StoppedError(f"stopped at {where}; the same command with --resume goes on from there")
