"""Floor 4: the notation. A network is text, after the papers' own words.

Words are separated by spaces; a word is a layer:

===================  ==========================================================================
``conv3-64``         3x3 convolution, 64 filters, stride 1, padding that keeps the size
``conv7-64/2 p3``    stride 2; ``p`` pads, ``d`` dilates, ``g`` groups, ``nobias``; ``conv3x5-64``
``convt4-64/2``      transposed convolution; ``op1`` is the output padding
``pool2``            2x2 max pool of stride 2; ``pool3/2 p1``, ``ceil``; ``avgpool7/1``
``adaptiveavgpool6`` adaptive pool to 6x6, ``adaptivemaxpool6``; ``gap``, ``gmp`` are global
``fc-1000``          fully connected
``bn ln gn32 lrn5``  batch, layer, group, local response normalization; ``noaffine``
``relu tanh ...``    activations; ``leakyrelu.01``; ``drop.5`` dropout; ``flatten``
===================  ==========================================================================

and words make networks:

===================  ==========================================================================
``[a | b]``          branches, their channels concatenated
``(a + b)``          branches added; ``(a * b)`` multiplied; ``id`` is the shortcut
``(a b) x3``         repeated; a layer or a bracket repeats as well
``stem: conv7-64``   a name, for a layer or a bracket; names inside a named bracket read ``3a/1x1``
``@stem``            goes on from a layer named earlier
``224x224x3 ...``    the input's size, in front of everything
``# ...``            a comment, to the end of the line
===================  ==========================================================================

A name inside something that is repeated gets ``_1``, ``_2``, ... Layers without a name are called
``conv1``, ``relu1``, ... in the order of their kind, in each scope. :func:`parse` and
:func:`write` are inverse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from archcalc.count import Number, letter
from archcalc.errors import ArchitectureError, nearest, quoted
from archcalc.layers import (
    Activation,
    AdaptivePool,
    Add,
    BatchNorm,
    Concat,
    Convolution,
    Dropout,
    Flatten,
    GlobalPool,
    GroupNorm,
    Join,
    Layer,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    Multiply,
    Pool,
    TransposedConvolution,
)
from archcalc.layers.activation import ACTIVATIONS
from archcalc.network import INPUT, Network, Node
from archcalc.shape import LARGEST, parse_shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archcalc.layers.base import Axes
    from archcalc.shape import Shape

MAX_LAYERS: Final = 100_000
MAX_DEPTH: Final = 60

JOINS: Final[dict[str, Join]] = {"|": Concat(), "+": Add(), "*": Multiply()}
SIGNS: Final = {join.kind: sign for sign, join in JOINS.items()}

# ---------------------------------------------------------------------------------------- words

_WORD = re.compile(
    r"(?P<kind>[a-z]+?)(?P<size>\.\d+|\d+(?:x\d+)*)?(?:-(?P<channels>\d+|[A-Z][A-Z0-9]*))?"
    r"(?:/(?P<stride>\d+(?:x\d+)*))?(?P<modifiers>(?:(?:op|p|d|g)\d+(?:x\d+)*|ceil|nobias|noaffine)*)"
)
_MODIFIER = re.compile(r"(op|p|d|g)(\d+(?:x\d+)*)|(ceil|nobias|noaffine)")
_MODIFIERS = re.compile(r"(?:/\d+(?:x\d+)*)?(?:(?:op|p|d|g)\d+(?:x\d+)*|ceil|nobias|noaffine)*")

# What each kind of word may carry; a * marks what it must. One line a kind, with an example.
_PIECES: Final[dict[str, tuple[str, str]]] = {
    "conv": ("size* channels* stride p d g nobias", "conv3-64"),
    "convt": ("size* channels* stride p d g op nobias", "convt4-64/2"),
    "pool": ("size* stride p ceil", "pool2"),
    "avgpool": ("size* stride p ceil", "avgpool2"),
    "adaptiveavgpool": ("size*", "adaptiveavgpool6"),
    "adaptivemaxpool": ("size*", "adaptivemaxpool6"),
    "gap": ("", "gap"),
    "gmp": ("", "gmp"),
    "fc": ("channels* nobias", "fc-1000"),
    "bn": ("noaffine", "bn"),
    "ln": ("noaffine", "ln"),
    "gn": ("size* noaffine", "gn32"),
    "lrn": ("size", "lrn"),
    "drop": ("size*", "drop.5"),
    "flatten": ("", "flatten"),
    "leakyrelu": ("size", "leakyrelu.01"),
    "elu": ("size", "elu"),
} | {name: ("", name) for name in ACTIVATIONS if name not in ("leakyrelu", "elu", "relu6")}
_PIECES["relu"] = ("size", "relu")  # relu6 is a function of its own
_NAMES_OF: Final = {
    "size": "number behind its name",
    "channels": "-channels",
    "stride": "/stride",
    "p": "padding",
    "d": "dilation",
    "g": "groups",
    "op": "output padding",
}


@lru_cache(maxsize=4096)
def parse_word(word: str) -> Layer:
    """The layer that one word names; its modifiers may be attached (``conv3-64/2p0``).

    Raises:
        ArchitectureError: with the nearest valid spelling.
    """
    match = _WORD.fullmatch(word)
    if match is None or match["kind"] not in _PIECES:
        raise ArchitectureError(f"{quoted(word)} is no layer", hint=_suggestion(word))
    kind = match["kind"]
    allowed, example = _PIECES[kind]
    pieces = {name: match[name] for name in ("size", "channels", "stride") if match[name]}
    for name, value, flag in _MODIFIER.findall(match["modifiers"]):
        if (name or flag) in pieces:
            raise ArchitectureError(
                f"{quoted(word)} says {name or flag} twice", hint=f"e.g. {example}"
            )
        pieces[name or flag] = value or "yes"
    for piece in pieces:
        if piece not in allowed.replace("*", "").split():
            fact = f"{quoted(word)}: {kind} takes no {_NAMES_OF.get(piece, piece)}"
            raise ArchitectureError(fact, hint=f"write e.g. {example}")
    for piece in allowed.split():
        if piece.endswith("*") and piece[:-1] not in pieces:
            fact = f"{quoted(word)}: {kind} needs its {_NAMES_OF[piece[:-1]]}"
            raise ArchitectureError(fact, hint=f"write e.g. {example}")
    try:
        return _layer(kind, pieces)
    except ArchitectureError as error:
        raise ArchitectureError(
            f"{quoted(word)}: {error.fact}", hint=f"write e.g. {example}"
        ) from None


def _layer(kind: str, pieces: dict[str, str]) -> Layer:
    size = pieces.get("size", "")
    padding = _axes(pieces["p"], "padding", 0) if "p" in pieces else None
    stride = _axes(pieces["stride"], "stride") if "stride" in pieces else None
    dilation = _axes(pieces.get("d", "1"), "dilation")
    groups = _whole(pieces.get("g", "1"), "number of groups")
    bias, affine = "nobias" not in pieces, "noaffine" not in pieces
    match kind:
        case "conv":
            kernel, channels = _axes(size, "kernel"), _channels(pieces)
            return Convolution(kernel, channels, stride or 1, padding, dilation, groups, bias)
        case "convt":
            kernel, channels = _axes(size, "kernel"), _channels(pieces)
            extra = _axes(pieces.get("op", "0"), "output padding", 0)
            return TransposedConvolution(
                kernel, channels, stride or 1, padding, dilation, extra, groups, bias
            )
        case "pool" | "avgpool":
            kernel, ceil_mode = _axes(size, "kernel"), "ceil" in pieces
            return Pool(kernel, stride, padding, "max" if kind == "pool" else "average", ceil_mode)
        case "adaptiveavgpool" | "adaptivemaxpool":
            return AdaptivePool(
                _axes(size, "output"), "average" if kind == "adaptiveavgpool" else "max"
            )
        case "gap" | "gmp":
            return GlobalPool("average" if kind == "gap" else "max")
        case "fc":
            return Linear(_channels(pieces), bias)
        case "bn":
            return BatchNorm(affine)
        case "ln":
            return LayerNorm(affine)
        case "gn":
            return GroupNorm(_whole(size, "number of groups"), affine)
        case "lrn":
            return LocalResponseNorm(_whole(size or "5", "size"))
        case "drop":
            return Dropout(_fraction(size))
        case "flatten":
            return Flatten()
    if size and kind == "relu":
        if size != "6":
            raise ArchitectureError("only relu and relu6 are known")
        return Activation("relu6")
    return Activation(kind, _fraction(size) if size else None)


def write_word(layer: Layer | Join) -> str:
    """The word for a layer, modifiers set apart: ``conv7-64/2 p3``; the kind of a join."""
    match layer:
        case Convolution() | TransposedConvolution():
            text = f"{layer.kind}{_text(layer.kernel_size)}-{layer.out_channels}"
            text += _optional("/", layer.stride, 1)
            text += _optional(" p", layer.padding, None)
            text += _optional(" d", layer.dilation, 1)
            text += _optional(" g", layer.groups, 1)
            if isinstance(layer, TransposedConvolution):
                text += _optional(" op", layer.output_padding, 0)
            return text + ("" if layer.bias else " nobias")
        case Pool():
            text = f"{'pool' if layer.reduction == 'max' else 'avgpool'}{_text(layer.kernel_size)}"
            text += _optional("/", layer.stride, None) + _optional(" p", layer.padding, None)
            return text + (" ceil" if layer.ceil_mode else "")
        case AdaptivePool():
            short = "max" if layer.reduction == "max" else "avg"
            return f"adaptive{short}pool{_text(layer.output_size)}"
        case GlobalPool():
            return "gap" if layer.reduction == "average" else "gmp"
        case Linear():
            return f"fc-{layer.out_features}" + ("" if layer.bias else " nobias")
        case BatchNorm() | LayerNorm():
            return layer.kind + ("" if layer.affine else " noaffine")
        case GroupNorm():
            return f"gn{layer.groups}" + ("" if layer.affine else " noaffine")
        case LocalResponseNorm():
            return "lrn" + ("" if layer.size == LocalResponseNorm().size else str(layer.size))
        case Dropout():
            return "drop" + _decimals(layer.probability)
        case Activation():
            return layer.function + ("" if layer.slope is None else _decimals(layer.slope))
    return layer.kind


def _suggestion(word: str) -> str:
    """The nearest spelling that works: the word mended, or an example of the nearest kind."""
    match = re.match(r"([A-Za-z]*)(.*)", word, re.DOTALL)
    stem, rest = (match[1], match[2]) if match else ("", "")
    aliases = {"max": "pool", "maxpool": "pool", "average": "avgpool", "avg": "avgpool"} | {
        "dense": "fc", "linear": "fc", "dropout": "drop", "batchnorm": "bn", "norm": "bn",
        "convolution": "conv", "deconv": "convt", "leaky": "leakyrelu", "flat": "flatten",
    }  # fmt: skip
    for kind in [aliases.get(stem.lower(), stem.lower()), *nearest(stem, list(_PIECES))]:
        if kind in _PIECES:
            mended = kind + rest.replace("_", "-").lower()
            try:
                if mended != word:
                    parse_word(mended)
                    return f"did you mean {mended}?"
            except (ArchitectureError, RecursionError):
                pass
            return f"did you mean e.g. {_PIECES[kind][1]}?"
    return "layers read like conv3-64 pool2 fc-10 relu"


def _whole(text: str, what: str, smallest: int = 1) -> int:
    if len(text) > len(str(LARGEST)) or int(text) > LARGEST:
        raise ArchitectureError(f"the {what} is larger than {LARGEST:,}")
    if int(text) < smallest:
        raise ArchitectureError(f"the {what} is at least {smallest}, not {int(text)}")
    return int(text)


def _axes(text: str, what: str, smallest: int = 1) -> Axes:
    numbers = tuple(_whole(part, what, smallest) for part in text.split("x"))
    return numbers if len(numbers) > 1 else numbers[0]


def _channels(pieces: dict[str, str]) -> Number:
    text = pieces["channels"]
    return _whole(text, "number of channels") if text.isdecimal() else letter(text)


def _fraction(text: str) -> float:
    if not re.fullmatch(r"\.\d{1,9}|0", text):
        raise ArchitectureError("a fraction is written .5")
    return float(text)


def _decimals(fraction: float) -> str:
    return f"{fraction:.9f}".rstrip("0")[1:] if fraction else "0"


def _text(axes: Axes) -> str:
    return str(axes) if isinstance(axes, int) else "x".join(map(str, axes))


def _optional(mark: str, axes: Axes | None, default: Axes | None) -> str:
    return "" if axes is None or axes == default else mark + _text(axes)


# ------------------------------------------------------------------------------------- sentences


class _Token(NamedTuple):
    text: str
    place: str  # for a person: word 3, column 12


@dataclass(slots=True)
class _Item:
    """What stands in a sequence: a layer, a sequence in parentheses, branches, or a reference."""

    token: _Token
    layer: Layer | None = None
    join: Join | None = None
    branches: list[list[_Item]] = field(default_factory=list)
    reference: str = ""
    name: str = ""
    times: int = 1


def parse(text: str, name: str = "", file: str = "") -> Network:
    """Read a network.

    Args:
        text: the notation, see the head of this module.
        name: what to call the network.
        file: the file it came from, named in errors together with the line.

    Raises:
        ArchitectureError: what was read, where it stood, and the nearest spelling that works.
    """
    shape, items = _Reader(text, file).read()
    drafts: list[_Draft] = []
    _lay(items, -1, "", "", drafts, {INPUT: -1})
    names = _name(drafts)
    known = [*names, INPUT]  # so that index -1 is the input
    nodes = [
        Node(known[place], draft.layer, tuple(known[i] for i in draft.inputs))
        for place, draft in enumerate(drafts)
    ]
    seen = {INPUT}
    for node, draft in zip(nodes, drafts, strict=True):
        if node.name in seen:
            raise ArchitectureError(f"the name {quoted(node.name)} is taken", where=draft.place)
        seen.add(node.name)
    return Network(tuple(nodes), name, shape)


class _Reader:
    """Tokens to items; one method for a sequence, one for what stands in it."""

    def __init__(self, text: str, file: str) -> None:
        self.tokens = list(_tokens(text, file))
        self.position = 0
        self.end = _Token("", f"{file + ', ' if file else ''}at the end")

    def read(self) -> tuple[Shape | None, list[_Item]]:
        shape = None
        if self.peek() and (self.peek()[0].isdigit() or self.peek()[0].isupper()):
            token = self.next()
            try:
                shape = parse_shape(token.text)
            except ArchitectureError as error:
                raise error.at(token.place) from None
        items = self.sequence(0)
        if self.peek():
            token = self.next()
            raise ArchitectureError(f"{quoted(token.text)} closes nothing", where=token.place)
        if not items:
            raise ArchitectureError(
                "nothing to build", where=self.end.place, hint="write e.g. conv3-64 x2 pool2 fc-10"
            )
        return shape, items

    def peek(self) -> str:
        return self.tokens[self.position].text if self.position < len(self.tokens) else ""

    def next(self) -> _Token:
        if self.position == len(self.tokens):
            return self.end
        self.position += 1
        return self.tokens[self.position - 1]

    def sequence(self, depth: int) -> list[_Item]:
        items: list[_Item] = []
        while self.peek() and self.peek() not in {"]", ")", "|", "+", "*"}:
            items.append(self.item(depth))
        return items

    def item(self, depth: int) -> _Item:
        token = self.next()
        if token.text.endswith(":"):
            if not re.fullmatch(r"/?[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*:", token.text):
                fact = f"{quoted(token.text[:-1])} cannot be a name"
                raise ArchitectureError(fact, where=token.place, hint="write e.g. stem: conv7-64/2")
            if not self.peek() or self.peek()[-1] in "])|+*:":
                fact = f"the name {quoted(token.text[:-1])} names nothing"
                raise ArchitectureError(fact, where=token.place, hint="write e.g. stem: conv7-64/2")
            item = self.item(depth)
            if item.name or item.reference or (item.layer is None and not item.branches):
                fact = f"the name {quoted(token.text[:-1])} has no layer or bracket of its own"
                raise ArchitectureError(fact, where=token.place, hint="write e.g. stem: conv7-64/2")
            item.name = token.text[:-1]
            return item
        if token.text in {"[", "("}:
            item = self.bracket(token, depth + 1)
        elif token.text == "id":
            item = _Item(token)
        elif token.text.startswith("@"):
            item = _Item(token, reference=token.text[1:])
        else:
            item = _Item(token, layer=self.word(token))
        if re.fullmatch(r"x\d+", self.peek()):
            times = self.next()
            try:
                item.times = _whole(times.text[1:], "number of repeats")
            except ArchitectureError as error:
                raise error.at(times.place) from None
        return item

    def bracket(self, opening: _Token, depth: int) -> _Item:
        if depth > MAX_DEPTH:
            raise ArchitectureError(
                f"brackets are nested more than {MAX_DEPTH} deep", where=opening.place
            )
        signs, closing = ({"|"}, "]") if opening.text == "[" else ({"+", "*"}, ")")
        branches = [self.sequence(depth)]
        join = ""
        while self.peek() in (signs if not join else {join}):
            join = self.next().text
            branches.append(self.sequence(depth))
        token = self.next()
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
        return _Item(opening, join=JOINS.get(join), branches=branches)

    def word(self, token: _Token) -> Layer:
        text = token.text
        while self.peek() and _MODIFIERS.fullmatch(self.peek()):
            text += self.next().text
        try:
            return parse_word(text)
        except ArchitectureError as error:
            if re.fullmatch(r"[0-9]+(x[0-9]+)*", text):
                hint = "a size can only stand in front of the first layer"
                raise ArchitectureError(error.fact, where=token.place, hint=hint) from None
            raise error.at(token.place) from None


_TOKEN = re.compile(r"#[^\n]*|[\[\]()|+*]|[^\s\[\]()|+*:#]*:|[^\s\[\]()|+*:#]+")


def _tokens(text: str, file: str) -> Iterator[_Token]:
    number = 0
    several = bool(file)
    for row, line in enumerate(text.splitlines(), 1):
        for match in _TOKEN.finditer(line):
            if match[0].startswith("#"):
                continue
            number += 1
            place = f"line {row}, column" if several else f"word {number}, column"
            place = f"{place} {match.start() + 1}"
            yield _Token(match[0], f"{file}, {place}" if file else place)


# ---------------------------------------------------------------------------- items to named nodes


class _Draft(NamedTuple):
    """A node before every name is settled; inputs by position, -1 for the network's input."""

    scope: str
    name: str  # "" asks for an automatic one
    layer: Layer | Join
    inputs: tuple[int, ...]
    place: str


def _lay(
    items: list[_Item],
    feed: int,
    scope: str,
    suffix: str,
    drafts: list[_Draft],
    named: dict[str, int],
) -> int:
    """Lay items one after the other behind ``feed``; return the position of the last output."""
    for item in items:
        for turn in range(1, item.times + 1):
            end = f"{suffix}_{turn}" if item.times > 1 else suffix
            feed = _lay_one(item, feed, scope, end, drafts, named)
    return feed


def _lay_one(
    item: _Item,
    feed: int,
    scope: str,
    suffix: str,
    drafts: list[_Draft],
    named: dict[str, int],
) -> int:
    if item.reference:
        return _resolve(item, scope, suffix, named)
    name = _absolute(item.name, scope) + suffix if item.name else ""
    layer: Layer | Join
    if item.layer is not None:
        layer = item.layer
        inputs: tuple[int, ...] = (feed,)
    else:
        # A named bracket opens a scope, in which counting begins anew.
        inner, tail = (f"{name}/", "") if name else (scope, suffix)
        ends = [_lay(branch, feed, inner, tail, drafts, named) for branch in item.branches]
        if item.join is None:  # a group, or id
            end = ends[0] if ends else feed
            if name:
                named[name] = end
            return end
        layer, inputs = item.join, tuple(ends)
    if len(drafts) >= MAX_LAYERS:
        raise ArchitectureError(f"more than {MAX_LAYERS:,} layers", where=item.token.place)
    drafts.append(_Draft(scope, name, layer, inputs, item.token.place))
    if name:
        named[name] = len(drafts) - 1
    return len(drafts) - 1


def _resolve(item: _Item, scope: str, suffix: str, named: dict[str, int]) -> int:
    """The layer that ``@name`` means: the nearest scope outwards, this repeat's own first."""
    parts = scope.split("/")
    for depth in range(len(parts), 0, -1):
        prefix = "/".join(parts[: depth - 1])
        for end in dict.fromkeys((suffix, "")):
            full = _absolute(item.reference, f"{prefix}/" if prefix else "") + end
            if full in named:
                return named[full]
    choices = nearest(item.reference, list(named))
    hint = f"did you mean @{choices[0]}?" if choices else "name it first, as in stem: conv7-64"
    raise ArchitectureError(
        f"no earlier layer was named {quoted(item.reference)}", where=item.token.place, hint=hint
    )


def _absolute(name: str, scope: str) -> str:
    return name[1:] if name.startswith("/") else scope + name


def _name(drafts: list[_Draft]) -> list[str]:
    """Explicit names as they are; the others by kind and order in their scope."""
    taken = {draft.name for draft in drafts if draft.name} | {INPUT}
    orders: dict[str, int] = {}
    names = []
    for draft in drafts:
        stem = draft.scope + draft.layer.kind
        order = orders.get(stem, 0) + 1
        if not draft.name:
            while f"{stem}{order}" in taken:
                order += 1
        orders[stem] = order
        names.append(draft.name or f"{stem}{order}")
    return names


# ------------------------------------------------------------------------------------------ writing


class _Run(NamedTuple):
    """Positions in a row; a join stands for its whole bracket. ``start`` is where it begins."""

    start: int | None  # a position to be referred to, or None: where the text stands anyway
    members: list[int]


def write(network: Network) -> str:
    """The network in the notation, such that parsing it gives the same nodes.

    Branches are found again from the graph: a join's bracket opens at the last node that all its
    branches share (its immediate dominator). What does not nest is referred to with ``@name``.
    """
    writer = _Writer(network)
    text = writer.text()
    return f"{network.input} {text}" if network.input is not None else text


class _Writer:
    def __init__(self, network: Network) -> None:
        self.nodes = network.nodes
        places = {INPUT: -1} | {node.name: i for i, node in enumerate(network.nodes)}
        self.inputs = [tuple(places[name] for name in node.inputs) for node in network.nodes]
        self.fork = self._forks()
        self.done = {-1}
        self.runs: dict[tuple[int, int], _Run] = {}  # (join, branch) -> what stands in it
        self.main = self._run(len(self.nodes) - 1, -1)
        self.order: list[int] = []
        self._visit(self.main, -1)

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

    def _run(self, end: int, start: int) -> _Run:
        members = []
        while end not in self.done:
            members.append(end)
            end = self.fork[end]
        return _Run(None if end == start else end, members[::-1])

    def _visit(self, run: _Run, feed: int) -> None:
        """Settle the runs of all brackets, in the order of the text."""
        feed = feed if run.start is None else run.start
        for member in run.members:
            if isinstance(self.nodes[member].layer, Join):
                for branch, end in enumerate(self.inputs[member]):
                    inner = self._run(end, feed)
                    self.runs[member, branch] = inner
                    self._visit(inner, feed)
            self.order.append(member)
            self.done.add(member)
            feed = member

    def text(self) -> str:
        referred = {run.start for run in self.runs.values()} - {None, -1}
        explicit = set(referred)
        while True:
            # A name that automatic naming gives anyway is left out.
            scopes: dict[int, str] = {}
            self._scopes(self.main, "", explicit, scopes)
            drafts = [
                _Draft(
                    scopes[i],
                    self.nodes[i].name if i in explicit or not self._automatic(i) else "",
                    self.nodes[i].layer,
                    (),
                    "",
                )
                for i in self.order
            ]
            given = dict(zip(self.order, _name(drafts), strict=True))
            wrong = {i for i in self.order if given[i] != self.nodes[i].name}
            if not wrong:
                self.named = {i for i, draft in zip(self.order, drafts, strict=True) if draft.name}
                return " ".join(self._words(self.main, scopes))
            explicit |= wrong

    def _automatic(self, place: int) -> bool:
        name = self.nodes[place].name.rpartition("/")[2]
        return re.fullmatch(rf"{self.nodes[place].layer.kind}\d+", name) is not None

    def _scopes(
        self, run: _Run, scope: str, explicit: set[int | None], scopes: dict[int, str]
    ) -> None:
        for member in run.members:
            scopes[member] = scope
            if isinstance(self.nodes[member].layer, Join):
                opens = member in explicit or not self._automatic(member)
                inner = f"{self.nodes[member].name}/" if opens else scope
                for branch in range(len(self.inputs[member])):
                    self._scopes(self.runs[member, branch], inner, explicit, scopes)

    def _words(self, run: _Run, scopes: dict[int, str]) -> Iterator[str]:
        if run.start is not None:
            name = INPUT if run.start == -1 else self.nodes[run.start].name
            yield f"@/{name}" if name != INPUT else "@input"
        elif not run.members:
            yield "id"
        previous, repeats = "", 0
        for member in run.members:
            node = self.nodes[member]
            if isinstance(node.layer, Join):
                word = self._bracket(member, scopes)
            else:
                word = write_word(node.layer)
            if member in self.named:
                scope = scopes[member]
                inside = node.name.startswith(scope)
                word = f"{node.name[len(scope) :] if inside else '/' + node.name}: {word}"
            if word == previous and not isinstance(node.layer, Join) and member not in self.named:
                repeats += 1
                continue
            if repeats > 1:
                yield f"x{repeats}"
            yield word
            previous, repeats = word, 1
        if repeats > 1:
            yield f"x{repeats}"

    def _bracket(self, member: int, scopes: dict[int, str]) -> str:
        sign = SIGNS[self.nodes[member].layer.kind]
        branches = (
            " ".join(self._words(self.runs[member, branch], scopes))
            for branch in range(len(self.inputs[member]))
        )
        inside = f" {sign} ".join(branches)
        return f"[{inside}]" if sign == "|" else f"({inside})"
