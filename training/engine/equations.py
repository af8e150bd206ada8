"""Arithmetic on letters: code that is run on them tells its own equations.

A rule of :mod:`training.engine.updates` is written once, as arithmetic. Run on tensors it trains;
run on the letters of this module it gives terms, which are printed as text and LaTeX, and from
which :mod:`training.engine.fused` makes compiled code. So an equation that is shown is the one that
is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

Value: TypeAlias = "Term | float"

# How tightly an operator binds.
SUM, PRODUCT, POWER, TIGHTEST = 1, 2, 3, 4
BINDS: Final = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "**": POWER, "sqrt": TIGHTEST}


class Term:
    """A letter, a number, or an operation on terms; equal to itself alone."""

    binds = TIGHTEST

    def __add__(self, other: Value) -> Term:
        return Operation("+", self, other)

    def __radd__(self, other: Value) -> Term:
        return Operation("+", other, self)

    def __sub__(self, other: Value) -> Term:
        return Operation("-", self, other)

    def __rsub__(self, other: Value) -> Term:
        return Operation("-", other, self)

    def __mul__(self, other: Value) -> Term:
        return Operation("*", self, other)

    def __rmul__(self, other: Value) -> Term:
        return Operation("*", other, self)

    def __truediv__(self, other: Value) -> Term:
        return Operation("/", self, other)

    def __rtruediv__(self, other: Value) -> Term:
        return Operation("/", other, self)

    def __pow__(self, other: Value) -> Term:
        return Operation("**", self, other)

    def __rpow__(self, other: Value) -> Term:
        return Operation("**", other, self)

    def sqrt(self) -> Term:
        """The root, as tensors have it."""
        return Operation("sqrt", self)


class Symbol(NamedTuple):
    """How a letter is written in LaTeX, and what it stands for."""

    latex: str
    meaning: str


class Letter(Term):
    """What a rule is given.

    Attributes:
        text: as it is typed, such as ``rho`` or ``square[t-1]``.
        latex: as it is printed.
        each: whether every number of a member has its own; else there is one a member, or one.
    """

    def __init__(self, text: str, latex: str, *, each: bool = False) -> None:
        self.text, self.latex, self.each = text, latex, each


class Number(Term):
    """A number that stands in the code."""

    def __init__(self, value: float) -> None:
        self.value = value


class Operation(Term):
    """An operator and what it works on."""

    def __init__(self, operator: str, *parts: Value) -> None:
        self.operator = operator
        self.parts = tuple(one if isinstance(one, Term) else Number(one) for one in parts)
        self.binds = BINDS[operator]


class Equation(NamedTuple):
    """What a letter becomes.

    Attributes:
        left: the letter.
        right: a term of other letters.
        names: of terms that equations before this one have named.
    """

    left: Letter
    right: Term
    names: Mapping[Term, Letter]

    def text(self) -> str:
        """``square[t] = rho*square[t-1] + (1 - rho)*g[t]**2``, as Python reads it."""
        return f"{self.left.text} = {text(self.right, self.names)}"

    def latex(self) -> str:
        r"""``s_{t} = \rho s_{t-1} + \left(1 - \rho\right) g_{t}^{2}``."""
        return f"{self.left.latex} = {latex(self.right, self.names)}"


def text(term: Term, names: Mapping[Term, Letter]) -> str:
    """A term as Python reads it; what has a name is written by its name."""
    term = names.get(term, term)
    if isinstance(term, Letter):
        return term.text
    if isinstance(term, Number):
        return repr(term.value)
    assert isinstance(term, Operation)
    if term.operator == "sqrt":
        return f"sqrt({text(term.parts[0], names)})"
    left, right = term.parts
    # Python works from the left, and powers from the right
    strict = term.operator == "**"
    one = _held(left, term.binds + strict, names)
    two = _held(right, term.binds + (not strict), names)
    space = " " if term.binds == SUM else ""
    return f"{one}{space}{term.operator}{space}{two}"


def _held(term: Term, least: int, names: Mapping[Term, Letter]) -> str:
    """A term as text, in brackets where it binds less than what is around it."""
    said = text(term, names)
    return f"({said})" if names.get(term, term).binds < least else said


def latex(term: Term, names: Mapping[Term, Letter]) -> str:
    """A term in LaTeX; what has a name is written by its name."""
    term = names.get(term, term)
    if isinstance(term, Letter):
        return term.latex
    if isinstance(term, Number):
        return repr(term.value)
    assert isinstance(term, Operation)
    first, *rest = term.parts
    if term.operator == "sqrt":
        return rf"\sqrt{{{latex(first, names)}}}"
    (second,) = rest
    if term.operator == "/":
        return rf"\frac{{{latex(first, names)}}}{{{latex(second, names)}}}"
    if term.operator == "**":
        return f"{_bracketed(first, TIGHTEST, names)}^{{{latex(second, names)}}}"
    one = _bracketed(first, term.binds, names)
    two = _bracketed(second, term.binds + (term.operator == "-"), names)
    if term.operator != "*":
        return f"{one} {term.operator} {two}"
    return rf"{one} \cdot {two}" if two[0].isdigit() else f"{one} {two}"


def _bracketed(term: Term, least: int, names: Mapping[Term, Letter]) -> str:
    said = latex(term, names)
    inner = names.get(term, term)
    fraction = isinstance(inner, Operation) and inner.operator == "/" and least < TIGHTEST
    if inner.binds < least and not fraction:
        return rf"\left({said}\right)"
    return said
