"""Floor 2: how far a long command has come: the only module of `training` that loads rich."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from archcalc.errors import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Bar(Protocol):
    """What the loop tells."""

    def __call__(self, done: int, what: str) -> None:
        """So many updates are done, and what is being done now."""


@contextmanager
def bar(total: int, *, shown: bool) -> Iterator[Bar]:
    """A progress bar with the time left on standard error, if that is a terminal."""
    console = Console(stderr=True)
    if not shown or not console.is_terminal:
        yield lambda done, what: None  # noqa: ARG005
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps,"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda done, what: progress.update(task, completed=done, description=what)


class Stop:
    """Whether a person wants the run to stop: after the first Ctrl-C the loop ends in order.

    The second is an ordinary KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.wanted = False

    def __call__(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """What a signal calls."""
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Within it, Ctrl-C and SIGTERM set a flag."""
    stop = Stop()
    try:
        before = [signal.signal(number, stop) for number in SIGNALS]
    except ValueError:  # not the main thread, which alone hears signals
        yield stop
        return
    try:
        yield stop
    finally:
        for number, handler in zip(SIGNALS, before, strict=True):
            signal.signal(number, handler)


def say(line: str) -> None:
    """One line for the person, on standard error."""
    sys.stderr.write(f"{printable(line)}\n")
    sys.stderr.flush()
