"""Text to items: what stands in a sequence, before names and repeats are worked out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from archcalc.errors import ArchitectureError, quoted
from archcalc.layers.base import Layer
from archcalc.layers.pieces import whole
from archcalc.network import NAME
from archcalc.notation.naming import JOINS
from archcalc.notation.words import modifies, parse_word
from archcalc.shape import Shape, parse_shape

MAX_DEPTH: Final = 60


class Token(NamedTuple):
    """A piece of the text, and where it stands."""

    text: str
    place: str  # for a person: word 3, column 12


@dataclass(slots=True)
class Item:
    """What stands in a sequence: a layer, a sequence in parentheses, branches, or a reference."""

    token: Token
    layer: Layer | None = None
    join: Layer | None = None
    branches: list[list[Item]] = field(default_factory=list)
    reference: str = ""  # @name: goes on from there
    shares: str = ""  # =name: the same layer again, with the same parameters
    name: str = ""
    times: int = 1


class Reader:
    """Tokens to items; one method for a sequence, one for what stands in it.

    In a ``stack`` a bare size is the kernel of a convolution: ``5x5/2``.
    """

    def __init__(self, text: str, file: str, *, stack: bool = False) -> None:
        self.stack = stack
        self.tokens = list(_tokens(text, file))
        self.position = 0
        self.end = Token("", f"{file + ', ' if file else ''}at the end")

    def read(self) -> tuple[Shape | None, list[Item]]:
        """The input's shape, if it is said, and the items."""
        shape = None
        if not self.stack and _SIZE.fullmatch(self._peek()):
            token = self._next()
            try:
                shape = parse_shape(token.text)
            except ArchitectureError as error:
                raise error.at(token.place) from None
        items = self._sequence(0)
        if self._peek():
            token = self._next()
            if token.text in {"]", ")"}:
                fact = f"{quoted(token.text)} closes nothing"
                raise ArchitectureError(fact, where=token.place, hint="leave it out, or open it")
            hint = "branches stand in brackets: [a | b], (a + b), (a * b)"
            if token.text == "*" and re.fullmatch(r"[0-9]+", self._peek()):
                hint = f"write x{self._peek()} to repeat"
            fact = f"{quoted(token.text)} has no bracket to stand in"
            raise ArchitectureError(fact, where=token.place, hint=hint)
        if not items:
            raise ArchitectureError(
                "nothing to build", where=self.end.place, hint="write e.g. conv3-64 x2 pool2 fc-10"
            )
        return shape, items

    def _peek(self) -> str:
        return self.tokens[self.position].text if self.position < len(self.tokens) else ""

    def _next(self) -> Token:
        if self.position == len(self.tokens):
            return self.end
        self.position += 1
        return self.tokens[self.position - 1]

    def _sequence(self, depth: int) -> list[Item]:
        items: list[Item] = []
        while self._peek() and self._peek() not in {"]", ")", "|", "+", "*"}:
            items.append(self._item(depth))
        return items

    def _item(self, depth: int) -> Item:
        token = self._next()
        if token.text.endswith(":"):
            if not NAME.fullmatch(token.text[:-1].removeprefix("/")):
                fact = f"{quoted(token.text[:-1])} cannot be a name"
                raise ArchitectureError(fact, where=token.place, hint="write e.g. stem: conv7-64/2")
            if not self._peek() or self._peek()[-1] in "])|+*:":
                fact = f"the name {quoted(token.text[:-1])} names nothing"
                raise ArchitectureError(fact, where=token.place, hint="write e.g. stem: conv7-64/2")
            item = self._item(depth)
            leaf = item.layer is not None or item.shares
            if item.name or item.reference or not (leaf or item.branches):
                fact = f"the name {quoted(token.text[:-1])} has no layer or bracket of its own"
                raise ArchitectureError(fact, where=token.place, hint="write e.g. stem: conv7-64/2")
            item.name, item.token = token.text[:-1], token
            return item
        if token.text in {"[", "("}:
            item = self._bracket(token, depth + 1)
        elif token.text == "id":
            item = Item(token)
        elif token.text == "@":
            hint = "write e.g. @stem, or @input"
            raise ArchitectureError(
                f"{quoted(token.text)} refers to nothing", where=token.place, hint=hint
            )
        elif token.text.startswith("@"):
            item = Item(token, reference=token.text[1:])
        elif token.text.startswith("=") and len(token.text) > 1:
            item = Item(token, shares=token.text[1:])
        else:
            item = Item(token, layer=self._word(token))
        if _REPEAT.fullmatch(self._peek()):
            times = self._next()
            try:
                item.times = whole(times.text[1:], "number of repeats")
            except ArchitectureError as error:
                raise error.at(times.place) from None
        return item

    def _bracket(self, opening: Token, depth: int) -> Item:
        if depth > MAX_DEPTH:
            raise ArchitectureError(
                f"brackets are nested more than {MAX_DEPTH} deep", where=opening.place
            )
        signs, closing = ({"|"}, "]") if opening.text == "[" else ({"+", "*"}, ")")
        branches = [self._sequence(depth)]
        join = ""
        while self._peek() in (signs if not join else {join}):
            join = self._next().text
            branches.append(self._sequence(depth))
        token = self._next()
        if token.text != closing:
            wanted = f"{closing} for the {opening.text} at {opening.place}"
            met = quoted(token.text) if token.text else "the end"
            hint = (
                "write [a | b] to concatenate, (a + b) to add, (a * b) to multiply, (a b) to group"
            )
            raise ArchitectureError(
                f"{met} stands where {wanted} should", where=token.place, hint=hint
            )
        if opening.text == "[" and not join:
            hint = "write [a | b], or (a b) for a group"
            raise ArchitectureError(
                "[ ] needs two branches or more", where=opening.place, hint=hint
            )
        for branch in branches:
            if not branch:
                hint = "write id for a branch that does nothing"
                raise ArchitectureError("a branch is empty", where=token.place, hint=hint)
        return Item(opening, join=JOINS.get(join), branches=branches)

    def _word(self, token: Token) -> Layer:
        text = token.text
        if re.fullmatch(r"x[0-9]*", text):
            fact = f"{quoted(text)} stands where it repeats nothing"
            hint = "write one repeat, e.g. x2, behind a layer or a bracket"
            raise ArchitectureError(fact, where=token.place, hint=hint)
        size = re.match(r"[0-9]+(?:x[0-9]+)*", text, re.IGNORECASE)
        word = f"conv{size[0]}-1{text[size.end() :]}" if self.stack and size else text
        while self._peek() and modifies(word, self._peek()):
            modifier = self._next().text
            text, word = text + modifier, word + modifier
        try:
            return parse_word(word)
        except ArchitectureError as error:
            # The person wrote 5x5, not conv5x5-1.
            fact = error.fact.replace(quoted(word), quoted(text))
            hint = error.hint
            if size and self.stack:
                hint = "windows read like 5x5, 5x5/2 or 3x3d2"
            elif size:
                hint = "a size can only stand in front of the first layer"
            raise ArchitectureError(fact, where=token.place, hint=hint) from None


_SIZE = re.compile(r"[0-9][^:]*|[A-Z][0-9]*|[A-Z]\w*x\w+")
_REPEAT = re.compile(r"x[0-9]+")
_TOKEN = re.compile(r"#[^\n]*|[\[\]()|+*]|[^\s\[\]()|+*:#]*:|[^\s\[\]()|+*:#]+")


def _tokens(text: str, file: str) -> Iterator[Token]:
    number = 0
    several = bool(file)
    for row, line in enumerate(text.splitlines(), 1):
        for match in _TOKEN.finditer(line):
            if match[0].startswith("#"):
                continue
            number += 1
            place = f"line {row}, column" if several else f"word {number}, column"
            place = f"{place} {match.start() + 1}"
            yield Token(match[0], f"{file}, {place}" if file else place)
