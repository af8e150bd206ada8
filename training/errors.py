"""What goes wrong on the way to a result, in one line each."""

from __future__ import annotations

from archcalc.errors import StatedError


class TrainingError(StatedError):
    """Something that a person asked of `training` cannot be done.

    Args:
        fact: what is wrong, in one sentence without a full stop.
        hint: what to do about it.
        status: the exit status of a command, 2 for what the person typed, 1 for what failed.
    """

    def __init__(self, fact: str, *, hint: str = "", status: int = 2) -> None:
        self.fact, self.hint = fact, hint
        self.status = status
        super().__init__(" ".join(f"{fact}; {hint}".split()) if hint else " ".join(fact.split()))

    def __reduce__(self) -> tuple[object, ...]:
        """Errors travel between ranks with all that they say."""
        return (_again, (self.fact, self.hint, self.status))


def _again(fact: str, hint: str, status: int) -> TrainingError:
    return TrainingError(fact, hint=hint, status=status)


class StoppedError(StatedError):
    """A run was stopped by a person; ``str`` says how far it came and how it goes on."""

    status = 130
