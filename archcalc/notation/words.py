"""Single words: a layer to its word and back, by what the layer's fields declare."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final

from archcalc.errors import ArchitectureError, nearest, quoted
from archcalc.layers import kinds
from archcalc.layers.base import Layer
from archcalc.layers.pieces import Piece, Stem

_NUMBERS: Final = "[0-9]+(?:x[0-9]+)*"
# What may stand behind the beginning of a word, in front of its modifiers.
_PIECES: Final = (
    rf"(?P<size>[0-9]*\.[0-9]+|{_NUMBERS})?(?:-(?P<channels>[0-9]+|[A-Z][A-Z0-9]*))?"
    rf"(?:/(?P<stride>{_NUMBERS}))?"
)
# Modifiers that many kinds have, so that one where it cannot stand is called by its name.
_COMMON: Final = ("op", "p", "d", "g"), ("ceil", "nobias", "noaffine")
_MARKS: Final = {"size": "", "channels": "-", "stride": "/"}
_NAMES_OF: Final = {
    "": "number behind its name",
    "-": "-channels",
    "/": "/stride",
    "p": "padding",
    "d": "dilation",
    "g": "groups",
    "op": "output padding",
}
# What else people call the kinds. What is another layer than they mean says so.
SYNONYMS: Final = {
    **dict.fromkeys(("max", "maxpool"), "pool"),
    **dict.fromkeys(("average", "avg", "meanpool"), "avgpool"),
    **dict.fromkeys(("dense", "linear", "fullyconnected"), "fc"),
    **dict.fromkeys(("batchnorm", "batchnormalization", "norm"), "bn"),
    **dict.fromkeys(("layernorm", "layernormalization"), "ln"),
    **dict.fromkeys(("groupnorm", "groupnormalization"), "gn"),
    **dict.fromkeys(("localresponsenorm",), "lrn"),
    **dict.fromkeys(("convolution", "convd"), "conv"),
    **dict.fromkeys(("deconv", "convtranspose", "transposedconv", "upconv"), "convt"),
    **dict.fromkeys(("leaky", "lrelu"), "leakyrelu"),
    **dict.fromkeys(("globalavgpool", "globalaveragepool", "globalpool"), "gap"),
    **dict.fromkeys(("globalmaxpool",), "gmp"),
    "dropout": "drop",
    "flat": "flatten",
    "swish": "silu",
    "hswish": "hardswish",
    "hsigmoid": "hardsigmoid",
    "adaptiveavg": "adaptiveavgpool",
}
# Kinds that archcalc does not have, and what comes close in the notation without being the same.
MISSING: Final = {
    "prelu": "leakyrelu is another layer, whose slope is not learned",
    "dwconv": "a depthwise convolution is written with groups, conv3-24 g24",
    "depthwise": "a depthwise convolution is written with groups, conv3-24 g24",
    "sepconv": "a separable convolution is two, e.g. conv3-16 g16 conv1-32",
    "separable": "a separable convolution is two, e.g. conv3-16 g16 conv1-32",
    "unpool": "convt2-C/2 is another layer, which has weights",
    "upsample": "convt2-C/2 is another layer, which has weights",
    "glu": "gelu is another function; a gate is written (id * conv1-C sigmoid)",
    "instancenorm": "gn is another layer; with a group a channel its statistics are the same",
    "rmsnorm": "ln is another layer, which also subtracts the mean",
    "lstm": "a recurrent layer cannot be written yet",
    "gru": "a recurrent layer cannot be written yet",
    "attention": "attention cannot be written yet",
    "embedding": "an embedding cannot be written yet",
}
LOOKS_LIKE: Final = "layers read like conv3-64 pool2 fc-10 relu"


@lru_cache(maxsize=4096)
def parse_word(word: str) -> Layer:
    """The layer that one word names; its modifiers may be attached (``conv3-64/2p0``).

    Raises:
        ArchitectureError: with the nearest valid spelling.
    """
    for kind in kinds():  # a file of layers is read only where those before it have no such word
        pattern = _pattern(_modifier(kind))
        for text in sorted(kind.stems, key=len, reverse=True):  # relu6 before relu
            if word.startswith(text) and (match := pattern.fullmatch(word, len(text))):
                return _layer(word, kind, text, match)
    raise ArchitectureError(f"{quoted(word)} is no layer", hint=_suggestion(word))


def _layer(word: str, kind: type[Layer], text: str, match: re.Match[str]) -> Layer:
    stem = kind.stems[text]
    texts = {_MARKS[name]: match[name] for name in _MARKS if match[name] is not None}
    for mark, value, switch in re.findall(_modifier(kind), match["modifiers"]):
        if (mark or switch) in texts:
            fact = f"{quoted(word)} says {mark or switch} twice"
            raise ArchitectureError(fact, hint=f"e.g. {stem.example}")
        texts[mark or switch] = value
    pieces = _pieces(kind, stem)
    hint = f"write e.g. {stem.example}"
    for mark in texts:
        if mark not in pieces:
            fact = f"{quoted(word)}: {text} takes no {_NAMES_OF.get(mark, mark)}"
            raise ArchitectureError(fact, hint=hint)
    for mark, (_, piece) in pieces.items():
        if piece.required and mark not in texts:
            fact = f"{quoted(word)}: {text} needs its {_NAMES_OF[mark]}"
            raise ArchitectureError(fact, hint=hint)
    try:
        values = {pieces[mark][0]: pieces[mark][1].read(value) for mark, value in texts.items()}
        return kind(**{**stem.fixed, **values})
    except ArchitectureError as error:
        raise ArchitectureError(f"{quoted(word)}: {error.fact}", hint=hint) from None


@lru_cache(maxsize=4096)
def modifies(word: str, text: str) -> bool:
    """Whether a text that stands behind a word, set apart, belongs to it: ``p3``, ``/2``."""
    for kind in kinds():
        if any(word.startswith(beginning) for beginning in kind.stems):
            return re.fullmatch(rf"(?:/{_NUMBERS})?(?:{_modifier(kind)})*", text) is not None
    return False


def _modifier(kind: type[Layer]) -> str:
    """A modifier of a kind's words: a mark and its numbers, or a switch."""
    numbered, switches = (dict.fromkeys(marks) for marks in _COMMON)
    for piece in kind.pieces().values():
        if piece.mark.isalpha():
            (switches if piece.is_switch else numbered)[piece.mark] = None
    return rf"({'|'.join(numbered)})({_NUMBERS})|({'|'.join(switches)})"


@cache
def _pattern(modifier: str) -> re.Pattern[str]:
    """What may stand behind the beginning of a word that takes such modifiers."""
    without_groups = re.sub(r"\((?!\?)", "(?:", modifier)
    return re.compile(rf"{_PIECES}(?P<modifiers>(?:{without_groups})*)")


def _pieces(kind: type[Layer], stem: Stem) -> dict[str, tuple[str, Piece]]:
    """The fields that such a word may say, by their marks."""
    return {
        piece.mark: (field, piece)
        for field, piece in kind.pieces().items()
        if field not in stem.fixed and (stem.marks is None or piece.mark in stem.marks)
    }


@lru_cache(maxsize=4096)
def write_word(layer: Layer, *, modifiers: bool = True) -> str:
    """The word for a layer, modifiers set apart: ``conv7-64/2 p3``; the kind of a join."""
    kind = type(layer)
    said = (
        (text, stem)
        for text, stem in kind.stems.items()
        if all(getattr(layer, field) == value for field, value in stem.fixed.items())
    )
    word, stem = next(said, (layer.kind, None))
    if stem is None:
        return word
    apart = ""
    # Switches stand last.
    for mark, (field, piece) in sorted(
        _pieces(kind, stem).items(), key=lambda item: item[1][1].is_switch
    ):
        value = getattr(layer, field)
        if not piece.required and value == piece.default:
            continue
        if mark in _MARKS.values():
            word += mark + piece.write(value)
        else:
            apart += f" {mark}{piece.write(value)}"
    return word + apart if modifiers else word


def stems() -> dict[str, Stem]:
    """How words begin, of every kind."""
    return {text: stem for kind in kinds() for text, stem in kind.stems.items()}


def _suggestion(word: str) -> str:
    """The nearest spelling that works: the word mended, or an example of the nearest kind."""
    match = re.match(r"([A-Za-z]*)(.*)", word, re.DOTALL)
    beginning, rest = (match[1].lower(), match[2]) if match else ("", "")
    if beginning in MISSING:
        return f"no kind of layer is called {beginning}: {MISSING[beginning]}"
    known = stems()
    kind = SYNONYMS.get(beginning, beginning)
    for near in [kind, *nearest(beginning, [*known, *SYNONYMS], 0.7)]:
        text = SYNONYMS.get(near, near)
        if text in known:
            mended = text + rest.replace("_", "-").lower()
            try:
                if mended != word:
                    parse_word(mended)
                    return f"did you mean {mended}?"
            except (ArchitectureError, RecursionError):
                pass
            return f"did you mean e.g. {known[text].example}?"
    return LOOKS_LIKE
