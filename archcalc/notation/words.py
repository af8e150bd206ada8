"""Single words: a layer to its word and back."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from archcalc.count import Number, letter
from archcalc.errors import ArchitectureError, nearest, quoted
from archcalc.layers import (
    Activation,
    AdaptivePool,
    BatchNorm,
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
    Pool,
    TransposedConvolution,
)
from archcalc.layers.activation import ACTIVATIONS
from archcalc.shape import LARGEST

if TYPE_CHECKING:
    from archcalc.layers.base import Axes

_MODIFIER = re.compile(r"(op|p|d|g)([0-9]+(?:x[0-9]+)*)|(ceil|nobias|noaffine)")
MODIFIERS = re.compile(
    r"(?:/[0-9]+(?:x[0-9]+)*)?(?:(?:op|p|d|g)[0-9]+(?:x[0-9]+)*|ceil|nobias|noaffine)*"
)

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
KINDS: Final = frozenset(_PIECES)  # how words begin
# The longest first, so that convt is not read as conv.
_KIND = "|".join(sorted(KINDS, key=len, reverse=True))
_WORD = re.compile(
    rf"(?P<kind>{_KIND})(?P<size>\.[0-9]+|[0-9]+(?:x[0-9]+)*)?(?:-(?P<channels>[0-9]+|[A-Z][A-Z0-9]*))?"
    r"(?:/(?P<stride>[0-9]+(?:x[0-9]+)*))?(?P<modifiers>(?:(?:op|p|d|g)[0-9]+(?:x[0-9]+)*|ceil|nobias|noaffine)*)"
)
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
    groups = whole(pieces.get("g", "1"), "number of groups")
    bias, affine = "nobias" not in pieces, "noaffine" not in pieces
    match kind:
        case "conv":
            kernel, channels = _axes(size, "kernel"), _channels(pieces)
            return Convolution(kernel, channels, stride or 1, padding, dilation, groups, bias)
        case "convt":
            kernel, channels = _axes(size, "kernel"), _channels(pieces)
            extra = _axes(pieces.get("op", "0"), "output padding", 0)
            numbers = (kernel, channels, stride or 1, padding, dilation, groups, bias)
            return TransposedConvolution(*numbers, extra)
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
            return GroupNorm(whole(size, "number of groups"), affine)
        case "lrn":
            return LocalResponseNorm(whole(size or "5", "size"))
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
        "globalavgpool": "gap", "globalmaxpool": "gmp", "globalpool": "gap",
    }  # fmt: skip
    for kind in [aliases.get(stem.lower(), stem.lower()), *nearest(stem, list(_PIECES), 0.7)]:
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


def whole(text: str, what: str, smallest: int = 1) -> int:
    """Digits as a number between ``smallest`` and a billion."""
    if len(text) > len(str(LARGEST)) or int(text) > LARGEST:
        raise ArchitectureError(f"the {what} is larger than {LARGEST:,}")
    if int(text) < smallest:
        raise ArchitectureError(f"the {what} is at least {smallest}, not {int(text)}")
    return int(text)


def _axes(text: str, what: str, smallest: int = 1) -> Axes:
    numbers = tuple(whole(part, what, smallest) for part in text.split("x"))
    return numbers if len(numbers) > 1 else numbers[0]


def _channels(pieces: dict[str, str]) -> Number:
    text = pieces["channels"]
    return whole(text, "number of channels") if text.isdecimal() else letter(text)


def _fraction(text: str) -> float:
    if not re.fullmatch(r"\.[0-9]{1,9}|0", text):
        raise ArchitectureError("a fraction is written .5")
    return float(text)


def _decimals(fraction: float) -> str:
    return f"{fraction:.9f}".rstrip("0")[1:] if fraction else "0"


def _text(axes: Axes) -> str:
    return str(axes) if isinstance(axes, int) else "x".join(map(str, axes))


def _optional(mark: str, axes: Axes | None, default: Axes | None) -> str:
    return "" if axes is None or axes == default else mark + _text(axes)
