"""Floor 1: exact counts, as numbers, formulas and workings.

Two small classes carry everything that archcalc counts:

* :class:`Formula` is an integer that still has letters in it, ``64*H*W`` or ``floor((H + 1)/2)``.
  It is a polynomial with integer coefficients; formulas that are equal as such compare equal.
  Plain ``int`` is its special case without letters: every formula of the package is written once,
  with ordinary operators, and works on both.
* :class:`Count` remembers how a number was put together. From one expression come the number
  (``value``), the working as people write it (``(3*3*64)*64 = 36,864``), its LaTeX, and, where
  letters went in, the formula.

Letters stand for positive integers. Nothing here ever becomes a float.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Floor(NamedTuple):
    """``floor(inner / divisor)``, an integer that no polynomial can express."""

    inner: Formula
    divisor: int

    def __str__(self) -> str:
        return f"floor({_grouped(str(self.inner))}/{self.divisor})"

    def latex(self) -> str:
        """The floor in LaTeX."""
        return rf"\left\lfloor {_grouped(self.inner.latex())}/{self.divisor} \right\rfloor"

    def substitute(self, values: Mapping[str, Number]) -> Number:
        """The floor with some letters replaced."""
        return self.inner.substitute(values) // self.divisor

    def normal(self) -> Terms:
        """The floor with a constant between 0 and its divisor, and what that leaves outside."""
        terms = dict(self.inner.normal())
        outside, inside = divmod(terms.pop((), 0), self.divisor)
        inner = Formula({**terms, (): inside} if inside else terms)
        return {(Floor(inner, self.divisor),): 1, (): outside}


Atom: TypeAlias = str | Floor
Monomial: TypeAlias = tuple[Atom, ...]  # sorted by text, a power repeats its atom
Terms: TypeAlias = dict[Monomial, int]


class Formula:
    """A polynomial with integer coefficients over letters and floors.

    A floor and a constant stay together, as people write a size: ``floor((H - 7)/4)``.
    """

    __slots__ = ("_normal", "_text", "terms")

    def __init__(self, terms: Terms) -> None:
        # Highest degree first, then alphabetically: H*W + H + 3.
        ordered = sorted(terms.items(), key=lambda term: (-len(term[0]), [str(a) for a in term[0]]))
        self.terms: Final = dict(ordered)
        self._text = ""
        self._normal: Terms = {}

    @staticmethod
    def of(terms: Terms) -> Number:
        """The formula with these terms, or a plain int where no letter is left."""
        kept = {monomial: c for monomial, c in terms.items() if c}
        letters = [monomial for monomial in kept if monomial]
        if not letters:
            return kept.get((), 0)
        if () in kept and len(letters) == 1 and kept[letters[0]] == 1:
            floor, *others = letters[0]
            if isinstance(floor, Floor) and not others:
                inner = cast("Formula", floor.inner + kept[()] * floor.divisor)
                return Formula({(Floor(inner, floor.divisor),): 1})
        formula = Formula(kept)
        if sum(any(isinstance(atom, Floor) for atom in m) for m in letters) > 1:
            # Floors that differ by a constant may cancel: floor(H/2) - floor((H - 2)/2) is 1.
            normal = formula.normal()
            if not any(normal):
                return normal.get((), 0)
        return formula

    def __add__(self, other: Number) -> Number:
        return Formula.of(_plus(self.terms, _terms(other)))

    def __mul__(self, other: Number) -> Number:
        return Formula.of(_times(self.terms, _terms(other)))

    def __floordiv__(self, divisor: int) -> Number:
        """Exact floor division: whatever divides evenly leaves the floor, the rest stays inside."""
        if divisor < 1:
            msg = f"a formula is divided by positive integers, not {divisor}"
            raise ValueError(msg)
        constant = self.terms.get((), 0)
        outside = {monomial: c // divisor for monomial, c in self.terms.items() if monomial}
        inside = {m: c % divisor for m, c in self.terms.items() if m and c % divisor}
        if not inside:
            return Formula.of({**outside, (): constant // divisor})
        # floor((g*Q + r)/(g*d)) = floor((Q + floor(r/g))/d), for integers Q
        common = math.gcd(divisor, *inside.values())
        inside = {monomial: c // common for monomial, c in inside.items()}
        constant, divisor = constant // common, divisor // common
        # floor((floor(P/a) + r)/d) = floor((P + a*r)/(a*d))
        if len(inside) == 1:
            ((monomial, c),) = inside.items()
            if c == 1 and len(monomial) == 1 and isinstance(monomial[0], Floor):
                nested = monomial[0]
                merged = nested.inner + constant * nested.divisor
                return Formula.of(outside) + merged // (nested.divisor * divisor)
        atom = Floor(cast("Formula", Formula.of({**inside, (): constant})), divisor)
        return Formula.of(outside) + Formula({(atom,): 1})

    def __neg__(self) -> Number:
        return self * -1

    def __sub__(self, other: Number) -> Number:
        return self + -other

    def __rsub__(self, other: Number) -> Number:
        return -self + other

    __radd__ = __add__
    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formula) and self.normal() == other.normal()

    def __hash__(self) -> int:
        return hash(frozenset(self.normal().items()))

    def normal(self) -> Terms:
        """The terms in the one form that all equal formulas have; see :meth:`Floor.normal`."""
        if not self._normal:
            whole: Terms = {}
            for monomial, c in self.terms.items():
                product: Terms = {(): c}
                for atom in monomial:
                    product = _times(
                        product, {(atom,): 1} if isinstance(atom, str) else atom.normal()
                    )
                whole = _plus(whole, product)
            self._normal = {monomial: c for monomial, c in whole.items() if c}
        return self._normal

    def letters(self) -> frozenset[str]:
        """The letters that the formula still waits for, those in floors too."""
        found: set[str] = set()
        for monomial in self.terms:
            for atom in monomial:
                found |= {atom} if isinstance(atom, str) else atom.inner.letters()
        return frozenset(found)

    def substitute(self, values: Mapping[str, Number]) -> Number:
        """The formula with some letters replaced; an int once none is left."""
        result: Number = 0
        for monomial, c in self.terms.items():
            term: Number = c
            for atom in monomial:
                if isinstance(atom, str):
                    term = term * (values[atom] if atom in values else letter(atom))
                else:
                    term = term * atom.substitute(values)
            result = result + term
        return result

    def __str__(self) -> str:
        if not self._text:
            self._text = self._join("*", str, "{}^{}")
        return self._text

    def latex(self) -> str:
        r"""The formula in LaTeX: ``64 \cdot H \cdot W``."""
        return self._join(r" \cdot ", lambda a: a if isinstance(a, str) else a.latex(), "{}^{{{}}}")

    def __repr__(self) -> str:
        return f"Formula({str(self)!r})"

    def _join(self, times: str, atom_text: Callable[[Atom], str], power: str) -> str:
        pieces = []
        for monomial, c in self.terms.items():
            factors = [str(abs(c))] if abs(c) != 1 or not monomial else []
            for atom in dict.fromkeys(monomial):
                repeats = monomial.count(atom)
                text = atom_text(atom)
                factors.append(text if repeats == 1 else power.format(text, repeats))
            sign = "-" if c < 0 else "+"
            pieces.append((sign, times.join(factors)))
        text = " ".join(f"{sign} {term}" for sign, term in pieces)
        return text[2:] if text.startswith("+") else "-" + text[2:]


Number: TypeAlias = int | Formula


def letter(name: str) -> Formula:
    """The formula that is one letter, e.g. ``H``."""
    return Formula({(name,): 1})


def letters(number: Number) -> frozenset[str]:
    """The letters of a number: none for an int."""
    return number.letters() if isinstance(number, Formula) else frozenset()


def substitute(number: Number, values: Mapping[str, Number]) -> Number:
    """A number with some letters replaced."""
    return number.substitute(values) if isinstance(number, Formula) else number


def integer(number: Number) -> int:
    """A number in which no letter is left.

    Raises:
        TypeError: a formula, where only a number makes sense.
    """
    if not isinstance(number, int):
        msg = f"{number} is not a number yet"
        raise TypeError(msg)
    return number


def ceil_div(number: Number, divisor: int) -> Number:
    """``ceil(number / divisor)``, exactly."""
    return (number + (divisor - 1)) // divisor


def latex(number: Number) -> str:
    """A number in LaTeX, without separators inside a working."""
    return number.latex() if isinstance(number, Formula) else str(number)


def exact(number: Number) -> str:
    """A number to the unit, thousands separated: ``19,632,062,464``; a formula as it stands."""
    return f"{number:,}" if isinstance(number, int) else str(number)


Operator: TypeAlias = Literal["", "*", "+", "-", "/", "floor", "ceil"]

# How each operator is written between its parts: as text, and in LaTeX.
_SIGNS: Final[dict[Operator, tuple[str, str]]] = {
    "": ("", ""),
    "*": ("*", r" \cdot "),
    "+": (" + ", " + "),
    "-": (" - ", " - "),
    "/": ("/", " / "),
    "floor": ("/", " / "),
    "ceil": ("/", " / "),
}
_AROUND: Final[dict[str, tuple[str, str]]] = {
    "floor": ("floor({})", r"\left\lfloor {} \right\rfloor"),
    "ceil": ("ceil({})", r"\left\lceil {} \right\rceil"),
}
# Inside these, a part that is a working of its own stands in parentheses: (3*3*64)*64.
_GROUPING: Final = frozenset({"*", "/", "floor", "ceil"})


class Count:
    """A number that remembers how it was put together.

    ``operator`` joins the ``parts``: ``*``, ``+``, ``-``, ``/`` (a division that leaves no rest),
    ``floor`` and ``ceil`` (a division rounded down or up); a single part has none.
    Parts are numbers or counts; the grouping that was written is kept.
    """

    __slots__ = ("operator", "parts", "value")

    def __init__(
        self,
        operator: Operator,
        parts: tuple[Number | Count, ...],
        value: Number,
    ) -> None:
        self.operator, self.parts, self.value = operator, parts, value

    def __str__(self) -> str:
        """The working alone: ``(3*3*64)*64``."""
        return self._join(0, str)

    def equation(self) -> str:
        """The working and its result, ``(3*3*64)*64 = 36,864``; a bare number is its own result."""
        return f"{self} = {exact(self.value)}" if self.explains() else exact(self.value)

    def latex(self) -> str:
        r"""The working and its result in LaTeX: ``(3 \cdot 3 \cdot 64) \cdot 64 = 36{,}864``."""
        result = latex(self.value)
        if isinstance(self.value, int):
            result = exact(self.value).replace(",", "{,}")
        working = self._join(1, latex)
        return f"{working} = {result}" if self.explains() else result

    def explains(self) -> bool:
        """Whether the working says more than the result does."""
        return bool(self.operator) and str(self) != str(self.value)

    def substitute(self, values: Mapping[str, Number]) -> Count:
        """The same working with some letters replaced."""
        parts = tuple(
            part.substitute(values) if isinstance(part, Count) else substitute(part, values)
            for part in self.parts
        )
        return Count(self.operator, parts, substitute(self.value, values))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Count)
            and self.operator == other.operator
            and self.parts == other.parts
        )

    def __hash__(self) -> int:
        return hash((self.operator, self.parts))

    def __repr__(self) -> str:
        return f"Count({self.equation()!r})"

    def _join(self, language: int, number_text: Callable[[Number], str]) -> str:
        grouping = self.operator in _GROUPING
        texts = []
        for place, part in enumerate(self.parts):
            if isinstance(part, Count):
                text = part._join(language, number_text)  # noqa: SLF001 - our own kind
                self_explaining = part.operator in _AROUND or not part.operator
                # a - (b + c), but a + b + c
                subtracted = self.operator == "-" and place and part.operator in ("+", "-")
                apart = (grouping and not self_explaining) or subtracted
            else:
                text = number_text(part)
                several = isinstance(part, Formula) and len(part.terms) > 1
                apart = several and (grouping or (self.operator == "-" and place > 0))
            texts.append(f"({text})" if apart else text)
        joined = _SIGNS[self.operator][language].join(texts)
        return (
            _AROUND[self.operator][language].format(joined) if self.operator in _AROUND else joined
        )


def count(number: Number) -> Count:
    """A count that is just a number."""
    return Count("", (number,), number)


ZERO: Final = count(0)


def product(*parts: Number | Count) -> Count:
    """``a*b*c``; parts that are counts keep their own grouping in parentheses."""
    value: Number = 1
    factors: list[Number | Count] = []
    for part in parts:
        value = value * (part.value if isinstance(part, Count) else part)
        factors.append(_bare(part))
    if len(factors) > 1:
        return Count("*", tuple(factors), value)
    (only,) = factors or [1]
    return only if isinstance(only, Count) else count(only)


def total(counts: Iterable[Count]) -> Count:
    """``a + b + c``, leaving out what is zero."""
    parts = tuple(part for part in counts if part.value != 0)
    if len(parts) < 2:  # noqa: PLR2004 - a sum of one part is that part
        return parts[0] if parts else ZERO
    value: Number = 0
    for part in parts:
        value = value + part.value
    return Count("+", parts, value)


def difference(first: Number | Count, second: Number | Count) -> Count:
    """``a - b``."""
    return Count("-", (_bare(first), _bare(second)), value_of(first) - value_of(second))


def quotient(number: Number, divisor: int) -> Number | Count:
    """``96/2``, for groups; dividing by one writes nothing."""
    return number if divisor == 1 else Count("/", (number, divisor), number // divisor)


def divided(part: Number | Count, divisor: int, *, up: bool = False) -> Count:
    """``floor(a/b)``, or ``ceil(a/b)``; where nothing is left over, the plain ``a/b``."""
    number = value_of(part)
    value = ceil_div(number, divisor) if up else number // divisor
    even = value * divisor == number
    return Count("/" if even else "ceil" if up else "floor", (_bare(part), divisor), value)


def _bare(part: Number | Count) -> Number | Count:
    """A count that is just a number, as that number."""
    return part.parts[0] if isinstance(part, Count) and not part.operator else part


def value_of(part: Number | Count) -> Number:
    """The number of a part of a working."""
    return part.value if isinstance(part, Count) else part


def _terms(number: Number) -> Terms:
    return number.terms if isinstance(number, Formula) else {(): number}


def _plus(first: Terms, second: Terms) -> Terms:
    terms = dict(first)
    for monomial, c in second.items():
        terms[monomial] = terms.get(monomial, 0) + c
    return terms


def _times(first: Terms, second: Terms) -> Terms:
    terms: Terms = {}
    for one, a in first.items():
        for two, b in second.items():
            monomial = tuple(sorted(one + two, key=str))
            terms[monomial] = terms.get(monomial, 0) + a * b
    return terms


def _grouped(text: str) -> str:
    return f"({text})" if any(sign in text for sign in "+-* ") else text
