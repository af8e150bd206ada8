"""Where the numbers of a written answer come from: records of runs, and archcalc."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from archcalc.render.table import Block, Formula
from training.engine.record import FILE, Record
from training.errors import TrainingError
from training.experiments import experiment, parts, runner
from training.experiments.architectures import answer
from training.experiments.base import Experiment, smaller
from training.experiments.words import Named

Blocks = dict[str, list["Block"]]


class Source(Protocol):
    """What an answer can show."""

    @property
    def blocks(self) -> Mapping[str, Sequence[Block]]:
        """Tables and paragraphs by their names."""

    def picture(self, name: str) -> Path | bytes | None:
        """A figure, or the file that it is in; None if there is none."""

    def command(self, name: str) -> str:
        """What makes a block or a figure."""


def by_name(found: Iterable[Named]) -> Blocks:
    """Blocks with the same name together, in their order."""
    blocks: Blocks = {}
    for name, block in found:
        blocks.setdefault(name, []).append(block)
    return blocks


class Run:
    """A run's record in its folder; or that there is none.

    Args:
        name: one of :data:`training.experiments.parts.EVERY`.
        records: the folder in which its own lies.

    Raises:
        TrainingError: the record is damaged, or of another experiment.
    """

    def __init__(self, name: str, records: Path) -> None:
        self.name, self.folder = name, records / name
        self.record: Record | None = None
        kind = parts.EVERY[name].of
        if (self.folder / FILE).exists():
            found = Record.read(self.folder)
            if found.experiment != kind:
                fact = f"{self.folder} holds a record of {found.experiment}, not of {kind}"
                raise TrainingError(fact)
            found = runner.shown(found)
            self.record = found if found.finished else None

    @property
    def there(self) -> bool:
        """Whether the run is finished."""
        return self.record is not None

    @cached_property
    def experiment(self) -> Experiment:
        """With its configuration; of a run that is there."""
        assert self.record is not None
        try:
            return runner.experiment_of(self.record)
        except TrainingError as error:
            raise TrainingError(f"{self.folder}: {error}") from None

    @property
    def made_on(self) -> str:
        """See :func:`training.experiments.runner.made_on`."""
        return runner.made_on(self.record) if self.record else ""

    @cached_property
    def blocks(self) -> Blocks:
        """See :class:`Source`."""
        return by_name(runner.named(self.record)) if self.record else {}

    def picture(self, name: str) -> Path | None:
        """See :class:`Source`."""
        path = self.folder / f"{name}.png"
        return path if self.there and path.exists() else None

    def command(self, name: str = "") -> str:  # noqa: ARG002 - one makes all
        """The line that fills this run's place."""
        line = f"{parts.command(self.name)} --output {shlex.quote(str(self.folder))}"
        return f"{line} --overwrite" if self.there else line

    @property
    def full(self) -> str:
        """The command line of the same at the assignment's size."""
        part = parts.EVERY[self.name]
        usual = experiment(part.of)(**part.more)
        return usual.full() if _departing(usual, part.more) else parts.command(self.name)

    @property
    def remark(self) -> str:
        """What is other than in the assignment, of a run that is there; empty for nothing.

        What the part is about by itself is left out: a second run looks at ReLU alone.
        """
        return smaller(_departing(self.experiment, parts.EVERY[self.name].more))


def _departing(made: Experiment, chosen: parts.Options) -> list[str]:
    """The departures of an experiment but for those that its part has chosen."""
    return [
        said
        for field, said in made.departures().items()
        if getattr(made, field) != chosen.get(field)
    ]


class Computed:
    """What archcalc computes while the page is made."""

    @cached_property
    def blocks(self) -> Blocks:
        """See :class:`Source`."""
        return by_name(answer.blocks())

    @cached_property
    def explained(self) -> dict[str, Any]:
        """The equations of the adaptive methods: what ``optimizers --explain --json`` prints."""
        return runner.explanation(experiment("optimizers")())[1]

    def aligned(self, equations: Iterable[Mapping[str, str]]) -> str:
        """The LaTeX of some of these equations, below one another."""
        return Formula(tuple((one["text"], one["latex"]) for one in equations)).latex()

    @cached_property
    def pictures(self) -> dict[str, bytes]:
        """All figures."""
        from training.experiments.architectures import figure  # noqa: PLC0415 - loads matplotlib

        return dict(figure.figures())

    def picture(self, name: str) -> bytes | None:
        """See :class:`Source`."""
        return self.pictures.get(name)

    def command(self, name: str) -> str:
        """See :class:`Source`."""
        return answer.COMMANDS[name]
