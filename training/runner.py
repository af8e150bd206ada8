"""Floor 6: one run from its configuration to tables, answers and figures in a folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from archcalc.render.table import Table
from training import ranks
from training.errors import TrainingError
from training.loop import KEEP, Loop
from training.progress import say
from training.record import FILE, Record, plain, provenance, sweep, to_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from types import ModuleType

    import torch

    from archcalc.render.table import Block
    from training.answers.words import Named
    from training.experiments.base import Experiment
    from training.ranks import Ranks

RUNS: Final = Path("runs")
PAGE: Final = "README.md"
RESULTS: Final = "results.json"
MEASURED: Final = ("learning", "cost")  # of what a record says, the results of an experiment


def folder_of(experiment: Experiment) -> Path:
    """Where a run goes that was told no place: a folder a configuration."""
    text = json.dumps(experiment.configuration(), sort_keys=True)
    return RUNS / f"{experiment.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def run(
    experiment: Experiment,
    folder: Path | None = None,
    *,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
    keep: float = KEEP,
) -> Record | None:
    """Run an experiment, or go on with it, and write what came of it.

    A finished record of the same configuration is read and not made again.

    Args:
        experiment: with its configuration.
        folder: for ``record.npz``, ``results.json``, ``README.md`` and figures.
        device: ``auto``, ``cpu`` or ``cuda``.
        resume: go on with the folder's unfinished record.
        overwrite: forget what is in the folder.
        keep: seconds between checkpoints.

    Returns:
        The finished record; None on ranks other than the first.

    Raises:
        TrainingError: something that a person can mend.
        StoppedError: Ctrl-C; nothing is lost.
    """
    where = ranks.device(device)
    place = folder or folder_of(experiment)
    with ranks.together(where) as own:
        tasks = experiment.tasks()
        if own.world > min((len(task.members) for task in tasks), default=own.world):
            raise TrainingError(f"{own.world} processes have fewer than one member each")
        record = own.leads(
            lambda: _opened(experiment, place, where, own, resume=resume, overwrite=overwrite)
        )
        if not record.finished:
            if own.first:
                say(f"{experiment.title}: the record is kept in {place}")
                if line := experiment.forecast(where.type):
                    say(line)
            Loop(record, place, tasks, own, where, keep, lambda: _cost(experiment, where)).run()
        elif own.first:
            say(f"{place}: this run is finished; its record is read (--overwrite runs it again)")
        own.leads(lambda: write(record, place))
        return record if own.first else None


def _cost(experiment: Experiment, device: torch.device) -> dict[str, Any]:
    found = experiment.cost(device.type)
    return {"cost": found} if found else {}


def _opened(
    experiment: Experiment,
    folder: Path,
    device: torch.device,
    own: Ranks,
    *,
    resume: bool,
    overwrite: bool,
) -> Record:
    """The folder's record, if it is to be used; a new one, written down, if not."""
    if "\0" in str(folder):
        raise TrainingError(f"{folder}: no folder has such a name")
    if folder.exists() and not folder.is_dir():
        raise TrainingError(f"{folder}: is not a directory")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{folder}: {error.strerror}") from None
    sweep(folder)
    for name in (PAGE, RESULTS):
        if (folder / name).exists() and not (folder / FILE).exists() and not overwrite:
            fact = f"{folder} has a {name} that belongs to no record"
            raise TrainingError(fact, hint="name another folder with --output")
    if (folder / FILE).exists() and not overwrite:
        record = kept(experiment, folder, resume=resume)
        if not record.finished:
            now = provenance(device, own.world)
            record.about["resumed"] = [*record.about.get("resumed", []), now]
        return record
    record = Record(experiment.name, experiment.configuration())
    record.about = {
        "command": experiment.command(),
        "device": device.type,
        **provenance(device, own.world),
    }
    began = time.monotonic()
    record.arrays.update(experiment.observed())
    record.about["seconds"] = round(time.monotonic() - began, 2)
    record.save(folder)
    return record


def kept(experiment: Experiment, folder: Path, *, resume: bool) -> Record:
    """The record that a folder holds of an experiment.

    Raises:
        TrainingError: it is of another run, damaged, or unfinished and not to be gone on with.
    """
    record = Record.read(folder)
    _same(experiment, record, folder)
    if not record.finished and not resume:
        hint = "--resume goes on with it, --overwrite starts anew"
        raise TrainingError(f"{folder} holds an unfinished record of this run", hint=hint)
    return record


def _same(experiment: Experiment, record: Record, folder: Path) -> None:
    """Refuse a record of another run, naming the first difference.

    Options that came after the record was made have their defaults in it.
    """
    fact = ""
    if record.experiment != experiment.name:
        fact = f"{folder} holds a record of {record.experiment}, not of {experiment.name}"
    mine, theirs = experiment.configuration(), record.configuration
    if not fact:
        with contextlib.suppress(TrainingError):  # of another release: the difference is told
            theirs = experiment_of(record).configuration()
    for key in {**mine, **theirs}:
        there, here = theirs.get(key), mine.get(key)
        if not fact and there != here:
            option = f"--{key.replace('_', '-')}"
            fact = f"{folder} holds a record with {option} {_said(there)}, not {_said(here)}"
    if fact:
        raise TrainingError(fact, hint="name another folder with --output, or --overwrite it")


def _said(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def experiment_of(record: Record) -> Experiment:
    """The experiment whose record this is.

    Raises:
        TrainingError: the configuration is none of this release's.
    """
    from training.experiments import experiment  # noqa: PLC0415

    try:
        return experiment(record.experiment).of(record.configuration)
    except (TypeError, AttributeError):
        fact = "the record's configuration is of another release"
        raise TrainingError(fact) from None


def _summary(record: Record) -> dict[str, Any]:
    """What the experiment makes of the arrays, as plain data; computed once a record."""
    if record.summary is None:
        found = experiment_of(record).summarise(record.arrays)
        kept: dict[str, Any] = {
            name: record.about[name] for name in MEASURED if name in record.about
        }
        record.summary = plain({**found, **kept})
    return record.summary


def results(record: Record) -> dict[str, Any]:
    """All numbers of a finished record, as plain data for ``--json`` and ``results.json``."""
    experiment = experiment_of(record)
    about = {k: v for k, v in record.about.items() if k not in {"task", *MEASURED}}
    return {
        "schema": f"archcalc.training.{experiment.name}/1",
        "configuration": record.configuration,
        **plain(about),
        "results": _summary(record),
    }


def blocks(record: Record) -> list[Block]:
    """Tables and answers of a finished record."""
    experiment = experiment_of(record)
    remarks = [one for one in (experiment.remark(),) if one]
    found = (
        block._replace(notes=(*block.notes, *remarks)) if isinstance(block, Table) else block
        for _, block in named(record)
    )
    return [*found, _source(record)]


def named(record: Record) -> Iterator[Named]:
    """Tables and answers of a finished record, each under its name."""
    experiment = experiment_of(record)
    found: Iterator[Named] = _answers(experiment).blocks(experiment, _summary(record))
    return found


def explanation(experiment: Experiment) -> tuple[list[Block], dict[str, Any]]:
    """What an experiment's question asks for that is no result: to be read, and as plain data."""
    answers = _answers(experiment)
    return list(answers.explanation(experiment)), answers.explained(experiment)


def _answers(experiment: Experiment) -> ModuleType:
    """The module of the answers to an experiment's question."""
    return import_module(f"training.answers.{experiment.name.replace('-', '_')}")


def _source(record: Record) -> str:
    """Where the numbers come from, in one paragraph."""
    about = record.about
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    commit = f" Commit {about['commit']}." if about.get("commit") else ""
    again = len(about.get("resumed", []))
    resumed = f" Resumed {'once' if again == 1 else f'{again} times'}." if again else ""
    return (
        f"Made by {about['command']} in {about['seconds']:,.0f} s on {about['hardware']}; "
        f"{versions}.{commit}{resumed} Finished {about['finished']}."
    )


def page(record: Record, pictures: Sequence[str]) -> str:
    """Tables, answers and figures of a finished record as Markdown.

    Args:
        record: finished.
        pictures: names of the figures beside the page, without ``.png``.
    """
    from archcalc.render import render  # noqa: PLC0415

    shown = "".join(f"\n![{name}]({name}.png)\n" for name in pictures)
    title = experiment_of(record).title
    return f"# {title}\n\n{render(blocks(record), 'markdown')}{shown}"


def redraw(folder: Path) -> None:
    """Draw pages and figures of all finished records in a folder's folders, and an index.

    Raises:
        TrainingError: no record is there, one is damaged, or the folder cannot be written to.
    """
    rows = []
    for path in sorted(folder.glob(f"*/{FILE}")):
        record = Record.read(path.parent)
        if record.finished:
            write(record, path.parent)
            about, name = record.about, path.parent.name
            made = f"| {about['hardware']} | {about['seconds']:,.0f} s |"
            rows.append(f"| [{name}]({name}/README.md) | `{about['command']}` {made}")
            if "cuda" not in record.about.get("device", ""):
                full = experiment_of(record).full()
                again = f"| | `{full} --device cuda` | CUDA | not run |"
                rows += [again] * (bool(full) and again not in rows)
    if not rows:
        raise TrainingError(f"{folder} has no folder with a finished {FILE}")
    head = ["# Training", "", "Drawn from their records by `archcalc training tables`.", ""]
    head += ["| run | command | hardware | time |", "| --- | --- | --- | --: |"]
    to_file(("\n".join([*head, *rows]) + "\n").encode(), folder / PAGE)


def write(record: Record, folder: Path) -> None:
    """Write numbers, tables and figures of a finished record beside it."""
    drawn = import_module(f"training.figures.{record.experiment.replace('-', '_')}")
    found = results(record)
    figures = {
        name if "." in name else f"{name}.png": data
        for name, data in drawn.figures(experiment_of(record), record.arrays, found["results"])
    }
    for name, data in figures.items():
        to_file(data, folder / name)
    pictures = [name.removesuffix(".png") for name in figures if name.endswith(".png")]
    _clear(folder, pictures)
    to_file((json.dumps(found) + "\n").encode(), folder / RESULTS)
    to_file(page(record, pictures).encode(), folder / PAGE)


def _clear(folder: Path, drawn: Collection[str]) -> None:
    """Remove the pictures that an overwritten run's page showed and that are not drawn again."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        before = (folder / PAGE).read_text("utf-8")
        for name in re.findall(r"^!\[([a-z0-9-]+)\]\(\1\.png\)$", before, re.MULTILINE):
            if name not in drawn:
                (folder / f"{name}.png").unlink()
