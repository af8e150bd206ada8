"""The one training loop: tasks of a run in turn, looked at, kept, stopped and resumed."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import torch

from training.engine.cohort import Cohort, Member, numerics
from training.engine.data import Data
from training.engine.progress import Bar, Stop, bar, stoppable
from training.engine.ranks import Ranks
from training.engine.record import DONE, STATE, TASKS, Array, Record, provenance
from training.engine.steps import Steps, epochs
from training.errors import StoppedError, TrainingError

Probe: TypeAlias = Callable[[Cohort[Any]], Mapping[str, torch.Tensor]]
Build: TypeAlias = Callable[[tuple[Member, ...], torch.device], tuple[Cohort[Any], Data]]
Plan: TypeAlias = Callable[[Mapping[str, Array]], "Sequence[Task]"]

KEEP: Final = 15.0  # seconds between states that are kept
SHARE: Final = 20  # and so many times what the last one took,
SLOW: Final = 1.0  # if that was more than so many seconds
AGREE: Final = 64  # updates after which ranks ask one another whether to stop


class Task(NamedTuple):
    """Members of one architecture, and what is asked of them.

    Args:
        name: of the population.
        members: who. One whose rate is NaN waits for what other tasks find.
        build: members, some or all, at birth on a device, and what they learn from.
        until: how long.
        looks: when ``probe`` is asked; no epochs, or no updates, is birth.
        probe: what a look sees, ``(members, ...)`` each; it becomes ``(members, looks, ...)``.
        last: what is seen once, at the end: any number of rows, in the members' order.
        names: of the members' tasks, where each is one of its own; else all are one, and are
            always trained together. What ``last`` sees of the former is a row a member.
        needs: where members wait, the beginning of the names of those for which each one does.
    """

    name: str
    members: tuple[Member, ...]
    build: Build
    until: Steps = epochs(0)
    looks: tuple[Steps, ...] = (epochs(0),)
    probe: Probe | None = None
    last: Probe | None = None
    names: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of what the members are."""
        return self.names or (self.name,)

    def of(self, tasks: Sequence[str]) -> Task:
        """Some of the members, by their tasks."""
        if not self.names:
            return self
        places = [self.names.index(task) for task in tasks]
        members = tuple(self.members[place] for place in places)
        return self._replace(members=members, names=tuple(tasks), needs=())

    def ready(self, task: str) -> bool:
        """Whether a task waits for nothing."""
        return not self.names or not math.isnan(self.members[self.names.index(task)].rate)


def within(task: str, words: Sequence[str]) -> bool:
    """Whether a task is meant: ``adam/dropout`` means ``adam/dropout/seed0`` too."""
    return any(f"{task}/".startswith(f"{word}/") for word in words)


def asked(tasks: Sequence[Task], words: Sequence[str]) -> list[str]:
    """The tasks that are meant, with those for which they wait; all if there is no word."""
    every = [name for task in tasks for name in task.tasks]
    needs = {
        need
        for task in tasks
        for name, need in zip(task.names, task.needs, strict=False)
        if within(name, words)
    }
    return [name for name in every if not words or within(name, (*words, *needs))]


@dataclass
class _Course:
    """Where members stand, on this rank: what a state holds."""

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
        cohort.state = {k: tensors[f"state/{k}"].to(v.device) for k, v in cohort.state.items()}
        cohort.buffers = {name: tensors[f"buffers/{name}"].to(where) for name in cohort.buffers}
        self.seen = {
            name.removeprefix("seen/"): list(value.unbind(1))
            for name, value in tensors.items()
            if name.startswith("seen/")
        }
        cohort.updates, self.looks = updates, looks


@dataclass
class _Clock:
    """The seconds of updates, without looks and states: of each interval between looks.

    Attributes:
        laps: of the intervals that are over.
        lap: of the present one, up to the last pause.
    """

    device: torch.device
    now: Callable[[], float]
    laps: list[float] = field(default_factory=list)
    lap: float = 0.0
    since: float = 0.0

    def pause(self) -> None:
        """Add what has passed."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.lap += self.now() - self.since

    def go_on(self) -> None:
        """Begin to count."""
        self.since = self.now()

    def close(self) -> None:
        """End an interval."""
        self.laps.append(self.lap)
        self.lap = 0.0


class Loop:
    """Trains what a run lacks.

    Args:
        record: of the run; each finished task is added to it, and to the folder.
        folder: where the record is kept.
        plan: the run's tasks, of what has been found so far.
        ranks: this process among others.
        device: where to compute.
        keep: seconds between states.
        only: tasks by their names or the beginnings of these; all if empty. Those for which they
            wait are done first.
        join: takes up what other processes have finished in the same folder.
    """

    def __init__(
        self,
        record: Record,
        folder: Path,
        plan: Plan,
        ranks: Ranks,
        device: torch.device,
        keep: float = KEEP,
        only: Sequence[str] = (),
        join: Callable[[], None] | None = None,
    ) -> None:
        self.record, self.folder, self.only = record, folder, only
        self.plan, self.join = plan, join or partial(record.join, folder)
        self.ranks, self.device, self.keep = ranks, device, keep
        self.took = 0.0  # seconds that it took to keep the last state
        self.done = 0  # steps: an update is one, and so is what is done once for members together
        self.lengths: dict[str, int] = {}
        precision = record.configuration.get("precision", "fp32")
        self.here = {**provenance(device, ranks.world), "numerics": numerics(device, precision)}

    def run(self) -> None:
        """Train what is asked for and not there.

        Raises:
            StoppedError: Ctrl-C; the run can be resumed.
            TrainingError: a name that no task has, more processes than members, or a folder that
                cannot be written to.
        """
        tasks = self.plan(self.record.arrays)
        for word in self.only:
            if not asked(tasks, [word]):
                raise TrainingError(f"--only: no task is called {word}", hint="--tasks lists them")
        if self.ranks.first:
            self._tidy()
        with stoppable() as stop, bar(shown=self.ranks.first) as told:
            self.now = stop.now
            while (task := self._next()) is not None:
                self._train(task, stop, told)

    def missing(self) -> list[tuple[Task, list[str]]]:
        """What is asked for and not there, by population."""
        tasks = self.plan(self.record.arrays)
        for task in tasks:
            for name, member in zip(task.names, task.members, strict=False):
                self._agree(name, member.rate)
        wanted = set(asked(tasks, self.only))
        left = [(t, [n for n in t.tasks if n in wanted and not self.record.has(n)]) for t in tasks]
        return [(task, names) for task, names in left if names]

    def _agree(self, name: str, rate: float) -> None:
        """Refuse a task that was trained with another rate than the others' results choose."""
        before = self.record.tasks.get(name, {}).get("rate", rate)
        if before != rate and not math.isnan(rate):
            fact = f"{name} was trained with the rate {before:g}, and the search chooses {rate:g}"
            hint = f"without {self.folder / TASKS / name}{DONE} it is trained again"
            raise TrainingError(fact, hint=hint)

    # ------------------------------------------------------------------- which comes next

    def _next(self) -> Task | None:
        """Who is trained next; None if nobody is left."""
        if self.ranks.world == 1:
            self.join()
        for task, names in self.missing():
            ready = [name for name in names if task.ready(name)]
            begun = self.ranks.leads(lambda left=ready: self._begun(left))  # type: ignore[misc]
            if begun:
                return task.of(begun)
            if ready:
                return task.of(ready[:1] if self._apart(task) else ready)
        return None

    def _apart(self, task: Task) -> bool:
        """Whether members are trained one after the other: company is faster on a GPU only."""
        return bool(task.names) and self.ranks.world == 1 and self.device.type == "cpu"

    def _begun(self, names: Sequence[str]) -> list[str]:
        """Tasks that have been stopped on their way together."""
        for name in names:
            if state := state_of(self.folder, name):
                together: list[str] = state.about["tasks"]
                if set(together) <= set(names):
                    return together
        return []

    def _tidy(self) -> None:
        """Remove the states of tasks that are finished: a kill came between."""
        for path in (self.folder / TASKS).rglob(f"*{STATE}"):
            name = path.relative_to(self.folder / TASKS).as_posix().removesuffix(STATE)
            if self.record.has(name):
                path.unlink(missing_ok=True)

    def _total(self) -> int:
        """Steps of this run that are known, done and not."""
        left = 0
        for task, names in self.missing():
            each = len(names) if self._apart(task) else 1
            left += each * (self._length(task) + 1)
        return self.done + left

    def _length(self, task: Task) -> int:
        """Updates of a task, of which one member's data tell enough."""
        if task.name not in self.lengths:
            _, data = task.build(task.members[:1], self.device)
            self.lengths[task.name] = data.updates(task.until)
        return self.lengths[task.name]

    # ------------------------------------------------------------------- training

    def _train(self, task: Task, stop: Stop, told: Bar) -> None:
        self.ranks.share(len(task.members))
        self.began = self.kept = self.now()
        course, data, about = self._begin(task)
        cohort, looks, end = course.cohort, course.moments, data.updates(task.until)
        clock = _Clock(self.device, self.now, about.pop("laps", []), about.pop("lap", 0.0))
        read, total = data.reader(), self._total()
        clock.go_on()
        while True:
            if course.looks < len(looks) and looks[course.looks] == cohort.updates:
                clock.pause()
                if course.looks:
                    clock.close()
                course.look(task)
                clock.go_on()
            told(self.done + cohort.updates, total, task.tasks[0])
            if self._ask(stop, cohort.updates):
                clock.pause()
                self._keep(task, course, clock, about)
                where = f"{task.tasks[0]}, update {cohort.updates:,} of {end:,}"
                how = "the same command with --resume goes on from there"
                raise StoppedError(f"stopped at {where}; {how}")
            if cohort.updates == end:
                break
            course.summed += cohort.advance(*read(cohort.updates))
            if self._due(cohort.updates):
                clock.pause()
                self._keep(task, course, clock, about)
                clock.go_on()
        clock.pause()
        self._end(task, course, clock, about)
        self.done += end + 1
        told(self.done, total, task.tasks[0])

    def _begin(self, task: Task) -> tuple[_Course, Data, dict[str, Any]]:
        """Members at birth or where they were stopped, and what is to be said of them."""
        cohort, data = task.build(tuple(self.ranks.own(task.members)), self.device)
        summed = torch.zeros(len(cohort), device=self.device)
        course = _Course(cohort, data.moments(task.looks, task.until), summed=summed)
        state = self.ranks.leads(lambda: state_of(self.folder, task.tasks[0]))
        here = {**self.here, "started": now()}
        about = {"command": self.record.about.get("command", ""), "seconds": 0.0, **here}
        if state is None or state.about["tasks"] != list(task.tasks):
            return course, data, about
        own = list(self.ranks.own(range(len(task.members))))
        mine = {name: value[own[0] : own[-1] + 1] for name, value in state.arrays.items()}
        course.restore(mine, state.about["updates"], state.about["looks"])
        resumed = [*state.about.get("resumed", []), here]
        return course, data, {**state.about, "resumed": resumed}

    def _ask(self, stop: Stop, updates: int) -> bool:
        """Whether to stop here, of which all ranks say the same."""
        if self.ranks.world == 1:
            return stop.wanted
        return updates % AGREE == 0 and self.ranks.any(stop.wanted)

    def _due(self, updates: int) -> bool:
        """Whether a state is to be kept, of which all ranks say the same."""
        if self.ranks.world > 1 and updates % AGREE:
            return False
        rest = SHARE * self.took if self.took > SLOW else 0.0
        return self.ranks.any(self.now() - self.kept >= max(self.keep, rest))

    def _seconds(self, about: Mapping[str, Any]) -> float:
        """What members have taken in all, looks and states too."""
        return float(about["seconds"]) + self.now() - self.began

    def _keep(self, task: Task, course: _Course, clock: _Clock, about: Mapping[str, Any]) -> None:
        """Keep where members stand."""
        found = {name: self.ranks.gather(value) for name, value in course.arrays().items()}
        began = self.now()
        state = {
            **about,
            "tasks": task.tasks,
            "updates": course.cohort.updates,
            "looks": course.looks,
            "laps": clock.laps,
            "lap": clock.lap,
            "seconds": self._seconds(about),
        }

        def save() -> None:
            arrays = {name: value.numpy() for name, value in found.items() if value is not None}
            place = f"{TASKS}/{task.tasks[0]}{STATE}"
            self._record(state, arrays).save(self.folder, place)

        self.ranks.leads(save)
        self.kept = self.now()
        self.took = self.kept - began

    def _end(self, task: Task, course: _Course, clock: _Clock, about: dict[str, Any]) -> None:
        """Write down what has come of each task; its state goes."""
        last = task.last(course.cohort) if task.last is not None else {}
        curves = {name: torch.stack(values, 1) for name, values in course.seen.items()}
        gathered = {name: self.ranks.gather(value) for name, value in {**curves, **last}.items()}
        # what members took together is shared among them
        share = len(task.names) or 1
        for name in ("tasks", "updates", "looks"):
            about.pop(name, None)
        about |= {
            "seconds": self._seconds(about) / share,
            "learning": sum(clock.laps) / share,
            "finished": now(),
        }
        seconds = {"seconds": np.array(clock.laps) / share} if clock.laps else {}

        def save() -> list[Record]:
            arrays = {name: value.numpy() for name, value in gathered.items() if value is not None}
            found = []
            for place, name in enumerate(task.tasks):
                rows = {k: v[place] for k, v in arrays.items()} if task.names else arrays
                mine = {"task": name, "population": task.name, **about}
                if task.names:
                    mine["rate"] = task.members[place].rate
                found.append(self._record(mine, rows | seconds))
                found[-1].save(self.folder, f"{TASKS}/{name}{DONE}")
            with contextlib.suppress(FileNotFoundError):
                (self.folder / TASKS / f"{task.tasks[0]}{STATE}").unlink()
            return found

        for record in self.ranks.leads(save):
            self.record.add(record)

    def _record(self, about: Mapping[str, Any], arrays: Mapping[str, Array]) -> Record:
        """A file of this run: a task's, or a state on the way there."""
        run = self.record
        return Record(run.experiment, run.configuration, dict(about), dict(arrays))


def state_of(folder: Path, task: str) -> Record | None:
    """Where a task was stopped, together with others or alone; None if it was not.

    Raises:
        TrainingError: the state is damaged.
    """
    path = folder / TASKS / f"{task}{STATE}"
    return Record.of_file(path) if path.exists() else None


def now() -> str:
    """The time, as records have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
