"""Floor 10: the options that commands share, and what is read from them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from archcalc import zoo
from archcalc.errors import ArchitectureError, quoted
from archcalc.network import Network
from archcalc.open import load, names_network
from archcalc.render import FORMATS
from archcalc.shape import LARGEST
from archcalc.units import BYTES_OF


def option(
    name: str,
    meaning: str,
    metavar: str | None = "N",
    choices: Callable[[], Sequence[str]] | None = None,
) -> Any:  # noqa: ANN401 - typer's own
    """An option whose value is read by its command, which names what was typed.

    ``choices`` are what a shell may complete it to.
    """
    return typer.Option(name, metavar=metavar, help=meaning, autocompletion=choices)


def flag(name: str, meaning: str) -> Any:  # noqa: ANN401 - likewise
    """An option without a value."""
    return typer.Option(name, help=meaning)


def networks(meaning: str, metavar: str | None = None) -> Any:  # noqa: ANN401 - likewise
    """Words of which a shell may complete the names of networks."""
    return typer.Argument(metavar=metavar, help=meaning, autocompletion=lambda: zoo.NAMES)


Words = Annotated[list[str], networks("A name, a text file, or the notation.", "NETWORK")]
Input = Annotated[
    str | None, option("--input", "Input for one example: 224x224x3, or HxWx3.", "HxWxC")
]
At = Annotated[str | None, option("--at", "Values for the letters.", "H=448,W=448")]
Batch = Annotated[str, option("--batch", "Examples at once, for memory.")]
Dtype = Annotated[
    str,
    option("--dtype", "fp64, fp32, tf32, fp16, bf16, fp8 or int8.", None, lambda: tuple(BYTES_OF)),
]
NoBias = Annotated[bool, flag("--no-bias", "Leave out biases of convolutions and linear layers.")]
Format = Annotated[
    str | None,
    option(
        "--format",
        f"One of {', '.join(FORMATS)}; if not said, as the output's name ends, or text.",
        "FORMAT",
        lambda: FORMATS,
    ),
]
Optimizer = Annotated[str, option("--optimizer", "sgd, momentum or adam, with --train.", "NAME")]
Output = Annotated[str | None, option("--output", "Write there, whole or not at all.", "FILE")]


def network_of(words: Sequence[str]) -> Network:
    """The network that was typed; the words of a notation may come without quotes.

    Raises:
        ArchitectureError: no network, or several.
    """
    if len(words) > 1 and any(map(names_network, words)):
        for word in words:
            load(word)  # says which of them is no network
        from shlex import join  # noqa: PLC0415 - only this error needs it

        hint = f"archcalc compare {join(words)} sets networks side by side"
        raise ArchitectureError(f"{len(words)} networks, but this shows one", hint=hint)
    return load(" ".join(words))


def whole_number(text: str, where: str, smallest: int = 1) -> int:
    """A whole number that was typed for an option.

    Raises:
        ArchitectureError: saying where, what was typed, and the limits.
    """
    if re.fullmatch(r"[0-9]{1,10}", text) and smallest <= int(text) <= LARGEST:
        return int(text)
    limits = f"a whole number from {smallest} to {LARGEST:,}"
    raise ArchitectureError(f"{quoted(text)} is not {limits}", where=where)
