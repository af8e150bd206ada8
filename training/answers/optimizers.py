"""Answers to lab 3, problem 4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.answers.words import interval, short, table
from training.experiments.optimizers import METHODS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archcalc.render.table import Block
    from training.experiments.optimizers import Optimizers


def blocks(experiment: Optimizers, results: Mapping[str, Any]) -> Iterator[Block]:  # noqa: ARG001
    """Tables and paragraphs."""
    for dropout, setting in results["settings"].items():
        rows = [
            (
                METHODS[name].said,
                f"{one['rate']:g}",
                short(one["final"]["learning_loss"]["mean"][0]),
                interval(one["final"]["test_accuracy"]["mean"], 2),
            )
            for name, one in setting["methods"].items()
        ]
        yield table(f"{dropout} dropout", ("", "rate", "training loss", "test accuracy"), rows)
