"""How a layer's field is declared: which values it takes, and how the layer's word writes it.

A declaration says once what would otherwise be said three times: the reader of words, their writer
and the check of values that come from Python all follow from it::

    kernel_size: Axes = sizes("kernel")                # conv3-64, conv3x5-64
    stride: Axes = sizes("stride", "/", default=1)     # conv3-64/2
    bias: bool = flag("nobias", written_if=False)      # conv3-64 nobias
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, field
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
        always: whether the word says it even where it has its default.
    """

    is_switch = False  # says everything by its mark

    def __init__(self, what: str, mark: str = "", *, always: bool = False) -> None:
        self.what, self.mark, self.always = what, mark, always

    def read(self, text: str) -> object:
        """The value that a word's text behind the mark stands for."""
        raise NotImplementedError

    def write(self, value: Any) -> str:  # noqa: ANN401 - of the piece's own type
        """The text behind the mark."""
        return str(value)

    def checked(self, value: object) -> object:
        """The value in its usual form.

        Raises:
            ArchitectureError: it cannot be.
        """
        return value


class Whole(Piece):
    """A whole number, ``smallest`` at least."""

    def __init__(self, what: str, mark: str, smallest: int = 1) -> None:
        super().__init__(what, mark)
        self.smallest = smallest

    def read(self, text: str) -> int:
        """Digits as a number."""
        return whole(text, self.what, self.smallest)

    def checked(self, value: object) -> int:
        """An integer of Python or of numpy, none of whose kinds is a bool."""
        try:
            number = value.__index__()  # type: ignore[attr-defined]
        except AttributeError:
            number = None
        if number is None or isinstance(value, bool):
            raise ArchitectureError(f"the {self.what} is a whole number, not {value!r}")
        if not self.smallest <= number <= LARGEST:
            fact = f"the {self.what} is between {self.smallest} and {LARGEST:,}, not {number:,}"
            raise ArchitectureError(fact)
        return int(number)


class Sizes(Whole):
    """A whole number for every axis, or one for each: ``3``, ``3x5``; None if ``optional``."""

    def __init__(self, what: str, mark: str, smallest: int = 1, *, optional: bool = False) -> None:
        super().__init__(what, mark, smallest)
        self.optional = optional

    def read(self, text: str) -> Any:  # noqa: ANN401 - Axes
        """``3`` or ``3x5``."""
        numbers = tuple(whole(part, self.what, self.smallest) for part in text.split("x"))
        return numbers if len(numbers) > 1 else numbers[0]

    def write(self, value: Axes) -> str:
        """``3`` or ``3x5``."""
        return str(value) if isinstance(value, int) else "x".join(map(str, value))

    def checked(self, value: object) -> Any:  # noqa: ANN401 - Axes | None
        """A number or a tuple of two or three; of one, the number."""
        if value is None and self.optional:
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

    def read(self, text: str) -> Any:  # noqa: ANN401 - Number
        """``64`` or ``K``."""
        return super().read(text) if text.isdecimal() else letter(text)

    def checked(self, value: object) -> Any:  # noqa: ANN401 - Number
        """A whole number, or a formula."""
        return check_size(value) if isinstance(value, Formula) else super().checked(value)


class Decimal(Piece):
    """A number of at most nine decimals between 0 and ``largest``: ``.5``, ``1.5``."""

    def __init__(
        self, what: str, largest: float, *, always: bool = False, optional: bool = False
    ) -> None:
        super().__init__(what, always=always)
        self.largest, self.optional = largest, optional

    def read(self, text: str) -> float:
        """``.5``, ``1.5``, ``0``."""
        if not re.fullmatch(rf"[0-9]{{0,9}}\.[0-9]{{1,{DECIMALS}}}|[0-9]{{1,9}}", text):
            raise ArchitectureError(f"the {self.what} is written .5")
        return float(text)

    def write(self, value: float) -> str:
        """The shortest text: ``.5``."""
        text = f"{value:.{DECIMALS}f}".rstrip("0").removesuffix(".")
        return text.removeprefix("0") or "0"

    def checked(self, value: object) -> float | None:
        """A number that can be written."""
        if value is None and self.optional:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ArchitectureError(f"the {self.what} is a number, not {value!r}")
        if not 0 <= value <= self.largest or round(value, DECIMALS) != value:
            fact = f"the {self.what} is between 0 and {self.largest:g}"
            raise ArchitectureError(f"{fact}, with at most {DECIMALS} decimals, not {value!r}")
        return float(value)


class Flag(Piece):
    """A switch; its whole mark is written where it has the value ``written_if``."""

    is_switch = True

    def __init__(self, mark: str, *, written_if: bool) -> None:
        super().__init__(mark, mark)
        self.written_if = written_if

    def read(self, text: str) -> bool:  # noqa: ARG002 - the mark says all
        """What the mark stands for."""
        return self.written_if

    def write(self, value: Any) -> str:  # noqa: ANN401, ARG002 - likewise
        """Nothing behind the mark."""
        return ""

    def checked(self, value: object) -> bool:
        """True or False."""
        if not isinstance(value, bool):
            raise ArchitectureError(f"a switch ({self.what}) is True or False, not {value!r}")
        return value


class Choice(Piece):
    """One of a few words, which the layer's word itself says: ``pool`` or ``avgpool``."""

    def __init__(self, what: str, choices: tuple[str, ...]) -> None:
        super().__init__(what, mark=f"({what})")  # a mark that no word has
        self.choices = choices

    def checked(self, value: object) -> object:
        """One of the choices."""
        if value not in self.choices:
            fact = f"{value!r} is no {self.what}"
            raise ArchitectureError(fact, hint=f"one of {', '.join(self.choices)}")
        return value


class Stem(NamedTuple):
    """How the words of a kind begin.

    Attributes:
        example: a word that works.
        fixed: the values of fields that the beginning alone says.
        marks: of the pieces that may follow; None for those of all other fields.
    """

    example: str
    fixed: Mapping[str, object] = {}
    marks: frozenset[str] | None = None


def sizes(what: str, mark: str = "", *, default: Any = MISSING, smallest: int = 1) -> Any:  # noqa: ANN401
    """Declare :class:`Sizes`."""
    return _declared(Sizes(what, mark, smallest, optional=default is None), default)


def number(what: str, mark: str = "", *, default: Any = MISSING) -> Any:  # noqa: ANN401
    """Declare a :class:`Whole` number."""
    return _declared(Whole(what, mark), default)


def channels(what: str) -> Any:  # noqa: ANN401
    """Declare :class:`Channels`."""
    return _declared(Channels(what), MISSING)


def decimal(what: str, largest: float, *, default: Any, always: bool = False) -> Any:  # noqa: ANN401
    """Declare a :class:`Decimal` number."""
    return _declared(Decimal(what, largest, always=always, optional=default is None), default)


def flag(mark: str, *, written_if: bool) -> Any:  # noqa: ANN401
    """Declare a :class:`Flag`, by default off."""
    return _declared(Flag(mark, written_if=written_if), not written_if)


def choice(what: str, choices: tuple[str, ...], *, default: Any = MISSING) -> Any:  # noqa: ANN401
    """Declare a :class:`Choice`."""
    return _declared(Choice(what, choices), default)


def whole(text: str, what: str, smallest: int = 1) -> int:
    """Digits as a number between ``smallest`` and a billion."""
    if not re.fullmatch("[0-9]+", text):
        raise ArchitectureError(f"the {what} is a whole number, not {text}")
    if len(text) > len(str(LARGEST)) or int(text) > LARGEST:
        raise ArchitectureError(f"the {what} is larger than {LARGEST:,}")
    if int(text) < smallest:
        raise ArchitectureError(f"the {what} is at least {smallest}, not {int(text)}")
    return int(text)


def _declared(piece: Piece, default: Any) -> Any:  # noqa: ANN401 - as dataclasses.field
    return field(default=default, metadata={"piece": piece})
