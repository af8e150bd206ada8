"""One run from its configuration to tables, answers and figures in a folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from archcalc.render.table import Block, Table
from training.engine import ranks
from training.engine.cohort import numerics
from training.engine.loop import KEEP, Loop, now
from training.engine.progress import say
from training.engine.ranks import Ranks
from training.engine.record import DONE, FILE, TASKS, Record, plain, provenance, sweep, to_file
from training.errors import TrainingError
from training.experiments import experiment, module
from training.experiments.base import Experiment, counted
from training.experiments.parts import PARTS
from training.experiments.words import Named, listed

if TYPE_CHECKING:
    import torch

RUNS: Final = Path("runs")
PAGE: Final = "README.md"
RESULTS: Final = "results.json"
ELSEWHERE: Final = "name another folder with --output, or --overwrite it"


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
    only: Sequence[str] = (),
) -> Record | None:
    """Run an experiment, or go on with it, and write what came of it.

    A finished record of the same configuration is read and not made again.

    Args:
        experiment: with its configuration.
        folder: for the tasks' records, ``results.json``, ``README.md`` and figures.
        device: ``auto``, ``cpu`` or ``cuda``.
        resume: do what the folder's record lacks; some of it, if ``only`` names tasks.
        overwrite: forget what is in the folder.
        keep: seconds between states of unfinished tasks.
        only: see :class:`training.engine.loop.Loop`.

    Returns:
        The record, which is not finished where tasks are missing still; None on ranks other than
        the first.

    Raises:
        TrainingError: something that a person can mend.
        StoppedError: Ctrl-C; nothing is lost.
    """
    where = ranks.device(device)
    place = folder or folder_of(experiment)
    with ranks.together(where) as own:
        # what is not there, or cannot be, is said before anything is kept
        numerics(where, getattr(experiment, "precision", "fp32"))
        for task in experiment.tasks():
            own.share(len(task.members))
        record = own.leads(
            lambda: _opened(
                experiment, place, where, own, resume=resume or bool(only), overwrite=overwrite
            )
        )
        if not record.finished:
            if own.first:
                say(f"{experiment.title}: the record is kept in {place}")
                if line := experiment.forecast(where.type):
                    say(line)
            join = partial(_join, experiment, record, place)
            loop = Loop(record, place, experiment.tasks_after, own, where, keep, only, join)
            loop.run()
            loop.only = ()
            if not loop.missing():
                own.leads(lambda: _finish(experiment, record, place, where))
        elif own.first:
            say(f"{place}: this run is finished; its record is read (--overwrite runs it again)")
        record = own.leads(lambda: shown(record))
        own.leads(lambda: write(record, place))
        return record if own.first else None


def _finish(experiment: Experiment, record: Record, folder: Path, device: torch.device) -> None:
    """Write down what is to be said of a run as a whole."""
    if cost := experiment.cost(device.type):
        record.about["cost"] = cost
    record.about["finished"] = now()
    record.save(folder)


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
        return kept(experiment, folder, resume=resume)
    if overwrite:
        shutil.rmtree(folder / TASKS, ignore_errors=True)
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
    _join(experiment, record, folder)
    return record


def kept(experiment: Experiment, folder: Path, *, resume: bool) -> Record:
    """The record that a folder holds of an experiment.

    With ``resume`` it may be of fewer or other tasks, if each is what it is now.

    Raises:
        TrainingError: it is of another run, damaged, or unfinished and not to be gone on with.
    """
    record = Record.read(folder)
    if record.experiment != experiment.name:
        fact = f"{folder} holds a record of {record.experiment}, not of {experiment.name}"
        raise TrainingError(fact, hint=ELSEWHERE)
    theirs = record.configuration
    with contextlib.suppress(TrainingError):  # of another release: the difference is told
        theirs = experiment_of(record).configuration()
    _same(experiment, theirs, f"{folder} holds a record", resume=resume)
    if theirs != experiment.configuration():
        record.configuration = experiment.configuration()
        record.about["command"] = experiment.command()
        record.about.pop("finished", None)
    _join(experiment, record, folder)
    if not record.finished and not resume:
        hint = "--resume goes on with it, --overwrite starts anew"
        raise TrainingError(f"{folder} holds an unfinished record of this run", hint=hint)
    return record


def _join(experiment: Experiment, record: Record, folder: Path) -> None:
    """Take up the finished tasks that lie in a folder, and refuse those of another run."""
    record.join(folder)
    for name, about in record.tasks.items():
        where = f"{folder / TASKS / name}{DONE} is a task"
        _same(experiment, about["configuration"], where, resume=True)


def _same(experiment: Experiment, theirs: Mapping[str, Any], where: str, *, resume: bool) -> None:
    """Refuse another configuration, naming the first difference.

    Options that came after a record was made have their defaults in it; with ``resume`` those that
    only say which tasks there are may differ.
    """
    mine = experiment.configuration()
    for key in {**mine, **theirs}:
        there, here = theirs.get(key), mine.get(key)
        if there != here and not (resume and key in experiment.chooses):
            option = f"--{key.replace('_', '-')}"
            fact = f"{where} with {option} {_said(there)}, not {_said(here)}"
            more = "--resume does what it lacks; or " * (key in experiment.chooses)
            raise TrainingError(fact, hint=f"{more}{ELSEWHERE}")


def _said(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def experiment_of(record: Record) -> Experiment:
    """The experiment whose record this is.

    Raises:
        TrainingError: the configuration is none of this release's.
    """
    try:
        return experiment(record.experiment).of(record.configuration)
    except (TypeError, AttributeError):
        fact = "the record's configuration is of another release"
        raise TrainingError(fact) from None


def _summary(record: Record) -> dict[str, Any]:
    """What the experiment makes of the arrays, as plain data; computed once a record."""
    if record.summary is None:
        found = experiment_of(record).summarise(record.arrays)
        cost = {"cost": record.about["cost"]} if "cost" in record.about else {}
        record.summary = plain({**found, "learning": record.learning, **cost})
    return record.summary


def shown(record: Record) -> Record:
    """A record of which tables can be made: of a run on its way, what is whole of it, if any is."""
    if record.finished:
        return record
    part = experiment_of(record).having(record.has)
    if part is None:
        return record
    ends = [about["finished"] for about in record.tasks.values()]
    about = {**record.about, "finished": max(ends, default=""), "partial": len(record.tasks)}
    return replace(record, configuration=part.configuration(), about=about, summary=None)


def results(record: Record) -> dict[str, Any]:
    """All numbers of a record that :func:`shown` gives, for ``--json`` and ``results.json``."""
    experiment = experiment_of(record)
    about = {k: v for k, v in record.about.items() if k not in {"task", "learning", "cost"}}
    return {
        "schema": f"archcalc.training.{experiment.name}/1",
        "configuration": record.configuration,
        **plain({**about, "seconds": round(record.seconds, 2)}),
        "made": made(record),
        "results": _summary(record) if record.finished else None,
    }


def blocks(record: Record) -> list[Block]:
    """Tables and answers of a record that :func:`shown` gives."""
    experiment = experiment_of(record)
    if not record.finished:
        return [_unfinished(record)]
    remarks = [one for one in (experiment.remark(),) if one]
    found = (
        block._replace(notes=(*block.notes, *remarks)) if isinstance(block, Table) else block
        for _, block in named(record)
    )
    return [*found, _source(record)]


def named(record: Record) -> Iterator[Named]:
    """Tables and answers of a finished record, each under its name."""
    experiment = experiment_of(record)
    answer = module(record.experiment, "answer")
    found: Iterator[Named] = answer.blocks(experiment, _summary(record))
    return found


def explanation(experiment: Experiment) -> tuple[list[Block], dict[str, Any]]:
    """What an experiment's question asks for that is no result: to be read, and as plain data."""
    answer = module(experiment.name, "answer")
    return list(answer.explanation(experiment)), answer.explained(experiment)


def made(record: Record) -> list[dict[str, Any]]:
    """Which tasks were made on what: an entry for each hardware, numerics, versions and commit."""
    rows: list[dict[str, Any]] = []
    for name, about in record.tasks.items():
        same = {key: about.get(key) for key in ("hardware", "numerics", "versions", "commit")}
        row = next((row for row in rows if row.items() >= same.items()), None)
        if row is None:
            row = {**same, "seconds": 0.0, "tasks": []}
            rows.append(row)
        row["tasks"].append(name)
        row["seconds"] = round(row["seconds"] + about["seconds"], 2)
    return rows


def made_on(record: Record) -> str:
    """Hardware, versions and commit, and how many tasks were made on each where they differ."""
    rows = made(record) or [{**record.about, "tasks": []}]
    said = []
    for row in rows:
        tasks = f"{counted(len(row['tasks']), 'task')} on " * (len(rows) > 1)
        versions = ", ".join(f"{name} {version}" for name, version in row["versions"].items())
        commit = f", commit {row['commit']}" if row.get("commit") else ""
        computed = f", {row['numerics']}" if row.get("numerics") else ""
        said.append(f"{tasks}{row['hardware']}{computed}; {versions}{commit}")
    return listed(said)


def _source(record: Record) -> str:
    """Where the numbers come from, in one paragraph."""
    about = record.about
    again = sum(len(one.get("resumed", [])) for one in (about, *record.tasks.values()))
    resumed = f" Resumed {'once' if again == 1 else f'{again} times'}." if again else ""
    rest = f" {_unfinished(record)}" if "partial" in about else ""
    return (
        f"Made by {about['command']} in {record.seconds:,.0f} s on {made_on(record)}.{resumed} "
        f"Finished {about['finished']}.{rest}"
    )


def _unfinished(record: Record) -> str:
    """What is done of a run, and what does the rest."""
    done = counted(len(record.tasks), "task")
    return (
        f"The run is not finished: {done} done; `{record.about['command']} --resume` does the rest."
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
    """Draw pages and figures of all records in a folder's folders, and an index.

    Raises:
        TrainingError: no record is there, one is damaged, or the folder cannot be written to.
    """
    found = {path.parent: shown(Record.read(path.parent)) for path in folder.glob(f"*/{FILE}")}
    commands = {record.about["command"] for record in found.values()}
    rows = []
    for place, record in sorted(found.items()):
        name = place.name
        write(record, place)
        hardware = [row["hardware"] for row in made(record)] or [record.about["hardware"]]
        on = listed([*dict.fromkeys(hardware)])
        link = f"[{name}]({name}/README.md)" if record.finished else name
        unfinished = "partial" in record.about or not record.finished
        so_far = f", {counted(len(record.tasks), 'task')} so far" * unfinished
        command = record.about["command"]
        rows.append(f"| {link} | `{command}` | {on} | {record.seconds:,.0f} s{so_far} |")
        experiment = experiment_of(record)
        full = experiment.full()
        if name in PARTS and not experiment.assignment and full not in commands:
            commands.add(full)
            rows.append(f"| | `{full}` | | not run |")
    if not rows:
        raise TrainingError(f"{folder} has no folder with a {FILE}")
    head = ["# Training", "", "Drawn from their records by `archcalc training tables`.", ""]
    head += ["| run | command | hardware | time |", "| --- | --- | --- | --: |"]
    to_file(("\n".join([*head, *rows]) + "\n").encode(), folder / PAGE)


def write(record: Record, folder: Path) -> None:
    """Write numbers, tables and figures of a record that :func:`shown` gives beside it."""
    if not record.finished:
        return
    drawn = module(record.experiment, "figure")
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
