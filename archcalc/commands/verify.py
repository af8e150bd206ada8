"""``archcalc verify``; torch is loaded once it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from archcalc import api, zoo
from archcalc.console import deliver, deliverable
from archcalc.errors import ArchitectureError, MeasurementError, need
from archcalc.options import (
    At,
    Batch,
    Format,
    Input,
    Output,
    Words,
    network_of,
    option,
    whole_number,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archcalc.checks import Verification


def verify(
    words: Words,
    against: Annotated[
        str,
        option(
            "--against",
            "torch, fvcore, torchinfo, ptflops, thop, gradient (receptive fields), torchvision; "
            "or all that is installed.",
            "NAMES",
        ),
    ] = "torch,fvcore,torchinfo",
    device: Annotated[
        str,
        option("--device", "cpu, cuda or meta; if not said, the least costly.", "DEVICE"),
    ] = "",
    dtype: Annotated[str, option("--dtype", "Of the model that is counted.", "DTYPE")] = "fp32",
    batch: Batch = "1",
    input: Input = None,  # noqa: A002
    at: At = None,
    format: Format = None,  # noqa: A002
    output: Output = None,
) -> None:
    """Ours beside what other tools count, layer by layer, every difference explained.

    Exit status 1 where a difference has no known cause. NETWORK may be `zoo`: all that have a name.
    """
    need("verify", "verify", "torch")
    examples = whole_number(batch, "--batch")
    deliverable(format, output)
    from archcalc.measure.verification import installed  # noqa: PLC0415 - loads torch
    from archcalc.render.views.verification import verification, verifications  # noqa: PLC0415

    everything = words == ["zoo"]
    networks = [zoo.load(name) for name in zoo.NAMES] if everything else [network_of(words)]
    verified: list[Verification] = []
    for network in networks:
        tools = installed(network)
        names = tools if against == "all" else _words(against)
        if everything and "torchvision" not in tools:
            names = [name for name in names if name != "torchvision"]
        options: dict[str, Any] = {"batch": examples, "device": device, "dtype": dtype, "at": at}
        try:
            verified.append(api.verify(network, input, against=names, **options))
        except ArchitectureError as error:
            raise (error.at(network.name) if everything else error) from None

    def data() -> dict[str, Any]:
        if not everything:
            return verified[0].to_dict()
        each = [verification.to_dict() for verification in verified]
        return {"schema": "archcalc.verifications/1", "networks": each}

    deliver(
        lambda: verifications(verified) if everything else verification(verified[0]),
        data,
        format,
        output,
    )
    _complain(verified)


def _complain(verified: Sequence[Verification]) -> None:
    complaints = [each.complaint() for each in verified if not each.explained]
    if complaints:
        raise MeasurementError(complaints[0])


def _words(text: str) -> list[str]:
    names = [word.strip() for word in text.split(",") if word.strip()]
    if not names:
        raise ArchitectureError("--against names nobody", hint="e.g. --against torchinfo")
    return names
