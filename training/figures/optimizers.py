"""The figures of adaptive methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from training.experiments.optimizers import Optimizers
    from training.record import Array


def figures(
    experiment: Optimizers,  # noqa: ARG001
    arrays: Mapping[str, Array],  # noqa: ARG001
    results: Mapping[str, Any],  # noqa: ARG001
) -> Iterator[tuple[str, bytes]]:
    """None yet."""
    yield from ()
