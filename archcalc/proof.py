"""Floor 11: the commands that measure, ``archcalc verify`` and ``archcalc profile``.

They stand apart from the others because they load torch, and because every command that Typer
builds costs the analytic ones time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archcalc import zoo
from archcalc.cli import At, Batch, Format, Input, Output, Words, deliver, deliverable, one, whole
from archcalc.errors import ArchitectureError, MeasurementError, need, quoted
from archcalc.render.deliver import to_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archcalc.checks import Verification

app = typer.Typer(
    name="archcalc",
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _commands() -> None:
    """Two commands: Typer would take a single one for the whole application."""


def _option(name: str, meaning: str, metavar: str = "N") -> Any:  # noqa: ANN401 - typer's own
    return typer.Option(name, metavar=metavar, help=meaning)


@app.command()
def verify(
    words: Words,
    against: Annotated[
        str,
        _option(
            "--against",
            "torch, fvcore, torchinfo, ptflops, thop, gradient (receptive fields), torchvision; "
            "or all that is installed.",
            "NAMES",
        ),
    ] = "torch,fvcore,torchinfo",
    device: Annotated[
        str,
        _option("--device", "cpu, cuda or meta; if not said, the least costly.", "DEVICE"),
    ] = "",
    dtype: Annotated[str, _option("--dtype", "Of the model that is counted.", "DTYPE")] = "fp32",
    batch: Batch = "1",
    input: Input = None,  # noqa: A002
    at: At = None,
    format: Format = "text",  # noqa: A002
    output: Output = None,
) -> None:
    """Ours beside what other tools count, layer by layer, every difference explained.

    Exit status 1 where a difference has no known cause. NETWORK may be `zoo`: all that have a name.
    """
    need("verify", "verify", "torch")
    examples = whole(batch, "--batch")
    deliverable(format, output)
    from archcalc.api import verify  # noqa: PLC0415
    from archcalc.measure.verification import installed  # noqa: PLC0415 - loads torch
    from archcalc.render.views.verification import verification, verifications  # noqa: PLC0415

    everything = words == ["zoo"]
    networks = [zoo.load(name) for name in zoo.NAMES] if everything else [one(words)]
    found = []
    for network in networks:
        there = installed(network)
        names = there if against == "all" else _words(against)
        if everything and "torchvision" not in there:
            names = [name for name in names if name != "torchvision"]
        options: dict[str, Any] = {"batch": examples, "device": device, "dtype": dtype, "at": at}
        try:
            found.append(verify(network, input, against=names, **options))
        except ArchitectureError as error:
            raise (error.at(network.name) if everything else error) from None

    def data() -> dict[str, Any]:
        if not everything:
            return found[0].to_dict()
        each = [verified.to_dict() for verified in found]
        return {"schema": "archcalc.verifications/1", "networks": each}

    deliver(
        lambda: verifications(found) if everything else verification(found[0]),
        data,
        format,
        output,
    )
    _complain(found)


@app.command()
def profile(
    words: Words,
    train: Annotated[
        bool, typer.Option("--train", help="Forward, backward and optimizer; else forward alone.")
    ] = False,
    device: Annotated[str, _option("--device", "cpu or cuda.", "DEVICE")] = "cpu",
    dtype: Annotated[
        str, _option("--dtype", "fp32, tf32, fp16, bf16 or fp64, weights and all.", "DTYPE")
    ] = "fp32",
    batch: Batch = "1",
    optimizer: Annotated[
        str, _option("--optimizer", "sgd, momentum or adam, with --train.", "NAME")
    ] = "sgd",
    repeats: Annotated[str, _option("--repeats", "Passes that are timed.")] = "10",
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
        _option("--figure", "Bars by layer and the roofline: .png, .svg or .pdf.", "FILE"),
    ] = None,
    format: Format = "text",  # noqa: A002
    output: Output = None,
) -> None:
    """Time and memory of every layer, measured beside what the device could do at best."""
    need("profile", "verify", "torch", *([] if figure is None else ["matplotlib"]))
    examples, passes = whole(batch, "--batch"), whole(repeats, "--repeats")
    deliverable(format, output)
    form = _image(figure) if figure is not None else ""
    from archcalc.api import profile  # noqa: PLC0415
    from archcalc.render.views.profile import profiled  # noqa: PLC0415 - likewise

    found = profile(
        one(words),
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

        to_file(figures.profile(found, form), Path(figure))
    deliver(lambda: profiled(found), found.to_dict, format, output)


def _image(path: str) -> str:
    """The kind of image that a file's name asks for."""
    deliverable("text", path, "--figure")
    form = Path(path).suffix.lower().removeprefix(".")
    if form not in {"png", "svg", "pdf"}:
        raise ArchitectureError(f"--figure {quoted(path)} is no image", hint="e.g. --figure a.png")
    return form


def _complain(found: Sequence[Verification]) -> None:
    complaints = [verified.complaint() for verified in found if not verified.explained]
    if complaints:
        raise MeasurementError(complaints[0])


def _words(text: str) -> list[str]:
    names = [word.strip() for word in text.split(",") if word.strip()]
    if not names:
        raise ArchitectureError("--against names nobody", hint="e.g. --against torchinfo")
    return names
