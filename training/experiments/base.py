"""What an experiment is: a question, its grid as data, what runs, and what comes of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import Field, asdict, dataclass, fields, replace
from typing import Any, ClassVar, Final, Self

import numpy as np

from archcalc.errors import meant, quoted
from training.engine.loop import Task
from training.engine.record import Array, plain
from training.engine.statistics import student
from training.errors import TrainingError
from training.experiments.fixed import Fixed, worded

LARGEST: Final = 10**7
PLACE: Final = {"place": True}  # of a field that says where something is, not what is computed
NOT_ASSIGNED: Final = "not the assignment's size"


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """All that the result of an experiment depends on; a subclass an experiment.

    Attributes:
        name: of the command.
        title: of its pages.
        chooses: the settings that say which tasks there are, or how each is computed, and not what
            each is; tasks that differ in them join.
        question: what the assignment fixes, by field; of the other settings it says nothing.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    chooses: ClassVar[frozenset[str]] = frozenset()
    question: ClassVar[Mapping[str, Fixed]] = {}
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("--seed", self.seed, 0, 2**63 - 1)

    def tasks(self) -> tuple[Task, ...]:
        """What is trained, in order.

        Raises:
            TrainingError: something that the experiment needs is not there.
        """
        raise NotImplementedError

    def tasks_after(self, arrays: Mapping[str, Array]) -> tuple[Task, ...]:  # noqa: ARG002
        """The tasks, with what those that are finished decide of others."""
        return self.tasks()

    def having(self, has: Callable[[str], bool]) -> Self | None:  # noqa: ARG002
        """The largest part of the experiment all of whose tasks are there; None if none is.

        Args:
            has: whether a task, by its name, is.
        """
        return None

    def observed(self) -> Mapping[str, Array]:
        """Arrays that the record holds before anything is trained: what the data are like."""
        return {}

    def forecast(self, device: str) -> str:  # noqa: ARG002 - who has one needs it
        """What the run will cost, in a line that is said before it; empty if there is none."""
        return ""

    def departures(self) -> dict[str, str]:
        """What is other than the question asks, by field: ``--sets 1, not 2 or more``."""
        return {
            field: f"--{field.replace('_', '-')} {worded(value)}, not {fixed.wording}"
            for field, fixed in self.question.items()
            if not fixed.met(value := getattr(self, field))
        }

    @property
    def assignment(self) -> bool:
        """Whether everything is as the question asks."""
        return not self.departures()

    def remark(self) -> str:
        """What stands below every table of the results; empty for nothing."""
        said = smaller(self.departures().values())
        return f"{said}." if said else ""

    def cost(self, device: str) -> dict[str, Any]:  # noqa: ARG002 - likewise
        """What was predicted and what is measured of it, for the record, after the run."""
        return {}

    def summarise(self, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """The numbers of the tables and answers, as plain data, from a record's arrays."""
        raise NotImplementedError

    def configuration(self) -> dict[str, Any]:
        """The experiment as JSON has it."""
        given = asdict(self)
        return {one.name: plain(given[one.name]) for one in self.settings()}

    @classmethod
    def fields(cls) -> tuple[Field[Any], ...]:
        """All options."""
        return fields(cls)

    @classmethod
    def settings(cls) -> list[Field[Any]]:
        """The fields that the result depends on."""
        return [one for one in fields(cls) if not one.metadata.get("place")]

    @classmethod
    def of(cls, configuration: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`configuration`."""
        given: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in configuration.items()
        }
        return cls(**given)

    def baseline(self) -> Self:
        """What runs without any option."""
        return type(self)()

    def assigned(self) -> Self:
        """What is at the assignment's size, with a value for everything that the question fixes."""
        return type(self)()

    def full(self) -> str:
        """The command line of the same at the assignment's size."""
        usual = self.assigned()
        return replace(self, **{one: getattr(usual, one) for one in self.departures()}).command()

    def command(self) -> str:
        """The command line that runs it: every option that is not the default."""
        usual = self.baseline()
        words = [f"archcalc training {self.name}"]
        for one in self.settings():
            value = getattr(self, one.name)
            if value != getattr(usual, one.name):
                words.append(typed(one.name, value))
        return " ".join(words)


def typed(field: str, value: object) -> str:
    """A setting as it is typed: ``--rate 1.0,0.1``."""
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"--{field.replace('_', '-')} {shlex.quote(text)}"


def rows(arrays: Mapping[str, Array], tasks: Iterable[str], what: str) -> Array:
    """What several networks' tasks have found, stacked: ``(tasks, ...)``."""
    return np.stack([arrays[f"{task}/{what}"] for task in tasks])


def seeded(name: str, seeds: int) -> list[str]:
    """The tasks of networks that differ in their seed alone: ``adam/plain/seed0``, ..."""
    return [f"{name}/seed{number}" for number in range(seeds)]


def gaps(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """By score, the first less the second, of networks with the same number."""
    return {score: student(one["each"] - theirs[score]["each"]) for score, one in ours.items()}


def compared(arms: Mapping[str, Any], pairs: Iterable[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """The :func:`gaps` of the pairs of which both are there."""
    for one, two in pairs:
        if one in arms and two in arms:
            yield {"one": one, "two": two, **gaps(arms[one]["final"], arms[two]["final"])}


def smaller(departures: Iterable[str]) -> str:
    """Departures as a sentence without its full stop; empty if there are none."""
    said = "; ".join(departures)
    return f"{said}: {NOT_ASSIGNED}" if said else ""


def counted(count: int, noun: str = "epoch") -> str:
    """``1 epoch``, ``25 epochs``."""
    return f"{count} {noun}{'s' * (count != 1)}"


def check_range(option: str, value: int, least: int = 1, most: int = LARGEST) -> None:
    """Refuse a number beyond its bounds.

    Raises:
        TrainingError: naming the option.
    """
    if not least <= value <= most:
        raise TrainingError(f"{option}: {value} is not a whole number from {least} to {most:,}")


def choice(option: str, values: Sequence[str], known: Iterable[str]) -> None:
    """Refuse a word that is none of those known, none at all, and one said twice.

    Raises:
        TrainingError: naming the option and the nearest words.
    """
    names = list(known)
    for value in values:
        if value not in names:
            fact = f"{option}: {quoted(value)} is none of its words"
            raise TrainingError(fact, hint=meant(value, names))
    distinct(option, values)


def distinct(option: str, values: Sequence[object]) -> None:
    """Refuse an empty list and one that says a thing twice.

    Raises:
        TrainingError: naming the option.
    """
    if not values:
        raise TrainingError(f"{option}: nothing is named")
    if "" in values:
        raise TrainingError(f"{option}: '' is an empty word")
    twice = [value for place, value in enumerate(values) if value in values[:place]]
    if twice:
        raise TrainingError(f"{option}: {twice[0]} is named twice")


def spaced(end: int) -> tuple[int, ...]:
    """Epochs to look after: 0, then 1, 2, 5, 10, 20, 50, ... and the end."""
    steps = [int(f"{digit}{'0' * zeros}") for zeros in range(8) for digit in (1, 2, 5)]
    return (0, *(step for step in steps if step < end), *([end] if end else []))
