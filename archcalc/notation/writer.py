"""Network to text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from archcalc.errors import ArchitectureError
from archcalc.layers.base import Layer
from archcalc.network import INPUT, Network, Port, node_of
from archcalc.notation.naming import Draft, looks_automatic, settle
from archcalc.notation.reader import MAX_DEPTH
from archcalc.notation.words import parse_word, write_word
from archcalc.shape import Shape, parse_shape


class _Run(NamedTuple):
    """What stands in a row, and the position that ``@name`` in front of it refers to, if any."""

    start: int | None
    members: list[_Member]


class _Member(NamedTuple):
    """A node by its position; a join has the runs of its bracket."""

    place: int
    branches: list[_Run]
    start: int | None = None  # what ``@name`` in front of it refers to, if any


class _NotNestedError(Exception):
    """Brackets would be deeper than they can be read, or weights be used before they are there."""


def write(network: Network) -> str:
    """The network in the notation, such that parsing it gives the same nodes.

    Branches are found again from the graph: a join's bracket opens at the last node that all its
    branches share (its immediate dominator). What does not nest is referred to with ``@name``, and
    where brackets would be nested too deep or stand in another order than weights that are used
    again, every bracket holds such references only.

    Raises:
        ArchitectureError: what no text can say: several inputs or outputs, layers without a word.
    """
    if [each.name for each in network.inputs] != [INPUT] or network.outputs != (
        network.nodes[-1].name,
    ):
        raise ArchitectureError(
            "the notation has one input, called input, and one output, the last"
        )
    if network.input is not None and not _is_size(network.input):
        raise ArchitectureError(f"the notation has no word for an input of {network.input}")
    writer = _Writer(network)
    try:
        run = writer.nested(len(network.nodes) - 1, -1, 0)
    except _NotNestedError:
        run = writer.flat()
    text = writer.text(run)
    return f"{network.input} {text}" if network.input is not None else text


@lru_cache(maxsize=4096)
def _is_read_back(layer: Layer) -> bool:
    """Whether a layer's word means the layer."""
    if layer.sign:
        return True
    try:
        return parse_word(write_word(layer).replace(" ", "")) == layer
    except ArchitectureError:
        return False


def _is_size(shape: Shape) -> bool:
    """Whether a shape's text means the shape."""
    try:
        return parse_shape(str(shape)) == shape
    except ArchitectureError:
        return False


class _Writer:
    def __init__(self, network: Network) -> None:
        self.nodes = network.nodes
        places = {INPUT: -1} | {node.name: i for i, node in enumerate(network.nodes)}
        self.inputs = []
        for node in network.nodes:
            ports = any(isinstance(reference, Port) for reference in node.inputs)
            again = node.shares and node.layer.sign  # a join, which has no word to be used again
            if ports or again or not _is_read_back(node.layer):
                raise ArchitectureError("the notation has no word for this", where=node.name)
            self.inputs.append(tuple(places[node_of(reference)] for reference in node.inputs))
        self.owners = {i: places[n.shares] for i, n in enumerate(network.nodes) if n.shares}
        self.fork = self._forks()
        self.done = {-1}
        self.explicit: set[int] = set()

    def _forks(self) -> list[int]:
        """For each node, its immediate dominator: the nearest node that every path to it passes."""
        fork: list[int] = []
        depth = {-1: 0}
        for place, inputs in enumerate(self.inputs):
            common = inputs[0]
            for other in inputs[1:]:
                first, second = common, other
                while first != second:
                    if depth[first] < depth[second]:
                        first, second = second, first
                    first = fork[first]
                common = first
            fork.append(common)
            depth[place] = depth[common] + 1
        return fork

    def nested(self, end: int, feed: int, depth: int) -> _Run:
        """The run that ends in ``end`` and begins behind ``feed``, or behind what is written."""
        if depth > MAX_DEPTH:
            raise _NotNestedError
        places = []
        while end not in self.done:
            places.append(end)
            end = self.fork[end]
        start, feed = (None if end == feed else end), end
        members = []
        for place in reversed(places):
            ends = self.inputs[place] if self._joins(place) else ()
            members.append(_Member(place, [self.nested(end, feed, depth + 1) for end in ends]))
            if self.owners.get(place, -1) not in self.done:
                raise _NotNestedError
            self.done.add(place)
            feed = place
        return _Run(start, members)

    def flat(self) -> _Run:
        """All nodes in their order, each referring to what it does not stand behind."""
        members = []
        for place, inputs in enumerate(self.inputs):
            starts = [None if i == place - 1 else i for i in inputs]
            if self._joins(place):
                members.append(_Member(place, [_Run(start, []) for start in starts]))
            else:
                members.append(_Member(place, [], starts[0]))
        return _Run(None, members)

    def _joins(self, place: int) -> bool:
        return bool(self.nodes[place].layer.sign)

    def text(self, run: _Run) -> str:
        """The text of a run; what is referred to has a name, and what else needs one."""
        referred = {place for place in _references(run) if place >= 0}
        self.explicit = (
            referred
            | {*self.owners.values()}
            | {i for i, node in enumerate(self.nodes) if not looks_automatic(node.name, node.layer)}
        )
        while True:
            walk = list(self._walk(run, ""))
            drafts = [
                Draft(scope, node.name if i in self.explicit else "", node.layer, (), "")
                for i, scope in walk
                for node in (self.nodes[i],)
            ]
            pairs = zip(walk, settle(drafts), strict=True)
            # Automatic naming would call these something else.
            wrong = {i for (i, _), name in pairs if name != self.nodes[i].name}
            if not wrong:
                return " ".join(self._words(run, ""))
            self.explicit |= wrong

    def _inside(self, place: int, scope: str) -> str:
        """The scope inside a join's bracket: a named one opens its own."""
        return f"{self.nodes[place].name}/" if place in self.explicit else scope

    def _walk(self, run: _Run, scope: str) -> Iterator[tuple[int, str]]:
        """Every position with its scope, in the order of the text."""
        for member in run.members:
            inside = self._inside(member.place, scope)
            for branch in member.branches:
                yield from self._walk(branch, inside)
            yield member.place, scope

    def _words(self, run: _Run, scope: str) -> Iterator[str]:
        if run.start is not None:
            yield self._reference(run.start)
        elif not run.members:
            yield "id"
        previous, repeats = "", 0
        for member in run.members:
            word = self._word(member, scope)
            if word == previous and not member.branches and member.place not in self.explicit:
                repeats += 1
                continue
            if repeats > 1:
                yield f"x{repeats}"
            yield word
            previous, repeats = word, 1
        if repeats > 1:
            yield f"x{repeats}"

    def _word(self, member: _Member, scope: str) -> str:
        node = self.nodes[member.place]
        if sign := node.layer.sign:
            inside = self._inside(member.place, scope)
            branches = f" {sign} ".join(" ".join(self._words(b, inside)) for b in member.branches)
            word = f"[{branches}]" if sign == "|" else f"({branches})"
        else:
            word = f"=/{node.shares}" if node.shares else write_word(node.layer)
        if member.place in self.explicit:
            here = node.name.startswith(scope)
            word = f"{node.name[len(scope) :] if here else f'/{node.name}'}: {word}"
        return word if member.start is None else f"{self._reference(member.start)} {word}"

    def _reference(self, place: int) -> str:
        return f"@{INPUT}" if place == -1 else f"@/{self.nodes[place].name}"


def _references(run: _Run) -> Iterator[int]:
    for member in run.members:
        if member.start is not None:
            yield member.start
        for branch in member.branches:
            yield from _references(branch)
    if run.start is not None:
        yield run.start
