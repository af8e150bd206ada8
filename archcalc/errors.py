"""Floor 0: errors that are one line for the person who typed a command."""

from __future__ import annotations


class StatedError(ValueError):
    """An error whose ``str`` is all that a command says, on one line."""

    status: int = 2  # the command's exit status: 2 for what the person typed, 1 for what failed


class ArchitectureError(StatedError):
    """Something in an architecture, a size or an option cannot be.

    Args:
        fact: what is wrong, in one sentence without a full stop.
        where: what was read and where it stood, e.g. ``conv5_1`` or ``word 3, column 12``.
        hint: one spelling that works.

    ``str(error)`` is always a single line: ``where: fact; hint``.
    The inner function states the fact; whoever knows the place adds it with :meth:`at`.
    """

    def __init__(self, fact: str, *, where: str = "", hint: str = "") -> None:
        self.fact, self.where, self.hint = fact, where, hint
        line = f"{where}: {fact}" if where else fact
        if hint:
            line = f"{line}; {hint}"
        super().__init__(" ".join(line.split()))

    def at(self, where: str) -> ArchitectureError:
        """The same error, with the place where it happened in front (outermost place first)."""
        place = f"{where}: {self.where}" if self.where else where
        return ArchitectureError(self.fact, where=place, hint=self.hint)


class MeasurementError(StatedError):
    """Something cannot be measured here: for want of a package, a device, or enough memory."""

    status = 1


def need(who: str, extra: str, *packages: str) -> None:
    """Say which package ``who`` lacks, before any work is done.

    Raises:
        MeasurementError: naming the first that cannot be imported, and the extra that installs it.
    """
    from importlib.util import find_spec  # noqa: PLC0415 - analytic commands need nothing

    for package in packages:
        if find_spec(package) is None:
            raise MeasurementError(f"{who} needs {package}; pip install 'archcalc[{extra}]'")


def meant(word: str, choices: list[str], known: str = "") -> str:
    """A hint: the nearest of the choices, or all of them where none is near.

    ``known`` says what there is, where that is more than the choices.
    """
    close = nearest(word, choices)
    return f"did you mean {close[0]}?" if close else f"one of {known or ', '.join(choices)}"


def printable(message: str) -> str:
    """The message on one line, with nothing in it that a terminal would obey."""
    line = " ".join(message.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def quoted(text: str, limit: int = 40) -> str:
    """What a person typed, on one line, control characters escaped, at most ``limit`` long."""
    return repr(text if len(text) <= limit else text[: limit - 3] + "...")


def nearest(word: str, choices: list[str], likeness: float = 0.6) -> list[str]:
    """Up to three of ``choices`` that look most like ``word``, best first; likeness is 0 to 1."""
    from difflib import get_close_matches  # noqa: PLC0415 - only an error needs it

    return get_close_matches(word[:60].lower(), choices, n=3, cutoff=likeness)
