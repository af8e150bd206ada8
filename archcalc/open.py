"""Floor 4: from what a person writes to a network: a name, a file, or the notation itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from archcalc import zoo
from archcalc.errors import ArchitectureError, nearest, quoted
from archcalc.network import Network
from archcalc.notation import parse, stems
from archcalc.notation.words import LOOKS_LIKE

LARGEST_FILE: Final = 4_000_000  # bytes; no architecture is that long
TEXT_FILES: Final = {".net", ".txt"}
# What is no text in the notation, by the suffix of its name.
OTHER_FILES: Final = {
    ".ckpt": "PyTorch's pickled weights",
    ".h5": "a Keras model",
    ".keras": "a Keras model",
    ".onnx": "an ONNX graph",
    ".pb": "a TensorFlow graph",
    ".prototxt": "a Caffe network",
    ".pt": "PyTorch's pickled weights",
    ".pt2": "an exported PyTorch program",
    ".pth": "PyTorch's pickled weights",
    ".py": "Python code",
    ".safetensors": "weights without a network",
}


def load(what: str | Network) -> Network:
    """A network by its name in the zoo, by a text file, or by its notation; a network is itself.

    ``load("vgg19")``, ``load("mynet.txt")``, ``load("32x32x3 conv3-64 x2 pool2 fc-10")``.

    Raises:
        ArchitectureError: neither; with the nearest names or spellings.
    """
    if isinstance(what, Network):
        return what
    if not isinstance(what, str):
        kind = type(what)
        fact = f"archcalc reads names and text, and no {kind.__module__}.{kind.__name__} yet"
        raise ArchitectureError(fact, hint='write it as e.g. "32x32x3 conv3-64 x2 pool2 fc-10"')
    if zoo.find(what):
        return zoo.load(what)
    if not what.strip():
        hint = "archcalc networks lists the networks; layers read like conv3-64 pool2 fc-10"
        raise ArchitectureError(f"{quoted(what)} names no network", hint=hint)
    if _suffix(what) in OTHER_FILES:
        fact = f"{OTHER_FILES[_suffix(what)]}, which this release does not read"
        hint = "it reads names (archcalc networks) and its notation (conv3-64 x2 pool2 fc-10)"
        raise ArchitectureError(fact, where=what, hint=hint)
    path = Path(what)
    if _suffix(what) in TEXT_FILES or is_file(what):
        return parse(_read(path), path.stem, str(path))
    several = len(what.split()) > 1 or re.search(r"[\[\]()|+*:@]", what)
    if several or what[0].isdigit() or begins_a_layer(what):
        return parse(what)
    if nearest(what, list(zoo.NAMES)):
        return zoo.load(what)  # which says what names are near
    try:
        return parse(what)
    except ArchitectureError as error:
        if error.hint != LOOKS_LIKE:  # something is known of it
            raise
    if _exists(path):
        raise ArchitectureError("is a directory, and no network", where=what)
    fact = f"no network, no file and no kind of layer is called {quoted(what)}"
    hint = f"archcalc networks lists the networks; the layers are {', '.join(sorted(stems()))}"
    raise ArchitectureError(fact, hint=hint)


def names_network(word: str) -> bool:
    """Whether a word alone is meant for a network: a name, or a file's name, and no layer."""
    if zoo.find(word) or _suffix(word) in TEXT_FILES | OTHER_FILES.keys():
        return True
    return is_file(word) and not begins_a_layer(word)


def begins_a_layer(word: str) -> bool:
    """Whether a word starts as the kinds of layers do: ``conv3-64``, ``relu``, ``conv``."""
    return re.split(r"[^a-z]", word, maxsplit=1)[0] in stems()


def is_file(name: str) -> bool:
    """Whether something that can be read has that name; a folder cannot."""
    path = Path(name)
    return _exists(path) and not path.is_dir()


def _suffix(name: str) -> str:
    """``.py``, of ``net.py`` and of ``net.py:Net``."""
    return Path(name).suffix.lower().partition(":")[0]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name longer than the file system allows
        return False


def _read(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:  # of a name with a null byte
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ArchitectureError(why or "cannot be read", where=str(path)) from None
    if len(data) > LARGEST_FILE:
        raise ArchitectureError(f"larger than {LARGEST_FILE:,} bytes", where=str(path))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        fact = f"not a text file: byte {error.start} is not UTF-8"
        raise ArchitectureError(fact, where=str(path)) from None
    if "\0" in text:
        raise ArchitectureError("not a text file: it has null bytes", where=str(path))
    return text
