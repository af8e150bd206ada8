"""How a layer's field is declared: which values it takes, and how the layer's word writes it.

A declaration says once what would otherwise be said three times: the reader of words, their writer
and the check of values that come from Python all follow from it::

    kernel_size: Axes = Sizes("kernel").field()            # conv3-64, conv3x5-64
    stride: Axes = Sizes("stride", "/").field(1)           # conv3-64/2
    bias: bool = Switch("nobias", written_if=False).field()  # conv3-64 nobias
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, field
from operator import index
from typing import Any, Final, NamedTuple, TypeAlias

from archcalc.count import Formula, letter
from archcalc.errors import ArchitectureError
from archcalc.shape import LARGEST, MAX_AXES, check_size

Axes: TypeAlias = int | tuple[int, ...]  # one number for every axis, or one for each
DECIMALS: Final = 9  # behind the point of a slope or a probability


class Piece:
    """A field of a layer.

    Args:
        what: its name in errors.
        mark: what stands in front of it in the word: nothing, ``-``, ``/``, ``p``, ...
    """

    default: Any = MISSING
    required = False  # a word has to say it
    is_switch = False  # its mark says everything

    def __init__(self, what: str, mark: str = "") -> None:
        self.what, self.mark = what, mark

    def field(self, default: Any = MISSING) -> Any:
        """The field of a dataclass; None as its default is a value like others."""
        self.default, self.required = default, self.required or default is MISSING
        return field(default=default, metadata={"piece": self})

    def read(self, text: str) -> Any:
        """The value that a word's text behind the mark stands for."""
        raise NotImplementedError

    def write(self, value: Any) -> str:
        """The text behind the mark."""
        return str(value)

    def checked(self, value: Any) -> Any:
        """The value in its usual form.

        Raises:
            ArchitectureError: it cannot be.
        """
        raise NotImplementedError


class Whole(Piece):
    """A whole number of Python or of numpy, ``smallest`` at least."""

    def __init__(self, what: str, mark: str = "", smallest: int = 1) -> None:
        super().__init__(what, mark)
        self.smallest = smallest

    def read(self, text: str) -> Any:
        return whole(text, self.what, self.smallest)

    def checked(self, value: Any) -> Any:
        try:
            number = None if isinstance(value, bool) else index(value)
        except TypeError:
            number = None
        if number is None:
            raise ArchitectureError(f"the {self.what} is a whole number, not {value!r}")
        if not self.smallest <= number <= LARGEST:
            limits = f"between {self.smallest} and {LARGEST:,}"
            raise ArchitectureError(f"the {self.what} is {limits}, not {number:,}")
        return number


class Sizes(Whole):
    """A whole number for every axis, or one for each: ``3``, ``3x5``."""

    def read(self, text: str) -> Axes:
        numbers = tuple(whole(part, self.what, self.smallest) for part in text.split("x"))
        return numbers if len(numbers) > 1 else numbers[0]

    def write(self, value: Axes) -> str:
        return str(value) if isinstance(value, int) else "x".join(map(str, value))

    def checked(self, value: Any) -> Any:
        """A number or a tuple of two or three; of one, the number."""
        if value is None and self.default is None:
            return None
        if not isinstance(value, tuple | list):
            return super().checked(value)
        if not 1 <= len(value) <= MAX_AXES:
            raise ArchitectureError(f"the {self.what} is for 1 to {MAX_AXES} axes, not {value!r}")
        numbers = tuple(super(Sizes, self).checked(number) for number in value)
        return numbers if len(numbers) > 1 else numbers[0]


class Channels(Whole):
    """A number of channels or units, which may be a letter: ``-64``, ``-K``."""

    def __init__(self, what: str) -> None:
        super().__init__(what, "-")

    def read(self, text: str) -> Any:
        return super().read(text) if text.isdecimal() else letter(text)

    def checked(self, value: Any) -> Any:
        return check_size(value) if isinstance(value, Formula) else super().checked(value)


class Decimal(Piece):
    """A number of at most nine decimals between 0 and ``largest``: ``.5``, ``1.5``."""

    def __init__(self, what: str, largest: int, *, always: bool = False) -> None:
        super().__init__(what)
        self.largest, self.required = largest, always

    def read(self, text: str) -> float:
        if not re.fullmatch(rf"[0-9]{{0,9}}\.[0-9]{{1,{DECIMALS}}}|[0-9]{{1,9}}", text):
            raise ArchitectureError(f"the {self.what} is written .5")
        return float(text)

    def write(self, value: float) -> str:
        text = f"{value:.{DECIMALS}f}".rstrip("0").removesuffix(".")
        return text.removeprefix("0") or "0"

    def checked(self, value: Any) -> float | None:
        if value is None and self.default is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ArchitectureError(f"the {self.what} is a number, not {value!r}")
        if not 0 <= value <= self.largest or round(value, DECIMALS) != value:
            fact = f"the {self.what} is between 0 and {self.largest:g}"
            raise ArchitectureError(f"{fact}, with at most {DECIMALS} decimals, not {value!r}")
        return float(value)


class Switch(Piece):
    """True or False; its mark is written where it is ``written_if``, which is not its default."""

    is_switch = True

    def __init__(self, mark: str, *, written_if: bool) -> None:
        super().__init__(mark, mark)
        self.written_if = written_if

    def field(self, default: Any = None) -> Any:
        return super().field(not self.written_if)

    def read(self, text: str) -> bool:
        return self.written_if

    def write(self, value: bool) -> str:  # noqa: FBT001
        return ""

    def checked(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ArchitectureError(f"a switch ({self.what}) is True or False, not {value!r}")
        return value


class Choice(Piece):
    """One of a few words, which the layer's word itself says: ``pool`` or ``avgpool``."""

    def __init__(self, what: str, *choices: str) -> None:
        super().__init__(what, mark=f"({what})")  # a mark that no word has
        self.choices = choices

    def checked(self, value: Any) -> Any:
        if value not in self.choices:
            hint = f"one of {', '.join(self.choices)}"
            raise ArchitectureError(f"{value!r} is no {self.what}", hint=hint)
        return value


class Stem(NamedTuple):
    """How the words of a kind begin."""

    example: str  # a word that works
    fixed: Mapping[str, object] = {}  # the values of fields that the beginning alone says
    # of the pieces that may follow; None for those of all other fields
    marks: frozenset[str] | None = None


def whole(text: str, what: str, smallest: int = 1) -> int:
    """Digits as a number between ``smallest`` and a billion."""
    if not re.fullmatch("[0-9]+", text):
        raise ArchitectureError(f"the {what} is a whole number, not {text}")
    if len(text) > len(str(LARGEST)) or int(text) > LARGEST:
        raise ArchitectureError(f"the {what} is larger than {LARGEST:,}")
    if int(text) < smallest:
        raise ArchitectureError(f"the {what} is at least {smallest}, not {int(text)}")
    return int(text)
