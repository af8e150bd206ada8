"""``archcalc profile``; torch is loaded once it is run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archcalc import api
from archcalc.console import deliver, deliverable
from archcalc.errors import ArchitectureError, need, quoted
from archcalc.options import (
    At,
    Batch,
    Format,
    Input,
    Optimizer,
    Output,
    Words,
    network_of,
    option,
    whole_number,
)
from archcalc.render.deliver import to_file


def profile(
    words: Words,
    train: Annotated[
        bool, typer.Option("--train", help="Forward, backward and optimizer; else forward alone.")
    ] = False,
    device: Annotated[str, option("--device", "cpu or cuda.", "DEVICE")] = "cpu",
    dtype: Annotated[
        str, option("--dtype", "fp32, tf32, fp16, bf16 or fp64, weights and all.", "DTYPE")
    ] = "fp32",
    batch: Batch = "1",
    optimizer: Optimizer = "sgd",
    repeats: Annotated[str, option("--repeats", "Passes that are timed.")] = "10",
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate", help="Measure the device's ceilings even where a data sheet has them."
        ),
    ] = False,
    input: Input = None,  # noqa: A002
    at: At = None,
    figure: Annotated[
        str | None,
        option("--figure", "Bars by layer and the roofline: .png, .svg or .pdf.", "FILE"),
    ] = None,
    format: Format = None,  # noqa: A002
    output: Output = None,
) -> None:
    """Time and memory of every layer, measured beside what the device could do at best."""
    need("profile", "verify", "torch", *([] if figure is None else ["matplotlib"]))
    examples, passes = whole_number(batch, "--batch"), whole_number(repeats, "--repeats")
    deliverable(format, output)
    form = _image(figure) if figure is not None else ""
    from archcalc.render.views.profile import profiled  # noqa: PLC0415 - only this command

    measured = api.profile(
        network_of(words),
        input,
        train=train,
        device=device,
        dtype=dtype,
        batch=examples,
        optimizer=optimizer,
        repeats=passes,
        calibrate=calibrate,
        at=at,
    )
    if figure is not None:
        from archcalc.render import figures  # noqa: PLC0415 - loads matplotlib

        to_file(figures.profile(measured, form), Path(figure))
    deliver(lambda: profiled(measured), measured.to_dict, format, output)


def _image(path: str) -> str:
    """The kind of image that a file's name asks for."""
    deliverable("text", path, "--figure")
    form = Path(path).suffix.lower().removeprefix(".")
    if form not in {"png", "svg", "pdf"}:
        raise ArchitectureError(f"--figure {quoted(path)} is no image", hint="e.g. --figure a.png")
    return form
