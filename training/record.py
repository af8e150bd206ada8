"""Floor 2: what is kept of a run: one file, whole or not there, that says where it comes from.

A record is a NumPy ``.npz`` archive: arrays, and ``about.json`` with configuration, seeds,
versions, hardware, commit, time, and the name, type and shape of each array. It never holds Python
objects.
While a run goes on, the arrays under ``checkpoint/`` are all that it needs to go on from there.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
import subprocess
import time
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import torch

from archcalc.machine import processor
from archcalc.render.deliver import replace
from training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

SCHEMA: Final = "archcalc.training.record/1"
FILE: Final = "record.npz"
CHECKPOINT: Final = "checkpoint/"
DRAFT: Final = ".archcalc-draft"  # what a file is called before it is whole
Array: TypeAlias = np.ndarray[Any, Any]


@dataclass
class Record:
    """A run, finished or not.

    Attributes:
        experiment: which one, e.g. ``dying-relu``.
        configuration: all that the result depends on, as plain data; the seed is part of it.
        about: schema, command, provenance, seconds, ``finished``, and where the run stands.
        arrays: results by name, such as ``9x2/off``: members first.
        summary: what the experiment makes of a finished record's arrays, once it has been asked.
    """

    experiment: str
    configuration: dict[str, Any]
    about: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)
    summary: dict[str, Any] | None = field(default=None, compare=False, repr=False)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return bool(self.about.get("finished"))

    def results(self) -> dict[str, Array]:
        """The arrays without the checkpoint's."""
        return {k: v for k, v in self.arrays.items() if not k.startswith(CHECKPOINT)}

    def checkpoint(self) -> dict[str, Array]:
        """The checkpoint's arrays, their names without its prefix."""
        prefix = CHECKPOINT
        return {k.removeprefix(prefix): v for k, v in self.arrays.items() if k.startswith(prefix)}

    def save(self, folder: Path) -> None:
        """Replace the folder's record by this one, atomically.

        Raises:
            TrainingError: the folder cannot be written to; the old record is what it was.
        """
        index = {k: [str(v.dtype), list(v.shape)] for k, v in self.arrays.items()}
        about = {
            "schema": SCHEMA,
            "experiment": self.experiment,
            "configuration": self.configuration,
            **self.about,
            "arrays": index,
        }
        text = np.frombuffer(json.dumps(about, indent=1).encode(), np.uint8)
        pack = np.savez_compressed if self.finished else np.savez  # speed first, then size
        arrays: Any = {"about.json": text, **self.arrays}
        to_file(lambda stream: pack(stream, **arrays), folder / FILE)

    @classmethod
    def read(cls, folder: Path) -> Record:
        """The record of a folder, every byte of it checked.

        Raises:
            TrainingError: there is none, it is damaged, or of a kind that is not known here.
        """
        path = folder / FILE
        try:
            data = path.read_bytes()
        except OSError as error:
            raise TrainingError(f"{path}: {error.strerror}") from None
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            about = json.loads(arrays.pop("about.json").tobytes())
            index = {k: [str(v.dtype), list(v.shape)] for k, v in arrays.items()}
            whole = about.pop("arrays") == index
            schema, experiment = about.pop("schema"), about.pop("experiment")
            configuration = about.pop("configuration")
            whole = whole and isinstance(configuration, dict)
        except Exception:  # noqa: BLE001 - there is no end to what a damaged archive can raise
            whole = False
        if not whole:
            hint = "restore it from a copy, or start anew with --overwrite"
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
    for draft in folder.glob(f".*{DRAFT}"):
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
    here = Path(__file__).resolve().parent
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
