"""Floor 1: exact counts, as numbers, formulas and workings.

Two small classes carry everything that archcalc counts:

* :class:`Formula` is an integer that still has letters in it, ``64*H*W`` or ``floor((H + 1)/2)``.
  It is a polynomial; formulas that are equal as such compare equal. Its coefficients are integers,
  save where groups divide a letter, ``9*C*K/2``: such a formula keeps the divisions that have to
  leave no rest, and refuses values that leave one.
  Plain ``int`` is its special case without letters: every formula of the package is written once,
  with ordinary operators, and works on both.
* :class:`Count` remembers how a number was put together. From one expression come the number
  (``value``), the working as people write it (``(3*3*64)*64 = 36,864``), its LaTeX, and, where
  letters went in, the formula.

Letters stand for positive integers. Nothing here ever becomes a float.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Final, Literal, NamedTuple, TypeAlias, cast

from archcalc.errors import ArchitectureError


class Division(NamedTuple):
    """``number / divisor``, which has to leave no rest, as groups have to divide channels."""

    number: Number
    divisor: int

    def __str__(self) -> str:
        return f"{_grouped(str(self.number))}/{self.divisor}"

    def substitute(self, values: Mapping[str, Number]) -> Divisions:
        """The division with some letters replaced; none where it leaves no rest, come what may.

        Raises:
            ArchitectureError: it leaves a rest, whatever the letters that are left.
        """
        number = substitute(self.number, values)
        rests = {monomial for monomial, c in _terms(number).items() if c % self.divisor}
        if rests == {()}:
            replaced = sorted(letters(self.number) & values.keys())
            raise ArchitectureError(
                f"{self} leaves a rest",
                where=", ".join(f"{name}={values[name]}" for name in replaced),
                hint=f"{self.number} has to be a multiple of {self.divisor}",
            )
        return frozenset({Division(number, self.divisor)} if rests else ())


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
        outside, inside = divmod(cast("int", terms.pop((), 0)), self.divisor)
        inner = Formula({**terms, (): inside} if inside else terms)
        inner._normal = inner.terms  # noqa: SLF001 - made of normal terms
        return {(Floor(inner, self.divisor),): 1, (): outside}


Atom: TypeAlias = str | Floor
Monomial: TypeAlias = tuple[Atom, ...]  # sorted by text, a power repeats its atom
Terms: TypeAlias = "dict[Monomial, int | Fraction]"
Divisions: TypeAlias = frozenset[Division]


class Formula:
    """A polynomial over letters and floors.

    A floor and a constant stay together, as people write a size: ``floor((H - 7)/4)``.
    What took part in a division without rest, ``C/2``, keeps it among its ``divisions``, also
    where its terms show it no more: no value of C in ``27*C`` can then be odd.
    """

    __slots__ = ("_hash", "_normal", "_text", "divisions", "terms")

    def __init__(self, terms: Terms, divisions: Divisions = frozenset()) -> None:
        self.terms: Final = terms
        self.divisions: Final = divisions
        self._text = ""
        self._normal: Terms = {}
        self._hash: int | None = None

    @staticmethod
    def of(terms: Terms, divisions: Divisions = frozenset()) -> Number:
        """The formula with these terms, or a plain int where no letter is left."""
        terms = {monomial: c for monomial, c in terms.items() if c}
        constant = terms.get((), 0)
        if len(terms) == bool(constant) and constant.denominator == 1:
            return constant.numerator
        if isinstance(constant, int) and constant and len(terms) == 2:  # noqa: PLR2004 - one more
            floor, *others = max(terms, key=len)  # the constant's own monomial is empty
            if isinstance(floor, Floor) and not others and terms[(floor,)] == 1:
                inner = cast("Formula", floor.inner + constant * floor.divisor)
                return Formula({(Floor(inner, floor.divisor),): 1}, divisions)
        formula = Formula(terms, divisions)
        # Floors that differ by a constant may cancel: floor(H/2) - floor((H - 2)/2) is 1. No floor
        # falls where a letter grows, so that floors of one sign cannot.
        floors = (m for m in terms if any(isinstance(atom, Floor) for atom in m))
        signs = {terms[monomial] > 0 for monomial in floors}
        if len(signs) > 1 and not any(normal := formula.normal()):
            return Formula.of(normal)
        return formula

    def __add__(self, other: Number) -> Number:
        return add_up((self, other))

    def __mul__(self, other: Number) -> Number:
        terms = _times(self.terms, _terms(other))
        return Formula.of(terms, self.divisions | _divisions(other))

    def __floordiv__(self, divisor: int) -> Number:
        """Exact floor division: whatever divides evenly leaves the floor, the rest stays inside."""
        if divisor < 1:
            raise ValueError(f"a formula is divided by positive integers, not {divisor}")
        # floor((C/2 + r)/d) = floor((C + 2*r)/(2*d))
        scale = math.lcm(*(c.denominator for c in self.terms.values()))
        terms = {monomial: (c * scale).numerator for monomial, c in self.terms.items()}
        divisor *= scale
        constant = terms.pop((), 0)
        outside: Terms = {m: c // divisor for m, c in terms.items()}
        inside = {m: c % divisor for m, c in terms.items() if c % divisor}
        if not inside:
            return Formula.of({**outside, (): constant // divisor}, self.divisions)
        # floor((g*Q + r)/(g*d)) = floor((Q + floor(r/g))/d), for integers Q
        common = math.gcd(divisor, *inside.values())
        inside = {monomial: c // common for monomial, c in inside.items()}
        constant, divisor = constant // common, divisor // common
        # floor((floor(P/a) + r)/d) = floor((P + a*r)/(a*d))
        monomial, c = next(iter(inside.items()))
        nested = monomial[0]
        if len(inside) == c == len(monomial) == 1 and isinstance(nested, Floor):
            rounded = (nested.inner + constant * nested.divisor) // (nested.divisor * divisor)
        else:
            inner = cast("Formula", Formula.of({**inside, (): constant}))
            rounded = Formula({(Floor(inner, divisor),): 1})
        return add_up((Formula(outside, self.divisions), rounded))

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
        if self._hash is None:
            self._hash = hash(frozenset(self.normal().items()))
        return self._hash

    def normal(self) -> Terms:
        """The terms in the one form that all equal formulas have; see :meth:`Floor.normal`."""
        if not self._normal:
            normal: Terms = {}
            for monomial, c in self.terms.items():
                expanded: Terms = {(): c}
                for atom in monomial:
                    factor: Terms = {(atom,): 1} if isinstance(atom, str) else atom.normal()
                    expanded = _times(expanded, factor)
                _accumulate(normal, expanded)
            self._normal = {monomial: c for monomial, c in normal.items() if c}
        return self._normal

    def letters(self) -> frozenset[str]:
        """The letters that the formula still waits for, those in floors too."""
        atoms = {atom for monomial in self.terms for atom in monomial}
        return frozenset().union(
            *({atom} if isinstance(atom, str) else atom.inner.letters() for atom in atoms)
        )

    def substitute(self, values: Mapping[str, Number]) -> Number:
        """The formula with some letters replaced; an int once none is left.

        Raises:
            ArchitectureError: a division of its :attr:`divisions` that leaves a rest.
        """
        divisions = frozenset(
            left for division in self.divisions for left in division.substitute(values)
        )
        terms: list[Number] = [Formula({}, divisions)]
        for monomial, c in self.terms.items():
            term: Number = Formula({(): c})
            for atom in monomial:
                if isinstance(atom, str):
                    term = term * values.get(atom, letter(atom))
                else:
                    term = term * atom.substitute(values)
            terms.append(term)
        return add_up(terms)

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
        # Highest degree first, then alphabetically: H*W + H + 3.
        ordered = sorted(self.terms.items(), key=lambda t: (-len(t[0]), [str(a) for a in t[0]]))
        pieces = []
        for monomial, c in ordered:
            number = abs(c.numerator)
            factors = [str(number)] if number != 1 or not monomial else []
            for atom in dict.fromkeys(monomial):
                repeats = monomial.count(atom)
                text = atom_text(atom)
                factors.append(text if repeats == 1 else power.format(text, repeats))
            sign = "-" if c < 0 else "+"
            over = f"/{c.denominator}" if c.denominator != 1 else ""
            pieces.append((sign, times.join(factors) + over))
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


def add_up(numbers: Iterable[Number]) -> Number:
    """The sum of all of them, in time linear in their terms; one ``+`` after the other is not."""
    constant = 0
    formulas = []
    for number in numbers:
        if isinstance(number, int):
            constant += number
        else:
            formulas.append(number)
    if not formulas:
        return constant
    terms: Terms = {(): constant}
    for formula in formulas:
        _accumulate(terms, formula.terms)
    return Formula.of(terms, frozenset().union(*(formula.divisions for formula in formulas)))


def evenly(number: Number, divisor: int) -> Number:
    """``number / divisor``, where no rest is left, now or once letters have their values.

    Raises:
        ArchitectureError: a rest is left, whatever the letters.
    """
    left = Division(number, divisor).substitute({})
    if not left:
        return number // divisor
    terms: Terms = {monomial: Fraction(c, divisor) for monomial, c in _terms(number).items()}
    return Formula.of(terms, left | _divisions(number))


def integer(number: Number) -> int:
    """A number in which no letter is left.

    Raises:
        TypeError: a formula, where only a number makes sense.
    """
    if not isinstance(number, int):
        raise TypeError(f"{number} is not a number yet")
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
    **dict.fromkeys(("/", "floor", "ceil"), ("/", " / ")),
}
# What stands around all of them.
_AROUND: Final[dict[str, tuple[str, str]]] = {
    "floor": ("floor({})", r"\left\lfloor {} \right\rfloor"),
    "ceil": ("ceil({})", r"\left\lceil {} \right\rceil"),
}
# Inside these, a part that is a working of its own stands in parentheses: (3*3*64)*64.
_GROUPING: Final = frozenset({"*", "/", "floor", "ceil"})


class Count(NamedTuple):
    """A number that remembers how it was put together.

    ``operator`` joins the ``parts``: ``*``, ``+``, ``-``, ``/`` (a division that leaves no rest),
    ``floor`` and ``ceil`` (a division rounded down or up); a single part has none.
    Parts are numbers or counts; the grouping that was written is kept.
    """

    operator: Operator
    parts: tuple[Number | Count, ...]
    value: Number

    def __str__(self) -> str:
        """The working alone: ``(3*3*64)*64``."""
        return self._join(0, str)

    def equation(self) -> str:
        """The working and its result, ``(3*3*64)*64 = 36,864``; a bare number is its own result."""
        return f"{self} = {exact(self.value)}" if self.explains() else exact(self.value)

    def latex(self) -> str:
        r"""The working and its result in LaTeX: ``(3 \cdot 3 \cdot 64) \cdot 64 = 36{,}864``."""
        is_known = isinstance(self.value, int)
        result = exact(self.value).replace(",", "{,}") if is_known else latex(self.value)
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

    def __repr__(self) -> str:
        return f"Count({self.equation()!r})"

    def _join(self, language: int, number_text: Callable[[Number], str]) -> str:
        grouping = self.operator in _GROUPING
        texts = []
        for place, part in enumerate(self.parts):
            if isinstance(part, Count):
                text = part._join(language, number_text)  # noqa: SLF001 - our own kind
                is_sum = part.operator in ("+", "-")
                is_working = part.operator not in ("", *_AROUND)
            else:
                text = number_text(part)
                is_sum = is_working = isinstance(part, Formula) and len(part.terms) > 1
            # a - (b + c), but a + b + c
            apart = (grouping and is_working) or (self.operator == "-" and place and is_sum)
            texts.append(f"({text})" if apart else text)
        joined = _SIGNS[self.operator][language].join(texts)
        return _AROUND.get(self.operator, ("{}", "{}"))[language].format(joined)


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
    return Count("+", parts, add_up(part.value for part in parts))


def difference(first: Number | Count, second: Number | Count) -> Count:
    """``a - b``."""
    return Count("-", (_bare(first), _bare(second)), value_of(first) - value_of(second))


def quotient(number: Number, divisor: int) -> Number | Count:
    """``96/2``, for groups; dividing by one writes nothing. See :func:`evenly`."""
    return number if divisor == 1 else Count("/", (number, divisor), evenly(number, divisor))


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


def _divisions(number: Number) -> Divisions:
    return number.divisions if isinstance(number, Formula) else frozenset()


def _accumulate(terms: Terms, more: Terms) -> None:
    for monomial, c in more.items():
        terms[monomial] = terms.get(monomial, 0) + c


def _times(first: Terms, second: Terms) -> Terms:
    terms: Terms = {}
    for left, c in first.items():
        for right, d in second.items():
            monomial = tuple(sorted(left + right, key=str)) if left and right else left or right
            terms[monomial] = terms.get(monomial, 0) + c * d
    return terms


def _grouped(text: str) -> str:
    return f"({text})" if any(sign in text for sign in "+-* ") else text
