"""Floor 1: the size of a layer's output for one example.

Written as the papers and the assignment write it, ``HEIGHTxWIDTHxCHANNELS``: ``224x224x3``;
``LENGTHxCHANNELS`` for signals, ``DEPTHxHEIGHTxWIDTHxCHANNELS`` for volumes, and a bare number
of units for a vector. Any part may be a letter: ``HxWx3``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from operator import index
from typing import Final, NamedTuple, SupportsIndex, cast

from archcalc.count import Count, Formula, Number, letter, letters, product, substitute
from archcalc.errors import ArchitectureError, quoted

MAX_AXES = 3
AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}  # their names
LARGEST = 10**9  # beyond any network; keeps a slip of the finger from becoming an hour's wait
EXAMPLE: Final = "write e.g. H=448,W=448"


class Shape(NamedTuple):
    """``channels`` values at each of the positions of ``sizes`` (outermost axis first).

    A vector has no axes, and its channels are its units.
    """

    sizes: tuple[Number, ...]
    channels: Number

    @property
    def units(self) -> Count:
        """How many values: ``224*224*64 = 3,211,264``."""
        return product(*self.sizes, self.channels)

    def letters(self) -> frozenset[str]:
        """The letters that stand in for sizes."""
        return frozenset().union(*(letters(number) for number in (*self.sizes, self.channels)))

    def substitute(self, values: Mapping[str, Number]) -> Shape:
        """The shape with some letters replaced by numbers."""
        *sizes, channels = (substitute(number, values) for number in (*self.sizes, self.channels))
        return Shape(tuple(sizes), channels)

    def __str__(self) -> str:
        return by_axis((*self.sizes, self.channels))


def by_axis(numbers: Iterable[object]) -> str:
    """Numbers with an x between them: ``3x3x64``; sums are set apart, ``(H - 10)xWx(C + 416)``."""

    def is_apart(number: object) -> bool:
        """Whether it is no single product: ``H - 10``, ``C/2``."""
        coefficients = [*number.terms.values()] if isinstance(number, Formula) else []
        return len(coefficients) > 1 or any(c.denominator > 1 for c in coefficients)

    return "x".join(f"({number})" if is_apart(number) else str(number) for number in numbers)


def parse_shape(text: str) -> Shape:
    """Read ``224x224x3``, ``HxWx3`` or ``4096``.

    Raises:
        ArchitectureError: naming the part that is wrong, its column, and a spelling that works.
    """
    where = f"size {quoted(text)}"
    hint = "write HEIGHTxWIDTHxCHANNELS, e.g. 224x224x3 or HxWx3"
    parts = text.split("x")
    if len(parts) > MAX_AXES + 1:
        fact = f"{len(parts)} parts, at most {MAX_AXES + 1} can be"
        raise ArchitectureError(fact, where=where, hint=hint)
    numbers: list[Number] = []
    column = 1
    for part in parts:
        try:
            numbers.append(_part(part))
        except ArchitectureError as error:
            at = f"{where}, column {column}"
            raise ArchitectureError(error.fact, where=at, hint=hint) from None
        column += len(part) + 1
    return Shape(tuple(numbers[:-1]), numbers[-1])


def parse_values(text: str) -> dict[str, Number]:
    """Read the values of letters: ``H=448,W=448``.

    Raises:
        ArchitectureError: naming what gives no letter a value, or a value that cannot be.
    """
    values: dict[str, Number] = {}
    for item in text.split(","):
        name, equals, value = item.strip().partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z]\w*", name) or name in values:
            fact = f"{quoted(item)} gives no letter a value of its own"
            raise ArchitectureError(fact, hint=EXAMPLE)
        try:
            number = _part(value)
        except ArchitectureError as error:
            raise ArchitectureError(error.fact, where=item, hint=EXAMPLE) from None
        if not isinstance(number, int):
            raise ArchitectureError(f"{name} needs a number", hint=EXAMPLE)
        values[name] = number
    return values


def check_values(values: Mapping[str, object]) -> dict[str, Number]:
    """The values of letters as integers, ``{"H": 448}``, or as formulas, ``{"K": letter("C")}``.

    Raises:
        ArchitectureError: naming the letter whose value can be no size.
    """
    checked: dict[str, Number] = {}
    for name, value in values.items():
        try:
            checked[name] = check_size(value)
        except ArchitectureError as error:
            raise ArchitectureError(error.fact, where=str(name), hint=EXAMPLE) from None
    return checked


def check_size(value: object) -> Number:
    """A size or a number of channels: an integer from 1 to :data:`LARGEST`, or a formula.

    Integers of other kinds, numpy's for example, become Python's own.

    Raises:
        ArchitectureError: a value that can be no size, such as -4, 8.5 or True.
    """
    if isinstance(value, Formula):
        if all(coefficient < 0 for coefficient in value.terms.values()):
            raise ArchitectureError(f"{value} is never positive")
        return value
    try:
        number = index(cast("SupportsIndex", value))
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):  # True is an integer in Python, but no size
        shown = f"{quoted(str(value))}, a {type(value).__name__},"
        raise ArchitectureError(f"{shown} is neither a whole number nor a letter")
    if number > LARGEST:
        raise ArchitectureError(f"a size is at most {LARGEST:,}")
    if number < 1:
        shown = f", not {number}" if number > -LARGEST else ""  # endless digits help nobody
        raise ArchitectureError(f"a size is at least 1{shown}")
    return number


def check_shape(shape: object, where: str) -> Shape:
    """A shape that came from Python, its sizes checked.

    Raises:
        ArchitectureError: saying where, and what can be no shape.
    """
    if not isinstance(shape, Shape) or len(shape.sizes) > MAX_AXES:
        hint = f'give "224x224x3", or archcalc.Shape((224, 224), 3); at most {MAX_AXES} axes'
        raise ArchitectureError(f"{shape!r} is no shape", where=where, hint=hint)
    try:
        return Shape(tuple(map(check_size, shape.sizes)), check_size(shape.channels))
    except ArchitectureError as error:
        raise error.at(f"{where} {shape}") from None


def _part(text: str) -> Number:
    if re.fullmatch(r"[0-9]+", text):  # str.isdigit would let other scripts' digits in
        if len(text) > len(str(LARGEST)) or int(text) > LARGEST:
            raise ArchitectureError(f"{quoted(text, 15)} is larger than {LARGEST:,}")
        return check_size(int(text))
    if re.fullmatch(r"(?!x)[A-Za-z][A-Za-z0-9_]*", text):
        return letter(text)
    if not text:
        raise ArchitectureError("a part is missing")
    raise ArchitectureError(f"{quoted(text)} is neither a positive whole number nor a letter")
