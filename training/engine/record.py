"""What is kept of a run: files, each whole or not there, that say where they come from.

A file is a NumPy ``.npz`` archive: arrays, and ``about.json`` with configuration, seeds, versions,
hardware, commit, time, and the name, type and shape of each array. It never holds Python objects.
A run is a folder: ``record.npz`` says what was asked, and below ``tasks/`` lies a file for each
task that is finished, so that files made on different days and machines join; beside them lies, as
long as a task is not, the ``.state`` from which it goes on.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

import numpy as np
import torch

import training
from archcalc.measure.machine import processor
from archcalc.render.deliver import replace
from training.errors import TrainingError

SCHEMA: Final = "archcalc.training.record/1"
FILE: Final = "record.npz"
TASKS: Final = "tasks"  # the folder of the tasks' files
DONE, STATE = ".npz", ".state"  # what the file of a task is called, and its state on the way there
DRAFT: Final = ".archcalc-draft"  # what a file is called before it is whole
Array: TypeAlias = np.ndarray[Any, Any]


@dataclass
class Record:
    """A run, or one of its tasks, finished or not.

    Attributes:
        experiment: which one, e.g. ``dying-relu``.
        configuration: all that the result depends on, as plain data; the seed is part of it.
        about: schema, command, provenance, seconds, ``finished``; of a task's file its name.
        arrays: results by name: ``adam/plain/seed0/test_loss`` of a task that is one network,
            ``9x2/off`` of one that is a population, members first; in a task's own file without
            its name. What the run saw before its tasks is there too.
        tasks: of a run, what the files of its finished tasks say about themselves, by name.
        summary: what the experiment makes of a finished record's arrays, once it has been asked.
    """

    experiment: str
    configuration: dict[str, Any]
    about: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    summary: dict[str, Any] | None = field(default=None, compare=False, repr=False)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return bool(self.about.get("finished"))

    @property
    def seconds(self) -> float:
        """What it took, with all tasks."""
        return float(sum(one.get("seconds", 0.0) for one in (self.about, *self.tasks.values())))

    @property
    def learning(self) -> dict[str, float]:
        """The seconds that the updates of each population took."""
        seconds = dict(self.about.get("learning", {}))
        for about in self.tasks.values():
            name = about["population"]
            seconds[name] = seconds.get(name, 0.0) + about["learning"]
        return seconds

    def has(self, task: str) -> bool:
        """Whether the results of a task are there, be it in no file of its own."""
        return task in self.tasks or any(name.startswith(f"{task}/") for name in self.arrays)

    def save(self, folder: Path, file: str = FILE) -> None:
        """Replace a file of a folder, atomically, by all of this that lies in no task's own file.

        Raises:
            TrainingError: the folder cannot be written to; the old file is what it was.
        """
        elsewhere = tuple(f"{task}/" for task in self.tasks)
        arrays: Any = {k: v for k, v in self.arrays.items() if not k.startswith(elsewhere)}
        about = {
            "schema": SCHEMA,
            "experiment": self.experiment,
            "configuration": self.configuration,
            **self.about,
            "arrays": {k: [str(v.dtype), list(v.shape)] for k, v in arrays.items()},
        }
        arrays["about.json"] = np.frombuffer(json.dumps(about, indent=1).encode(), np.uint8)
        pack = np.savez_compressed if self.finished else np.savez  # speed first, then size
        try:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(f"{folder / file}: {error.strerror}") from None
        to_file(lambda stream: pack(stream, **arrays), folder / file)

    @classmethod
    def read(cls, folder: Path) -> Record:
        """The record of a folder's run and its finished tasks, every byte of it checked.

        Raises:
            TrainingError: there is none, a file is damaged, or of a kind that is not known here.
        """
        record = cls.of_file(folder / FILE)
        record.join(folder)
        return record

    def join(self, folder: Path) -> None:
        """Take up the finished tasks whose files lie in a folder and are not known yet.

        Raises:
            TrainingError: a file is damaged, of another experiment, or bears another's name.
        """
        top = folder / TASKS
        for path in sorted(top.rglob(f"*{DONE}")):
            name = path.relative_to(top).as_posix().removesuffix(DONE)
            if name in self.tasks:
                continue
            task = Record.of_file(path)
            if (task.experiment, task.about.get("task")) != (self.experiment, name):
                other = f"{task.about.get('task')} of {task.experiment}"
                raise TrainingError(f"{path} holds {other}, not {name} of {self.experiment}")
            self.add(task)

    def add(self, task: Record) -> None:
        """Take up a finished task."""
        name = task.about["task"]
        mine = {name: {**task.about, "configuration": task.configuration}}
        self.tasks = dict(sorted({**self.tasks, **mine}.items()))  # in whatever order they came
        self.arrays |= {f"{name}/{what}": value for what, value in task.arrays.items()}

    @classmethod
    def of_file(cls, path: Path) -> Record:
        """What a file holds, every byte of it checked.

        Raises:
            TrainingError: there is none, it is damaged, or of a kind that is not known here.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise TrainingError(f"{path}: {error.strerror}") from None
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            about = json.loads(arrays.pop("about.json").tobytes())
            index = {k: [str(v.dtype), list(v.shape)] for k, v in arrays.items()}
            intact = about.pop("arrays") == index
            schema, experiment = about.pop("schema"), about.pop("experiment")
            configuration = about.pop("configuration")
            intact = intact and isinstance(configuration, dict)
        except Exception:  # noqa: BLE001 - there is no end to what a damaged archive can raise
            intact = False
        if not intact:
            hint = "restore it from a copy, or start anew with --overwrite"
            if path.name != FILE:
                hint = "restore it from a copy, or remove it: the task is done again"
            raise TrainingError(f"{path}: the record is damaged", hint=hint)
        if schema != SCHEMA:
            fact = f"{path}: a record of the kind {schema!r}, and this release reads {SCHEMA!r}"
            raise TrainingError(fact)
        return cls(experiment, configuration, about, arrays)


def to_file(data: bytes | Callable[[BinaryIO], object], path: Path) -> None:
    """Replace a file, whole or not at all, and wait until it is on the disk.

    Raises:
        TrainingError: it cannot be written; the old file is what it was.
    """
    try:
        replace(data, path, suffix=DRAFT)
    except OSError as error:
        raise TrainingError(f"{path}: {error.strerror}") from None


def sweep(folder: Path) -> None:
    """Remove drafts that a run left behind which was killed while it wrote."""
    name = f".*{DRAFT}"
    for draft in (*folder.glob(name), *(folder / TASKS).rglob(name)):
        with contextlib.suppress(OSError):
            draft.unlink()


def provenance(device: torch.device, ranks: int) -> dict[str, Any]:
    """Where and with what a run is made: no names of people, machines or folders."""
    names = ("archcalc", "torch", "numpy", "numba")
    return {
        "versions": {"python": platform.python_version(), **{n: _version(n) for n in names}},
        "hardware": hardware(device, ranks),
        "commit": commit(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def hardware(device: torch.device, ranks: int = 1) -> str:
    """The processor, its threads and memory, and the accelerator where one was used."""
    threads = torch.get_num_threads()
    cpu = f"{processor()}, {os.cpu_count()} cores, {threads} thread{'s' * (threads > 1)}"
    split = f", {ranks} processes" if ranks > 1 else ""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}; {cpu}{split}"
    return cpu + split


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"


def commit() -> str:
    """The commit of the source that runs, ``-dirty`` where it was changed; empty if unknown."""
    here = Path(training.__file__).resolve().parent
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        top, head, status = (
            _git(here, *words)
            for words in (
                ("rev-parse", "--show-toplevel"),
                ("rev-parse", "--short=12", "HEAD"),
                ("status", "--porcelain", "--", str(here), str(here.parent / "archcalc")),
            )
        )
        if Path(top) == here.parent:  # else the package lies in somebody's project
            return head + ("-dirty" if status else "")
    return ""


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
    return done.stdout.strip()


def plain(value: object) -> Any:  # noqa: ANN401 - what json takes
    """Tuples, arrays and numpy's numbers as JSON has them; NaN and infinities as None."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | torch.Tensor):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
