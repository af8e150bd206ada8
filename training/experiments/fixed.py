"""What a question fixes of the settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple


class Fixed(NamedTuple):
    """What a question fixes of a setting.

    Args:
        wording: in words.
        met: whether a value is so.
    """

    wording: str
    met: Callable[[Any], bool]


def exactly(value: object, said: str = "") -> Fixed:
    """This value, which may have a word of its own."""
    return Fixed(said or worded(value), lambda found: found == value)


def at_least(least: float) -> Fixed:
    """This number or a larger one."""
    return Fixed(f"{worded(least)} or more", lambda found: found >= least)


def at_most(most: float) -> Fixed:
    """This number or a smaller one."""
    return Fixed(f"{worded(most)} or less", lambda found: found <= most)


def all_of(*asked: object) -> Fixed:
    """A list that has all of these, and maybe more."""
    return Fixed(f"all of {', '.join(map(worded, asked))}", {*asked}.issubset)


def one_of(*asked: object) -> Fixed:
    """One of these values, or a list that has one of them, and maybe more."""

    def met(found: object) -> bool:
        return not {*asked}.isdisjoint(found if isinstance(found, tuple) else [found])

    return Fixed(f"one of {', '.join(map(worded, asked))}", met)


def worded(value: object) -> str:
    """A setting for people: ``1,000``, ``0.25``, ``relu,leaky``."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:,}".removesuffix(".0") if isinstance(value, int | float) else str(value)


ALL: Final = exactly(0, "all")  # images
