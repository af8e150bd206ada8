"""``archcalc profile``; torch is loaded once it is run."""

from pathlib import Path
from typing import Annotated

from archcalc import api, options
from archcalc.console import deliver, deliverable
from archcalc.errors import ArchitectureError, need, quoted
from archcalc.options import flag, network_of, option, whole_number
from archcalc.render.deliver import to_file


def profile(
    words: options.Words,
    train: Annotated[
        bool, flag("--train", "Forward, backward and optimizer; else forward alone.")
    ] = False,
    device: Annotated[str, option("--device", "cpu or cuda.", "DEVICE")] = "cpu",
    dtype: Annotated[
        str, option("--dtype", "fp32, tf32, fp16, bf16 or fp64, weights and all.", "DTYPE")
    ] = "fp32",
    batch: options.Batch = "1",
    optimizer: options.Optimizer = "sgd",
    repeats: Annotated[str, option("--repeats", "Passes that are timed.")] = "10",
    calibrate: Annotated[
        bool, flag("--calibrate", "Measure the device's ceilings even where a data sheet has them.")
    ] = False,
    input: options.Input = None,  # noqa: A002
    at: options.At = None,
    figure: Annotated[
        str | None,
        option("--figure", "Bars by layer and the roofline: .png, .svg or .pdf.", "FILE"),
    ] = None,
    format: options.Format = None,  # noqa: A002
    output: options.Output = None,
) -> None:
    """Time and memory of every layer, measured beside what the device could do at best."""
    need("profile", "verify", "torch", *([] if figure is None else ["matplotlib"]))
    examples, passes = whole_number(batch, "--batch"), whole_number(repeats, "--repeats")
    deliverable(format, output)
    image = Path(figure or "").suffix.lower().removeprefix(".")
    if figure is not None:
        deliverable("text", figure, "--figure")
        if image not in {"png", "svg", "pdf"}:
            fact = f"--figure {quoted(figure)} is no image"
            raise ArchitectureError(fact, hint="e.g. --figure a.png")
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

        to_file(figures.profile(measured, image), Path(figure))
    deliver(lambda: profiled(measured), measured.to_dict, format, output)
