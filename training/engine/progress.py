"""How far a long command has come: the only module of `training` that loads rich."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from types import FrameType
from typing import Any, Final, TypeAlias

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from archcalc.errors import printable

Begin: TypeAlias = Callable[[str], None]
# Told that so many steps are done of as many as are known, and what is being done now.
Bar: TypeAlias = Callable[[int, int, str], None]

CONTINUED: Final = getattr(signal, "SIGCONT", None)  # which not every system has
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, *([CONTINUED] if CONTINUED else []))


def _steps(console: Console, *, transient: bool = False) -> Progress:
    """A line of what is done now, its bar, and the time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps,"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    return Progress(*columns, console=console, transient=transient)


class PartsDisplay:
    """The display of a command of many parts: how many are done, and the present one's steps below.

    Args:
        parts: their names, in order.
        console: a terminal.
    """

    def __init__(self, parts: Sequence[str], console: Console) -> None:
        self.names = parts
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self.parts = Progress(*columns, console=console)
        self.steps = _steps(console)
        self.line = self.parts.add_task("", total=len(parts))
        self.live = Live(Group(self.parts, self.steps), console=console, transient=True)

    def begin(self, what: str) -> None:
        """The next part begins, or what comes behind all of them."""
        count = len(self.names)
        place = self.names.index(what) if what in self.names else count
        line = f"{min(place + 1, count)} of {count} parts: {what}"
        self.parts.update(self.line, completed=place, description=line)


_SHOWN: Final[ContextVar[PartsDisplay | None]] = ContextVar("shown", default=None)


@contextmanager
def parts_display(parts: Sequence[str], *, shown: bool) -> Iterator[Begin]:
    """One display for all that is run within, on standard error, if that is a terminal.

    Args:
        parts: their names, in order.
        shown: whether there is to be one.

    Yields:
        What is told which part begins.
    """
    console = Console(stderr=True)
    if not shown or not console.is_terminal:
        yield lambda what: None  # noqa: ARG005
        return
    display = PartsDisplay(parts, console)
    before = _SHOWN.set(display)
    try:
        with display.live:
            yield display.begin
    finally:
        _SHOWN.reset(before)


@contextmanager
def bar(*, shown: bool) -> Iterator[Bar]:
    """A progress bar with the time left on standard error, if that is a terminal.

    Within :func:`parts_display` it is a line of that display, as long as it is needed.
    """
    display = _SHOWN.get()
    console = Console(stderr=True)
    if not shown or (display is None and not console.is_terminal):
        yield lambda done, total, what: None  # noqa: ARG005
        return
    where: Any = nullcontext(display.steps) if display else _steps(console, transient=True)
    with where as steps:
        task = steps.add_task("", total=None)
        try:
            yield lambda done, total, what: steps.update(
                task, completed=done, total=total, description=what
            )
        finally:
            if display is not None:
                steps.remove_task(task)


class Stop:
    """Whether a person wants the run to stop: after the first Ctrl-C the loop ends in order.

    The second is an ordinary KeyboardInterrupt. Its clock stands still while the process does
    (``kill -STOP``, Ctrl-Z).
    """

    def __init__(self) -> None:
        self.wanted = False
        self.seen, self.idle = time.monotonic(), 0.0  # when it was last asked, and what is left out

    def now(self) -> float:
        """Seconds, but for those in which the process was stopped."""
        self.seen = time.monotonic()
        return self.seen - self.idle

    def __call__(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """What a signal calls."""
        if number == CONTINUED:
            self.idle += time.monotonic() - self.seen
            return
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Within it, Ctrl-C and SIGTERM set a flag, and a stopped process is noticed."""
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
