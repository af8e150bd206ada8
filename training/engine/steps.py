"""Training time as a value: ``5ep`` is five epochs, ``2000it`` two thousand updates."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple, TypeAlias

from archcalc.errors import quoted
from training.errors import TrainingError

Unit: TypeAlias = Literal["ep", "it"]
LARGEST: Final = 10**9


class Steps(NamedTuple):
    """A length of training, in epochs or in iterations (one iteration is one update).

    ``Steps.read("8ep").iterations(47)`` is 376.
    """

    length: int
    unit: Unit

    @classmethod
    def read(cls, text: str) -> Steps:
        """``8ep`` or ``2000it``; the inverse of ``str``.

        Raises:
            TrainingError: neither of the two, or a number beyond 10**9.
        """
        match = re.fullmatch(r"([0-9]{1,10})(ep|it)", text.strip())
        if match is None or int(match[1]) > LARGEST:
            hint = "5ep is five epochs, 2000it two thousand iterations"
            raise TrainingError(f"{quoted(text)} is no length of training", hint=hint)
        return cls(int(match[1]), "ep" if match[2] == "ep" else "it")

    def iterations(self, per_epoch: int) -> int:
        """How many updates that is, an epoch having ``per_epoch`` of them."""
        return self.length * (per_epoch if self.unit == "ep" else 1)

    def __str__(self) -> str:
        return f"{self.length}{self.unit}"


def epochs(count: int) -> Steps:
    """So many passes over the training set."""
    return Steps(count, "ep")


def iterations(count: int) -> Steps:
    """So many updates."""
    return Steps(count, "it")
