"""Experiments one after the other, each with what those before it have found."""

from __future__ import annotations

import shlex
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archcalc.render.table import EMPTY, Column, Table, number, text
from training.engine import datasets, progress, ranks
from training.engine.progress import say
from training.engine.record import FILE
from training.errors import TrainingError
from training.experiments import experiment, runner
from training.experiments import overview as tasks
from training.experiments.base import choice
from training.experiments.parts import PARTS, images
from training.experiments.words import listed
from training.report import page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from archcalc.render.table import Block, Cell
    from training.engine.ranks import Ranks
    from training.engine.record import Record
    from training.experiments.base import Experiment
    from training.experiments.parts import Options

CHAIN: Final = "rate-and-batch"
ALL: Final = "all"
QUICK: Final = "quick"
PRESETS: Final = (QUICK, "reduced", "assignment", "full")

_NAMES: Final = tuple(PARTS)
# A command: the folders of its parts.
CHAINS: Final = {
    CHAIN: _NAMES[_NAMES.index("dataset") : _NAMES.index("cyclical-batch") + 1],
    ALL: _NAMES,
}
FINDERS: Final = {"lr_finder": "lr-finder", "batch_finder": "batch-finder"}
# And what is read of another part where it is there: what it has trained already.
BEFORE: Final = {**FINDERS, "cyclical_lr": "cyclical-lr"}


class Outcome(NamedTuple):
    """What came of a part: its finished record, or why there is none."""

    part: str
    record: Record | None = None
    why: str = ""


def run(given: Options, folder: Path, **how: Any) -> Iterator[tuple[str, Record]]:  # noqa: ANN401
    """Lab 3, problem 3 and homework 2, problem 4, every part in a folder of its own.

    Parts that are finished are read; with ``resume``, one that is not is gone on with.

    Args:
        given: options of the parts; each takes those that it has.
        folder: of the parts' folders.
        how: keywords of :func:`training.experiments.runner.run`.

    Yields:
        Each part's folder and record; on ranks other than the first, nothing.

    Raises:
        TrainingError: something that a person can mend.
        StoppedError: Ctrl-C; nothing is lost.
    """
    with ranks.together(ranks.device(how.get("device", "auto"))):
        for name in CHAINS[CHAIN]:
            record = runner.run(part(name, given, folder), folder / name, **how)
            if record is not None:
                yield name, record


def part(name: str, given: Options, folder: Path) -> Experiment:
    """A part, with the options that it has, and what the finders in ``folder`` have found."""
    of, more, *_ = PARTS[name]
    kind = experiment(of)
    known = {one.name for one in kind.fields()}
    mine = {key: value for key, value in {**more, **given}.items() if key in known}
    mine |= {key: str(folder / of) for key, of in BEFORE.items() if key in known and of != name}
    if "preset" in mine and mine["preset"] not in getattr(kind, "presets", {}):
        mine["preset"] = "assignment"  # who has no reduced size
    if name == "dataset":  # what is held out is what the others hold out
        finder: Any = part("lr-finder", given, folder)
        mine["validation"] = finder.validation
    return kind(**mine)


def overview(
    name: str,
    given: Options,
    folder: Path,
    **how: Any,  # noqa: ANN401
) -> tuple[list[Block], dict[str, Any]]:
    """The tasks of every part of a chain.

    Of a part that waits for what a finder will find there is a line that says so.

    Args:
        name: of the chain.
        given: options of the parts.
        folder: of the parts' folders.
        how: keywords of :func:`training.experiments.overview.overview`.
    """
    choice("--preset", [given["preset"]], PRESETS)
    absent = _absent(given)
    told: list[Block] = []
    parts: dict[str, Any] = {}
    for one in CHAINS[name]:
        try:
            mine = _options(one, given, absent) if name == ALL else given
            blocks, data = tasks.overview(part(one, mine, folder), folder / one, **how)
        except TrainingError:
            if not needs(one):
                raise
            blocks = [f"{one} waits for what {listed(needs(one))} will find."]
            data = {"tasks": [], "hours_left": None}
        told += blocks if data["tasks"] or needs(one) else []
        parts[one] = data
    if how.get("status", True):
        left = sum(data["hours_left"] or 0.0 for data in parts.values())
        told.append(f"All parts: {left:.1f} hours are left of those that were measured here.")
    return told, {"schema": f"archcalc.training.{name}.tasks/1", "parts": parts}


# ------------------------------------------------------------------------------------- everything


def everything(given: Options, folder: Path, **how: Any) -> list[Outcome]:  # noqa: ANN401
    """All that both assignments ask for, every part in a folder of its own, and the report.

    A part that fails is told, and those that do not need it are run all the same.

    Args:
        given: ``preset``, ``seed`` and ``data_dir``.
        folder: of the parts' folders and the report.
        how: keywords of :func:`training.experiments.runner.run`.

    Returns:
        What came of every part, and of the report if that failed; on ranks other than the first,
        nothing.

    Raises:
        TrainingError: what was asked for is wrong, or the folder is of another run.
        StoppedError: Ctrl-C; nothing is lost.
    """
    choice("--preset", [given["preset"]], PRESETS)
    with ranks.together(ranks.device(how.get("device", "auto"))) as own:
        absent = _absent(given)
        asked = {name: _options(name, given, absent) for name in CHAINS[ALL]}
        own.leads(lambda: _refuse(asked, folder, how))
        if own.first and absent:
            say(_stand_in(absent, given))
        outcomes: dict[str, Outcome] = {}
        with progress.parts_display(tuple(asked), shown=own.first) as begin:
            for name, options in asked.items():
                begin(name)
                work = partial(_run, name, options, folder, outcomes, how)
                outcomes[name] = _outcome(name, work, own)
            begin("report")
            written = _outcome("report", lambda: own.leads(lambda: _report(folder)), own)
        failed = [written] if written.why else []
        return [*outcomes.values(), *failed] if own.first else []


def _absent(given: Options) -> tuple[str, ...]:
    """The sets that are not in the folder, where nothing is to be downloaded."""
    if given["preset"] != QUICK:
        return ()
    asked = dict.fromkeys(PARTS[name].images for name in CHAINS[ALL])
    return tuple(name for name in asked if name and not datasets.there(name, given.get("data_dir")))


def _options(name: str, given: Options, absent: tuple[str, ...]) -> dict[str, Any]:
    """The options of a part of everything, with its sizes."""
    one = PARTS[name]
    mine = {**given, **({"dataset": one.images} if one.images else {})}
    if given["preset"] == QUICK:
        mine |= one.quick
    if one.images in absent:
        mine |= one.digits
    return mine


def _refuse(asked: Mapping[str, Options], folder: Path, how: Mapping[str, Any]) -> None:
    """Say what every part would stumble over, before any is run."""
    if "\0" in str(folder):
        raise TrainingError(f"{folder}: no folder has such a name")
    try:
        for name, options in asked.items():
            try:
                one = part(name, options, folder)
            except TrainingError:
                if needs(name):  # it cannot be made before its finder has found something
                    continue
                raise
            if (folder / name / FILE).exists() and not how.get("overwrite"):
                runner.kept(one, folder / name, resume=bool(how.get("resume")))
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{folder}: {error.strerror}") from None


def needs(name: str) -> list[str]:
    """The folders of the finders that a part needs."""
    known = {one.name for one in experiment(PARTS[name].of).fields()}
    return [finder for key, finder in FINDERS.items() if key in known]


def _stand_in(absent: tuple[str, ...], given: Options) -> str:
    """What is not there, what takes its place, and what brings it."""
    where = given.get("data_dir")
    option = f" --data-dir {shlex.quote(where)}" if where else ""
    sets = listed([datasets.title(name) for name in absent])
    commands = listed([f"archcalc training dataset {name}{option}" for name in absent])
    verb = "is" if len(absent) == 1 else "are"
    stand_in = datasets.title(datasets.DIGITS)
    return (
        f"{sets} {verb} not in {datasets.place(where)}: {stand_in} stand in; fetch with {commands}"
    )


def _run(
    name: str, options: Options, folder: Path, before: Mapping[str, Outcome], how: Mapping[str, Any]
) -> Record | None:
    """Run a part, if what it needs is there."""
    for finder in needs(name):
        if before[finder].why:
            raise TrainingError(f"it needs what {finder} would have found")
    return runner.run(part(name, options, folder), folder / name, **how)


def _report(folder: Path) -> None:
    """Write the report of a folder in its forms."""
    for form, name in page.FORMS.items():
        page.write(folder, folder / name, form)


def _outcome(name: str, work: Callable[[], Record | None], own: Ranks) -> Outcome:
    """Do some work, or say why it cannot be done."""
    try:
        return Outcome(name, work())
    except TrainingError as error:
        if own.first:
            say(f"{name} failed: {error}")
        return Outcome(name, why=str(error))


# --------------------------------------------------------------------------- what is told of it


def blocks(outcomes: list[Outcome], folder: Path) -> list[Block]:
    """A line a part, and where the report is."""
    headings = (Column("part"), Column("seconds", right=True), Column("on"), Column("outcome"))
    rows = tuple(_row(one) for one in outcomes)
    total = sum(one.record.seconds for one in outcomes if one.record)
    footer = ((text("total"), number(round(total)), EMPTY, EMPTY),)
    table = Table(f"All parts, in {folder}", headings, rows, footer)
    written = [str(folder / name) for name in page.FORMS.values()]
    return [table, *([f"The report: {listed(written)}."] * (not _of_report(outcomes)))]


def _row(one: Outcome) -> tuple[Cell, ...]:
    if one.record is None:
        return (text(one.part), EMPTY, EMPTY, text("failed"))
    seconds = number(round(one.record.seconds))
    return (text(one.part), seconds, text(studied(one.record)), text("finished"))


def _of_report(outcomes: list[Outcome]) -> list[Outcome]:
    return [one for one in outcomes if one.part not in PARTS]


def studied(record: Record) -> str:
    """The data set that a part was run on."""
    name = images(record.configuration)
    return datasets.title(name) if name else "random points"


def data(outcomes: list[Outcome], folder: Path) -> dict[str, Any]:
    """The same as plain data."""
    parts = [
        {
            "part": one.part,
            "seconds": one.record.seconds if one.record else None,
            "on": studied(one.record) if one.record else None,
            "command": one.record.about["command"] if one.record else None,
            "failed": one.why or None,
        }
        for one in outcomes
    ]
    written = {form: str(folder / name) for form, name in page.FORMS.items()}
    return {
        "schema": f"archcalc.training.{ALL}/1",
        "folder": str(folder),
        "parts": parts,
        "report": None if _of_report(outcomes) else written,
    }
