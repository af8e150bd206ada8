"""Floor 5: counters, one tool a file: its rule over our own layers, and how it is asked.

A file ends with its :class:`~archcalc.counters.base.Counter`; a tool is imported when it is asked.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final, cast

from archcalc.counters.base import Counter
from archcalc.errors import ArchitectureError, meant, quoted

NAMES: Final = ("mac", "flop", "torch", "fvcore", "torchinfo", "ptflops", "thop")
TOOLS: Final = NAMES[2:]  # those that can be asked


def counter(name: str) -> Counter:
    """A counter by its name.

    Raises:
        ArchitectureError: with the nearest names.
    """
    if name not in NAMES:
        raise ArchitectureError(f"{quoted(name)} is no convention", hint=meant(name, list(NAMES)))
    return cast("Counter", import_module(f"archcalc.counters.{name}").COUNTER)


def counters() -> list[Counter]:
    """All of them."""
    return [counter(name) for name in NAMES]
