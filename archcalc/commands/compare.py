"""``archcalc compare``."""

from __future__ import annotations

from typing import Annotated

import typer

from archcalc.api import report
from archcalc.console import deliver
from archcalc.errors import ArchitectureError, quoted
from archcalc.options import (
    At,
    Batch,
    Dtype,
    Format,
    Input,
    NoBias,
    Output,
    network_names,
    whole_number,
)
from archcalc.render import views


def compare(
    networks: Annotated[
        list[str],
        typer.Argument(help="Names, files or notation.", autocompletion=network_names),
    ],
    input: Input = None,  # noqa: A002
    at: At = None,
    batch: Batch = "1",
    dtype: Dtype = "fp32",
    no_bias: NoBias = False,
    format: Format = None,  # noqa: A002
    output: Output = None,
) -> None:
    """Networks side by side."""
    examples = whole_number(batch, "--batch")
    reports = []
    for name in networks:
        try:
            reports.append(
                report(name, input, batch=examples, dtype=dtype, bias=not no_bias, at=at)
            )
        except ArchitectureError as error:
            raise error.at(quoted(name)) from None
    deliver(
        lambda: views.compared(reports),
        lambda: {"schema": "archcalc.networks/1", "networks": [r.to_dict() for r in reports]},
        format,
        output,
    )
