"""Floor 6: from what a person writes to a network: a name, a file, or the notation itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from archcalc import zoo
from archcalc.errors import ArchitectureError, nearest, quoted
from archcalc.notation import parse, stems

if TYPE_CHECKING:
    from archcalc.network import Network

LARGEST_FILE: Final = 4_000_000  # bytes; no architecture is that long


def load(what: str) -> Network:
    """A network by its name in the zoo, by a text file, or by its notation.

    ``load("vgg19")``, ``load("mynet.txt")``, ``load("32x32x3 conv3-64 x2 pool2 fc-10")``.

    Raises:
        ArchitectureError: neither; with the nearest names or spellings.
    """
    if zoo.find(what):
        return zoo.load(what)
    if not what.strip():
        hint = "archcalc networks lists the networks; layers read like conv3-64 pool2 fc-10"
        raise ArchitectureError(f"{quoted(what)} names no network", hint=hint)
    path = Path(what)
    if what.endswith((".txt", ".net")) or ("\0" not in what and _exists(path)):
        return parse(_read(path), path.stem, str(path))
    several = len(what.split()) > 1 or re.search(r"[\[\]()|+*:@]", what)
    stem = re.match(r"[a-z]*", what)
    if several or what[0].isdigit() or (stem and stem[0] in stems()):
        return parse(what)
    if nearest(what, list(zoo.NAMES)):
        return zoo.load(what)  # which says what names are near
    try:
        return parse(what)
    except ArchitectureError as error:
        if error.hint.startswith("did you mean"):
            raise
    fact = f"{quoted(what)} is no known network, no file and no notation"
    hint = "archcalc networks lists the networks; layers read like conv3-64 pool2 fc-10"
    raise ArchitectureError(fact, hint=hint)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name longer than the file system allows
        return False


def _read(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ArchitectureError(error.strerror or "cannot be read", where=str(path)) from None
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
