"""Answers to lab 3, problem 5: what archcalc computes for them, while a page is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import archcalc as ac
from archcalc.render import views

if TYPE_CHECKING:
    from collections.abc import Iterator

    from training.answers.words import Named

COMMANDS: Final = {"vgg19": "archcalc vgg19 --table"}  # what prints a block, or draws a figure


def blocks() -> Iterator[Named]:
    """Tables and paragraphs, each under a name."""
    for block in views.table1(ac.load("vgg19").report()):
        yield "vgg19", block
