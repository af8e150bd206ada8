"""Text to network: the reader's items, laid out as nodes."""

from __future__ import annotations

import re
from typing import Final, TypedDict, Unpack

from archcalc.errors import ArchitectureError, nearest, quoted
from archcalc.layers.base import Layer
from archcalc.network import INPUT, Citation, Input, Network, Node, Published
from archcalc.notation.naming import Draft, settle
from archcalc.notation.reader import Item, Reader

MAX_LAYERS: Final = 100_000


class About(TypedDict, total=False):
    """What a network carries beside its nodes."""

    source: Citation
    published: tuple[Published, ...]
    notes: tuple[str, ...]


def parse(
    text: str, name: str = "", file: str = "", *, stack: bool = False, **about: Unpack[About]
) -> Network:
    """Read a network.

    Args:
        text: the notation, see :mod:`archcalc.notation`.
        name: what to call the network.
        file: the file it came from, named in errors together with the line.
        stack: a bare size is the kernel of a convolution with one filter, ``5x5/2``.
        about: source, published figures and notes, see :class:`archcalc.network.Network`.

    Raises:
        ArchitectureError: what was read, where it stood, and the nearest spelling that works.
    """
    shape, items = Reader(text, file, stack=stack).read()
    layout = _Layout()
    end = layout.lay(items, -1, "", "")
    drafts = layout.drafts
    if end != len(drafts) - 1 or not drafts:
        last = items[-1].token
        fact = f"the network ends in {quoted(last.text)}, which adds no layer"
        raise ArchitectureError(fact, where=last.place, hint="end it with a layer or a bracket")
    names = settle(drafts)
    known = [*names, INPUT]  # so that index -1 is the input
    seen = {INPUT}
    nodes = []
    for node_name, draft in zip(names, drafts, strict=True):
        if node_name in seen:
            raise ArchitectureError(f"the name {quoted(node_name)} is taken", where=draft.place)
        seen.add(node_name)
        inputs = tuple(known[i] for i in draft.inputs)
        shares = "" if draft.shares is None else names[draft.shares]
        nodes.append(Node(node_name, draft.layer, inputs, shares))
    return Network(tuple(nodes), name, (Input(INPUT, shape),), **about)


class _Layout:
    """Nodes one after the other, repeats written out, references found."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.named = {INPUT: -1}
        self.brackets: set[str] = set()  # names that are of brackets
        self.turns = 0  # items laid, also those that leave no layer behind
        self.outer: list[tuple[str, str]] = []  # scope and suffix around each named bracket

    def lay(self, items: list[Item], feed: int, scope: str, suffix: str) -> int:
        """Lay items behind position ``feed``; the position of the last output.

        ``suffix`` is what the repeats around them add to their names.
        """
        for item in items:
            for turn in range(1, item.times + 1):
                self.turns += 1
                if len(self.drafts) >= MAX_LAYERS or self.turns > 10 * MAX_LAYERS:
                    fact = f"more than {MAX_LAYERS:,} layers"
                    raise ArchitectureError(fact, where=item.token.place)
                end = f"{suffix}_{turn}" if item.times > 1 else suffix
                feed = self._lay_one(item, feed, scope, end)
        return feed

    def _lay_one(self, item: Item, feed: int, scope: str, suffix: str) -> int:
        if item.reference:
            return self.named[self._resolve(item, item.reference, scope, suffix)]
        name = _absolute(item.name, scope) + suffix if item.name else ""
        layer, shares = item.layer, None
        inputs: tuple[int, ...] = (feed,)
        if item.shares:
            layer, shares = self._shared(item, scope, suffix)
        elif layer is None:
            # A named bracket opens a scope, in which counting begins anew.
            inner, tail = (f"{name}/", "") if name else (scope, suffix)
            self.outer.append((scope, suffix))
            ends = [self.lay(branch, feed, inner, tail) for branch in item.branches]
            self.outer.pop()
            self.brackets.add(name)
            layer, inputs = item.join, tuple(ends)
        if layer is None:  # a group, or id
            end = inputs[0] if inputs else feed
        else:
            self.drafts.append(Draft(scope, name, layer, inputs, item.token.place, shares))
            end = len(self.drafts) - 1
        if name:
            self.named[name] = end
        return end

    def _shared(self, item: Item, scope: str, suffix: str) -> tuple[Layer, int]:
        """The layer that ``=name`` means, and its position."""
        name = self._resolve(item, item.shares, scope, suffix)
        position = self.named[name]
        if position < 0 or name in self.brackets:
            fact = f"{quoted(item.token.text)} is for one layer, and {quoted(name)} is none"
            raise ArchitectureError(fact, where=item.token.place, hint="name the layer itself")
        return self.drafts[position].layer, position

    def _resolve(self, item: Item, reference: str, scope: str, suffix: str) -> str:
        """The full name of what is referred to: nearest scope first, and in it this very repeat."""
        for prefix, end in ((scope, suffix), *reversed(self.outer)):
            turns = end.split("_")
            for length in range(len(turns), 0, -1):
                full = _absolute(reference, prefix) + "_".join(turns[:length])
                if full in self.named:
                    return full
        sign = item.token.text[0]
        repeats = [
            name for name in self.named if re.fullmatch(rf"{re.escape(reference)}_\d+", name)
        ]
        choices = repeats[-1:] or nearest(reference, list(self.named))
        hint = f"did you mean {sign}{choices[0]}?" if choices else ""
        if repeats:
            hint = f"it is repeated, and {sign}{repeats[-1]} is its last"
        fact = f"no earlier layer was named {quoted(reference)}"
        hint = hint or "name it first, as in stem: conv7-64"
        raise ArchitectureError(fact, where=item.token.place, hint=hint)


def _absolute(name: str, scope: str) -> str:
    return name[1:] if name.startswith("/") else scope + name
